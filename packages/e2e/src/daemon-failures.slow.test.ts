import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { hear } from "./fixture/hear.ts";
import { untilConverged } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("daemon");
});
afterEach(() => world.remove());

describe("failures", () => {
	test("daemon: cycles fail → counted, logged, backed off from, recovered from", async () => {
		const [node] = await world.pair();
		await node.start({ env: { SYNC_INTERVAL: "0.2", MAX_SYNC_FAILURES: "3" } });
		fs.renameSync(world.path("hub.git"), world.path("away.git"));
		node.write("a", "1");
		const failing = await node.untilState((state) => state.consecutive_failures >= 3, "three failures");
		expect(failing).toMatchObject({ status: "failed", last_error: { code: "REMOTE_UNREACHABLE" }, ahead: 1 });
		expect(failing.next_attempt).toMatch(/Z$/);
		fs.renameSync(world.path("away.git"), world.path("hub.git"));
		await node.untilState((state) => state.status === "idle" && state.consecutive_failures === 0, "recovery");
		expect(world.git("hub.git", "show", "main:a")).toBe("1");
		expect(node.log()).toMatch(/REMOTE_UNREACHABLE/);
		expect(node.log()).toMatch(/recovered after \d+ failures/);
	});

	test("back-off: SIGUSR1, or a peer's announcement → ends at once", async () => {
		const [node] = await world.pair();
		fs.renameSync(world.path("hub.git"), world.path("away.git"));
		await node.start({ env: { SYNC_INTERVAL: "3600" } });
		expect(node.state()?.consecutive_failures).toBe(1);
		fs.renameSync(world.path("away.git"), world.path("hub.git"));
		process.kill(node.worker() ?? 0, "SIGUSR1");
		await node.untilState((state) => state.status === "idle" && state.consecutive_failures === 0, "the retry");
		fs.renameSync(world.path("hub.git"), world.path("away.git"));
		process.kill(node.worker() ?? 0, "SIGUSR1");
		await node.untilState((state) => state.consecutive_failures === 1, "another failure");
		fs.renameSync(world.path("away.git"), world.path("hub.git"));
		await sleep(1_100);
		await hear(node, "chad", null);
		await node.untilState((state) => state.status === "idle" && state.consecutive_failures === 0, "the retry after the word");
	});

	test("back-off: files change while the remote is away → not hammered, all arrive", async () => {
		const [node] = await world.pair();
		await node.start({ env: { SYNC_INTERVAL: "1" } });
		fs.renameSync(world.path("hub.git"), world.path("away.git"));
		const before = node.state()?.totals.cycles ?? 0;
		const started = performance.now();
		for (let index = 0; performance.now() - started < 2_500; index++) {
			node.write(`f${index}`, "1");
			await sleep(40);
		}
		expect((node.state()?.totals.cycles ?? 0) - before).toBeLessThanOrEqual(6);
		fs.renameSync(world.path("away.git"), world.path("hub.git"));
		process.kill(node.worker() ?? 0, "SIGUSR1");
		await untilConverged(world, [node]);
	});
});

describe("the world changes under a running daemon", () => {
	test("daemon: the workspace disappears and comes back → the daemon continues", async () => {
		const [node] = await world.pair();
		await node.start({ env: { SYNC_INTERVAL: "0.3" } });
		const worker = node.worker();
		fs.renameSync(node.workspace, `${node.workspace}.away`);
		await sleep(1_500);
		// It must not grow a new, empty one in its place.
		expect(fs.existsSync(node.workspace)).toBe(false);
		fs.renameSync(`${node.workspace}.away`, node.workspace);
		node.write("back", "1");
		await until(
			() => world.git("hub.git", "ls-tree", "--name-only", "main").includes("back"),
			() => `the file on the hub\n${node.log().slice(-2_000)}`,
		);
		expect(node.worker()).toBe(worker);
	});

	test("daemon: its lock is removed → 75 before it touches anything, restarted", async () => {
		const [node] = await world.pair();
		await node.start();
		const worker = node.worker();
		fs.rmSync(node.paths.instanceLock("sync"));
		node.write("a", "1");
		await node.untilOtherWorker(worker);
		expect(node.log()).toMatch(/lock/);
		await until(() => world.git("hub.git", "ls-tree", "--name-only", "main").includes("a"), "the file on the hub");
	});

	test("daemon: sync/ is deleted → starts again", async () => {
		const [node] = await world.pair();
		await node.start({ env: { SYNC_INTERVAL: "0.5" } });
		fs.rmSync(node.paths.sync, { recursive: true, force: true });
		node.write("a", "1");
		await until(
			() => world.git("hub.git", "ls-tree", "--name-only", "main").includes("a"),
			() => `the file on the hub\n${node.log().slice(-2_000)}`,
		);
	});
});
