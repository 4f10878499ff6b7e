import { align, UNMATCHED } from "../diff.ts";
import { hunks } from "../line-alignment.ts";
import type { Entry } from "./entry.ts";
import { NONE } from "./tree.ts";

/** Replaced stretches up to this many element pairs are searched for the likeliest pairing; larger ones are paired in order. */
const PAIRING_LIMIT = 2_500;

/** How alike are the base's and a side's elements at these positions? 0: cannot be the same element; 1: equal. */
export type Likeness = (inBase: number, inSide: number) => number;

/** One side of a sequence against the base. */
interface Edit {
	/** For each base element its position in the side, equal or changed; UNMATCHED: removed. */
	readonly at: Int32Array;
	/** For each base element: 1 if it was changed. */
	readonly changed: Uint8Array;
	/** What the side added, by the base position that it stands before. */
	readonly added: ReadonlyMap<number, readonly number[]>;
}

/**
 * Merges sequences with diff3 over equal elements (the same number is an equal element). An element that one side removed and the other
 * changed stays; additions of both sides at one place are all kept, the older side's first, but what both added there only once.
 */
export function mergeSequence(
	base: Int32Array,
	older: Int32Array,
	later: Int32Array,
	olderLikeness: Likeness,
	laterLikeness: Likeness,
): Entry[] {
	const olderEdit = edit(base, older, olderLikeness);
	const laterEdit = edit(base, later, laterLikeness);
	const merged: Entry[] = [];
	for (let i = 0; i <= base.length; i++) {
		const [fromOlder, fromLater] = [olderEdit.added.get(i), laterEdit.added.get(i)];
		if (fromOlder !== undefined || fromLater !== undefined) merged.push(...union(fromOlder ?? [], fromLater ?? [], older, later));
		if (i === base.length) break;
		const [inOlder, inLater] = [olderEdit.at[i]!, laterEdit.at[i]!];
		const kept =
			inOlder !== UNMATCHED ? inLater !== UNMATCHED || olderEdit.changed[i] === 1 : inLater !== UNMATCHED && laterEdit.changed[i] === 1;
		if (kept) merged.push({ base: i, older: inOlder, later: inLater });
	}
	return merged;
}

function edit(base: Int32Array, side: Int32Array, likeness: Likeness): Edit {
	const at = align(base, side);
	const changed = new Uint8Array(base.length);
	const added = new Map<number, number[]>();
	for (const { start, end, from, to } of hunks(at, side.length)) {
		for (const [i, j] of pair(start, end, from, to, likeness)) {
			at[i] = j;
			changed[i] = 1;
		}
		let place = start;
		let next = from;
		const add = (before: number) => {
			if (before > next) added.set(place, [...(added.get(place) ?? []), ...Array.from({ length: before - next }, (_, k) => next + k)]);
		};
		for (let i = start; i < end; i++) {
			if (at[i] === UNMATCHED) continue;
			add(at[i]!);
			[place, next] = [i + 1, at[i]! + 1];
		}
		add(to);
	}
	return { at, changed, added };
}

/** Which elements of a replaced stretch are changed ones, in order. Equally many on both sides: one by one. */
function pair(start: number, end: number, from: number, to: number, likeness: Likeness): [number, number][] {
	const [rows, columns] = [end - start, to - from];
	if (rows === columns || rows * columns > PAIRING_LIMIT) {
		const inOrder = Array.from({ length: Math.min(rows, columns) }, (_, k): [number, number] => [start + k, from + k]);
		return inOrder.filter(([i, j]) => likeness(i, j) > 0);
	}
	// The pairing with the greatest sum of likenesses (Needleman and Wunsch 1970, without gap costs).
	const best = Array.from({ length: rows + 1 }, () => new Float64Array(columns + 1));
	const like = (r: number, c: number) => likeness(start + r, from + c);
	for (let r = rows - 1; r >= 0; r--) {
		for (let c = columns - 1; c >= 0; c--) {
			const value = like(r, c);
			best[r]![c] = Math.max(best[r + 1]![c]!, best[r]![c + 1]!, value > 0 ? best[r + 1]![c + 1]! + value : 0);
		}
	}
	const pairs: [number, number][] = [];
	let [r, c] = [0, 0];
	while (r < rows && c < columns) {
		const value = like(r, c);
		if (value > 0 && best[r]![c] === best[r + 1]![c + 1]! + value) pairs.push([start + r++, from + c++]);
		else if (best[r]![c] === best[r + 1]![c]) r++;
		else c++;
	}
	return pairs;
}

/** Additions of both sides at one place: what both added once, the rest older first, each in its own order. */
function union(fromOlder: readonly number[], fromLater: readonly number[], older: Int32Array, later: Int32Array): Entry[] {
	const ids = (positions: readonly number[], all: Int32Array) => Int32Array.from(positions, (position) => all[position]!);
	const match = align(ids(fromOlder, older), ids(fromLater, later));
	const merged: Entry[] = [];
	let next = 0;
	const addLater = (before: number) => {
		for (; next < before; next++) merged.push({ base: NONE, older: NONE, later: fromLater[next]! });
	};
	for (let i = 0; i < fromOlder.length; i++) {
		const counterpart = match[i]!;
		if (counterpart === UNMATCHED) {
			merged.push({ base: NONE, older: fromOlder[i]!, later: NONE });
			continue;
		}
		addLater(counterpart);
		merged.push({ base: NONE, older: fromOlder[i]!, later: fromLater[next++]! });
	}
	addLater(fromLater.length);
	return merged;
}
