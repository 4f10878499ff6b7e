import { fromLatin1, toLatin1 } from "./bytes.ts";
import { align, UNMATCHED } from "./diff.ts";
import { Interner } from "./interner.ts";
import { type Aligned, absorbingSide, alignLines, type Hunk, hunks, lostLines, MergedText, overruledMoves } from "./line-alignment.ts";
import { type Lines, splitLines, splitVersions } from "./lines.ts";
import type { Merged, Sides } from "./sides.ts";

/**
 * Merges prose line by line: a base line stays if both sides kept it, and additions of either side stay. Of lines that both changed,
 * both versions stay, the older side's first, without markers. For two versions without a base, their common lines are the base.
 */
export function mergeProse({ base, older, later }: Sides): Merged {
	const lines = splitVersions(base, older, later);
	const like = { text: toLatin1(later), lines: lines.later };
	const merged = mergeProseLines(base === null ? null : lines.base, lines.older, lines.later, (text) => splitLines(text, like));
	return { ...merged, content: fromLatin1(merged.text) };
}

/**
 * The same for texts that are split already.
 *
 * @param split splits a merged text in the same way, to compare it.
 */
export function mergeProseLines(
	base: Lines | null,
	older: Lines,
	later: Lines,
	split: (text: string) => Lines,
): { text: string; olderLost: boolean; laterLost: boolean } {
	const aligned = alignLines(base ?? commonLines(older, later), older, later);
	const merged = new MergedText(aligned);
	const whole = absorbingSide(aligned);
	if (whole === null) addMerged(merged, aligned);
	else merged.addAllOf(whole);
	const text = merged.toString();
	return { text, ...lostLines(aligned, split(text), base !== null) };
}

/** The common lines and blocks of two versions, if they have content: blank lines and rules by themselves are no template. */
function commonLines(older: Lines, later: Lines): Lines {
	const interner = new Interner();
	const match = align(interner.ids(older.keys), interner.ids(later.keys));
	const shared: number[] = [];
	for (let from = 0; from < match.length; ) {
		let to = from + 1;
		if (match[from] !== UNMATCHED) {
			while (to < match.length && match[to] === match[to - 1]! + 1) to++;
			const run = Array.from({ length: to - from }, (_, k) => from + k);
			if (run.some((i) => /[A-Za-z0-9\x80-\xff\n]/.test(older.keys[i]!))) shared.push(...run);
		}
		from = to;
	}
	return {
		...older,
		keys: shared.map((i) => older.keys[i]!),
		crlf: older.crlf === null ? null : Uint8Array.from(shared, (i) => older.crlf![i]!),
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
		// A side's addition right before or after a stretch that the other side rewrote may be part of that rewrite.
		const neighbours = [all[i - 1], all[i + 1]].filter((other) => other?.end === place.start || other?.start === place.start) as Place[];
		if (!isWrittenThere(place, neighbours, aligned)) addBothVersions(text, aligned, place);
	}
	for (; next < aligned.base.keys.length; next++) text.keep(next);
}

/** Changes that meet in base [start, end). */
interface Place<Change = number> {
	readonly start: number;
	readonly end: number;
	/** Each side's part there: hunks, or its lines there. */
	readonly older: readonly Change[];
	readonly later: readonly Change[];
}

/** The places where the sides changed the base, in base order. Changes share a place if their ranges share a base line, or if both add at one point. */
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
 * Is a place only an addition of one side, contained in the other side's own text next to it? If both wrote there, the side's
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

/** Both versions of one place, the older first, without repeating common lines at their start or end. If one contains the other, only that one. */
function addBothVersions(text: MergedText, aligned: Aligned, place: Place): void {
	const { olderIds, laterIds } = aligned;
	if (place.start === place.end && place.older.length > 0 && place.later.length > 0) {
		const parts = partsOfAdditions(aligned, place);
		if (parts.length > 1) {
			for (const { older, later, shared } of parts) {
				if (shared) for (const index of later) text.addBoth(index);
				else addVersions(text, olderIds, laterIds, older, later);
			}
			return;
		}
	}
	const [start, end] = alikeAtEnds(aligned, place);
	const cut = (lines: readonly number[]) => lines.slice(start, lines.length - end);
	const [older, later] = [cut(place.older), cut(place.later)];
	for (const index of place.later.slice(0, start)) text.addBoth(index);
	addVersions(text, olderIds, laterIds, older, later);
	for (const index of place.later.slice(place.later.length - end)) text.addBoth(index);
}

/**
 * The numbers of common lines at the start and end of both versions of a place, if they are one change made twice: a stretch that both rewrote (a list
 * that both numbered again), or a heading that both added.
 */
function alikeAtEnds({ olderIds, laterIds, later: lines }: Aligned, { start, end, older, later }: Place): [start: number, end: number] {
	const least = Math.min(older.length, later.length);
	if (least === 0) return [0, 0];
	const said = (at: number) => /[A-Za-z0-9\x80-\xff]/.test(lines.keys[later[at]!]!);
	const isAlike = (o: number, l: number) => olderIds[older[o]!] === laterIds[later[l]!];
	let first = 0;
	while (first < least && isAlike(first, first)) first++;
	const isHeading = first > 0 && /^#{1,6} /.test(lines.keys[later[0]!]!);
	if (first === least || (start === end ? !isHeading : !Array.from({ length: first }, (_, at) => at).some(said))) first = 0;
	if (start === end) return [first, 0];
	let last = 0;
	while (last < least - first && isAlike(older.length - 1 - last, later.length - 1 - last)) last++;
	// Blank lines before the common lines separate both versions from them.
	while (last > 0 && !said(later.length - last)) last--;
	return first + last === least ? [0, 0] : [first, last];
}

interface Part {
	readonly older: readonly number[];
	readonly later: readonly number[];
	/** Lines that both added. */
	readonly shared: boolean;
}

/**
 * Two additions at one place in parts: what continues the list or table above, then what is between the headings that both added below equal
 * headings. No parts if one addition contains the other.
 */
function partsOfAdditions(aligned: Aligned, { start, older, later }: Place): Part[] {
	const { olderIds, laterIds, base } = aligned;
	if (isSubsequence(older, olderIds, later, laterIds) || isSubsequence(later, laterIds, older, olderIds)) return [];
	const parts: Part[] = [];
	let [o, l] = [0, 0];
	const take = (toOlder: number, toLater: number, shared: boolean) => {
		if (toOlder > o || toLater > l) parts.push({ older: older.slice(o, toOlder), later: later.slice(l, toLater), shared });
		[o, l] = [toOlder, toLater];
	};
	const isAlike = (mine: number, theirs: number) => olderIds[older[mine]!] === laterIds[later[theirs]!];
	const above = start === 0 ? "" : base.keys[start - 1]!;
	const [olderItems, laterItems] = [itemsBelow(above, older, aligned.older), itemsBelow(above, later, aligned.later)];
	if (olderItems > 0 && laterItems > 0) take(olderItems, laterItems, false);
	const isBlank = (index: number) => /^[ \t]*$/.test(aligned.later.keys[index]!);
	const inLater = headings(later, laterIds, aligned.later);
	const common = [...headings(older, olderIds, aligned.older)].flatMap(([path, mine]): [number, number][] => {
		const theirs = inLater.get(path);
		return mine === null || theirs === undefined || theirs === null ? [] : [[mine, theirs]];
	});
	// In another order, what is below one of them would come below the other.
	const isInOrder = common.every(([, theirs], i) => i === 0 || theirs > common[i - 1]![1]);
	for (const [mine, theirs] of isInOrder ? common : []) {
		// It is among the equal lines behind the heading before it.
		if (mine < o || theirs < l) continue;
		// Blank lines before and equal lines behind a heading belong to it.
		let before = 0;
		while (
			mine - before > o &&
			theirs - before > l &&
			isAlike(mine - before - 1, theirs - before - 1) &&
			isBlank(later[theirs - before - 1]!)
		)
			before++;
		take(mine - before, theirs - before, false);
		let behind = 1;
		while (mine + behind < older.length && theirs + behind < later.length && isAlike(mine + behind, theirs + behind)) behind++;
		take(mine + behind, theirs + behind, true);
	}
	take(older.length, later.length, false);
	return parts.flatMap((part) => (part.shared ? [part] : withTextFirst(part, aligned)));
}

/** What stands above the first heading of an addition belongs to the section above: it comes before all headings. */
function withTextFirst(part: Part, aligned: Aligned): Part[] {
	const { older, later } = part;
	const [o, l] = [textAbove(older, aligned.older), textAbove(later, aligned.later)];
	if (o === null && l === null) return [part];
	const [fromOlder, fromLater] = [o ?? older.length, l ?? later.length];
	const text: Part = { older: older.slice(0, fromOlder), later: later.slice(0, fromLater), shared: false };
	const rest: Part = { older: older.slice(fromOlder), later: later.slice(fromLater), shared: false };
	return [text, rest].filter((one) => one.older.length > 0 || one.later.length > 0);
}

/** The number of lines of an addition above its first heading, and the blank lines before that; null: it has no heading. */
function textAbove(added: readonly number[], { keys }: Lines): number | null {
	const heading = added.findIndex((index) => HEADING.test(keys[index]!));
	let end = heading;
	while (end > 0 && /^[ \t]*$/.test(keys[added[end - 1]!]!)) end--;
	return heading === -1 ? null : end;
}

const HEADING = /^(?:#{1,6}|={2,6})(?= \S)/;

const ITEM = /^[ \t>]*(?:\||[-*+][ \t]|\d{1,9}[.)][ \t])/;

/** The number of lines at the start of an addition that continue the list or table above. */
function itemsBelow(above: string, added: readonly number[], { keys }: Lines): number {
	const isRow = (line: string) => /^[ \t>]*\|/.test(line);
	if (!ITEM.test(above)) return 0;
	let count = 0;
	while (count < added.length && ITEM.test(keys[added[count]!]!) && isRow(keys[added[count]!]!) === isRow(above)) count++;
	return count;
}

/** The places of an addition's headings, by their numbers and those of the headings above them; null: it is there more than once. */
function headings(added: readonly number[], ids: Int32Array, { keys }: Lines): Map<string, number | null> {
	const found = new Map<string, number | null>();
	const above: number[] = [];
	for (const [at, index] of added.entries()) {
		const level = HEADING.exec(keys[index]!)?.[0].length;
		if (level === undefined) continue;
		above.length = Math.min(above.length, level - 1);
		above[level - 1] = ids[index]!;
		const path = above.join();
		found.set(path, found.has(path) ? null : at);
	}
	return found;
}

function addVersions(
	text: MergedText,
	olderIds: Int32Array,
	laterIds: Int32Array,
	older: readonly number[],
	later: readonly number[],
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
