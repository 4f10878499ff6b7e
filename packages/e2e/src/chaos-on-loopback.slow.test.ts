import { expect, test } from "@jest/globals";
import { runChaos } from "./chaos/run-chaos.ts";

test("chaos: three nodes with all kinds of writers and faults → nothing is lost", async () => {
	const timeline: string[] = [];
	const { problems, writes, troubles } = await runChaos({
		nodes: 3,
		seconds: 6,
		seed: 10,
		isReal: false,
		log: (line) => timeline.push(line),
	});
	if (problems.length > 0) process.stderr.write(`${timeline.join("\n")}\n`);
	expect(problems).toEqual([]);
	expect(writes).toBeGreaterThan(200);
	expect(troubles).toBeGreaterThan(2);
}, 180_000);
