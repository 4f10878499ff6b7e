import { expect, test } from "@jest/globals";
import { simulateDay } from "./soak/simulated-day.ts";

test("soak: three simulated hours → memory, descriptors, packs, objects stay flat", async () => {
	const samples = await simulateDay({ hours: 3 });
	const [early, late] = [samples.slice(1, 5), samples.slice(-4)];
	const mean = (of: typeof samples, value: (sample: (typeof samples)[number]) => number) =>
		of.reduce((sum, sample) => sum + value(sample), 0) / of.length;
	// Hours 3 to 8 of a day are at 120 to 126 MiB, and V8's first full collection comes at 140 (docs/reliability.md).
	expect(mean(late, ({ rssMb }) => rssMb)).toBeLessThan(150);
	expect(mean(late, ({ descriptors }) => descriptors)).toBeLessThanOrEqual(mean(early, ({ descriptors }) => descriptors) + 3);
	for (const { packs, looseObjects } of samples) {
		expect(packs).toBeLessThan(60);
		expect(looseObjects).toBeLessThan(6_000);
	}
});
