import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { mergeContents } from "./merge.ts";

interface Cell {
	readonly id?: string;
	readonly lines: readonly string[];
}

const notebook = (cells: readonly Cell[]) =>
	Buffer.from(
		JSON.stringify(
			{
				cells: cells.map(({ id, lines }) => ({
					...(id === undefined ? {} : { id }),
					cell_type: "markdown",
					metadata: {},
					source: lines.map((line, i) => (i < lines.length - 1 ? `${line}\n` : line)),
				})),
				nbformat: 4,
			},
			null,
			1,
		),
	);

/** The lines of the cells that have any. */
function cellsOf(content: Uint8Array): string[][] {
	const { cells } = JSON.parse(Buffer.from(content).toString()) as { cells: { source: string[] }[] };
	return cells.map(({ source }) => source.map((line) => line.replace(/\n$/, ""))).filter((lines) => lines.length > 0);
}

/** The cells of a merge; in both orders, with either side as the later one. */
function merged(base: readonly Cell[], ours: readonly Cell[], theirs: readonly Cell[], later: "a" | "b", mayLose = false): string[][] {
	const input = { path: "n.ipynb", base: notebook(base), a: notebook(ours), b: notebook(theirs) };
	const output = mergeContents({ ...input, later });
	const swapped = mergeContents({ ...input, a: input.b, b: input.a, later: later === "a" ? "b" : "a" });
	expect(Buffer.from(swapped.content).equals(output.content)).toBe(true);
	if (!mayLose) expect(output.lost).toEqual({ a: false, b: false });
	return cellsOf(output.content);
}

const edit = fc.oneof(
	fc.record({ op: fc.constant("set" as const), at: fc.nat(20) }),
	fc.record({ op: fc.constant("add" as const), at: fc.nat(20) }),
	fc.record({ op: fc.constant("remove" as const), at: fc.nat(20) }),
);
const scenario = fc.record({
	count: fc.integer({ min: 4, max: 9 }),
	cut: fc.nat(20),
	edit,
	hasIds: fc.boolean(),
	later: fc.constantFrom("a" as const, "b" as const),
});

function edited(lines: readonly string[], { op, at }: { readonly op: "set" | "add" | "remove"; readonly at: number }): string[] {
	const i = at % lines.length;
	if (op === "remove") return lines.filter((_, k) => k !== i);
	return [...lines.slice(0, i), "by the other side", ...lines.slice(op === "set" ? i + 1 : i)];
}

const around = (hasIds: boolean, cells: readonly Cell[]): Cell[] =>
	[{ id: "first", lines: ["before"] }, ...cells, { id: "last", lines: ["after"] }].map(({ id, lines }) =>
		hasIds ? { id: id!, lines } : { lines },
	);

describe("notebook:", () => {
	test("a cell that one side splits and the other edits → every line once, where it went", () => {
		fc.assert(
			fc.property(scenario, ({ count, cut, edit: change, hasIds, later }) => {
				const lines = Array.from({ length: count }, (_, i) => `line ${i}`);
				const at = 2 + (cut % (count - 3));
				const base = around(hasIds, [{ id: "c", lines }]);
				const split = around(hasIds, [
					{ id: "c", lines: lines.slice(0, at) },
					{ id: "d", lines: lines.slice(at) },
				]);
				const changed = edited(lines, change);
				const cells = merged(base, split, around(hasIds, [{ id: "c", lines: changed }]), later);
				expect(cells.flat()).toEqual(["before", ...changed, "after"]);
				expect(cells).toHaveLength(4);
			}),
		);
	});

	test("cells that one side joins and the other edits → one cell, every line once", () => {
		fc.assert(
			fc.property(scenario, ({ count, edit: change, hasIds, later }) => {
				const [first, second] = ["a", "b"].map((name) => Array.from({ length: count }, (_, i) => `${name} ${i}`)) as [string[], string[]];
				const base = around(hasIds, [
					{ id: "c", lines: first },
					{ id: "d", lines: second },
				]);
				const joined = around(hasIds, [{ id: "c", lines: [...first, ...second] }]);
				const changed = edited(second, change);
				const theirs = around(hasIds, [
					{ id: "c", lines: first },
					{ id: "d", lines: changed },
				]);
				expect(merged(base, joined, theirs, later)).toEqual([["before"], [...first, ...changed], ["after"]]);
			}),
		);
	});

	test("an equal line in a new cell by chance → neither split nor joined", () => {
		const cell = (id: string, ...lines: readonly string[]) => ({ id, lines });
		const split = merged(
			[cell("c", "note", "x = 1")],
			[cell("c", "note", "x = 2"), cell("d", "x = 1")],
			[cell("c", "note", "x = 1", "y")],
			"b",
			true,
		);
		expect(split[1]).toEqual(["x = 1"]);
		const two = [cell("c", "note", "x = 0"), cell("d", "x = 1")];
		const joined = merged(two, [cell("c", "note", "x = 1")], [cell("c", "note", "x = 0", "y"), cell("d", "x = 1")], "b", true);
		// The later line stays, and the removed cell is gone.
		expect(joined).toEqual([["note", "x = 0", "y"]]);
	});
});
