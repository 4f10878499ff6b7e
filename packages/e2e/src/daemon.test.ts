import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { readLockHolder } from "@robust-sync/system/lock";
import { hear } from "./fixture/hear.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("daemon");
});
afterEach(() => world.remove());

describe("one instance a workspace", () => {
	test("instance: a second daemon → refused with 4 and the pid, the first continues", async () => {
		const [node] = await world.pair();
		await node.start();
		const pid = node.worker();
		const second = await node.run([]);
		expect(second).toMatchObject({ code: 4, stdout: "", stderr: expect.stringContaining(String(pid)) });
		// Also under a service manager, without our own supervisor.
		const managed = await node.run([], { env: { INVOCATION_ID: "x" } });
		expect(managed).toMatchObject({ code: 4, stderr: expect.stringContaining(String(pid)) });
		node.write("a", "1");
		await node.untilState(
			(state) => state.head !== null && node.git("show", "--name-only", "--format=", "HEAD").includes("a"),
			"the next cycle",
		);
		expect(node.worker()).toBe(pid);
	});

	test("instance: two started at the same moment → one runs, the other is refused", async () => {
		const [node] = await world.pair();
		const both = [await node.start({ ready: false }), await node.start({ ready: false })];
		const first = await Promise.race(both.map((daemon) => daemon.ended));
		expect(first.code).toBe(4);
		await node.untilState((state) => state.totals.cycles > 1, "a cycle of the other");
	});

	test("instance: a lock that a killed daemon left → never blocks", async () => {
		const [node] = await world.pair();
		const daemon = await node.start({ env: { INVOCATION_ID: "x" } });
		daemon.process.kill("SIGKILL");
		await daemon.ended;
		expect(fs.existsSync(node.paths.instanceLock("sync"))).toBe(true);
		await node.start({ env: { INVOCATION_ID: "x" } });
		expect(node.worker()).not.toBe(daemon.process.pid);
	});

	test("instance: lock file → names the holder by pid and the kernel's start time", async () => {
		const [node] = await world.pair();
		await node.start();
		const holder = readLockHolder(node.paths.instanceLock("sync"));
		expect(holder).toMatchObject({ pid: node.state()?.pid, pid_started_at: node.state()?.pid_started_at });
	});
});

describe("--status and --stop from another shell", () => {
	test("--status: running, then stopped → 0, then 3; --stop is 0 both times", async () => {
		const [node] = await world.pair();
		const daemon = await node.start();
		const status = await node.run(["--status", "--json"]);
		expect(status.code).toBe(0);
		expect(JSON.parse(status.stdout)).toMatchObject({
			running: true,
			status: expect.stringMatching(/^(idle|syncing)$/),
			pid: node.worker(),
		});
		expect((await node.run(["--status"])).stdout).toMatch(/robust-sync is (idle|syncing) \(pid \d+/);
		const stopped = await node.run(["--stop", "--json"]);
		expect(stopped.code).toBe(0);
		expect(JSON.parse(stopped.stdout)).toMatchObject({ stopped: true });
		expect(await daemon.ended).toMatchObject({ code: 0 });
		expect(node.state()).toMatchObject({ status: "stopped", next_attempt: null });
		expect(await node.run(["--status"])).toMatchObject({ code: 3 });
		expect(await node.run(["--stop"])).toMatchObject({ code: 0 });
		expect(fs.readdirSync(node.paths.sync).filter((name) => name.endsWith(".lock"))).toEqual([]);
	});

	test("--status: failing → 1, with the reason", async () => {
		const [node] = await world.pair();
		fs.renameSync(world.path("hub.git"), world.path("away.git"));
		await node.start();
		const status = await node.run(["--status"]);
		expect(status).toMatchObject({ code: 1, stdout: expect.stringMatching(/REMOTE_UNREACHABLE/) });
	});
});

describe("SIGTERM", () => {
	test("SIGTERM: a cycle in progress → ends, its commit is published", async () => {
		const [node] = await world.pair();
		// A hub that takes its time, so that the signal falls into the push.
		world.write("hub.git/hooks/pre-receive", "#!/bin/sh\nsleep 1\n", 0o755);
		const daemon = await node.start();
		node.write("a", "1");
		await node.untilState((state) => state.status === "syncing", "a cycle");
		daemon.process.kill("SIGTERM");
		expect((await daemon.ended).code).toBe(0);
		expect(world.git("hub.git", "show", "main:a")).toBe("1");
		expect(node.state()?.status).toBe("stopped");
	});

	test("SIGTERM: a second one → stops at once", async () => {
		const [node] = await world.pair();
		world.write("hub.git/hooks/pre-receive", "#!/bin/sh\nsleep 20\n", 0o755);
		const daemon = await node.start();
		node.write("a", "1");
		await node.untilState((state) => state.status === "syncing", "a cycle");
		await sleep(400);
		daemon.process.kill("SIGTERM");
		await sleep(500);
		const started = performance.now();
		daemon.process.kill("SIGTERM");
		await daemon.ended;
		expect(performance.now() - started).toBeLessThan(5_000);
		await until(() => node.worker() === null, "the worker to be gone");
	});

	test("SIGINT: once → stops in the same way", async () => {
		const [node] = await world.pair();
		const daemon = await node.start();
		daemon.process.kill("SIGINT");
		expect((await daemon.ended).code).toBe(0);
	});
});

describe("without a service manager", () => {
	test("daemon: wrong configuration → ends at once with 2", async () => {
		const [node] = await world.pair();
		expect(await node.run([], { env: { SYNC_INTERVAL: "often" } })).toMatchObject({
			code: 2,
			stderr: expect.stringContaining("SYNC_INTERVAL"),
		});
	});
});

describe("a change starts a cycle", () => {
	test("watch: a file written, changed, renamed, deleted → on the hub at once", async () => {
		const [node] = await world.pair({ a: "1" });
		await node.start();
		const onHub = (name: string) => {
			try {
				return world.git("hub.git", "show", `main:${name}`);
			} catch {
				return null;
			}
		};
		const within = async (action: () => void, condition: () => boolean) => {
			const started = performance.now();
			action();
			await until(condition, () => `the hub to know\n${node.log().slice(-1_000)}`, 10_000);
			return performance.now() - started;
		};
		const delays = [
			await within(
				() => node.write("b", "1"),
				() => onHub("b") === "1",
			),
			await within(
				() => node.write("b", "2"),
				() => onHub("b") === "2",
			),
			await within(
				() => node.write("new/deep/c", "1"),
				() => onHub("new/deep/c") === "1",
			),
			await within(
				() => node.write("new/deep/d", "1"),
				() => onHub("new/deep/d") === "1",
			),
			await within(
				() => fs.renameSync(node.path("b"), node.path("new/e")),
				() => onHub("b") === null && onHub("new/e") === "2",
			),
			await within(
				() => node.remove("new"),
				() => onHub("new/e") === null,
			),
		];
		expect(Math.max(...delays)).toBeLessThan(10_000);
	});

	test("watch: a message in the outbox, a head that a peer announces → a cycle", async () => {
		const [helios, chad] = await world.pair();
		await helios.start();
		await helios.run(["--send", "-"], { input: "hello" });
		await until(() => helios.pending() === 0, "the message to be delivered");
		expect(helios.messages()).toEqual(["hello"]);
		chad.write("from-chad", "1");
		await chad.once();
		await hear(helios, "chad", chad.head());
		await until(
			() => helios.exists("from-chad"),
			() => `chad's file\n${helios.log().slice(-1_500)}`,
		);
	});
});

describe("the interval", () => {
	test("interval: others pushed, no local change → their changes arrive", async () => {
		const [helios, chad] = await world.pair();
		await helios.start({ env: { SYNC_INTERVAL: "0.3" } });
		chad.write("b", "1");
		await chad.once();
		await until(() => helios.exists("b"), "chad's file");
	});

	test("SIGHUP: configuration read again → a bad one changes nothing", async () => {
		const [node] = await world.pair();
		fs.writeFileSync(node.paths.envFile, "SYNC_INTERVAL=86400\n");
		await node.start({ env: { SYNC_INTERVAL: "" } });
		const worker = node.worker() ?? 0;
		fs.writeFileSync(node.paths.envFile, "SYNC_INTERVAL=often\n");
		process.kill(worker, "SIGHUP");
		await until(() => node.log().includes("SYNC_INTERVAL"), "the log to name the variable");
		expect(node.worker()).toBe(worker);
		fs.writeFileSync(node.paths.envFile, "SYNC_INTERVAL=0.2\n");
		process.kill(worker, "SIGHUP");
		const before = node.state()?.totals.cycles ?? 0;
		await node.untilState((state) => state.totals.cycles > before + 4, "cycles of the new interval");
		expect(node.worker()).toBe(worker);
	});
});

test("SIGSTOP: stopped and continued → syncs again", async () => {
	const [node] = await world.pair();
	await node.start({ env: { SYNC_INTERVAL: "0.3" } });
	const worker = node.worker() ?? 0;
	process.kill(worker, "SIGSTOP");
	node.write("while-stopped", "1");
	await sleep(500);
	process.kill(worker, "SIGCONT");
	await until(() => world.git("hub.git", "ls-tree", "--name-only", "main").includes("while-stopped"), "the file on the hub");
	expect(node.worker()).toBe(worker);
});

test("state file: at any time → whole, with the present activity", async () => {
	const [node] = await world.pair();
	await node.start({ env: { SYNC_INTERVAL: "0.05" } });
	const seen = new Set<string>();
	for (let reads = 0; reads < 400; reads++) {
		const text = fs.readFileSync(node.paths.syncState, "utf8");
		const state = JSON.parse(text);
		seen.add(state.status);
		if (reads % 20 === 0) node.write("a", `${reads}`);
		await sleep(2);
	}
	expect([...seen].sort()).toEqual(["idle", "syncing"]);
});

test("secrets: passwords in addresses → in no log, state or output", async () => {
	const node = world.node("helios", { env: { TELEGRAM_BOT_TOKEN: "123456:very-secret-token", HEARTBEAT_KEY: "0123456789abcdef-key" } });
	node.git("remote", "set-url", "origin", "http://sync:hunter22@127.0.0.1:9/hub.git");
	node.write("a", "1");
	const failure = await node.failure();
	await node.run(["--once", "--verbose"]);
	const status = await node.run(["--status"]);
	const everything = [failure.message, failure.stderr, node.log(), fs.readFileSync(node.paths.syncState, "utf8"), status.stdout].join("\n");
	expect(everything).toContain("REMOTE_UNREACHABLE");
	expect(everything).not.toMatch(/hunter22|very-secret-token|0123456789abcdef-key/);
});
