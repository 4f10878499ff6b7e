import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { WorkspacePaths } from "@robust-sync/workspace";
import { becomes, Executable } from "./testing/executable.ts";
import { type Answer, botError, HttpReceiver, messageSent } from "./testing/http-receiver.ts";

const token = "987654:AAH-the_secret_token";
let monitor: Executable;
const receivers: HttpReceiver[] = [];

beforeAll(() => {
	monitor = new Executable();
});
afterAll(() => monitor.remove());
afterEach(async () => {
	for (const receiver of receivers.splice(0)) await receiver.close();
});

async function botApi(...answers: Answer[]): Promise<HttpReceiver> {
	const receiver = await HttpReceiver.listen(...(answers.length > 0 ? answers : [messageSent]));
	receivers.push(receiver);
	return receiver;
}
const telegram = (server: HttpReceiver) => ({ TELEGRAM_API_URL: server.url, TELEGRAM_BOT_TOKEN: token, CALEB_TELEGRAM_ID: "512366713" });
const texts = (server: HttpReceiver) => server.bodies().map((body) => (body as { text: string }).text);

/** Everything that the monitor wrote in a workspace. */
function written(paths: WorkspacePaths): string {
	return [paths.monitorStatus, paths.logFile("monitor")].map((file) => (existsSync(file) ? readFileSync(file, "utf8") : "")).join("\n");
}

function startAll(paths: WorkspacePaths) {
	return (["sync", "heartbeat", "health-server"] as const).map((service) => monitor.service(paths, service));
}

describe("--check", () => {
	test("--check: no service runs → reported, with the remedy", async () => {
		const paths = monitor.workspace();
		for (const args of [["--check"], []]) {
			const { code, stdout, stderr } = await monitor.run(paths, args);
			expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
			expect(stdout).toContain("✗ process:sync           robust-sync was never started in this workspace. Do: start it: robust-sync");
			expect(stdout).toContain("! process:health-server");
			expect(stdout).toContain("nothing runs on helios");
		}
		expect(existsSync(paths.monitorStatus)).toBe(false);
	});

	test("--check: all is well, the daemon beside it → 0", async () => {
		const paths = monitor.workspace();
		startAll(paths);
		const daemon = monitor.start(paths, ["--daemon"]);
		await becomes(() => existsSync(paths.monitorStatus));
		const { code, stdout } = await monitor.run(paths, ["--check"]);
		expect(stdout).toMatch(/helios: ok, 9 checks\n$/);
		expect(code).toBe(0);
		const json = await monitor.run(paths, ["--json"]);
		expect(JSON.parse(json.stdout)).toMatchObject({
			node: "helios",
			status: "ok",
			running: ["sync", "heartbeat", "health-server", "monitor"],
		});
		daemon.kill("SIGTERM");
		await becomes(() => daemon.exitCode === 0);
	});

	test("--check: a chat that cannot be reached → shown, node still ok", async () => {
		const { stdout } = await monitor.run(monitor.workspace({ CALEB_TELEGRAM_ID: "512366713" }), ["--check", "--json"]);
		expect(JSON.parse(stdout).checks.find((check: { name: string }) => check.name === "alerts")).toMatchObject({
			status: "ok",
			message: expect.stringContaining("neither TELEGRAM_BOT_TOKEN is nor is the openclaw command on PATH"),
		});
	});

	test("--check: a real merge conflict, an open operation → seen", async () => {
		const paths = monitor.workspace();
		startAll(paths);
		const git = (...args: string[]) =>
			execFileSync("git", ["-C", paths.root, "-c", "user.name=t", "-c", "user.email=t@t", ...args], { stdio: "ignore" });
		const commit = (text: string) => {
			writeFileSync(path.join(paths.root, 'a b"c'), text);
			git("add", "--", 'a b"c');
			git("commit", "-q", "-m", text);
		};
		commit("base");
		git("checkout", "-q", "-b", "other");
		commit("theirs");
		git("checkout", "-q", "-");
		commit("ours");
		try {
			git("merge", "other");
		} catch {
			// As it is meant.
		}
		const conflicted = await monitor.run(paths, ["--json"]);
		expect(JSON.parse(conflicted.stdout).checks).toContainEqual(
			expect.objectContaining({ name: "conflicts", status: "critical", message: expect.stringContaining("1 path has conflicts") }),
		);
		writeFileSync(path.join(paths.root, 'a b"c'), "both");
		git("add", "--", 'a b"c');
		const open = await monitor.run(paths, ["--json"]);
		expect(JSON.parse(open.stdout).checks).toContainEqual(
			expect.objectContaining({ name: "conflicts", status: "warning", message: expect.stringContaining("A git merge has been left open") }),
		);
		git("commit", "-q", "--no-edit");
		const done = await monitor.run(paths, ["--json"]);
		expect(JSON.parse(done.stdout).checks).toContainEqual(expect.objectContaining({ name: "conflicts", status: "ok" }));
	});
});

describe("usage", () => {
	test.each([
		[["--check", "--daemon"], /--check and --daemon|--daemon and --check/],
		[["--silence", "sync"], /DURATION/],
		[["--silence", "sync", "soon"], /not a duration/],
		[["--silence", "no such; alert", "1h"], /not the name of an alert/],
		[["--daemon", "--json"], /--json goes with/],
		[["--nonsense"], /unknown option/],
	])("usage: %j → 2 with one line", async (args, message) => {
		const { code, stdout, stderr } = await monitor.run(monitor.workspace(), args);
		expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
		expect(stderr).toMatch(message);
		expect(stderr.trim().split("\n")).toHaveLength(1);
	});

	test("usage: a bad configuration → 2, names no secret", async () => {
		const paths = monitor.workspace({ MONITOR_INTERVAL: "often" });
		expect(await monitor.run(paths, ["--check"])).toMatchObject({ code: 2, stderr: expect.stringContaining('MONITOR_INTERVAL="often"') });
	});
});

describe("--silence and --unsilence", () => {
	test("--silence: set, shown, ended → kept", async () => {
		const paths = monitor.workspace();
		expect(await monitor.run(paths, ["--silence", "process:*", "2h"])).toMatchObject({
			code: 0,
			stdout: expect.stringMatching(/^nothing is sent about process:\* for 2 h, until /),
		});
		expect((await monitor.run(paths, ["--check"])).stdout).toMatch(/process:sync .*\[silenced until /);
		expect(await monitor.run(paths, ["--unsilence", "process:*"])).toMatchObject({ code: 0 });
		expect(await monitor.run(paths, ["--unsilence", "process:*"])).toMatchObject({ code: 1 });
		expect(readFileSync(path.join(paths.root, ".git/info/exclude"), "utf8")).toContain("/sync");
	});
});

describe("--test-alert", () => {
	test("--test-alert: a channel → one marked message, the channel printed", async () => {
		const server = await botApi();
		const paths = monitor.workspace({ ...telegram(server), ALERT_WEBHOOK_URL: `${server.url}/hook` });
		expect(await monitor.run(paths, ["--test-alert"])).toEqual({ code: 0, stdout: "✓ telegram: sent\n✓ webhook: sent\n", stderr: "" });
		expect(server.received).toHaveLength(2);
		expect(texts(server).find(Boolean)).toContain("This is a test of the alerts of robust-sync.");
	});

	test("--test-alert: a refusal → exit 1 with the remedy, without the token", async () => {
		const server = await botApi(botError(401, "Unauthorized"));
		const { code, stdout, stderr } = await monitor.run(monitor.workspace(telegram(server)), ["--test-alert", "--json"]);
		expect(code).toBe(1);
		expect(JSON.parse(stdout).channels).toEqual([
			{ name: "telegram", ok: false, error: "Telegram refuses: Unauthorized: check TELEGRAM_BOT_TOKEN" },
		]);
		expect(stdout + stderr).not.toContain("the_secret_token");
	});

	test("--test-alert: no channel → the settings to add", async () => {
		expect(await monitor.run(monitor.workspace(), ["--test-alert"])).toMatchObject({
			code: 1,
			stdout: expect.stringContaining("no channel is configured"),
		});
	});

	test("--test-alert: no token, the command is there → sent by openclaw", async () => {
		const paths = monitor.workspace({ CALEB_TELEGRAM_ID: "512366713" });
		const bin = path.join(paths.root, "bin");
		mkdirSync(bin);
		writeFileSync(path.join(bin, "openclaw"), '#!/bin/sh\nprintf "%s\\n" "$@" > "$0.calls"\n');
		chmodSync(path.join(bin, "openclaw"), 0o755);
		const { code, stdout } = await monitor.run(paths, ["--test-alert"], { PATH: `${bin}:${process.env.PATH}` });
		expect({ code, stdout }).toEqual({ code: 0, stdout: "✓ openclaw: sent\n" });
		expect(readFileSync(path.join(bin, "openclaw.calls"), "utf8")).toMatch(
			/^message\nsend\n--channel\ntelegram\n--target\n512366713\n--message\nhelios: 🧪 test alert\n/,
		);
	});
});

describe("--daemon", () => {
	test("daemon: a service is killed → alert within 2 s, its end once, no secret in files", async () => {
		const server = await botApi();
		const paths = monitor.workspace({ ...telegram(server), MONITOR_INTERVAL: "2" });
		const [sync] = startAll(paths);
		const daemon = monitor.start(paths, ["--daemon"]);
		await becomes(() => existsSync(paths.monitorStatus));
		const killedAt = performance.now();
		sync?.kill("SIGKILL");
		await becomes(() => server.received.length === 1);
		expect(performance.now() - killedAt).toBeLessThan(2_000);
		expect(texts(server)[0]).toContain("🔴 sync died");
		monitor.service(paths, "sync");
		await becomes(() => server.received.length === 2, 15_000);
		expect(texts(server)[1]).toContain("✅ Over: “sync died");
		await becomes(() => JSON.parse(readFileSync(paths.monitorStatus, "utf8")).undelivered.length === 0);
		expect(readFileSync(`/proc/${daemon.pid}/cmdline`, "utf8")).not.toContain("the_secret_token");
		daemon.kill("SIGTERM");
		await becomes(() => daemon.exitCode !== null);
		expect(daemon.exitCode).toBe(0);
		expect(written(paths) + daemon.output()).not.toContain("the_secret_token");
		expect(readFileSync(paths.logFile("monitor"), "utf8")).toContain("firing: sync died");
	}, 40_000);

	test("--daemon: a second one → 4 and names the first", async () => {
		const paths = monitor.workspace();
		const first = monitor.start(paths, ["--daemon"]);
		await becomes(() => existsSync(paths.monitorStatus));
		const { code, stderr } = await monitor.run(paths, ["--daemon"]);
		expect(code).toBe(4);
		expect(stderr).toContain(`pid ${first.pid}`);
		first.kill("SIGKILL");
		await becomes(() => first.signalCode === "SIGKILL");
	});

	test.each([
		["monitor:noted", 1],
		["monitor:sent", 2],
		["monitor:recorded", 1],
	])("--daemon: killed at %s → sent again after the restart, %d in all", async (fault, total) => {
		const server = await botApi();
		const paths = monitor.workspace({ ...telegram(server), MONITOR_INTERVAL: "1" });
		const [sync] = startAll(paths);
		sync?.kill("SIGKILL");
		await becomes(() => sync?.signalCode === "SIGKILL");
		const first = monitor.start(paths, ["--daemon"], { ROBUST_SYNC_FAULT: fault });
		await becomes(() => first.signalCode === "SIGKILL");
		const second = monitor.start(paths, ["--daemon"]);
		await becomes(() => server.received.length >= total);
		const rounds = () => JSON.parse(readFileSync(paths.monitorStatus, "utf8"));
		await becomes(() => rounds().pid === second.pid && rounds().undelivered.length === 0);
		const seen = rounds().updated_at;
		await becomes(() => rounds().updated_at !== seen);
		second.kill("SIGTERM");
		await becomes(() => second.exitCode === 0);
		expect(texts(server)).toHaveLength(total);
		for (const text of texts(server)) expect(text).toContain("sync died");
	});

	test("Telegram refuses: → in log, state and --check; SIGHUP → corrected", async () => {
		const server = await botApi(botError(400, "Bad Request: chat not found"));
		const paths = monitor.workspace({ ...telegram(server), MONITOR_INTERVAL: "1" });
		const [sync] = startAll(paths);
		sync?.kill("SIGKILL");
		const daemon = monitor.start(paths, ["--daemon"]);
		await becomes(
			() =>
				existsSync(paths.monitorStatus) &&
				readFileSync(paths.monitorStatus, "utf8").includes('"name": "alerts",\n\t\t\t"status": "critical"'),
		);
		expect(readFileSync(paths.logFile("monitor"), "utf8")).toMatch(
			/ERROR .*alerts cannot be sent by telegram.*chat not found: check CALEB_TELEGRAM_ID/,
		);
		expect((await monitor.run(paths, ["--check"])).stdout).toMatch(/✗ alerts .*chat not found/);
		server.answers = [messageSent];
		const before = server.received.length;
		monitor.configure(paths, { ...telegram(server), CALEB_TELEGRAM_ID: "77", MONITOR_INTERVAL: "1" });
		daemon.kill("SIGHUP");
		await becomes(() => server.received.length > before);
		expect(server.bodies().at(-1)).toMatchObject({ chat_id: 77, text: expect.stringContaining("sync died") });
		daemon.kill("SIGTERM");
		await becomes(() => daemon.exitCode === 0);
		expect(written(paths)).not.toContain("the_secret_token");
	});

	test("--daemon: no service manager, killed → restarted", async () => {
		const paths = monitor.workspace();
		const supervisor = monitor.start(paths, ["--daemon"], { INVOCATION_ID: "" });
		const pid = () => (existsSync(paths.monitorStatus) ? (JSON.parse(readFileSync(paths.monitorStatus, "utf8")).pid as number) : 0);
		await becomes(() => pid() > 0);
		const worker = pid();
		expect(worker).not.toBe(supervisor.pid);
		process.kill(worker, "SIGKILL");
		await becomes(() => pid() !== worker);
		supervisor.kill("SIGTERM");
		await becomes(() => supervisor.exitCode === 0);
	});
});
