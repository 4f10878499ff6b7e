import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { readState, syncStateSchema } from "@robust-sync/workspace";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

const day = 86_400_000;
let world: World;
let node: Node;
beforeEach(async () => {
	world = new World("time");
	[node] = await world.pair({ a: "1" });
	setClock(0);
	world.write(
		"clock.mjs",
		`import fs from "node:fs";
		const offset = () => Number(fs.readFileSync(${JSON.stringify(world.path("offset"))}, "utf8"));
		const [wall, monotonic] = [Date.now, performance.now.bind(performance)];
		Date.now = () => wall() + offset();
		// A process that was stopped for this long (SIGSTOP, a closed lid) finds both clocks ahead; a step moves the wall clock only.
		if (process.env.TEST_CLOCK === "both") performance.now = () => monotonic() + offset();`,
	);
});
afterEach(() => world.remove());

function setClock(offsetMs: number): void {
	fs.writeFileSync(world.path("offset.tmp"), String(offsetMs));
	fs.renameSync(world.path("offset.tmp"), world.path("offset"));
}

/** The environment of a worker whose clocks the test turns, and which is its own process. */
const clock = (which: "both" | "wall") => ({
	INVOCATION_ID: "e2e",
	NODE_OPTIONS: `--import ${world.path("clock.mjs")}`,
	TEST_CLOCK: which,
});
const onHub = (name: string) => () => world.git("hub.git", "ls-tree", "-r", "--name-only", "main").split("\n").includes(name);

test("clock: a day ahead, two back, home, under a daemon → no change or message missed", async () => {
	await node.start({ env: { ...clock("wall"), SYNC_INTERVAL: "60" } });
	const worker = node.worker();
	for (const [index, offset] of [day, -day, 0].entries()) {
		setClock(offset);
		node.write(`file${index}`, "1");
		await node.run(["--send", "-"], { input: `${index}` });
		await until(
			() => onHub(`file${index}`)() && node.pending() === 0,
			() => `the file and the message after a step to ${offset}\n${node.log()}`,
		);
		expect(readState(node.paths.syncState, syncStateSchema).kind).toBe("ok");
	}
	expect(node.messages()).toEqual(["0", "1", "2"]);
	expect(node.worker()).toBe(worker);
	expect(node.state()).toMatchObject({ last_error: null, consecutive_failures: 0 });
}, 60_000);

describe("stopped (SIGSTOP) for ten minutes in the middle of a cycle", () => {
	/** Starts a daemon and stops it during its push; the push itself continues. */
	async function stopInTheMiddle() {
		const daemon = await node.start({ env: { ...clock("both"), SYNC_INTERVAL: "60" } });
		world.write(
			"hub.git/hooks/pre-receive",
			`#!/bin/sh\n: >'${world.path("pushing")}'\nwhile [ ! -e '${world.path("go")}' ]; do sleep 0.05; done\n`,
			0o755,
		);
		node.write("b", "1");
		await until(() => fs.existsSync(world.path("pushing")), "the push");
		daemon.process.kill("SIGSTOP");
		setClock(600_000);
		world.write("go", "");
		await until(onHub("b"), "the push to arrive");
		return daemon;
	}

	test("SIGSTOP: in a cycle, then continued → its lock is not taken, the cycle ends", async () => {
		const daemon = await stopInTheMiddle();
		expect((await node.run(["--status"])).code).toBe(0);
		const other = await node.run([], { env: { INVOCATION_ID: "e2e" } });
		expect(other.code).toBe(4);
		daemon.process.kill("SIGCONT");
		node.write("c", "1");
		await until(onHub("c"), () => `the next file\n${node.log()}`);
		expect(daemon.process.exitCode).toBeNull();
		expect(node.state()).toMatchObject({ pid: daemon.process.pid, last_error: null });
	}, 60_000);

	test("SIGSTOP: in a cycle, another took its lock → 75 before it touches anything", async () => {
		const daemon = await stopInTheMiddle();
		for (const name of fs.readdirSync(node.paths.sync).filter((file) => file.endsWith(".lock"))) fs.rmSync(`${node.paths.sync}/${name}`);
		node.write("c", "1");
		const other = await node.start({ env: { INVOCATION_ID: "e2e", SYNC_INTERVAL: "60" } });
		await until(onHub("c"), "the other's work");
		await node.untilState((state) => state.status === "idle", "the other to be idle");
		// The other one may still refresh the stat data of the index, which changes no entry.
		const present = () => [node.head(), node.git("ls-files", "--stage"), node.state()?.pid];
		const before = present();
		daemon.process.kill("SIGCONT");
		expect((await daemon.ended).code).toBe(75);
		expect(node.log()).toMatch(/lock was lost: stopping before any further change/);
		expect(present()).toEqual(before);
		expect(node.worker()).toBe(other.process.pid);
	}, 60_000);
});
