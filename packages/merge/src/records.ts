import { fromLatin1, toLatin1 } from "./bytes.ts";
import { align, UNMATCHED } from "./diff.ts";
import { mergeLater } from "./later.ts";
import { type Aligned, absorbingSide, alignLines, hunks, MergedText, overruledMoves } from "./line-alignment.ts";
import { type Lines, noLines } from "./lines.ts";
import { splitRecords } from "./record-lines.ts";
import { unifyObjects } from "./record-objects.ts";
import { unifyRows } from "./record-rows.ts";
import { mergeTails } from "./record-tails.ts";
import { columnTime, lineTime, RecordTimes, type TimeReader } from "./record-time.ts";
import type { Merged, Sides } from "./sides.ts";

/** Files whose records may be the rows of a table; in a log a line is a line. */
const namedRecords = new Set([".jsonl", ".ndjson"]);

/**
 * Merges files whose lines are records: additions and removals of either side apply, and a record that both added is there
 * once. Records with a name (an id in JSON Lines, the first column of a table) that both changed are merged. If both added at one place, the records are ordered by their own times if all have one, else the older side's come first.
 *
 * @param extension the file's extension, lower case, with its dot: `.csv` and `.tsv` have quoted fields and a header.
 */
export function mergeRecords(sides: Sides, extension: string): Merged {
	const { base, older, later } = sides;
	const quoted = extension === ".csv" || extension === ".tsv";
	const separator = extension === ".csv" ? separatorOf([older, later]) : "\t";
	const split = (bytes: Uint8Array | null): Lines => (bytes === null ? noLines : splitRecords(toLatin1(bytes), quoted));
	const named = quoted || namedRecords.has(extension) ? ([split(base), split(older), split(later)] as const) : null;
	const unified = named && (quoted ? unifyRows(...named, separator) : unifyObjects(...named));
	if (unified === "later") return mergeLater(sides);
	const tails = quoted || unified !== null ? null : mergeTails(sides);
	if (tails !== null) return { content: tails, olderLost: false, laterLost: false };
	const [inBase, inOlder, inLater] = named ?? [split(base), split(older), split(later)];
	const aligned = alignLines(unified?.base ?? inBase, unified?.older ?? inOlder, unified?.later ?? inLater);
	const readTime = quoted ? columnTime(aligned.later.keys[0], separator) : lineTime;
	const text = new MergedText(aligned);
	const whole = absorbingSide(aligned);
	if (whole === null) addMerged(text, aligned, readTime);
	else text.addAllOf(whole);
	// Each added record is in the result, or the other side's equal one: nothing else can be lost.
	return { content: fromLatin1(text.toString()), olderLost: unified?.olderLost ?? false, laterLost: unified?.laterLost ?? false };
}

/** The delimiter of a CSV file: a comma, unless its first line has none and has semicolons (locales with a decimal comma). */
function separatorOf(sides: readonly Uint8Array[]): "," | ";" {
	const first = sides.filter(({ length }) => length > 0).map((side) => (side.includes(0x0a) ? side.subarray(0, side.indexOf(0x0a)) : side));
	return first.length > 0 && first.every((line) => !line.includes(0x2c) && line.includes(0x3b)) ? ";" : ",";
}

function addMerged(text: MergedText, aligned: Aligned, readTime: TimeReader): void {
	const overruled = overruledMoves(aligned);
	const olderAdds = additionsByGap(aligned.toOlder, aligned.older.keys.length, overruled.older);
	const laterAdds = additionsByGap(aligned.toLater, aligned.later.keys.length, overruled.later);
	joinPlaces(aligned, olderAdds, laterAdds);
	const sharing = pairAdditions(aligned, olderAdds, laterAdds);
	for (let gap = 0; gap <= aligned.base.keys.length; gap++) {
		const [fromOlder, fromLater] = [olderAdds.get(gap), laterAdds.get(gap)];
		if (fromOlder !== undefined || fromLater !== undefined) {
			addAtGap(
				text,
				aligned,
				fromOlder ?? [],
				fromLater ?? [],
				{ alone: sharing.alone, anchors: sharing.anchors.get(gap) ?? [] },
				readTime,
			);
		}
		if (gap < aligned.base.keys.length && aligned.toOlder[gap] !== UNMATCHED && aligned.toLater[gap] !== UNMATCHED) text.keep(gap);
	}
}

/** The indices of a side's own lines before each base line, or after the last. */
function additionsByGap(match: Int32Array, sideLength: number, overruled: ReadonlySet<number>): Map<number, number[]> {
	const byGap = new Map<number, number[]>();
	for (const { start, from, to } of hunks(match, sideLength)) {
		const added: number[] = [];
		for (let index = from; index < to; index++) if (!overruled.has(index)) added.push(index);
		if (added.length > 0) byGap.set(start, added);
	}
	return byGap;
}

/**
 * Between two base lines that stay, several may be removed, which leaves several places. If the sides added the same record at different ones of
 * them, these are one place.
 */
function joinPlaces(aligned: Aligned, olderAdds: Map<number, number[]>, laterAdds: Map<number, number[]>): void {
	const { toOlder, toLater, olderIds, laterIds, base } = aligned;
	let places: number[] = [];
	for (let gap = 0; gap <= base.keys.length; gap++) {
		if (olderAdds.has(gap) || laterAdds.has(gap)) places.push(gap);
		const goes = gap < base.keys.length && (toOlder[gap] === UNMATCHED || toLater[gap] === UNMATCHED);
		if (goes) continue;
		if (places.length > 1) {
			const placeInLater = new Map(
				places.flatMap((place) => (laterAdds.get(place) ?? []).map((index) => [laterIds[index]!, place] as const)),
			);
			const crossed = places.some((place) =>
				(olderAdds.get(place) ?? []).some((index) => (placeInLater.get(olderIds[index]!) ?? place) !== place),
			);
			if (crossed) for (const adds of [olderAdds, laterAdds]) join(adds, places);
		}
		places = [];
	}
}

function join(adds: Map<number, number[]>, places: readonly number[]): void {
	const all = places.flatMap((place) => adds.get(place) ?? []);
	for (const place of places) adds.delete(place);
	if (all.length > 0) adds.set(places[0]!, all);
}

/** The older side's additions that the later side did not also add, and the common additions at each place. */
interface Sharing {
	/** 1 for each line of the older side that it alone added. */
	readonly alone: Uint8Array;
	readonly anchors: ReadonlyMap<number, readonly Anchor[]>;
}

/** Positions in the two sides' additions at one place that hold the same record. */
type Anchor = readonly [inOlder: number, inLater: number];

/** Pairs equal additions: first in place and order, then anywhere, by count: three of a record here and two there are three. */
function pairAdditions(aligned: Aligned, olderAdds: Map<number, number[]>, laterAdds: Map<number, number[]>): Sharing {
	const { olderIds, laterIds } = aligned;
	const unpaired = new Map<number, number>();
	for (const group of laterAdds.values())
		for (const index of group) unpaired.set(laterIds[index]!, (unpaired.get(laterIds[index]!) ?? 0) + 1);
	const alone = new Uint8Array(olderIds.length);
	const anchors = new Map<number, readonly Anchor[]>();
	for (const [gap, group] of olderAdds) {
		for (const index of group) alone[index] = 1;
		const inLater = laterAdds.get(gap);
		if (inLater === undefined || !group.some((index) => unpaired.has(olderIds[index]!))) continue;
		const pairs = sharedAnchors(aligned, group, inLater);
		anchors.set(gap, pairs);
		for (const [position] of pairs) {
			const id = olderIds[group[position]!]!;
			alone[group[position]!] = 0;
			unpaired.set(id, unpaired.get(id)! - 1);
		}
	}
	for (let index = 0; index < alone.length; index++) {
		const left = alone[index] === 1 ? (unpaired.get(olderIds[index]!) ?? 0) : 0;
		if (left === 0) continue;
		alone[index] = 0;
		unpaired.set(olderIds[index]!, left - 1);
	}
	return { alone, anchors };
}

/**
 * Adds the sides' additions at one place. Common additions in the same order stay in that order and divide the rest; in each part the records
 * are ordered by time, or the older side's come first. Each side's own order stays.
 */
function addAtGap(
	text: MergedText,
	aligned: Aligned,
	fromOlder: readonly number[],
	fromLater: readonly number[],
	{ alone, anchors }: { alone: Uint8Array; anchors: readonly Anchor[] },
	readTime: TimeReader,
): void {
	const order = timeOrder(aligned, fromOlder, fromLater, alone, readTime);
	let [o, l] = [0, 0];
	const addUpTo = (olderEnd: number, laterEnd: number) => {
		while (o < olderEnd || l < laterEnd) {
			if (o < olderEnd && alone[fromOlder[o]!] === 0) o++;
			else if (l === laterEnd || (o < olderEnd && (order === null || order(o, l)))) text.add("older", fromOlder[o++]!);
			else text.add("later", fromLater[l++]!);
		}
	};
	for (const [inOlder, inLater] of anchors) {
		addUpTo(inOlder, inLater);
		text.addBoth(fromLater[l]!);
		[o, l] = [inOlder + 1, inLater + 1];
	}
	addUpTo(fromOlder.length, fromLater.length);
}

/** The common additions at one place in the same order, as pairs of positions. */
function sharedAnchors(aligned: Aligned, fromOlder: readonly number[], fromLater: readonly number[]): Anchor[] {
	const ids = (indices: readonly number[], all: Int32Array) => Int32Array.from(indices, (index) => all[index]!);
	const match = align(ids(fromOlder, aligned.olderIds), ids(fromLater, aligned.laterIds));
	const anchors: Anchor[] = [];
	for (let i = 0; i < match.length; i++) if (match[i] !== UNMATCHED) anchors.push([i, match[i]!]);
	return anchors;
}

/** Does an addition of the older side go before one of the later side, by their times? Null: not every record added here has a time. */
function timeOrder(
	aligned: Aligned,
	fromOlder: readonly number[],
	fromLater: readonly number[],
	alone: Uint8Array,
	readTime: TimeReader,
): ((o: number, l: number) => boolean) | null {
	if (fromLater.length === 0 || !fromOlder.some((index) => alone[index] === 1)) return null;
	const older = times(aligned.older, fromOlder, readTime);
	const later = older && times(aligned.later, fromLater, readTime);
	if (!older || !later || !older.comparableWith(later)) return null;
	return (o, l) => older.notAfter(o, later, l);
}

function times(lines: Lines, indices: readonly number[], readTime: TimeReader): RecordTimes | null {
	const read = new RecordTimes(indices.length);
	for (const index of indices) {
		const record = fromLatin1(lines.keys[index]!);
		if (!readTime(record, 0, record.length, read)) return null;
	}
	return read;
}
