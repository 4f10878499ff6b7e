import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { eventually, NodeFixture } from "./testing/node-fixture.ts";

const executable = fileURLToPath(new URL("../../../bin/health-server", import.meta.url));

let node: NodeFixture;
let port: number;
beforeEach(async () => {
	node = new NodeFixture();
	port = await freePort();
});
afterEach(() => node.remove());

async function freePort(): Promise<number> {
	const server = await taken(0);
	const { port: free } = server.address() as { port: number };
	await new Promise((resolve) => server.close(resolve));
	return free;
}

function taken(wanted: number): Promise<Server> {
	const server = createServer();
	return new Promise((resolve) => server.listen(wanted, "127.0.0.1", () => resolve(server)));
}

class Run {
	readonly child: ChildProcess;
	readonly ended: Promise<number | null>;
	stdout = "";
	stderr = "";

	/** @param unit as a service manager starts it: without a supervisor of its own */
	constructor(args: string[], { unit = true }: { unit?: boolean } = {}) {
		const env = { PATH: process.env.PATH, HOME: node.paths.root, NODE_NAME: "helios", ...(unit ? { INVOCATION_ID: "test" } : {}) };
		this.child = spawn(process.execPath, [executable, "--workspace", node.paths.root, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
		this.child.stdout?.on("data", (chunk) => (this.stdout += chunk));
		this.child.stderr?.on("data", (chunk) => (this.stderr += chunk));
		this.ended = new Promise((resolve) => this.child.on("close", resolve));
		node.onCleanup(async () => {
			this.child.kill("SIGTERM");
			await this.ended;
		});
	}

	async answering(): Promise<this> {
		await eventually(() => this.stdout.includes("\n") || this.child.exitCode !== null, 15_000);
		if (this.child.exitCode !== null) throw new Error(this.stderr);
		return this;
	}
}

const serving = (options?: { unit?: boolean }) => new Run(["--port", String(port)], options).answering();
const ownState = () => JSON.parse(readFileSync(node.paths.healthState, "utf8"));

async function health(): Promise<{ node: string }> {
	return await (await fetch(`http://127.0.0.1:${port}/health`)).json();
}

describe("health-server", () => {
	test("health-server: SIGTERM → ended; before: address printed, state written", async () => {
		writeFileSync(node.paths.envFile, "export HEARTBEAT_KEY=0123456789abcdef\n", { mode: 0o644 });
		const run = await serving();
		expect(run.stdout).toBe(`health-server: helios at http://127.0.0.1:${port}/\n`);
		expect(await health()).toMatchObject({ node: "helios", status: "error" });
		expect(ownState()).toMatchObject({ schema: 1, node: "helios", pid: run.child.pid, port });
		run.child.kill("SIGTERM");
		expect(await run.ended).toBe(0);
		expect(readFileSync(node.paths.logFile("health-server"), "utf8")).toMatch(/stopped/);
		const log = readFileSync(node.paths.logFile("health-server"), "utf8");
		expect(log.match(/can read its secrets \(HEARTBEAT_KEY\): chmod 600/g)).toHaveLength(1);
	});

	test("health-server: built → answers at every address", async () => {
		node.healthy();
		const saved = node.saved(Date.now(), { "a.txt": { ours: "1\n", theirs: "2\n" } });
		await serving();
		const targets = [
			"/health",
			"/status",
			"/metrics",
			"/livez",
			"/readyz",
			"/",
			"/view",
			"/saved",
			`/saved/${saved}/files/a.txt.ours`,
			`/diff/${saved}/0`,
		];
		const codes = await Promise.all(targets.map(async (target) => [target, (await fetch(`http://127.0.0.1:${port}${target}`)).status]));
		expect(codes).toEqual(targets.map((target) => [target, 200]));
	});

	test("health-server: --status → 3 never ran, 0 runs, 3 after it was killed", async () => {
		const before = new Run(["--status"]);
		expect([await before.ended, before.stdout]).toEqual([3, "health-server is not running: never started here\n"]);
		const run = await serving();
		const during = new Run(["--status", "--json"]);
		expect(await during.ended).toBe(0);
		expect(JSON.parse(during.stdout)).toMatchObject({ status: "up", node: "helios", pid: run.child.pid, port });
		run.child.kill("SIGKILL");
		await run.ended;
		const after = new Run(["--status"]);
		expect([await after.ended, after.stdout]).toEqual([3, `health-server is not running: its process ${run.child.pid} is gone\n`]);
		writeFileSync(node.paths.envFile, "export LOG_LEVEL=chatty\n");
		const refused = new Run(["--status"]);
		expect(await refused.ended).toBe(3);
		expect(refused.stdout).toContain('; its configuration is not accepted: LOG_LEVEL="chatty" is not accepted: give');
	});

	test.each([true, false])("start: the port is taken (with a service manager: %p) → exit 1, holder and flag", async (unit) => {
		const holder = await taken(port);
		const run = new Run(["--port", String(port)], { unit });
		expect(await run.ended).toBe(1);
		holder.close();
		const who = hasSs() ? `\\S+ \\(pid ${process.pid}\\)` : "another process";
		expect(run.stderr).toMatch(new RegExp(`^health-server: port ${port} on 127.0.0.1 is taken by ${who}: .*--port.*\\n$`));
	});

	test.each([true, false])("health-server: a second instance → 4, naming the first (service manager: %p)", async (unit) => {
		const first = await serving();
		const second = new Run(["--port", String(port)], { unit });
		expect(await second.ended).toBe(4);
		expect(second.stderr).toMatch(new RegExp(`^health-server: .*pid ${first.child.pid} .*\\n$`));
	});

	test.each([
		[["--host", "0.0.0.0"], /--host "0.0.0.0" is not accepted: give a loopback address/],
		[["--host", "192.168.1.1"], /loopback/],
		[["--port", "0"], /--port "0" is not accepted/],
		[["--port", "http"], /--port "http"/],
		[["--nonsense"], /unknown option '--nonsense'/],
		[["--json"], /--json goes with --status/],
		[["extra"], /too many arguments|unexpected argument/],
	])("health-server: %p → 2 and one line", async (args, message) => {
		const run = new Run(args);
		expect(await run.ended).toBe(2);
		expect(run.stderr).toMatch(message);
		expect(run.stderr.split("\n")).toHaveLength(2);
	});

	test("health-server: the IPv6 loopback address → works as well", async () => {
		const run = await new Run(["--port", String(port), "--host", "::1"]).answering();
		expect(run.stdout).toContain(`http://[::1]:${port}/`);
		expect((await fetch(`http://[::1]:${port}/livez`)).status).toBe(200);
	});

	test("health-server: no service manager, worker killed → started again", async () => {
		const run = await serving({ unit: false });
		const { pid } = ownState();
		expect(pid).not.toBe(run.child.pid);
		process.kill(pid, "SIGKILL");
		await eventually(async () => ownState().pid !== pid && (await health().catch(() => null)), 15_000);
		run.child.kill("SIGTERM");
		expect(await run.ended).toBe(0);
		await expect(health()).rejects.toThrow();
	});

	test("health-server: SIGHUP → configuration read again", async () => {
		writeFileSync(node.paths.envFile, "export PEERS=chad=192.0.2.7\n");
		const run = await serving();
		const peers = async () =>
			(await (await fetch(`http://127.0.0.1:${port}/status`)).json()).peers.map(({ peer }: { peer: string }) => peer);
		expect(await peers()).toEqual(["chad"]);
		writeFileSync(node.paths.envFile, "export PEERS=chad=192.0.2.7,atlas=192.0.2.8\n");
		run.child.kill("SIGHUP");
		await eventually(async () => (await peers()).length === 2);
	});

	test("health-server: state directory removed → still answers", async () => {
		await serving();
		rmSync(node.paths.sync, { recursive: true });
		expect(await health()).toMatchObject({ status: "error" });
	});
});

function hasSs(): boolean {
	try {
		execFileSync("ss", ["-V"], { stdio: "ignore" });
		return true;
	} catch {
		return false;
	}
}
