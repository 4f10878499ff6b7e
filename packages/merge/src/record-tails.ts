import { asBuffer, startsWithBytes } from "./bytes.ts";
import { lineTime, RecordTimes } from "./record-time.ts";
import type { Sides } from "./sides.ts";

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** One side's new lines, as offsets into its bytes. */
interface Tail {
	readonly bytes: Buffer;
	/** The start of each line, and the end of the last. */
	readonly starts: Int32Array;
	readonly count: number;
}

/**
 * The common case of a log, short and without a string a line: both sides only appended whole lines, none of them equal. Gives the same result as
 * the merge of records.
 *
 * @returns the merged content, or null: it is another case.
 */
export function mergeTails({ base, older, later }: Sides): Uint8Array | null {
	if (base === null || (base.length > 0 && base[base.length - 1] !== lineFeed)) return null;
	if (!startsWithBytes(older, base) || !startsWithBytes(later, base)) return null;
	const [ofOlder, ofLater] = [readTail(older, base.length), readTail(later, base.length)];
	if (ofOlder === null || ofLater === null) return null;
	const [olderTimes, laterTimes] = [times(ofOlder), times(ofLater)];
	if (olderTimes === null || laterTimes === null || !olderTimes.comparableWith(laterTimes)) {
		return haveCommonLine(ofOlder, ofLater) ? null : write(base, ofOlder, ofLater, null);
	}
	if (haveCommonLineByTime(ofOlder, olderTimes, ofLater, laterTimes) ?? haveCommonLine(ofOlder, ofLater)) return null;
	return write(base, ofOlder, ofLater, (o, l) => olderTimes.notAfter(o, laterTimes, l));
}

/** Null: there is a carriage return or a byte order mark, which only the general merge supports. */
function readTail(content: Uint8Array, from: number): Tail | null {
	const bytes = asBuffer(content);
	if (bytes.includes(carriageReturn, from) || (from === 0 && bytes[0] === 0xef)) return null;
	let starts = new Int32Array(1024);
	let count = 0;
	for (let at = from; at < bytes.length; count++) {
		if (count + 1 >= starts.length) starts = doubled(starts);
		starts[count] = at;
		const end = bytes.indexOf(lineFeed, at);
		at = end === -1 ? bytes.length : end + 1;
	}
	starts[count] = bytes.length;
	return { bytes, starts, count };
}

function doubled(numbers: Int32Array): Int32Array<ArrayBuffer> {
	const twice = new Int32Array(numbers.length * 2);
	twice.set(numbers);
	return twice;
}

/** Pairs of lines with equal times that are compared one by one; for more, hashing is cheaper. */
const equalTimesLimit = 100_000;

/** If both tails are in the order of time, equal lines have equal times, and nearly all times differ. Null: they are not, or too many are equal. */
function haveCommonLineByTime(a: Tail, timesOfA: RecordTimes, b: Tail, timesOfB: RecordTimes): boolean | null {
	if (!timesOfA.isSorted(a.count) || !timesOfB.isSorted(b.count)) return null;
	let pairs = 0;
	let start = 0;
	for (let i = 0; i < a.count; i++) {
		while (start < b.count && !timesOfA.notAfter(i, timesOfB, start)) start++;
		for (let j = start; j < b.count && timesOfB.notAfter(j, timesOfA, i); j++) {
			if (++pairs > equalTimesLimit) return null;
			if (line(a, i).equals(line(b, j))) return true;
		}
	}
	return false;
}

/** Comparisons a line with hashes; above it the hashes were made to collide. */
const comparisonsPerLine = 4;

function haveCommonLine(a: Tail, b: Tail): boolean {
	const [hashesOfA, hashesOfB] = [hashes(a), hashes(b)];
	let size = 1024;
	while (size < 2 * a.count) size *= 2;
	const heads = new Int32Array(size).fill(-1);
	const next = new Int32Array(a.count);
	for (let i = 0; i < a.count; i++) {
		const slot = hashesOfA[i]! & (size - 1);
		next[i] = heads[slot]!;
		heads[slot] = i;
	}
	let comparisons = comparisonsPerLine * (a.count + b.count);
	for (let j = 0; j < b.count; j++) {
		for (let i = heads[hashesOfB[j]! & (size - 1)]!; i !== -1; i = next[i]!) {
			if (comparisons-- === 0) return haveCommonString(a, b);
			if (hashesOfA[i] === hashesOfB[j] && line(a, i).equals(line(b, j))) return true;
		}
	}
	return false;
}

/** The slow way, by V8's own string hashes, which are seeded and cannot be made to collide. */
function haveCommonString(a: Tail, b: Tail): boolean {
	const lines = new Set<string>();
	for (let i = 0; i < a.count; i++) lines.add(line(a, i).toString("latin1"));
	for (let j = 0; j < b.count; j++) if (lines.has(line(b, j).toString("latin1"))) return true;
	return false;
}

/** FNV-1a of each line, without its end. */
function hashes({ bytes, starts, count }: Tail): Int32Array {
	const all = new Int32Array(count);
	for (let i = 0; i < count; i++) {
		let hash = 0x811c9dc5 | 0;
		for (let at = starts[i]!; at < starts[i + 1]! && bytes[at] !== lineFeed; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
		all[i] = hash;
	}
	return all;
}

/** A line without its end. */
function line({ bytes, starts }: Tail, i: number): Buffer {
	const end = starts[i + 1]!;
	return bytes.subarray(starts[i]!, bytes[end - 1] === lineFeed ? end - 1 : end);
}

function times({ bytes, starts, count }: Tail): RecordTimes | null {
	const read = new RecordTimes(count);
	for (let i = 0; i < count; i++) if (!lineTime(bytes, starts[i]!, starts[i + 1]!, read)) return null;
	return read;
}

function write(base: Uint8Array, older: Tail, later: Tail, olderFirst: ((o: number, l: number) => boolean) | null): Uint8Array {
	const merged = Buffer.allocUnsafeSlow(older.bytes.length + later.bytes.length - base.length + 1);
	merged.set(base);
	const target = new DataView(merged.buffer, merged.byteOffset);
	const sources = new Map([older, later].map((tail) => [tail, new DataView(tail.bytes.buffer, tail.bytes.byteOffset)]));
	let end = base.length;
	const add = (tail: Tail, from: number, to: number) => {
		if (from === to) return;
		if (end > 0 && merged[end - 1] !== lineFeed) merged[end++] = lineFeed;
		let at = tail.starts[from]!;
		const past = tail.starts[to]!;
		if (past - at > callFromBytes) {
			end += tail.bytes.copy(merged, end, at, past);
			return;
		}
		const source = sources.get(tail)!;
		for (; at + 4 <= past; at += 4, end += 4) target.setUint32(end, source.getUint32(at));
		for (; at < past; at++) merged[end++] = tail.bytes[at]!;
	};
	let [o, l] = [0, 0];
	while (o < older.count || l < later.count) {
		// Runs of lines of one side are copied as one.
		const [fromOlder, fromLater] = [o, l];
		while (o < older.count && (l === later.count || olderFirst === null || olderFirst(o, l))) o++;
		add(older, fromOlder, o);
		while (l < later.count && (o === older.count || !(olderFirst === null || olderFirst(o, l)))) l++;
		add(later, fromLater, l);
	}
	return merged.subarray(0, end);
}

/** Below this length copying by words is cheaper than a call. */
const callFromBytes = 256;
