import { describe, expect, test } from "@jest/globals";
import { kindOf, mergeContents } from "./merge.ts";
import { type Case, readCases } from "./testing/cases.ts";

const cases = readCases();

function text(content: Uint8Array): string {
	return Buffer.from(content).toString("latin1");
}

describe("every case merges to its expected result,", () => {
	test.each(cases.map((one) => [one.name, one] as const))(
		"merge case: %s → the expected result",
		(_, { path, base, ours, theirs, expected, later, attribute, ...wanted }: Case) => {
			const merged = mergeContents({ path, base, a: ours, b: theirs, later: later === "ours" ? "a" : "b", attribute });
			const swapped = mergeContents({ path: Buffer.from(path), base, a: theirs, b: ours, later: later === "ours" ? "b" : "a", attribute });
			expect(text(merged.content)).toBe(text(expected));
			expect(text(swapped.content)).toBe(text(expected));
			const lost = (["ours", "theirs"] as const).filter((side) => (side === "ours" ? merged.lost.a : merged.lost.b));
			expect(lost).toEqual(wanted.lost);
			expect(swapped.lost).toEqual({ a: merged.lost.b, b: merged.lost.a });
			if (wanted.winner !== undefined) expect({ a: "ours", b: "theirs", merged: "merged" }[merged.winner]).toBe(wanted.winner);
			if (wanted.strategy !== undefined) {
				expect(merged.strategy).toBe(wanted.strategy);
				expect(kindOf(path, base, ours, theirs, attribute)).toBe(wanted.strategy);
			}
		},
	);
});

test("merge cases: their number → at least 120, of all kinds", () => {
	expect(cases.length).toBeGreaterThanOrEqual(120);
	expect(new Set(cases.map(({ name }) => name.split("/")[0]))).toEqual(
		new Set(["append", "code", "json", "keyed", "later", "one-side", "prose", "records"]),
	);
});
