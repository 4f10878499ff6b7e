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
	const all = places(aligned).map(({ start, end, older, later }) => ({
		start,
		end,
		older: indices(older, overruled.older),
		later: indices(later, overruled.later),
	}));
	let next = 0;
	for (const [i, place] of all.entries()) {
		for (; next < place.start; next++) text.keep(next);
		next = place.end;
		// What a side added right before or after a stretch that the other side rewrote may be part of what was written there.
		const neighbours = [all[i - 1], all[i + 1]].filter((other) => other?.end === place.start || other?.start === place.start) as Place[];
		if (!isWrittenThere(place, neighbours, aligned)) addBothVersions(text, aligned, place.older, place.later);
	}
	for (; next < aligned.base.keys.length; next++) text.keep(next);
}

/** Changes that meet in base [start, end). */
interface Place<Change = number> {
	readonly start: number;
	readonly end: number;
	/** What each side did there: hunks, or the lines that it has there. */
	readonly older: readonly Change[];
	readonly later: readonly Change[];
}

/** Where the sides changed the base, in base order. Changes share a place if their ranges share a base line, or if both add at one point. */
function places(aligned: Aligned): Place<Hunk>[] {
	const olderHunks = hunks(aligned.toOlder, aligned.older.keys.length);
	const laterHunks = hunks(aligned.toLater, aligned.later.keys.length);
	const found: Place<Hunk>[] = [];
	let [o, l] = [0, 0];
	while (o < olderHunks.length || l < laterHunks.length) {
		const first = before(olderHunks[o], laterHunks[l]) ? olderHunks[o]! : laterHunks[l]!;
		const [older, later]: [Hunk[], Hunk[]] = [[], []];
		let end = first.end;
		const meets = (hunk: Hunk | undefined): hunk is Hunk => hunk !== undefined && (hunk === first || samePlace(first.start, end, hunk));
		for (;;) {
			const [olderHunk, laterHunk] = [olderHunks[o], laterHunks[l]];
			if (meets(olderHunk)) {
				older.push(olderHunk);
				end = Math.max(end, olderHunk.end);
				o++;
			} else if (meets(laterHunk)) {
				later.push(laterHunk);
				end = Math.max(end, laterHunk.end);
				l++;
			} else break;
		}
		found.push({ start: first.start, end, older, later });
	}
	return found;
}

function before(a: Hunk | undefined, b: Hunk | undefined): boolean {
	if (a === undefined || b === undefined) return a !== undefined;
	return a.start < b.start || (a.start === b.start && a.end <= b.end);
}

function samePlace(start: number, end: number, hunk: Hunk): boolean {
	return hunk.start < end || (start === end && hunk.start === start && hunk.end === end);
}

/**
 * Is a place nothing but an addition of one side, contained in what the other side alone wrote next to it? Where both wrote there, the side's
 * own lines would change places.
 */
function isWrittenThere({ start, end, older, later }: Place, neighbours: readonly Place[], { olderIds, laterIds }: Aligned): boolean {
	if (end > start || older.length > 0 === later.length > 0) return false;
	return older.length > 0
		? neighbours.some((other) => other.older.length === 0 && isSubsequence(older, olderIds, other.later, laterIds))
		: neighbours.some((other) => other.later.length === 0 && isSubsequence(later, laterIds, other.older, olderIds));
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
