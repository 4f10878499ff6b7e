import { trimBlanks } from "../blanks.ts";
import { spend } from "../budget.ts";
import { align, UNMATCHED } from "../diff.ts";
import { pairingLimit } from "../identity-keys.ts";
import { Interner } from "../interner.ts";
import { hunks } from "../line-alignment.ts";
import { isNotebookText, plainLines, writtenLines } from "./text-lines.ts";
import { ARRAY, children, type JsonTree, OBJECT, valueText } from "./tree.ts";
import { member } from "./value.ts";

/** Steps to compare a line of a cell with those of other cells. */
const stepsPerLine = 60;

interface Cell {
	readonly node: number;
	readonly source: number;
	/** With their line feeds, which the last may lack. */
	readonly lines: readonly string[];
}

interface Notebook {
	readonly tree: JsonTree;
	readonly cells: readonly Cell[];
}

/** Neighbouring cells, and their replacement. */
interface Stretch {
	readonly first: number;
	readonly last: number;
	readonly text: string;
}

/** Cells of one version with the content of one cell of the base. */
interface Split {
	/** The cell of the base. */
	readonly cell: number;
	/** The first of its parts in the side, and how many there are. */
	readonly first: number;
	readonly parts: number;
}

/**
 * If one side split a cell and the other changed it, splits the cell in the base and in the other side in the same way. If the side joined cells,
 * joins them there. Then every line is merged at its new place, once.
 *
 * @returns the texts of the base and of the other side; null: there are no such cells.
 */
export function splitAlike(base: JsonTree, side: JsonTree, other: JsonTree, keys: Interner): { base: string; other: string } | null {
	const [before, mine, theirs] = [notebook(base, keys), notebook(side, keys), notebook(other, keys)];
	if (before === null || mine === null || theirs === null) return null;
	const [inSide, inOther] = [counterparts(before, mine), counterparts(before, theirs)];
	const inBase: Stretch[] = [];
	const inTheirs: Stretch[] = [];
	for (const { first, last } of joins(before, mine, inSide)) {
		const [from, to] = [inOther[first]!, inOther[last]!];
		// The cells must be neighbours there as well, and the rest of them (results of a run) must be unchanged, since the join removes it.
		if (from === UNMATCHED || to - from !== last - first) continue;
		const isLeft = before.cells
			.slice(first + 1, last + 1)
			.some((cell, i) => aside(before, cell) !== aside(theirs, theirs.cells[from + 1 + i]!));
		if (isLeft) continue;
		inBase.push({ first, last, text: joined(before, first, last) });
		inTheirs.push({ first: from, last: to, text: joined(theirs, from, to) });
	}
	for (const split of splits(before, mine, inSide)) {
		const k = inOther[split.cell]!;
		if (k === UNMATCHED) continue;
		const [cell, changed] = [before.cells[split.cell]!, theirs.cells[k]!];
		if (cell.lines.join("") === changed.lines.join("")) continue;
		const parts = mine.cells.slice(split.first, split.first + split.parts);
		const own = ownPart(cell, parts, base, side, keys);
		const cuts = cutsOf(cell.lines, parts);
		const toOther = places(alignLines(cell.lines, changed.lines), changed.lines.length, true);
		const cutsOfOther = cuts.map((at) => toOther[at]!);
		const write = (version: Notebook, whole: Cell, at: readonly number[]) =>
			parts
				.map((part, p) => {
					const lines = piece(whole.lines, p === 0 ? 0 : at[p - 1]!, at[p] ?? whole.lines.length);
					return p === own ? withSource(version.tree, whole, lines) : withSource(side, part, lines);
				})
				.join(`,${between(version)}`);
		inBase.push({ first: split.cell, last: split.cell, text: write(before, cell, cuts) });
		inTheirs.push({ first: k, last: k, text: write(theirs, changed, cutsOfOther) });
	}
	return inBase.length === 0 ? null : { base: replaced(before, inBase), other: replaced(theirs, inTheirs) };
}

function notebook(tree: JsonTree, keys: Interner): Notebook | null {
	const list = member(tree, 0, keys.id("cells"));
	if (list < 0 || tree.type[list] !== ARRAY || !tree.isStrict) return null;
	const cells: Cell[] = [];
	for (const node of children(tree, list)) {
		const source = tree.type[node] === OBJECT ? member(tree, node, keys.id("source")) : -1;
		if (source < 0 || !isNotebookText({ tree, node: source })) return null;
		const lines = plainLines({ tree, node: source });
		spend(stepsPerLine * (lines.length + 1));
		cells.push({ node, source, lines });
	}
	return { tree, cells };
}

/** For each cell of the base the equal cell of a version, or the most similar of the changed ones in its place. */
function counterparts(base: Notebook, version: Notebook): Int32Array {
	const interner = new Interner();
	const texts = (of: Notebook) => interner.ids(of.cells.map(({ lines }) => lines.join("")));
	const match = align(texts(base), texts(version));
	for (const { start, end, from, to } of hunks(match, version.cells.length)) {
		const isByCell = end - start === to - from;
		if (!isByCell && (end - start) * (to - from) > pairingLimit) continue;
		const taken = new Set<number>();
		for (let i = start; i < end; i++) {
			let [best, most] = [isByCell ? from + i - start : UNMATCHED, 0];
			for (let j = from; j < to && !isByCell; j++) {
				const shared = taken.has(j) ? 0 : share(version.cells[j]!, base.cells[i]!);
				if (shared > most) [best, most] = [j, shared];
			}
			match[i] = best;
			taken.add(best);
		}
	}
	return match;
}

/** The share of a cell's lines that another cell has; blank lines do not count. */
function share(cell: Cell, whole: Cell): number {
	const mine = meaningful(cell.lines);
	if (mine.length === 0) return 0;
	const theirs = new Set(meaningful(whole.lines));
	spend(stepsPerLine * (mine.length + theirs.size));
	return mine.filter((line) => theirs.has(line)).length / mine.length;
}

function meaningful(lines: readonly string[]): string[] {
	return lines.map(trimBlanks).filter((line) => line !== "");
}

function* splits(base: Notebook, side: Notebook, match: Int32Array): Generator<Split> {
	const taken = new Set(match);
	for (const [i, cell] of base.cells.entries()) {
		const at = match[i]!;
		const lines = meaningful(cell.lines);
		if (at === UNMATCHED || lines.length < 2) continue;
		const isPart = (j: number, edge: string) => {
			const part = taken.has(j) ? undefined : side.cells[j];
			return part !== undefined && (share(part, cell) > 0.5 || meaningful(part.lines).includes(edge));
		};
		let [first, past] = [at, at + 1];
		while (isPart(first - 1, lines[0]!)) first--;
		while (isPart(past, lines[lines.length - 1]!)) past++;
		if (past - first < 2) continue;
		const known = new Set(lines);
		const parts = side.cells.slice(first, past).map((part) => meaningful(part.lines));
		const shared = parts.map((part) => part.filter((line) => known.has(line)));
		// If the side did more than cut, a new cell can have one line of the cell by chance.
		const isCut = parts.every((part, p) => part.length === shared[p]!.length);
		if (!isCut && shared.some((part, p) => first + p !== at && part.length < 2)) continue;
		// The parts have different lines: two equal cells are not parts of one.
		const all = shared.flat();
		if (new Set(all).size === all.length || all.length <= lines.length) yield { cell: i, first, parts: past - first };
	}
}

/** Neighbouring cells of the base that one cell of a side contains. */
function* joins(base: Notebook, side: Notebook, match: Int32Array): Generator<{ readonly first: number; readonly last: number }> {
	for (let first = 0; first < base.cells.length; first++) {
		const whole = match[first] === UNMATCHED ? undefined : side.cells[match[first]!]!;
		let last = first;
		while (
			whole !== undefined &&
			match[last + 1] === UNMATCHED &&
			isHeld(base.cells[last + 1]!, whole, share(base.cells[first]!, whole) === 1) &&
			share(base.cells[last + 1]!, base.cells[first]!) < 0.5
		)
			last++;
		if (last > first) yield { first, last };
		first = last;
	}
}

/** Does a cell contain another one? One common line can be chance, unless the containing cell kept all of its own (`isWhole`). */
function isHeld(cell: Cell, whole: Cell, isWhole: boolean): boolean {
	const shared = share(cell, whole);
	return shared > 0.5 && (isWhole || shared * meaningful(cell.lines).length >= 2);
}

/** The first of some cells, with the lines of all of them. */
function joined({ tree, cells }: Notebook, first: number, last: number): string {
	const all = cells.slice(first, last + 1);
	const lines = all.flatMap((cell, i) => (i < all.length - 1 ? cell.lines.map((line) => line.replace(/\n?$/, "\n")) : cell.lines));
	return withSource(tree, all[0]!, lines);
}

/** The part that is the cell itself: the one with its id, else the first. */
function ownPart(cell: Cell, parts: readonly Cell[], base: JsonTree, side: JsonTree, keys: Interner): number {
	const id = (tree: JsonTree, node: number) => {
		const found = member(tree, node, keys.id("id"));
		return found < 0 ? null : valueText(tree, found);
	};
	const mine = id(base, cell.node);
	return Math.max(
		0,
		parts.findIndex((part) => mine !== null && id(side, part.node) === mine),
	);
}

/** The positions of the cuts between the parts of a cell. */
function cutsOf(lines: readonly string[], parts: readonly Cell[]): number[] {
	const all = parts.flatMap((part) => part.lines);
	const toLines = places(alignLines(all, lines), lines.length, false);
	const cuts: number[] = [];
	let at = 0;
	for (const part of parts.slice(0, -1)) {
		at += part.lines.length;
		cuts.push(toLines[at]!);
	}
	return cuts;
}

function alignLines(one: readonly string[], other: readonly string[]): Int32Array {
	const interner = new Interner();
	const ids = (lines: readonly string[]) => interner.ids(lines.map((line) => line.replace(/\n$/, "")));
	return align(ids(one), ids(other));
}

/**
 * The position of each line of a text (and of its end) in another version: of its counterpart, else of the next line with one.
 *
 * @param byLine changed lines are counterparts one by one, if their number is unchanged.
 */
function places(match: Int32Array, length: number, byLine: boolean): Int32Array {
	const found = new Int32Array(match.length + 1).fill(length);
	for (let i = match.length - 1; i >= 0; i--) found[i] = match[i] === UNMATCHED ? found[i + 1]! : match[i]!;
	for (const { start, end, from, to } of byLine ? hunks(match, length) : [])
		if (end - start === to - from) for (let i = start; i < end; i++) found[i] = from + i - start;
	return found;
}

/** Some lines of a cell, for a new cell: the last one has no line feed. */
function piece(lines: readonly string[], from: number, to: number): string[] {
	const cut = lines.slice(from, to);
	return cut.length === 0 || to === lines.length ? cut : [...cut.slice(0, -1), cut[cut.length - 1]!.replace(/\n$/, "")];
}

function withSource(tree: JsonTree, { node, source }: Cell, lines: readonly string[]): string {
	const { text, start, end } = tree;
	return text.slice(start[node]!, start[source]!) + writtenLines({ tree, node: source }, lines) + text.slice(end[source]!, end[node]!);
}

/** A cell without its source. */
function aside({ tree: { text, start, end } }: Notebook, { node, source }: Cell): string {
	return text.slice(start[node]!, start[source]!) + text.slice(end[source]!, end[node]!);
}

/** The whitespace between two cells. */
function between({ tree, cells }: Notebook): string {
	const [first, second] = cells;
	const comma = tree.comma[first!.node]!;
	if (second !== undefined) return tree.text.slice(comma + 1, tree.start[second.node]!);
	return /[ \t\r\n]*$/.exec(tree.text.slice(0, tree.start[first!.node]!))![0];
}

function replaced({ tree, cells }: Notebook, stretches: readonly Stretch[]): string {
	const out: string[] = [];
	let next = 0;
	for (const { first, last, text } of [...stretches].sort((one, other) => one.first - other.first)) {
		out.push(tree.text.slice(next, tree.start[cells[first]!.node]!), text);
		next = tree.end[cells[last]!.node]!;
	}
	return out.join("") + tree.text.slice(next);
}
