import { expect, test } from "@jest/globals";
import { measureHistory } from "./soak/long-history.ts";
import { simulateDay } from "./soak/simulated-day.ts";

test("a cycle after 100,000 commits costs at most 1.3 times the first", async () => {
	const [first, last] = await measureHistory([1, 100_000], 15);
	process.stdout.write(`cycle after 1 commit: ${JSON.stringify(first)}, after 100,000: ${JSON.stringify(last)}\n`);
	expect(last?.publishMs).toBeLessThanOrEqual(1.3 * (first?.publishMs ?? 0));
	expect(last?.mergeMs).toBeLessThanOrEqual(1.3 * (first?.mergeMs ?? 0));
});

test("three simulated hours: memory, descriptors, packs and the time of a cycle stay where they are", async () => {
	const samples = await simulateDay({ hours: 3 });
	const [early, late] = [samples.slice(1, 5), samples.slice(-4)];
	const mean = (of: typeof samples, value: (sample: (typeof samples)[number]) => number) =>
		of.reduce((sum, sample) => sum + value(sample), 0) / of.length;
	expect(mean(late, ({ rssMb }) => rssMb)).toBeLessThan(1.3 * mean(early, ({ rssMb }) => rssMb) + 10);
	expect(mean(late, ({ descriptors }) => descriptors)).toBeLessThanOrEqual(mean(early, ({ descriptors }) => descriptors) + 3);
	expect(mean(late, ({ cycleMs }) => cycleMs)).toBeLessThan(2 * mean(early, ({ cycleMs }) => cycleMs));
	for (const { packs, looseObjects } of samples) {
		expect(packs).toBeLessThan(60);
		expect(looseObjects).toBeLessThan(6_000);
	}
});
