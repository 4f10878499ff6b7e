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

test("late writes: 2,000 lines by an open descriptor, 50 checkouts → all, once each", async () => {
	await appendWhileEdited(world, Math.ceil(2_000 * share), Math.ceil(50 * share));
});

test("agents: two add 500 keys and 500 elements each by read, wait, rename → all 2,000", async () => {
	await readWaitWrite(world, Math.ceil(500 * share), 300);
});

test("agents: two add keys, each step of a swap takes up to 40 ms → all are there", async () => {
	await readWaitWrite(world, 20, 120, { ROBUST_SYNC_PAUSE: "swap=40" });
});
