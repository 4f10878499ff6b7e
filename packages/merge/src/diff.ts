import { LCS } from "node-diff3";
import { spend } from "./budget.ts";

/** No counterpart in the other sequence. */
export const UNMATCHED = -1;

/**
 * node-diff3's LCS walks its candidate list for every matching pair, so its cost is at worst
 * matching pairs × shorter length. Up to this many steps it is used directly (well under 100 ms); above,
 * the sequences are first cut at elements that are unique in both.
 */
const lcsStepLimit = 4_000_000;

/**
 * Aligns two sequences of interned elements: equal numbers are equal elements.
 *
 * Common ends are matched first, the middle by a longest common subsequence (Hunt and McIlroy 1976, by
 * node-diff3). If that would take too long, the middle is cut at the longest increasing run of elements that
 * occur once in both (Bram Cohen's patience diff), and each piece is aligned alone. Without unique elements, a few edits are still found; a
 * piece with many edits counts as replaced.
 *
 * @returns for each index of `a` the index of its counterpart in `b`, or UNMATCHED; counterparts increase.
 */
export function align(a: Int32Array, b: Int32Array): Int32Array {
	const match = new Int32Array(a.length).fill(UNMATCHED);
	alignRange(a, b, match);
	slideDown(a, b, match);
	return match;
}

/** A part of each of two sequences: indices [aFrom, aTo) and [bFrom, bTo). */
type Range = readonly [aFrom: number, aTo: number, bFrom: number, bTo: number];

function alignRange(a: Int32Array, b: Int32Array, match: Int32Array): void {
	// A stack instead of recursion: hostile sequences cut into pieces thousands of levels deep.
	const pending: Range[] = [[0, a.length, 0, b.length]];
	let tables: Tables | null = null;
	for (let range = pending.pop(); range !== undefined; range = pending.pop()) {
		let [aStart, aEnd, bStart, bEnd] = range;
		spend(aEnd - aStart + bEnd - bStart);
		while (aStart < aEnd && bStart < bEnd && a[aStart] === b[bStart]) match[aStart++] = bStart++;
		while (aStart < aEnd && bStart < bEnd && a[aEnd - 1] === b[bEnd - 1]) match[--aEnd] = --bEnd;
		if (aStart === aEnd || bStart === bEnd) continue;
		tables ??= tablesFor(a, b);
		const piece: Range = [aStart, aEnd, bStart, bEnd];
		const pairs = matchingPairs(piece, a, b, tables);
		if (pairs === 0) continue;
		const steps = (pairs ?? 0) * Math.min(aEnd - aStart, bEnd - bStart);
		if (steps <= lcsStepLimit) {
			spend(steps);
			alignByLcs(a, aStart, aEnd, b, bStart, bEnd, match);
			continue;
		}
		const anchors = uniqueAnchors(piece, a, b, tables);
		if (anchors.length === 0) alignByEdits(a, aStart, aEnd, b, bStart, bEnd, match);
		let [aPiece, bPiece] = [aStart, bStart];
		for (const [i, j] of anchors) {
			match[i] = j;
			pending.push([aPiece, i, bPiece, j]);
			[aPiece, bPiece] = [i + 1, j + 1];
		}
		if (aPiece > aStart) pending.push([aPiece, aEnd, bPiece, bEnd]);
	}
}

/**
 * The number of matching pairs: node-diff3 walks over at most the shorter length for each of them. Pairs of short ranges are not counted.
 */
function matchingPairs(range: Range, a: Int32Array, b: Int32Array, tables: Tables): number | null {
	const [aStart, aEnd, bStart, bEnd] = range;
	if ((aEnd - aStart) * (bEnd - bStart) <= 10_000) return null;
	const { first: counts, least } = tables;
	for (let j = bStart; j < bEnd; j++) counts[b[j]! - least]!++;
	let pairs = 0;
	for (let i = aStart; i < aEnd; i++) pairs += counts[a[i]! - least]!;
	for (let j = bStart; j < bEnd; j++) counts[b[j]! - least] = 0;
	return pairs;
}

/** A number for each element, zero between two uses: each user clears the numbers that it set. */
interface Tables {
	readonly first: Int32Array;
	readonly second: Int32Array;
	/** The element with the first number. */
	readonly least: number;
}

function tablesFor(a: Int32Array, b: Int32Array): Tables {
	let [least, most] = [0, 0];
	for (const elements of [a, b]) {
		for (let i = 0; i < elements.length; i++) {
			if (elements[i]! < least) least = elements[i]!;
			if (elements[i]! > most) most = elements[i]!;
		}
	}
	return { first: new Int32Array(most - least + 1), second: new Int32Array(most - least + 1), least };
}

function alignByLcs(a: Int32Array, aStart: number, aEnd: number, b: Int32Array, bStart: number, bEnd: number, match: Int32Array): void {
	const left: number[] = Array.from(a.subarray(aStart, aEnd));
	const right: number[] = Array.from(b.subarray(bStart, bEnd));
	for (let pair = LCS(left, right); pair !== null && pair.buffer1index >= 0; pair = pair.chain as typeof pair) {
		match[aStart + pair.buffer1index] = bStart + pair.buffer2index;
	}
}

/**
 * Many elements, few different ones, few edits: Myers' greedy algorithm ("An O(ND) Difference Algorithm and Its Variations", 1986). Leaves the
 * range unmatched if that takes too long.
 */
function alignByEdits(a: Int32Array, aStart: number, aEnd: number, b: Int32Array, bStart: number, bEnd: number, match: Int32Array): void {
	const [rows, columns] = [aEnd - aStart, bEnd - bStart];
	/** For each number of edits, the position in `a` that each diagonal (from -edits to edits, by twos) reaches. */
	const reached: Int32Array[] = [];
	let [steps, spent] = [0, 0];
	const down = (last: Int32Array, edits: number, k: number) =>
		k === -edits || (k !== edits && last[(k - 2 + edits) / 2]! < last[(k + edits) / 2]!);
	for (let edits = 0; ; edits++) {
		const last = reached[edits - 1] ?? new Int32Array(1);
		const now = new Int32Array(edits + 1);
		reached.push(now);
		for (let k = -edits; k <= edits; k += 2) {
			let i = edits === 0 ? 0 : down(last, edits, k) ? last[(k + edits) / 2]! : last[(k - 2 + edits) / 2]! + 1;
			const from = i;
			while (i < rows && i - k < columns && a[aStart + i] === b[bStart + i - k]) i++;
			now[(k + edits) / 2] = i;
			steps += 1 + i - from;
			if (i >= rows && i - k >= columns) {
				walkBack(k, edits);
				return;
			}
		}
		spend(steps - spent);
		spent = steps;
		if (steps > editStepLimit || edits === maxEdits) return;
	}

	function walkBack(lastDiagonal: number, lastEdits: number): void {
		let k = lastDiagonal;
		for (let edits = lastEdits; edits >= 0; edits--) {
			const isDown = edits > 0 && down(reached[edits - 1]!, edits, k);
			const before = edits === 0 ? 0 : isDown ? reached[edits - 1]![(k + edits) / 2]! : reached[edits - 1]![(k - 2 + edits) / 2]! + 1;
			for (let i = reached[edits]![(k + edits) / 2]! - 1; i >= before; i--) match[aStart + i] = bStart + i - k;
			k += isDown ? 1 : -1;
		}
	}
}

/** About a tenth of a second. */
const editStepLimit = 20_000_000;

/** The backtrack needs twice the square of it in bytes: 18 MB. */
const maxEdits = 3_000;

/** Elements that occur exactly once in both ranges, thinned to a longest increasing run, in order. */
function uniqueAnchors([aStart, aEnd, bStart, bEnd]: Range, a: Int32Array, b: Int32Array, tables: Tables): [number, number][] {
	// The position of each element, from one; below zero: the element occurs more than once.
	const { first: inA, second: inB, least } = tables;
	const note = (table: Int32Array, element: number, position: number) => {
		table[element - least] = table[element - least] === 0 ? position + 1 : -1;
	};
	for (let j = bStart; j < bEnd; j++) note(inB, b[j]!, j);
	for (let i = aStart; i < aEnd; i++) note(inA, a[i]!, i);
	const pairs: [number, number][] = [];
	for (let i = aStart; i < aEnd; i++) {
		const j = inB[a[i]! - least]!;
		if (j > 0 && inA[a[i]! - least] === i + 1) pairs.push([i, j - 1]);
	}
	for (let j = bStart; j < bEnd; j++) inB[b[j]! - least] = 0;
	for (let i = aStart; i < aEnd; i++) inA[a[i]! - least] = 0;
	return longestIncreasing(pairs);
}

/** Patience sorting: the longest run of pairs whose second members increase. */
function longestIncreasing(pairs: readonly [number, number][]): [number, number][] {
	const tails: number[] = [];
	const previous = new Int32Array(pairs.length).fill(UNMATCHED);
	for (let k = 0; k < pairs.length; k++) {
		let low = 0;
		let high = tails.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (pairs[tails[middle]!]![1] < pairs[k]![1]) low = middle + 1;
			else high = middle;
		}
		if (low > 0) previous[k] = tails[low - 1]!;
		tails[low] = k;
	}
	const run: [number, number][] = [];
	for (let k = tails.length > 0 ? tails[tails.length - 1]! : UNMATCHED; k !== UNMATCHED; k = previous[k]!) run.push(pairs[k]!);
	return run.reverse();
}

/**
 * An addition or removal next to lines equal to its own ends can be placed in several ways (adding a paragraph and a blank
 * line: the blank before or after?). All are moved down as far as possible, so that the same edit always has the same form.
 */
function slideDown(a: Int32Array, b: Int32Array, match: Int32Array): void {
	slideRemovals(a, match, b.length);
	slideAdditions(b, match, a.length);
}

function slideRemovals(a: Int32Array, match: Int32Array, bLength: number): void {
	for (let end = a.length - 1; end >= 0; end--) {
		if (match[end] !== UNMATCHED) continue;
		let start = end;
		while (start > 0 && match[start - 1] === UNMATCHED) start--;
		let [from, to] = [start, end + 1];
		// Only if nothing was added in the same place: that is a replacement, and stays.
		while (to < a.length && a[from] === a[to] && addedBefore(match, from, to, bLength) === 0 && match[to] !== UNMATCHED) {
			match[from++] = match[to]!;
			match[to++] = UNMATCHED;
			spend(1);
		}
		end = start;
	}
}

function addedBefore(match: Int32Array, from: number, to: number, bLength: number): number {
	const before = from > 0 ? match[from - 1]! : UNMATCHED;
	const after = to < match.length ? match[to]! : bLength;
	return after - before - 1;
}

function slideAdditions(b: Int32Array, match: Int32Array, aLength: number): void {
	for (let i = aLength - 1; i >= 0; i--) {
		// The run of additions that ends just before the counterpart of a[i].
		if (match[i] === UNMATCHED) continue;
		const before = i > 0 ? match[i - 1]! : UNMATCHED;
		if (i > 0 && before === UNMATCHED) continue;
		let [from, to] = [before + 1, match[i]!];
		if (to <= from) continue;
		let k = i;
		while (k < aLength && match[k] === to && b[from] === b[to]) {
			match[k++] = from++;
			to++;
			spend(1);
		}
	}
}
