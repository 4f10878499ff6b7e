import { afterEach, beforeEach, test } from "@jest/globals";
import { writeAndKill } from "./fixture/fleet.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("soak");
});
afterEach(() => world.remove());

test("two nodes write at once for a minute with kills: identical in the end, every written line there once", async () => {
	await writeAndKill(world, { nodes: 2, writeMs: 60_000, pauseMs: 30, kills: 30, intervalSeconds: 1, settleMs: 180_000 });
});

test("five nodes write at once for a minute with kills: identical in the end, every written line there once", async () => {
	await writeAndKill(world, { nodes: 5, writeMs: 60_000, pauseMs: 150, kills: 25, intervalSeconds: 1, settleMs: 300_000 });
});

test("300 kills at random times while programs write: 0 lost, 0 doubled, 0 hand repairs", async () => {
	await writeAndKill(world, { nodes: 2, writeMs: 420_000, pauseMs: 100, kills: 300, intervalSeconds: 0.5, settleMs: 300_000 });
});
