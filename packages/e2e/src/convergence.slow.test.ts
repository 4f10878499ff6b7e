import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { writeAndKill } from "./fixture/fleet.ts";
import { untilConverged } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

/** Less of it where time is limited (.ci/run): from 0 to 1. */
const share = Number(process.env.SLOW_SHARE ?? 1);

let world: World;
beforeEach(() => {
	world = new World("soak");
});
afterEach(() => world.remove());

test("convergence: two nodes write for a minute with kills → identical, no line lost", async () => {
	await writeAndKill(world, {
		nodes: 2,
		writeMs: 60_000 * share,
		pauseMs: 30,
		kills: Math.ceil(30 * share),
		intervalSeconds: 1,
		settleMs: 180_000,
	});
});

test("convergence: five nodes write for a minute with kills → identical, none lost", async () => {
	await writeAndKill(world, {
		nodes: 5,
		writeMs: 60_000 * share,
		pauseMs: 150,
		kills: Math.ceil(25 * share),
		intervalSeconds: 1,
		settleMs: 300_000,
	});
});

test("convergence: 300 kills at random times → 0 lost, 0 doubled, 0 hand repairs", async () => {
	await writeAndKill(world, {
		nodes: 2,
		writeMs: 210_000 * share,
		pauseMs: 100,
		kills: Math.ceil(300 * share),
		intervalSeconds: 0.5,
		settleMs: 300_000,
		supervised: false,
	});
});

test("convergence: ten nodes push at the same instant → none starves, all have all", async () => {
	const nodes = Array.from({ length: 10 }, (_, index) => world.node(`node${index}`));
	nodes[0]?.write("base", "1");
	await nodes[0]?.once();
	for (const node of nodes) node.write(`from-${node.name}`, node.name);
	const outcomes = await Promise.all(nodes.map((node) => node.run(["--once", "--json"])));
	// A race that was lost ten times in a row is reported as one, and as nothing else.
	for (const { code, stdout } of outcomes) if (code !== 0) expect(JSON.parse(stdout).last_error.code).toBe("PUSH_RACE");
	for (const node of nodes) await node.once();
	for (const node of nodes) if (node.head() !== nodes.at(-1)?.head()) await node.once();
	await untilConverged(world, nodes);
	for (const node of nodes) expect(Object.keys(node.files()).filter((name) => name.startsWith("from-"))).toHaveLength(10);
});
