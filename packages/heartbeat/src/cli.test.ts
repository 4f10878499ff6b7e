import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { canNameHolders, eventually, freeUdpPort } from "./testing/daemon-fixture.ts";
import { HeartbeatWorkspace } from "./testing/heartbeat-process.ts";

let helios: HeartbeatWorkspace;
let chad: HeartbeatWorkspace;
let heliosPort: number;
let chadPort: number;
const key = "a secret of sixteen or more";

beforeEach(async () => {
	[heliosPort, chadPort] = [await freeUdpPort(), await freeUdpPort()];
	helios = new HeartbeatWorkspace({ NODE_NAME: "helios", HEARTBEAT_PORT: String(heliosPort), PEERS: `chad=127.0.0.1:${chadPort}` });
	chad = new HeartbeatWorkspace({ NODE_NAME: "chad", HEARTBEAT_PORT: String(chadPort), PEERS: `helios=127.0.0.1:${heliosPort}` });
});
afterEach(async () => {
	await Promise.all([helios.remove(), chad.remove()]);
});

describe("heartbeat", () => {
	test("heartbeat: a peer by --peer-host → runs; SIGTERM sends a goodbye", async () => {
		writeFileSync(helios.paths.envFile, "export CHAD_HOST=203.0.113.1\nexport HELIOS_HOST=203.0.113.2\n");
		const first = helios.start(["--node", "helios", "--peer-host", `localhost:${chadPort}`, "--peer", "chad"]);
		const second = chad.start();
		await eventually(() => helios.peer("chad")?.status === "alive" && chad.peer("helios")?.status === "alive", 15_000);
		expect(helios.state()).toMatchObject({ node: "helios", peers: ["chad"], pid: first.child.pid });
		const address = helios.peer("chad")!.address!;
		expect(address).toMatch(new RegExp(`:${chadPort}$`));

		second.child.kill("SIGTERM");
		expect((await second.finished).code).toBe(0);
		await eventually(() => helios.peer("chad")?.status === "down");
		expect(helios.peer("chad")!.reason).toBe("said goodbye: SIGTERM");
		first.child.kill("SIGINT");
		expect((await first.finished).code).toBe(0);
		expect((await helios.run("--status")).code).toBe(3);
	});

	test("heartbeat: its worker is killed, no service manager → replaced, never two", async () => {
		const { child, finished } = helios.start([], { unit: false });
		await eventually(() => helios.state() !== null, 15_000);
		const { pid } = helios.state()!;
		expect(pid).not.toBe(child.pid);
		const second = await helios.start([], { unit: false }).finished;
		expect(second).toMatchObject({ code: 4, stderr: expect.stringContaining(`pid ${pid}`) });
		process.kill(pid, "SIGKILL");
		await eventually(() => helios.state()!.pid !== pid, 15_000);
		child.kill("SIGTERM");
		expect((await finished).code).toBe(0);
	});

	test("heartbeat: the port is taken → exit 1 with port, holder and flag", async () => {
		chad.start();
		await eventually(() => chad.state() !== null, 15_000);
		for (const unit of [true, false]) {
			const { code, stderr } = await helios.start(["--port", String(chadPort)], { unit }).finished;
			expect(code).toBe(1);
			const holder = canNameHolders ? ` by \\S+ \\(pid ${chad.state()!.pid}\\)` : "";
			expect(stderr).toMatch(new RegExp(`^heartbeat: UDP port ${chadPort} is in use${holder}.*--port`, "m"));
		}
	});
});

describe("heartbeat --once", () => {
	test("--once: beside the daemon → answered; recorded address and boot stay", async () => {
		helios.start([], {});
		chad.start();
		await eventually(() => helios.peer("chad")?.status === "alive" && chad.peer("helios")?.hears_us === true, 15_000);
		const before = chad.peer("helios")!;
		const { code, stdout } = await helios.run("--once", "--json");
		expect(code).toBe(0);
		expect(JSON.parse(stdout)).toMatchObject({ node: "helios", answered: true, peers: [{ peer: "chad", answered: true, reason: null }] });
		await eventually(() => chad.peer("helios")!.received_at !== before.received_at);
		const { address, boot_id } = before;
		expect(chad.peer("helios")).toMatchObject({ address, boot_id, status: "alive", hears_us: true });
		expect((await helios.run("--once")).stdout).toMatch(/^answered {2}chad at \S+ in [\d.]+ ms, clock [+-][\d.]+ ms\n$/);
	});

	test("--once: from a node without a daemon → heard, its address is not recorded", async () => {
		chad.start();
		await eventually(() => chad.state() !== null, 15_000);
		expect((await helios.run("--once")).code).toBe(0);
		await eventually(() => chad.peer("helios")?.status === "alive");
		expect(chad.peer("helios")).toMatchObject({ address: `127.0.0.1:${heliosPort}`, boot_id: null, services: { heartbeat: "unknown" } });
	});

	test("--once: a peer does not answer → exit 1, the causes to check", async () => {
		const { code, stdout } = await helios.run("--once", "--peers", `chad=127.0.0.1:${chadPort},atlas=no-such-host.invalid`);
		expect(code).toBe(1);
		expect(stdout).toContain("chad: no answer from");
		expect(stdout).toContain("atlas: no-such-host.invalid does not resolve");
	});

	test("--once: another key → no answer", async () => {
		chad.start(["--port", String(chadPort)]);
		await eventually(() => chad.state() !== null, 15_000);
		const unknownNode = new HeartbeatWorkspace({ NODE_NAME: "helios", HEARTBEAT_KEY: key });
		expect((await unknownNode.run("--once", "--peers", `chad=127.0.0.1:${chadPort}`)).code).toBe(1);
		await unknownNode.remove();
		await eventually(() => (chad.state()!.totals.rejected.key ?? 0) > 0);
	});
});

describe("heartbeat --status", () => {
	test("--status: two peers → a line each, as text and as JSON; nothing changes", async () => {
		helios.start();
		chad.start();
		await eventually(() => helios.peer("chad")?.hears_us === true, 15_000);
		const text = await helios.run("--status");
		expect(text.code).toBe(0);
		expect(text.stdout).toMatch(/^heartbeat is running \(pid \d+/);
		expect(text.stdout).toMatch(/\n {2}chad {2}alive {3}\d+ s .* yes .*127\.0\.0\.1/);
		const json = JSON.parse((await helios.run("--status", "--json")).stdout);
		expect(json).toMatchObject({ running: true, node: "helios", port: heliosPort, peers: [{ peer: "chad", status: "alive" }] });
	});

	test("--status: never ran → exit 3", async () => {
		const { code, stdout } = await helios.run("--status", "--json");
		expect(code).toBe(3);
		expect(JSON.parse(stdout)).toEqual({ running: false, reason: "never started here", schema: 1, peers: [] });
	});

	test("status: a configuration that is not accepted → reported, and still exit 3", async () => {
		writeFileSync(helios.paths.envFile, "export LOG_LEVEL=chatty\n");
		const { code, stdout } = await helios.run("--status");
		expect(code).toBe(3);
		expect(stdout).toMatch(/^heartbeat is not running .*\n {2}not accepted {2}LOG_LEVEL="chatty" is not accepted: give .*\n$/);
	});
});

describe("bad usage and configuration", () => {
	test.each([
		[["--status", "--once"], "cannot be used together"],
		[["--json"], "--json"],
		[["--once", "--peers", "chad"], "PEERS"],
		[["--peers", "chad=h", "--peer-host", "chad"], "--peers"],
		[["--peer", "chad"], "--peer-host"],
		[["--peer-host", "192.0.2.1"], "--peer NAME"],
		[["--peer-host", "a,b=c"], "--peer-host"],
		[["--peer-host", "chad", "--peer", "Not A Name"], "node name"],
		[["--port", "0"], "--port"],
		[["--port", "65536"], "--port"],
		[["--interval", "soon"], "--interval"],
		[["--node", "UPPER"], "--node"],
		[["--once", "--peers", "helios=127.0.0.1"], "no peer to send to"],
		[["--nonsense"], "--nonsense"],
		[["operand"], "unexpected argument"],
	])("usage: %j → 2 and one line", async (args, what) => {
		const { code, stdout, stderr } = await helios.run(...args);
		expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
		expect(stderr).toContain(what);
		expect(stderr.trimEnd().split("\n")).toHaveLength(1);
	});

	test("key: too short → refused without showing it; a good one is in no file", async () => {
		writeFileSync(chad.paths.envFile, "HEARTBEAT_KEY=tooshort\n");
		const { code, stderr } = await chad.run("--once");
		expect(code).toBe(2);
		expect(stderr).toContain("HEARTBEAT_KEY");
		expect(stderr).not.toContain("tooshort");

		writeFileSync(helios.paths.envFile, `HEARTBEAT_KEY='${key}'\n`);
		helios.start(["--verbose"]);
		await eventually(() => helios.state() !== null, 15_000);
		for (const file of [helios.paths.heartbeatState, helios.paths.logFile("heartbeat")])
			expect(readFileSync(file, "utf8")).not.toContain(key);
		expect(helios.state()!.authenticated).toBe(true);
	});
});
