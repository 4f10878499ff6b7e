import { fromLatin1, toLatin1 } from "./bytes.ts";
import { align, UNMATCHED } from "./diff.ts";
import { type Aligned, alignLines, hunks, MergedText } from "./line-alignment.ts";
import { type Lines, NO_LINES } from "./lines.ts";
import { splitRecords } from "./record-lines.ts";
import { columnTime, lineTime, type RecordTime, type TimeReader } from "./record-time.ts";
import type { Merged, Sides } from "./sides.ts";

/** Above this many added records on both sides of one place, records that both added are found by counting instead of by alignment. */
const ALIGN_LIMIT = 5_000;

/**
 * Merges files whose lines are records: what either side added is added, what either side removed is removed, a record that both added is there
 * once. Where both added at one place the records go by their own times if all of them have one, else the older side's come first.
 *
 * @param extension the file's extension, lower case, with its dot: `.csv` and `.tsv` have quoted fields and a header.
 */
export function mergeRecords({ base, older, later }: Sides, extension: string): Merged {
	const quoted = extension === ".csv" || extension === ".tsv";
	const split = (bytes: Uint8Array | null): Lines => (bytes === null ? NO_LINES : splitRecords(toLatin1(bytes), quoted));
	const aligned = alignLines(split(base), split(older), split(later));
	const readTime = quoted ? columnTime(aligned.later.keys[0], extension === ".csv" ? "," : "\t") : lineTime;
	const text = new MergedText(aligned);
	const olderAdds = additionsByGap(aligned.toOlder, aligned.older.keys.length);
	const laterAdds = additionsByGap(aligned.toLater, aligned.later.keys.length);
	const sharing = pairAdditions(aligned, olderAdds, laterAdds);
	for (let gap = 0; gap <= aligned.base.keys.length; gap++) {
		const [fromOlder, fromLater] = [olderAdds.get(gap), laterAdds.get(gap)];
		if (fromOlder !== undefined || fromLater !== undefined) {
			addAtGap(text, aligned, fromOlder ?? [], fromLater ?? [], sharing.alone, sharing.anchors.get(gap) ?? [], readTime);
		}
		if (gap < aligned.base.keys.length && aligned.toOlder[gap] !== UNMATCHED && aligned.toLater[gap] !== UNMATCHED) text.keep(gap);
	}
	// A record that a side added is there, or its equal from the other side is: nothing can be lost.
	return { content: fromLatin1(text.toString()), olderLost: false, laterLost: false };
}

/** The indices of a side's lines that stand before each base line (or after the last) and are not base lines. */
function additionsByGap(match: Int32Array, sideLength: number): Map<number, number[]> {
	const byGap = new Map<number, number[]>();
	for (const { start, from, to } of hunks(match, sideLength)) {
		if (to > from)
			byGap.set(
				start,
				Array.from({ length: to - from }, (_, k) => from + k),
			);
	}
	return byGap;
}

/** Which of the older side's additions the later side did not also add, and where both added at one place what they share there. */
interface Sharing {
	/** 1 for each line of the older side that it alone added. */
	readonly alone: Uint8Array;
	readonly anchors: ReadonlyMap<number, readonly Anchor[]>;
}

/** Positions in the two sides' additions at one place that hold the same record. */
type Anchor = readonly [inOlder: number, inLater: number];

/** Pairs equal additions: first in place and order, then anywhere, counting: three of a record here and two there are three. */
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
		if (inLater === undefined) continue;
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

function addAtGap(
	text: MergedText,
	aligned: Aligned,
	fromOlder: readonly number[],
	fromLater: readonly number[],
	alone: Uint8Array,
	anchors: readonly Anchor[],
	readTime: TimeReader,
): void {
	const onlyOlder = fromOlder.filter((index) => alone[index] === 1);
	if (onlyOlder.length > 0 && fromLater.length > 0 && addByTime(text, aligned, onlyOlder, fromLater, readTime)) return;
	// Without times: the older side's first, but around what both added in the order both have it.
	let next = 0;
	let done = 0;
	const addOlderUpTo = (end: number) => {
		for (; done < end; done++) if (alone[fromOlder[done]!] === 1) text.add("older", fromOlder[done]!);
	};
	for (const [inOlder, inLater] of anchors) {
		addOlderUpTo(inOlder);
		done = inOlder + 1;
		for (; next < inLater; next++) text.add("later", fromLater[next]!);
		text.addBoth(fromLater[next++]!);
	}
	addOlderUpTo(fromOlder.length);
	for (; next < fromLater.length; next++) text.add("later", fromLater[next]!);
}

/** What both sides added at one place in the same order, as pairs of positions. */
function sharedAnchors(aligned: Aligned, fromOlder: readonly number[], fromLater: readonly number[]): Anchor[] {
	if (fromOlder.length > ALIGN_LIMIT && fromLater.length > ALIGN_LIMIT) return [];
	const ids = (indices: readonly number[], all: Int32Array) => Int32Array.from(indices, (index) => all[index]!);
	const match = align(ids(fromOlder, aligned.olderIds), ids(fromLater, aligned.laterIds));
	const anchors: Anchor[] = [];
	for (let i = 0; i < match.length; i++) if (match[i] !== UNMATCHED) anchors.push([i, match[i]!]);
	return anchors;
}

/** Merges two runs of records by time, each keeping its own order; at equal times the older side's first. False: not all have a time. */
function addByTime(
	text: MergedText,
	aligned: Aligned,
	fromOlder: readonly number[],
	fromLater: readonly number[],
	readTime: TimeReader,
): boolean {
	const olderTimes = times(aligned.older, fromOlder, readTime);
	const laterTimes = olderTimes && times(aligned.later, fromLater, readTime);
	if (!olderTimes || !laterTimes || olderTimes[0]!.scale !== laterTimes[0]!.scale) return false;
	let [o, l] = [0, 0];
	while (o < fromOlder.length || l < fromLater.length) {
		const takeOlder = l === fromLater.length || (o < fromOlder.length && notAfter(olderTimes[o]!, laterTimes[l]!));
		if (takeOlder) text.add("older", fromOlder[o++]!);
		else text.add("later", fromLater[l++]!);
	}
	return true;
}

function times(lines: Lines, indices: readonly number[], readTime: TimeReader): RecordTime[] | null {
	const read: RecordTime[] = [];
	for (const index of indices) {
		const time = readTime(lines.keys[index]!);
		if (time === null || (read.length > 0 && read[0]!.scale !== time.scale)) return null;
		read.push(time);
	}
	return read;
}

function notAfter(a: RecordTime, b: RecordTime): boolean {
	return a.value < b.value || (a.value === b.value && a.fine <= b.fine);
}
