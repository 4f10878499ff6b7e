import { describe, expect, test } from "@jest/globals";
import { mergeContents } from "./merge.ts";
import { hostile } from "./testing/hostile.ts";

// Durations are measured in bench/; here each merge must end, with the same result on both nodes.
describe("bounded merge:", () => {
	test.each(hostile(1).map((one) => [one.name, one] as const))("%s → ends, the same in both orders", (_, { path, base, ours, theirs }) => {
		const [inBase, a, b] = [base, ours, theirs].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
		const merged = mergeContents({ path, base: inBase, a, b, later: "b" });
		const swapped = mergeContents({ path, base: inBase, a: b, b: a, later: "a" });
		expect(Buffer.from(swapped.content).equals(merged.content)).toBe(true);
	});
});
