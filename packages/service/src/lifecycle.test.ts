import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "@jest/globals";
import { Stage, until } from "./fixtures/processes.ts";

const stage = new Stage("service");
afterAll(() => stage.remove());

const linesOf = (text: string) => text.trimEnd().split("\n");

describe("stopping", () => {
	test.each(["SIGTERM", "SIGINT"] as const)("stopping: %s → the service finishes, exit 0", async (signal) => {
		const service = stage.start("service", ["slow-stop"]);
		await service.prints("started");
		service.kill(signal);
		expect(await service.ended).toBe(0);
		expect(linesOf(service.stdout).slice(2)).toEqual(["aborted", `stop ${signal}`, "stopped"]);
	});

	test("stopping: a second signal → ends at once", async () => {
		const service = stage.start("service", ["endless-stop"]);
		await service.prints("started");
		service.kill("SIGTERM");
		await service.prints("stop SIGTERM");
		service.kill("SIGINT");
		expect(await service.ended).toBe(1);
		expect(service.stderr).toContain("second signal (SIGINT): stopping at once");
	});

	test("stopping: Ctrl-C passed on a second time by a wrapper → one signal", async () => {
		const service = stage.start("service", ["slow-stop"]);
		await service.prints("started");
		service.kill("SIGINT");
		service.kill("SIGINT");
		expect(await service.ended).toBe(0);
		expect(service.stdout).toContain("stopped");
	});

	test("stopping: not finished in its grace period → left, exit 1", async () => {
		const service = stage.start("service", ["endless-stop"], { GRACE: "200" });
		await service.prints("started");
		service.kill("SIGTERM");
		expect(await service.ended).toBe(1);
		expect(service.stderr).toContain("did not stop in time reason=SIGTERM waited_ms=200");
	});

	test("stopping: stop() fails → logged, exit 1", async () => {
		const service = stage.start("service", ["failing-stop"]);
		await service.prints("started");
		service.kill("SIGTERM");
		expect(await service.ended).toBe(1);
		expect(service.stderr).toContain('stopping failed error="cannot stop"');
	});

	test("stopping: a signal during the start → waits for it, stops what was started", async () => {
		const service = stage.start("service", ["slow-start"]);
		await service.prints("starting");
		service.kill("SIGTERM");
		expect(await service.ended).toBe(0);
		expect(linesOf(service.stdout).map((line) => line.split(" ")[0])).toEqual(["starting", "started", "stop", "stopped"]);
	});
});

describe("signals that change nothing about its life", () => {
	test("signals: SIGHUP twice, SIGUSR1 → reloads; wakes, no debugger", async () => {
		const service = stage.start("service");
		await service.prints("started");
		service.kill("SIGHUP");
		await service.prints("reload");
		service.kill("SIGHUP");
		await service.prints("reload", 2);
		service.kill("SIGUSR1");
		await service.prints("wake");
		service.kill("SIGTERM");
		expect(await service.ended).toBe(0);
		expect(service.stderr).not.toContain("Debugger");
	});

	test("signals: a reload fails → logged, everything as it was", async () => {
		const service = stage.start("service", ["bad-reload"]);
		await service.prints("started");
		service.kill("SIGHUP");
		await until(
			() => service.stderr.includes('reload failed; going on as before error="bad value"'),
			() => service.stderr,
		);
		service.kill("SIGTERM");
		expect(await service.ended).toBe(0);
	});
});

describe("failures", () => {
	test("failure: of start() → reaches the command line once, and the log file", async () => {
		const service = stage.start("service", ["fail-start"], { LOG: stage.file("failed.log") });
		expect(await service.ended).toBe(4);
		expect(service.stderr).toBe("demo: another instance (pid 42) holds the lock\n");
		expect(stage.read("failed.log")).toMatch(/ERROR demo: cannot start: another instance \(pid 42\) holds the lock/);
	});

	test.each([
		["throw", "uncaught exception: (intermediate value) is not a function"],
		["reject", "unhandled rejection: not handled"],
	])("failure: %s → one line in the log, with its stack, exit 1", async (behaviour, message) => {
		const service = stage.start("service", [behaviour]);
		expect(await service.ended).toBe(1);
		const lines = linesOf(service.stderr).filter((line) => line.includes("ERROR"));
		expect(lines).toEqual([expect.stringMatching(/^\S+Z ERROR demo: /)]);
		expect(lines[0]).toContain(message.split("(")[0]!.trim());
		expect(lines[0]).toMatch(/stack=".*\\n {4}at /);
		expect(service.stdout).not.toContain("stop");
	});
});

describe("leaving to be restarted", () => {
	test("restart: past the memory limit → finishes the cycle, stops, 75", async () => {
		const service = stage.start("service", ["grow-on-wake"]);
		await service.prints("started");
		service.kill("SIGUSR1");
		expect(await service.ended).toBe(75);
		expect(linesOf(service.stdout).slice(2)).toEqual(["wake", "drain", "drained", "aborted", "stop memory limit", "stopped"]);
		expect(service.stderr).toMatch(/memory limit passed.* rss_bytes=\d+ limit_bytes=188743680/);
	});

	test("restart: its own reason → stops first; without grace leaves at once", async () => {
		const orderly = stage.start("service", ["restart"]);
		const atOnce = stage.start("service", ["lock-lost"]);
		expect(await orderly.ended).toBe(75);
		expect(orderly.stdout).toContain("stop has its reasons\nstopped\n");
		expect(await atOnce.ended).toBe(75);
		expect(atOnce.stdout).not.toContain("stop ");
		expect(atOnce.stderr).toContain('stopping at once reason="lock lost"');
	});
});

describe("the service manager", () => {
	/** A directory with a systemd-notify that records its arguments. */
	function manager(name: string, script = 'echo "$NOTIFY_SOCKET $*" >>"$0.notified"') {
		const directory = stage.file(name);
		mkdirSync(directory);
		const command = `${directory}/systemd-notify`;
		writeFileSync(command, `#!/bin/sh\n${script}\n`);
		chmodSync(command, 0o755);
		const notified = () => (existsSync(`${command}.notified`) ? linesOf(readFileSync(`${command}.notified`, "utf8")) : []);
		return { notified, env: { PATH: `${directory}:${process.env.PATH}`, NOTIFY_SOCKET: "@demo" } };
	}

	test("service manager: a whole life → readiness, status, reload, stop in this order", async () => {
		const { notified, env } = manager("order");
		const service = stage.start("service", [], env);
		await until(
			() => notified().includes("@demo READY=1"),
			() => notified().join("\n"),
		);
		service.kill("SIGHUP");
		await until(
			() => notified().length === 4,
			() => notified().join("\n"),
		);
		service.kill("SIGTERM");
		expect(await service.ended).toBe(0);
		expect(notified()).toEqual([
			"@demo STATUS=two lines",
			"@demo READY=1",
			expect.stringMatching(/^@demo RELOADING=1 MONOTONIC_USEC=\d+$/),
			"@demo READY=1",
			"@demo STOPPING=1 STATUS=Stopping: SIGTERM",
		]);
	});

	const pings = (notified: string[]) => notified.filter((line) => line === "@demo WATCHDOG=1").length;

	test("service manager: the loop moves, then hangs → signs of life, then none", async () => {
		const { notified, env } = manager("hang");
		const service = stage.start("service", ["hang-on-wake"], { ...env, WATCHDOG_USEC: "600000" });
		await until(
			() => pings(notified()) >= 4,
			() => notified().join("\n"),
		);
		service.kill("SIGUSR1");
		await service.prints("wake");
		let last = { count: pings(notified()), atMs: performance.now() };
		// systemd kills a service that is silent for a whole window.
		await until(
			() => {
				const count = pings(notified());
				if (count !== last.count) last = { count, atMs: performance.now() };
				return performance.now() - last.atMs > 600;
			},
			() => "silence",
		);
		const children = readFileSync(`/proc/${service.child.pid}/task/${service.child.pid}/children`, "utf8");
		expect(children.trim()).toBe("");
	});

	test("service manager: a loop sleeps beyond the watchdog's window → signs of life", async () => {
		const { notified, env } = manager("idle");
		const service = stage.start("service", ["idle"], { ...env, WATCHDOG_USEC: "600000", WATCHDOG_PID: "" });
		await until(
			() => pings(notified()) >= 6,
			() => notified().join("\n"),
		);
		expect(service.child.exitCode).toBeNull();
	});

	test("service manager: a process that it does not watch → no signs of life", async () => {
		const { notified, env } = manager("other");
		const service = stage.start("service", [], { ...env, WATCHDOG_USEC: "30000", WATCHDOG_PID: "1" });
		await until(
			() => notified().includes("@demo READY=1"),
			() => notified().join("\n"),
		);
		service.kill("SIGTERM");
		expect(await service.ended).toBe(0);
		expect(pings(notified())).toBe(0);
	});

	test.each([
		["missing", undefined],
		["failing", "exit 1"],
	])("service manager: cannot be reached (systemd-notify %s) → one warning, still runs", async (name, script) => {
		const env = script ? manager(name, script).env : { PATH: "/nowhere", NOTIFY_SOCKET: "@demo" };
		const service = stage.start("service", [], { ...env, WATCHDOG_USEC: "30000" });
		await service.prints("started");
		await until(
			() => service.stderr.includes("cannot be notified"),
			() => service.stderr,
		);
		service.kill("SIGTERM");
		expect(await service.ended).toBe(0);
		expect(service.stderr.match(/WARN/g)).toHaveLength(1);
	});
});
