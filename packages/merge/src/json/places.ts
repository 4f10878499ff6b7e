import { align } from "../diff.ts";
import { type Hunk, hunks } from "../line-alignment.ts";
import type { Entry } from "./entry.ts";
import type { Elements } from "./identity.ts";
import { ARRAY, NONE, STRING } from "./tree.ts";

/** Longer lists of numbers count as tuples only if no side moved anything in them. */
const longestTuple = 16;

/** How a list of scalars is merged: by place, by place without regard to the base, as a set, or as a sequence. */
export type ScalarList = "places" | "new places" | "set" | "sequence";

/** Are all elements of all versions scalars? */
export function areScalars(versions: readonly Elements[]): boolean {
	return versions.every(({ tree, nodes }) => nodes.every((node) => tree.type[node]! < ARRAY));
}

/**
 * Decides how a list of scalars is merged. A list in which every side only replaced elements in place keeps its length: coordinates,
 * ranges, colours, arguments. It is a set only if no place of it was replaced by both sides.
 *
 * @param versions base, older and later; the base without elements if there is none.
 * @param numbers the same, equal elements with equal numbers.
 */
export function scalarList(versions: readonly Elements[], numbers: readonly Int32Array[], hasBase: boolean): ScalarList {
	const [base, older, later] = numbers as [Int32Array, Int32Array, Int32Array];
	if (isTuple(versions, hasBase)) return "places";
	if (base.length === 0) return "set";
	const [byOlder, byLater] = [hunks(align(base, older), older.length), hunks(align(base, later), later.length)];
	if (areReplacements(byOlder) && areReplacements(byLater)) return "places";
	if (!replaceOnePlace(byOlder, byLater, numbers)) return "set";
	return areOneRewrite(byOlder, byLater) ? "new places" : "sequence";
}

/** Did both sides only replace elements in place? Equal elements have equal numbers. */
export function onlyReplaced([base, older, later]: readonly Int32Array[]): boolean {
	return [older!, later!].every((side) => areReplacements(hunks(align(base!, side), side.length)));
}

function areReplacements(all: readonly Hunk[]): boolean {
	return all.every(({ start, end, from, to }) => end - start === to - from);
}

/** The elements of lists of one length, place by place. */
export function byPlace(length: number, hasBase: boolean): Entry[] {
	const entries: Entry[] = [];
	for (let i = 0; i < length; i++) entries.push({ base: hasBase ? i : NONE, older: i, later: i });
	return entries;
}

/** Numbers, or values of several types, with the same count in every version: only the place identifies an element. */
function isTuple([base, older, later]: readonly Elements[], hasBase: boolean): boolean {
	const length = older!.nodes.length;
	if (length === 0 || length > longestTuple || later!.nodes.length !== length) return false;
	if (hasBase ? base!.nodes.length !== length : length === 1) return false;
	return [base!, older!, later!].some(({ tree, nodes }) => nodes.some((node) => tree.type[node] !== STRING));
}

/** Did both sides replace the same elements by as many, and nothing else: an argument by an option and its value? */
function areOneRewrite(byOlder: readonly Hunk[], byLater: readonly Hunk[]): boolean {
	return (
		byOlder.length === byLater.length &&
		byOlder.every(({ start, end, from, to }, i) => {
			const other = byLater[i]!;
			return end > start && other.start === start && other.end === end && other.from === from && other.to === to;
		})
	);
}

/** Did both sides put a new element in one place? */
function replaceOnePlace(byOlder: readonly Hunk[], byLater: readonly Hunk[], [inBase, inOlder, inLater]: readonly Int32Array[]): boolean {
	const replacing = (hunks: readonly Hunk[], side: Int32Array, other: Int32Array) => {
		const known = new Set([...inBase!, ...other]);
		return hunks.filter(({ start, end, from, to }) => end > start && side.subarray(from, to).some((element) => !known.has(element)));
	};
	const [older, later] = [replacing(byOlder, inOlder!, inLater!), replacing(byLater, inLater!, inOlder!)];
	let l = 0;
	for (const { start, end } of older) {
		while (l < later.length && later[l]!.end <= start) l++;
		if (l < later.length && later[l]!.start < end) return true;
	}
	return false;
}
