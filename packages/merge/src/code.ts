import { fromLatin1 } from "./bytes.ts";
import { type Aligned, absorbingSide, alignLines, type Hunk, hunks, lostLines, MergedText } from "./line-alignment.ts";
import { splitLines, splitVersions } from "./lines.ts";
import type { Merged, Sides } from "./sides.ts";

/**
 * Merges code line by line with diff3 (Khanna, Kunal and Pierce, "A Formal Investigation of Diff3", 2007): changes of the two sides that
 * touch (share or adjoin base lines) and differ conflict, and the later side's version of the whole stretch stays.
 */
export function mergeCode({ base, older, later }: Sides): Merged {
	const lines = splitVersions(base, older, later);
	const aligned = alignLines(lines.base, lines.older, lines.later);
	const text = new MergedText(aligned);
	let conflicts = 0;
	if (absorbingSide(aligned) === "later") text.addAllOf("later");
	else conflicts = addMerged(text, aligned);
	const content = text.toString();
	return {
		content: fromLatin1(content),
		olderLost: conflicts > 0 && lostLines(aligned, splitLines(content)).olderLost,
		laterLost: false,
	};
}

/** @returns the number of conflicting stretches. */
function addMerged(text: MergedText, aligned: Aligned): number {
	const olderHunks = hunks(aligned.toOlder, aligned.older.keys.length);
	const laterHunks = hunks(aligned.toLater, aligned.later.keys.length);
	let [o, l, next, conflicts] = [0, 0, 0, 0];
	while (o < olderHunks.length || l < laterHunks.length) {
		const start = Math.min(olderHunks[o]?.start ?? Number.POSITIVE_INFINITY, laterHunks[l]?.start ?? Number.POSITIVE_INFINITY);
		const [firstOlder, firstLater] = [o, l];
		let end = start;
		for (;;) {
			if (o < olderHunks.length && olderHunks[o]!.start <= end) end = Math.max(end, olderHunks[o++]!.end);
			else if (l < laterHunks.length && laterHunks[l]!.start <= end) end = Math.max(end, laterHunks[l++]!.end);
			else break;
		}
		for (; next < start; next++) text.keep(next);
		next = end;
		const olderRange = sideRange(olderHunks, firstOlder, o, start, end);
		const laterRange = sideRange(laterHunks, firstLater, l, start, end);
		if (l === firstLater) for (let i = olderRange.from; i < olderRange.to; i++) text.add("older", i);
		else if (o > firstOlder && sameLines(aligned, olderRange, laterRange))
			for (let i = laterRange.from; i < laterRange.to; i++) text.addBoth(i);
		else {
			if (o > firstOlder) conflicts++;
			for (let i = laterRange.from; i < laterRange.to; i++) text.add("later", i);
		}
	}
	for (; next < aligned.base.keys.length; next++) text.keep(next);
	return conflicts;
}

interface Range {
	readonly from: number;
	readonly to: number;
}

/** The lines of a side in place of base [start, end). Outside the side's hunks its lines are the base's, one for one. */
function sideRange(all: readonly Hunk[], first: number, past: number, start: number, end: number): Range {
	if (past === first) return { from: 0, to: 0 };
	const [head, tail] = [all[first]!, all[past - 1]!];
	return { from: head.from - (head.start - start), to: tail.to + (end - tail.end) };
}

function sameLines({ olderIds, laterIds }: Aligned, older: Range, later: Range): boolean {
	if (older.to - older.from !== later.to - later.from) return false;
	for (let k = 0; k < older.to - older.from; k++) if (olderIds[older.from + k] !== laterIds[later.from + k]) return false;
	return true;
}
