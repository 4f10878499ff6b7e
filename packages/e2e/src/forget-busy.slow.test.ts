import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { oneKey as options, valueFile } from "./fixture/forgetting.ts";
import { type Node, untilConverged } from "./fixture/node.ts";
import { objects } from "./fixture/objects.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("forget-busy");
});
let stopWriting: () => Promise<number> = async () => 0;
afterEach(async () => {
	await stopWriting();
	await world.remove();
});

const value = "tok_9sK2mQ7vXcL4rT8w";
const hub = () => world.path("hub.git");
const pauses = () => world.git(hub(), "for-each-ref", "--format=%(refname)", "refs/robust-sync/pause/").trim();

/** Programs that write on some nodes all the time. @returns stops them, and returns how often each wrote */
function writing(nodes: readonly Node[], everyMs: number): () => Promise<number> {
	let isStopped = false;
	const work = async () => {
		let count = 0;
		for (; !isStopped; count++) {
			for (const node of nodes) node.write(`of-${node.name}.md`, `${count}\n`);
			await sleep(everyMs);
		}
		return count;
	};
	const done = work();
	return async () => {
		isStopped = true;
		return await done;
	};
}

test.each([
	["a value beside five busy nodes", 5, 600, () => ["--forget-value", valueFile(world, value)]],
	["a path beside five busy nodes", 5, 600, () => ["--forget", "leak.md"]],
	["a path beside one busy node", 1, 300, () => ["--forget", "leak.md"]],
] as const)("forget: %s → done in few attempts, they go on", async (_what, busy, everyMs, argsOf) => {
	const [helios, chad] = await world.pair({ "a.md": "one\n" }, options);
	for (let index = 0; index < 20; index++) {
		helios.write("leak.md", `${index} ${value}\n`);
		await helios.once();
	}
	const others = busy === 1 ? [] : ["juno", "atlas", "iris"].map((name) => world.node(name, options));
	const nodes = [helios, chad, ...others];
	for (const node of nodes) await node.start();
	const writers = busy === 1 ? [chad] : nodes;
	stopWriting = writing(writers, everyMs);
	const onHub = () => Number(world.git(hub(), "rev-list", "--count", "main"));
	const before = onHub();
	await until(() => onHub() > before + 20, "pushes", 120_000);
	const args = argsOf();
	const { code, stderr } = await helios.run([...args, "--verbose"], { timeoutMs: 240_000 });
	const lost = stderr.match(/another node pushed first: attempt/g)?.length ?? 0;
	expect([code, lost <= 4 || stderr]).toEqual([0, true]);
	expect(pauses()).toBe("");
	const count = await stopWriting();
	await untilConverged(world, nodes, { deadlineMs: 150_000 });
	for (const node of writers) expect([node.name, helios.read(`of-${node.name}.md`)]).toEqual([node.name, `${count - 1}\n`]);
	for (const place of [...nodes.map((node) => node.path(".git")), hub()])
		expect([place, objects(place).includes(value)]).toEqual([place, false]);
	for (const node of nodes) expect(node.exists("leak.md")).toBe(args[0] === "--forget-value");
});
