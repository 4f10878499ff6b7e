import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Row, sideBySide } from "./side-by-side.ts";

/** Rows as text: ours | result | theirs, `=` in front where all have the same. */
function drawn(rows: Row[]): string[] {
	return rows.map((row) => `${row.same ? "=" : " "} ${[row.ours, row.result, row.theirs].map((cell) => cell?.text ?? "-").join(" | ")}`);
}

describe("versions side by side", () => {
	test("side by side: a side's lost line → beside its replacement", () => {
		const rows = sideBySide({
			ours: ["{", "busy", "old", "}"],
			result: ["{", "busy", "new", "owner", "}"],
			theirs: ["{", "calm", "new", "owner", "}"],
		});
		expect(drawn(rows)).toEqual(["= { | { | {", "  busy | busy | calm", "  old | new | new", "  - | owner | owner", "= } | } | }"]);
	});

	test("side by side: a side without the file → no cells", () => {
		expect(drawn(sideBySide({ ours: null, result: ["a"], theirs: ["a"] }))).toEqual(["= - | a | a"]);
	});

	test("side by side: no result → the sides paired with each other", () => {
		expect(drawn(sideBySide({ ours: ["a", "b", "c"], result: null, theirs: ["a", "x", "c"] }))).toEqual([
			"= a | - | a",
			"  b | - | x",
			"= c | - | c",
		]);
	});

	test("side by side: two large versions, no common line → within the limit", () => {
		const lines = (word: string) => Array.from({ length: 20_000 }, (_, n) => `${word} ${n}`);
		const start = performance.now();
		const rows = sideBySide({ ours: lines("a"), result: lines("b"), theirs: lines("c") });
		expect(performance.now() - start).toBeLessThan(10_000);
		expect(rows.length).toBeGreaterThanOrEqual(20_000);
	});

	test("side by side: any versions → every line once and in order", () => {
		const lines = fc.array(fc.constantFrom("a", "b", "c", "", "{"), { maxLength: 12 });
		const maybe = fc.option(lines, { nil: null });
		fc.assert(
			fc.property(maybe, maybe, maybe, (ours, theirs, result) => {
				const rows = sideBySide({ ours, theirs, result });
				for (const [name, version] of Object.entries({ ours, theirs, result }) as [keyof Row, string[] | null][]) {
					const cells = rows.map((row) => row[name] as Row["ours"]).filter((cell) => cell !== null);
					expect(cells.map((cell) => cell.text)).toEqual(version ?? []);
					expect(cells.map((cell) => cell.line)).toEqual(cells.map((_, index) => index + 1));
				}
			}),
			{ numRuns: 500 },
		);
	});
});
