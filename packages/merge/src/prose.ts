import { fromLatin1, toLatin1 } from "./bytes.ts";
import { alignLines, type Hunk, hunks, losesLines, MergedText } from "./line-alignment.ts";
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
	const olderHunks = hunks(aligned.toOlder, aligned.older.keys.length);
	const laterHunks = hunks(aligned.toLater, aligned.later.keys.length);
	let [o, l, next] = [0, 0, 0];
	while (o < olderHunks.length || l < laterHunks.length) {
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
		addBothVersions(text, indices(fromOlder), indices(fromLater), aligned.olderIds, aligned.laterIds);
	}
	for (; next < aligned.base.keys.length; next++) text.keep(next);
	const content = text.toString();
	return {
		content: fromLatin1(content),
		olderLost: losesLines(aligned.base, aligned.older, aligned.later, content),
		laterLost: losesLines(aligned.base, aligned.later, aligned.older, content),
	};
}

function before(a: Hunk | undefined, b: Hunk | undefined): boolean {
	if (a === undefined || b === undefined) return a !== undefined;
	return a.start < b.start || (a.start === b.start && a.end <= b.end);
}

function samePlace(start: number, end: number, hunk: Hunk): boolean {
	return hunk.start < end || (start === end && hunk.start === start && hunk.end === end);
}

function indices(group: readonly Hunk[]): number[] {
	return group.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, k) => from + k));
}

/** Both versions of one place, the older first; if one contains the other, that one. */
function addBothVersions(
	text: MergedText,
	older: readonly number[],
	later: readonly number[],
	olderIds: Int32Array,
	laterIds: Int32Array,
): void {
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
