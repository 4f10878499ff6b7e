import { diffArrays } from "diff";

/** One line of one version. */
export interface Cell {
	/** From 1. */
	readonly line: number;
	readonly text: string;
}

/** A row of lines side by side; null: a version has no line there. */
export interface Row {
	readonly ours: Cell | null;
	readonly theirs: Cell | null;
	readonly result: Cell | null;
	/** Every shown version has this line, unchanged. */
	readonly same: boolean;
}

/** The three versions as lines; null: missing (a side that did not have the file, an unknown result). */
export interface Versions {
	readonly ours: readonly string[] | null;
	readonly theirs: readonly string[] | null;
	readonly result: readonly string[] | null;
}

/** Two versions that differ nearly everywhere take quadratic time: beyond this they are shown without pairing lines. */
const diffTimeoutMs = 100;

/** For each line of `from`, the index of its equal in `to`, or -1. Ascending, as in a longest common subsequence (Myers 1986). */
function matches(from: readonly string[], to: readonly string[]): Int32Array {
	const matched = new Int32Array(from.length).fill(-1);
	let [i, j] = [0, 0];
	for (const change of diffArrays([...from], [...to], { timeout: diffTimeoutMs }) ?? []) {
		if (change.removed) i += change.count;
		else if (change.added) j += change.count;
		else for (let n = 0; n < change.count; n++) matched[i++] = j++;
	}
	return matched;
}

/**
 * Puts versions beside each other, line by line. Lines are paired with those of the result (without a result, theirs with
 * ours); the lines between two pairs form one block.
 */
export function sideBySide({ ours, theirs, result }: Versions): Row[] {
	if (result === null) {
		return alignTo(ours ?? [], theirs ?? [], null).map(({ first, anchor }) => ({
			ours: first,
			theirs: anchor,
			result: null,
			same: first !== null && anchor !== null && first.text === anchor.text,
		}));
	}
	return alignTo(ours ?? [], result, theirs).map(({ first, anchor, second }) => ({
		ours: first,
		result: anchor,
		theirs: second,
		same: anchor !== null && (ours === null || first?.text === anchor.text) && (theirs === null || second?.text === anchor.text),
	}));
}

interface Aligned {
	first: Cell | null;
	anchor: Cell | null;
	second: Cell | null;
}

function alignTo(first: readonly string[], anchor: readonly string[], second: readonly string[] | null): Aligned[] {
	const other = second ?? [];
	const ofFirst = matches(first, anchor);
	const ofSecond = matches(other, anchor);
	const paired = new Uint8Array(anchor.length);
	for (const index of ofFirst) if (index >= 0) paired[index] = 1;
	for (const index of ofSecond) if (index >= 0) paired[index] = 1;

	const rows: Aligned[] = [];
	const cell = (lines: readonly string[], index: number): Cell => ({ line: index + 1, text: lines[index] as string });
	let [i, a, j] = [0, 0, 0];
	while (i < first.length || a < anchor.length || j < other.length) {
		const [i0, a0, j0] = [i, a, j];
		while (i < first.length && ofFirst[i] === -1) i++;
		while (a < anchor.length && !paired[a]) a++;
		while (j < other.length && ofSecond[j] === -1) j++;
		const height = Math.max(i - i0, a - a0, j - j0);
		for (let n = 0; n < height; n++) {
			rows.push({
				first: i0 + n < i ? cell(first, i0 + n) : null,
				anchor: a0 + n < a ? cell(anchor, a0 + n) : null,
				second: j0 + n < j ? cell(other, j0 + n) : null,
			});
		}
		if (a >= anchor.length) continue;
		const hasFirst = i < first.length && ofFirst[i] === a;
		const hasSecond = j < other.length && ofSecond[j] === a;
		rows.push({
			first: hasFirst ? cell(first, i++) : null,
			anchor: cell(anchor, a),
			second: hasSecond ? cell(other, j++) : null,
		});
		a++;
	}
	return pullUp(pullUp(rows, "second"), "first");
}

/**
 * Lines that only one version has are in rows of their own at first. Where rows with a gap in that version follow, they
 * move there: replaced lines are beside their replacement.
 */
function pullUp(rows: readonly Aligned[], column: "first" | "second"): Aligned[] {
	const pulled: Aligned[] = [];
	const waiting: Cell[] = [];
	const placeRest = () => {
		for (const cell of waiting.splice(0)) pulled.push({ first: null, anchor: null, second: null, [column]: cell });
	};
	for (const row of rows) {
		const cell = row[column];
		if (cell && row.anchor) {
			placeRest();
			pulled.push(row);
			continue;
		}
		if (cell) waiting.push(cell);
		if (row.anchor || row[column === "first" ? "second" : "first"]) pulled.push({ ...row, [column]: waiting.shift() ?? null });
	}
	placeRest();
	return pulled;
}
