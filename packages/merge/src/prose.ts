import { fromLatin1, toLatin1 } from "./bytes.ts";
import { type Aligned, absorbingSide, alignLines, type Hunk, hunks, losesLines, MergedText, overruledMoves } from "./line-alignment.ts";
import { type Lines, NO_LINES, splitLines } from "./lines.ts";
import type { Merged, Sides } from "./sides.ts";

/**
 * Merges prose line by line: a base line stays if both sides kept it, what either side added is added. Where both changed the same
 * lines both versions stay, the older side's first, without markers.
 */
export function mergeProse({ base, older, later }: Sides): Merged {
	const lines = (bytes: Uint8Array | null): Lines => (bytes === null ? NO_LINES : splitLines(toLatin1(bytes)));
	const aligned = alignLines(lines(base), lines(older), lines(later));
	const text = new MergedText(aligned);
	const whole = absorbingSide(aligned);
	if (whole === null) addMerged(text, aligned);
	else text.addAllOf(whole);
	const content = text.toString();
	return {
		content: fromLatin1(content),
		olderLost: losesLines(aligned.base, aligned.older, aligned.later, content),
		laterLost: losesLines(aligned.base, aligned.later, aligned.older, content),
	};
}

function addMerged(text: MergedText, aligned: Aligned): void {
	const overruled = overruledMoves(aligned);
	const olderHunks = hunks(aligned.toOlder, aligned.older.keys.length);
	const laterHunks = hunks(aligned.toLater, aligned.later.keys.length);
	let [o, l, next] = [0, 0, 0];
	while (o < olderHunks.length || l < laterHunks.length) {
		const [lastOlder, lastLater] = [olderHunks[o - 1], laterHunks[l - 1]];
		const fromOlder: Hunk[] = [];
		const fromLater: Hunk[] = [];
		const first = before(olderHunks[o], laterHunks[l]) ? olderHunks[o]! : laterHunks[l]!;
		let end = first.end;
		for (;;) {
			// Same place: the ranges share a base line, or both sides added at the same point.
			const olderHunk = olderHunks[o];
			const laterHunk = laterHunks[l];
			if (olderHunk !== undefined && (olderHunk === first || samePlace(first.start, end, olderHunk))) {
				fromOlder.push(olderHunk);
				end = Math.max(end, olderHunk.end);
				o++;
			} else if (laterHunk !== undefined && (laterHunk === first || samePlace(first.start, end, laterHunk))) {
				fromLater.push(laterHunk);
				end = Math.max(end, laterHunk.end);
				l++;
			} else break;
		}
		for (; next < first.start; next++) text.keep(next);
		next = end;
		// What a side added right before or after a stretch that the other side rewrote may be part of what was written there.
		const ofOlder = indices(fromOlder, overruled.older);
		const ofLater = indices(fromLater, overruled.later);
		if (fromLater.length === 0 && isPartOf(first, ofOlder, aligned.olderIds, [lastLater, laterHunks[l]], aligned.laterIds)) continue;
		if (fromOlder.length === 0 && isPartOf(first, ofLater, aligned.laterIds, [lastOlder, olderHunks[o]], aligned.olderIds)) continue;
		addBothVersions(text, aligned, ofOlder, ofLater);
	}
	for (; next < aligned.base.keys.length; next++) text.keep(next);
}

function before(a: Hunk | undefined, b: Hunk | undefined): boolean {
	if (a === undefined || b === undefined) return a !== undefined;
	return a.start < b.start || (a.start === b.start && a.end <= b.end);
}

function samePlace(start: number, end: number, hunk: Hunk): boolean {
	return hunk.start < end || (start === end && hunk.start === start && hunk.end === end);
}

/** Is a pure addition contained in a stretch of the other side that it touches? */
function isPartOf(
	{ start, end }: Hunk,
	added: readonly number[],
	addedIds: Int32Array,
	neighbours: readonly (Hunk | undefined)[],
	neighbourIds: Int32Array,
): boolean {
	if (end > start || added.length === 0) return false;
	return neighbours.some((other) => {
		if (other === undefined || (other.end !== start && other.start !== start)) return false;
		return isSubsequence(added, addedIds, indices([other], new Set()), neighbourIds);
	});
}

function indices(group: readonly Hunk[], overruled: ReadonlySet<number>): number[] {
	return group.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, k) => from + k)).filter((index) => !overruled.has(index));
}

/** Both versions of one place, the older first; if one contains the other, that one. */
function addBothVersions(text: MergedText, { olderIds, laterIds }: Aligned, older: readonly number[], later: readonly number[]): void {
	const inLater = isSubsequence(older, olderIds, later, laterIds);
	if (!inLater) {
		for (const index of older) text.add("older", index);
		if (isSubsequence(later, laterIds, older, olderIds)) return;
	}
	for (const index of later) {
		if (inLater && older.length > 0) text.addBoth(index);
		else text.add("later", index);
	}
}

function isSubsequence(part: readonly number[], partIds: Int32Array, whole: readonly number[], wholeIds: Int32Array): boolean {
	let found = 0;
	for (const index of whole) if (found < part.length && partIds[part[found]!] === wholeIds[index]) found++;
	return found === part.length;
}
