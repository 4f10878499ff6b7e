import { absorbs } from "../absorbed.ts";
import { align, UNMATCHED } from "../diff.ts";
import { pairingLimit } from "../identity-keys.ts";
import { hunks } from "../line-alignment.ts";
import { movedElements } from "../moves.ts";
import type { Entry } from "./entry.ts";
import { NONE } from "./tree.ts";

/** The similarity of the elements at these positions of two versions. 0: they cannot be the same element; 1: equal. */
export type Likeness = (inOne: number, inOther: number) => number;

/** One side of a sequence against the base. */
interface Edit {
	/** For each base element its position in the side, equal or changed; UNMATCHED: removed. */
	readonly at: Int32Array;
	/** For each base element: 1 if it was changed. */
	readonly changed: Uint8Array;
	/** The side's additions, by the base position after them. */
	readonly added: ReadonlyMap<number, readonly number[]>;
	/** The base positions of the elements that the side moved, by its position in the side. `at` and `added` treat them as removed and added. */
	readonly moved: ReadonlyMap<number, number>;
}

/**
 * Merges sequences with diff3 over equal elements (equal elements have equal numbers). An element that one side removed and the other
 * changed stays; additions of both sides at one place all stay, the older side's first, but common ones only once.
 */
export function mergeSequence(
	base: Int32Array,
	older: Int32Array,
	later: Int32Array,
	olderLikeness: Likeness,
	laterLikeness: Likeness,
	betweenSides: Likeness,
): Entry[] {
	const [toOlder, toLater] = [align(base, older), align(base, later)];
	if (absorbs(later, older, base, toOlder))
		return allOf(later, base, older, (inBase, inOlder, inLater) => ({ base: inBase, older: inOlder, later: inLater }));
	if (absorbs(older, later, base, toLater))
		return allOf(older, base, later, (inBase, inLater, inOlder) => ({ base: inBase, older: inOlder, later: inLater }));
	// More versions give more certainty about correspondences: the other side's counts half as much as the base's.
	const first = edit(base, older, toOlder, olderLikeness);
	const laterEdit = edit(
		base,
		later,
		toLater,
		(i, j) => laterLikeness(i, j) + (first.changed[i] === 1 ? betweenSides(first.at[i]!, j) / 2 : 0),
	);
	const olderEdit = edit(
		base,
		older,
		toOlder,
		(i, j) => olderLikeness(i, j) + (laterEdit.changed[i] === 1 ? betweenSides(j, laterEdit.at[i]!) / 2 : 0),
	);
	const moves = reconcileMoves(olderEdit, laterEdit);
	const merged: Entry[] = [];
	/** Additions since the last base element that stayed, by place: the sides may consider them one place. */
	let waiting: Place[] = [];
	for (let i = 0; i <= base.length; i++) {
		const [olderAdds, laterAdds] = [olderEdit.added.get(i), laterEdit.added.get(i)];
		if (olderAdds !== undefined || laterAdds !== undefined) {
			const place = {
				older: (olderAdds ?? []).filter((position) => !moves.older.has(position)),
				later: (laterAdds ?? []).filter((position) => !moves.later.has(position)),
			};
			if (place.older.length > 0 || place.later.length > 0) waiting.push(place);
		}
		const [inOlder, inLater] = i < base.length ? [olderEdit.at[i]!, laterEdit.at[i]!] : [UNMATCHED, UNMATCHED];
		const kept =
			inOlder !== UNMATCHED ? inLater !== UNMATCHED || olderEdit.changed[i] === 1 : inLater !== UNMATCHED && laterEdit.changed[i] === 1;
		if (i < base.length && (!kept || moves.elsewhere.has(i))) continue;
		if (waiting.length > 0) {
			for (const additions of oneIfContained(waiting, older, later)) addUnion(merged, additions, older, later, moves);
			waiting = [];
		}
		if (i < base.length) merged.push({ base: i, older: inOlder, later: inLater });
	}
	return merged;
}

/**
 * If no version has an element twice, neither has the result: both sides added it in different places, or one changed another to it.
 *
 * @param areScalars of a scalar that both sides changed the later one stays; for other elements the merge of their values decides.
 */
export function withoutRepetitions(
	entries: readonly Entry[],
	base: Int32Array,
	older: Int32Array,
	later: Int32Array,
	areScalars: boolean,
): Entry[] {
	if (![base, older, later].every((ids) => new Set(ids).size === ids.length)) return [...entries];
	const seen = new Set<number>();
	return entries.filter((entry) => {
		const at = (ids: Int32Array, position: number) => (position === NONE ? null : ids[position]!);
		const [inBase, inOlder, inLater] = [at(base, entry.base), at(older, entry.older), at(later, entry.later)];
		if (!areScalars && inLater !== null && inOlder !== null && inLater !== inOlder && inOlder !== inBase && inLater !== inBase) return true;
		const id = inLater === null || (inOlder !== null && inLater === inBase) ? inOlder! : inLater;
		if (seen.has(id)) return false;
		seen.add(id);
		return true;
	});
}

/** The sides' additions at one place, as positions in the sides. */
interface Place {
	readonly older: readonly number[];
	readonly later: readonly number[];
}

/** Neighbouring places are one if one side has all additions of the other there. */
function oneIfContained(places: readonly Place[], older: Int32Array, later: Int32Array): readonly Place[] {
	if (places.length < 2) return places;
	const all = { older: places.flatMap((place) => place.older), later: places.flatMap((place) => place.later) };
	const [olderIds, laterIds] = [all.older.map((position) => older[position]!), all.later.map((position) => later[position]!)];
	return isSubsequence(olderIds, laterIds) || isSubsequence(laterIds, olderIds) ? [all] : places;
}

function isSubsequence(part: readonly number[], whole: readonly number[]): boolean {
	let found = 0;
	for (const element of whole) if (found < part.length && part[found] === element) found++;
	return found === part.length;
}

/** The effect of moves of elements. */
interface Moves {
	/** Additions that are dropped: the other side removed the element, or both moved it and the later side's place counts. */
	readonly older: ReadonlySet<number>;
	readonly later: ReadonlySet<number>;
	/** Additions that are an element of the base which the other side changed: the changed one is written here. */
	readonly changed: ReadonlyMap<string, Entry>;
	/** Base elements that leave their place, though one side did not move them. */
	readonly elsewhere: ReadonlySet<number>;
}

function reconcileMoves(olderEdit: Edit, laterEdit: Edit): Moves {
	const [olderMoved, laterMoved] = [olderEdit.moved, laterEdit.moved];
	const [older, later, elsewhere] = [new Set<number>(), new Set<number>(), new Set<number>()];
	const changed = new Map<string, Entry>();
	const movedByOlder = new Set(olderMoved.values());
	for (const [j, i] of olderMoved) {
		const inLater = laterEdit.at[i]!;
		if (inLater === UNMATCHED) older.add(j);
		else if (laterEdit.changed[i] === 1) {
			elsewhere.add(i);
			changed.set(`older ${j}`, { base: i, older: j, later: inLater });
		}
	}
	for (const [j, i] of laterMoved) {
		const inOlder = olderEdit.at[i]!;
		if (inOlder === UNMATCHED) {
			if (!movedByOlder.has(i)) later.add(j);
		} else if (olderEdit.changed[i] === 1) {
			elsewhere.add(i);
			changed.set(`later ${j}`, { base: i, older: inOlder, later: j });
		}
	}
	return { older, later, changed, elsewhere };
}

/** The elements of one side, with their counterparts in the base and in the other side. */
function allOf(
	side: Int32Array,
	base: Int32Array,
	other: Int32Array,
	entry: (inBase: number, inOther: number, inSide: number) => Entry,
): Entry[] {
	const [toBase, toOther] = [align(side, base), align(side, other)];
	return Array.from(side, (_, i) => entry(toBase[i]!, toOther[i]!, i));
}

/** @param match for each base element its equal in the side. */
function edit(base: Int32Array, side: Int32Array, match: Int32Array, likeness: Likeness): Edit {
	const at = match.slice();
	const moved = movedElements(base, side, at);
	const movedAway = new Set(moved.values());
	const changed = new Uint8Array(base.length);
	const added = new Map<number, number[]>();
	for (const { start, end, from, to } of hunks(at, side.length)) {
		for (const [i, j] of pair(start, end, from, to, (i, j) => (moved.has(j) || movedAway.has(i) ? 0 : likeness(i, j)))) {
			at[i] = j;
			changed[i] = 1;
		}
		let place = start;
		let next = from;
		const add = (before: number) => {
			if (before <= next) return;
			const here = added.get(place) ?? [];
			added.set(place, here);
			for (let j = next; j < before; j++) here.push(j);
		};
		for (let i = start; i < end; i++) {
			if (at[i] === UNMATCHED) continue;
			add(at[i]!);
			[place, next] = [i + 1, at[i]! + 1];
		}
		add(to);
	}
	return { at, changed, added, moved };
}

/** The changed elements of a replaced stretch, in order. With equal numbers on both sides: one by one. */
function pair(start: number, end: number, from: number, to: number, likeness: Likeness): [number, number][] {
	const [rows, columns] = [end - start, to - from];
	if (rows === columns || rows * columns > pairingLimit) {
		const inOrder = Array.from({ length: Math.min(rows, columns) }, (_, k): [number, number] => [start + k, from + k]);
		return inOrder.filter(([i, j]) => likeness(i, j) > 0);
	}
	// The pairing with the greatest sum of similarities (Needleman and Wunsch 1970, without gap costs).
	const best = Array.from({ length: rows + 1 }, () => new Float64Array(columns + 1));
	const alike = Array.from({ length: rows }, (_, r) => Float64Array.from({ length: columns }, (_, c) => likeness(start + r, from + c)));
	for (let r = rows - 1; r >= 0; r--) {
		for (let c = columns - 1; c >= 0; c--) {
			const value = alike[r]![c]!;
			best[r]![c] = Math.max(best[r + 1]![c]!, best[r]![c + 1]!, value > 0 ? best[r + 1]![c + 1]! + value : 0);
		}
	}
	const pairs: [number, number][] = [];
	let [r, c] = [0, 0];
	while (r < rows && c < columns) {
		const value = alike[r]![c]!;
		if (value > 0 && best[r]![c] === best[r + 1]![c + 1]! + value) pairs.push([start + r++, from + c++]);
		else if (best[r]![c] === best[r + 1]![c]) r++;
		else c++;
	}
	return pairs;
}

/** Additions of both sides at one place: common ones once, the rest older first, each in its own order. */
function addUnion(
	merged: Entry[],
	{ older: fromOlder, later: fromLater }: Place,
	older: Int32Array,
	later: Int32Array,
	moves: Moves,
): void {
	// A changed element is no addition, even if it equals one: numbers below zero are equal to nothing.
	const olderIds = Int32Array.from(fromOlder, (position) =>
		moves.changed.has(`older ${position}`) ? -1 - 2 * position : older[position]!,
	);
	const laterIds = Int32Array.from(fromLater, (position) =>
		moves.changed.has(`later ${position}`) ? -2 - 2 * position : later[position]!,
	);
	const match = align(olderIds, laterIds);
	let next = 0;
	const addLater = (before: number) => {
		for (; next < before; next++) {
			merged.push(moves.changed.get(`later ${fromLater[next]}`) ?? { base: NONE, older: NONE, later: fromLater[next]! });
		}
	};
	for (let i = 0; i < fromOlder.length; i++) {
		const counterpart = match[i]!;
		if (counterpart === UNMATCHED) {
			merged.push(moves.changed.get(`older ${fromOlder[i]}`) ?? { base: NONE, older: fromOlder[i]!, later: NONE });
			continue;
		}
		addLater(counterpart);
		merged.push({ base: NONE, older: fromOlder[i]!, later: fromLater[next++]! });
	}
	addLater(fromLater.length);
}
