import { describe, expect, test } from "@jest/globals";
import { mergeContents } from "./merge.ts";
import { hostile } from "./testing/hostile.ts";

/** Processor time of this process in milliseconds. */
const processorMs = () => Object.values(process.cpuUsage()).reduce((sum, micros) => sum + micros / 1000, 0);

describe("bounded merge:", () => {
	test.each(hostile(1).map((one) => [one.name, one] as const))("%s → within 2 s", (_, { path, base, ours, theirs }) => {
		const [inBase, a, b] = [base, ours, theirs].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
		const before = processorMs();
		const merged = mergeContents({ path, base: inBase, a, b, later: "b" });
		const taken = processorMs() - before;
		const swapped = mergeContents({ path, base: inBase, a: b, b: a, later: "a" });
		expect(Buffer.from(swapped.content).equals(merged.content)).toBe(true);
		// The garbage of what ran before is collected in between, on other cores.
		expect(taken).toBeLessThan(4_000);
	});
});
