import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { bounded, spend } from "./budget.ts";
import { type MergeInput, mergeByKind, mergeContents } from "./merge.ts";
import { hostile } from "./testing/hostile.ts";

/** About a hundredth of a merge's budget. */
const STEPS = 2_000_000;

const input = (path: string, base: Uint8Array | null, a: Uint8Array, b: Uint8Array): MergeInput => ({ path, base, a, b, later: "b" });

describe("bounded merge:", () => {
	// Each input is a hundredth of one that exceeded the budget of a merge: inputs above a hundredth of it do not grow in proportion.
	test.each(hostile(0.01).map((one) => [one.name, one] as const))(
		"%s → few steps, or one side",
		(_, { path, base, ours, theirs, budgets = 1 }) => {
			const [inBase, older, later] = [base, ours, theirs].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
			const merged = bounded(Number.isFinite(budgets) ? STEPS * budgets : STEPS, () =>
				mergeByKind({ path, attribute: undefined }, { base: inBase, older, later }),
			);
			expect(merged === null).toBe(!Number.isFinite(budgets));
			const contents = mergeContents(input(path, inBase, older, later));
			const swapped = mergeContents({ path, base: inBase, a: later, b: older, later: "a" });
			expect(Buffer.from(swapped.content).equals(contents.content)).toBe(true);
		},
	);

	test("a merge that takes too many steps → the later side whole, the other saved", () => {
		// Two kinds of lines in different patterns between unique ones: no two pieces of it are cheap to align.
		const pattern = (seed: number) =>
			Array.from({ length: 300 }, (_, k) => [
				`unique ${k}`,
				...Array.from({ length: 160 }, (_, i) => String(((i * i * seed + k) >> 3) & 1)),
			]);
		const text = (seed: number) => Buffer.from(`${pattern(seed).flat().join("\n")}\n`);
		const [base, a, b] = [text(3), text(5), text(7)];
		const merged = mergeContents(input("a.txt", base, a, b));
		expect(merged).toMatchObject({ strategy: "later", winner: "b", lost: { a: true, b: false } });
		expect(mergeContents({ ...input("a.txt", base, b, a), later: "a" })).toMatchObject({ strategy: "later", winner: "a" });
	});

	test("a merge inside a merge → one budget", () => {
		const inner = () => bounded(1_000, () => spend(60));
		expect(bounded(100, () => [inner(), inner()])).toBeNull();
		expect(bounded(200, () => [inner(), inner()])).not.toBeNull();
		expect(() => bounded(1, () => JSON.parse("{"))).toThrow(SyntaxError);
	});

	test("any bytes under any name → no exception", () => {
		const names = fc.constantFrom("a.json", "a.canvas", "a", "a.jsonl", "a.csv", "a.tsv", "a.log", "a.md", "a.py", "a.yaml");
		const token = fc.constantFrom(
			..."{ } [ ] , : \" ' \n \r\n # - /* */ // null 1 -0 1e400 é \u0000 --- ``` id".split(" "),
			'{"id":1}',
			'"id"',
			"\uFEFF",
			"\ud83d\ude42",
			"\xff",
		);
		const content = fc.oneof(
			fc.array(token, { maxLength: 30 }).map((tokens) => Buffer.from(tokens.join(""), "utf8")),
			fc.array(token, { maxLength: 30 }).map((tokens) => Buffer.from(tokens.join(""), "latin1")),
			fc.uint8Array({ maxLength: 60 }),
		);
		fc.assert(
			fc.property(names, fc.option(content), content, content, (path, base, older, later) => {
				mergeByKind({ path, attribute: undefined }, { base, older, later });
				const [one, other] = [
					mergeContents({ path, base, a: older, b: later, later: "b" }),
					mergeContents({ path, base, a: later, b: older, later: "a" }),
				];
				expect(Buffer.from(one.content)).toEqual(Buffer.from(other.content));
			}),
			{ numRuns: 1_000 },
		);
	});
});
