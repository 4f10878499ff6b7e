import { afterEach, beforeEach, test } from "@jest/globals";
import { appendWhileEdited, readWaitWrite } from "./fixture/late-writers.ts";
import { World } from "./fixture/world.ts";

/** Less of it where time is limited (.ci/run): from 0 to 1. */
const share = Number(process.env.SLOW_SHARE ?? 1);

let world: World;
beforeEach(() => {
	world = new World("late");
});
afterEach(() => world.remove());

test("2,000 lines appended at full speed through an open descriptor while 50 edits of the peer are checked out: all, once each, on both nodes", async () => {
	await appendWhileEdited(world, 2_000 * share, 50 * share);
});

test("two agents add 500 keys each to one object and 500 elements each to one array by read, wait up to 300 ms, rename: all 2,000 are there, on both", async () => {
	await readWaitWrite(world, 500 * share, 300);
});

test("two agents add keys while each moment of a swap takes up to 40 ms: all are there", async () => {
	await readWaitWrite(world, 20, 120, { ROBUST_SYNC_PAUSE: "swap=40" });
});
