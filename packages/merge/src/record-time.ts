import { toLatin1 } from "./bytes.ts";

/** Names of a record's own time field. */
const timeFields = new Set(["ts", "time", "timestamp", "created_at", "date"]);
const longestTimeField = 10;

/**
 * The times of a run of records. All are numbers (epoch seconds or milliseconds, whatever the file uses) or all calendar times (milliseconds
 * since the epoch, and nanoseconds beyond them): the two are never compared.
 */
export class RecordTimes {
	readonly #values: Float64Array;
	readonly #nanoseconds: Float64Array;
	#scale: "number" | "calendar" | null = null;
	#count = 0;

	/** @param length the number of records. */
	constructor(length: number) {
		this.#values = new Float64Array(length);
		this.#nanoseconds = new Float64Array(length);
	}

	/** Adds the time of the next record. False: its scale differs from those before. */
	add(scale: "number" | "calendar", value: number, nanoseconds: number): boolean {
		this.#scale ??= scale;
		this.#values[this.#count] = value;
		this.#nanoseconds[this.#count++] = nanoseconds;
		return this.#scale === scale;
	}

	comparableWith(other: RecordTimes): boolean {
		return this.#scale === other.#scale;
	}

	/** Are the first `count` records in the order of time? */
	isSorted(count: number): boolean {
		for (let i = 1; i < count; i++) if (!this.notAfter(i - 1, this, i)) return false;
		return true;
	}

	/** Is record `i` of these not after record `j` of the others? */
	notAfter(i: number, other: RecordTimes, j: number): boolean {
		const [mine, theirs] = [this.#values[i]!, other.#values[j]!];
		return mine < theirs || (mine === theirs && this.#nanoseconds[i]! <= other.#nanoseconds[j]!);
	}
}

/**
 * Reads the time of the record at [start, end) of a file and adds it to the times read so far.
 *
 * @returns false: it has none of the same scale.
 */
export type TimeReader = (bytes: Uint8Array, start: number, end: number, into: RecordTimes) => boolean;

/** Reads the time of a JSON object on one line, or of a line that starts with an RFC 3339 time (as in most logs, also in brackets). */
export function lineTime(bytes: Uint8Array, start: number, end: number, into: RecordTimes): boolean {
	const first = bytes[start];
	if (first === 0x7b) return jsonLineTime(bytes, start, end, into);
	return rfc3339Time(bytes, first === 0x5b ? start + 1 : start, end, into);
}

/** Reads the time from the column of a CSV or TSV file whose header names it, else from an RFC 3339 prefix. */
export function columnTime(header: string | undefined, separator: string): TimeReader {
	const column = header === undefined ? -1 : fields(header, separator).findIndex((name) => timeFields.has(name.trim().toLowerCase()));
	if (column === -1) return rfc3339Time;
	return (bytes, start, end, into) => {
		const value = fields(toLatin1(bytes.subarray(start, end)), separator)[column]?.trim();
		return value !== undefined && anyTime(value, into);
	};
}

function fields(record: string, separator: string): string[] {
	if (!record.includes('"')) return record.split(separator);
	const found: string[] = [];
	let [field, quoted] = ["", false];
	for (const character of record) {
		if (character === '"') quoted = !quoted;
		else if (character === separator && !quoted) {
			found.push(field);
			field = "";
		} else field += character;
	}
	found.push(field);
	return found;
}

function anyTime(value: string, into: RecordTimes): boolean {
	if (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value)) return into.add("number", Number(value), 0);
	return rfc3339Time(Buffer.from(value, "latin1"), 0, value.length, into);
}

/** The value of the first time field at the top level of a JSON object. A scan instead of a parse: this runs for every added line. */
function jsonLineTime(bytes: Uint8Array, start: number, end: number, into: RecordTimes): boolean {
	let depth = 0;
	for (let i = start; i < end; i++) {
		const c = bytes[i];
		if (c === 0x7b || c === 0x5b) depth++;
		else if (c === 0x7d || c === 0x5d) depth--;
		else if (c === 0x22) {
			const close = stringEnd(bytes, i, end);
			if (close === -1) return false;
			if (depth === 1 && isTimeField(bytes, i + 1, close)) {
				const colon = skipSpace(bytes, close + 1, end);
				if (bytes[colon] === 0x3a) return jsonValueTime(bytes, skipSpace(bytes, colon + 1, end), end, into);
			}
			i = close;
		}
	}
	return false;
}

function stringEnd(bytes: Uint8Array, quote: number, limit: number): number {
	for (let at = quote + 1; at < limit; at++) {
		if (bytes[at] === 0x22) return at;
		if (bytes[at] === 0x5c) at++;
	}
	return -1;
}

function isTimeField(bytes: Uint8Array, start: number, end: number): boolean {
	if (end - start === 2) return bytes[start] === 0x74 && bytes[start + 1] === 0x73;
	return end - start <= longestTimeField && timeFields.has(toLatin1(bytes.subarray(start, end)));
}

function skipSpace(bytes: Uint8Array, from: number, end: number): number {
	let at = from;
	while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x09)) at++;
	return at;
}

function jsonValueTime(bytes: Uint8Array, at: number, end: number, into: RecordTimes): boolean {
	if (bytes[at] === 0x22) {
		if (rfc3339Time(bytes, at + 1, end, into)) return true;
		const close = stringEnd(bytes, at, end);
		return close !== -1 && anyTime(toLatin1(bytes.subarray(at + 1, close)), into);
	}
	const number = /^-?\d+(\.\d+)?([eE][+-]?\d+)?/.exec(toLatin1(bytes.subarray(at, Math.min(end, at + 40))));
	return number !== null && into.add("number", Number(number[0]), 0);
}

/**
 * Reads an RFC 3339 time (section 5.6; a space for the T, a comma for the point and a missing offset, read as UTC, are accepted, since
 * logs have them; so is a date alone) at an offset of a text.
 */
function rfc3339Time(bytes: Uint8Array, from: number, end: number, into: RecordTimes): boolean {
	if (end - from < 10) return false;
	const year = fourDigits(bytes, from);
	if (year === -1 || bytes[from + 4] !== 0x2d) return false;
	const month = twoDigits(bytes, from + 5);
	if (month < 1 || month > 12 || bytes[from + 7] !== 0x2d) return false;
	const day = twoDigits(bytes, from + 8);
	if (day < 1 || day > 31) return false;
	const midnight = daysSinceEpoch(year, month, day) * 86_400_000;
	const separator = bytes[from + 10];
	if (end - from < 16 || (separator !== 0x54 && separator !== 0x74 && separator !== 0x20)) return into.add("calendar", midnight, 0);
	const hour = twoDigits(bytes, from + 11);
	const minute = twoDigits(bytes, from + 14);
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || bytes[from + 13] !== 0x3a) {
		return into.add("calendar", midnight, 0);
	}
	let at = from + 16;
	let second = 0;
	if (bytes[at] === 0x3a) {
		second = twoDigits(bytes, at + 1);
		if (second < 0 || second > 60) return false;
		at += 3;
	}
	let nanoseconds = 0;
	if (bytes[at] === 0x2e || bytes[at] === 0x2c) {
		let unit = 100_000_000;
		for (at++; isDigit(bytes[at]!); at++) {
			nanoseconds += (bytes[at]! - 0x30) * unit;
			unit /= 10;
		}
	}
	const milliseconds = Math.floor(nanoseconds / 1_000_000);
	const value = midnight + ((hour * 60 + minute - offsetMinutes(bytes, at)) * 60 + second) * 1000 + milliseconds;
	return into.add("calendar", value, nanoseconds - milliseconds * 1_000_000);
}

/** Days from 1970-01-01 in the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil). */
function daysSinceEpoch(year: number, month: number, day: number): number {
	const y = month <= 2 ? year - 1 : year;
	const era = Math.floor(y / 400);
	const yearOfEra = y - era * 400;
	const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
	return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}

function offsetMinutes(bytes: Uint8Array, at: number): number {
	const sign = bytes[at];
	if (sign !== 0x2b && sign !== 0x2d) return 0;
	const hours = twoDigits(bytes, at + 1);
	const minutes = twoDigits(bytes, bytes[at + 3] === 0x3a ? at + 4 : at + 3);
	if (hours < 0 || minutes < 0) return 0;
	return (sign === 0x2b ? 1 : -1) * (hours * 60 + minutes);
}

function fourDigits(bytes: Uint8Array, from: number): number {
	const [high, low] = [twoDigits(bytes, from), twoDigits(bytes, from + 2)];
	return high === -1 || low === -1 ? -1 : high * 100 + low;
}

function twoDigits(bytes: Uint8Array, from: number): number {
	const tens = bytes[from]! - 0x30;
	const ones = bytes[from + 1]! - 0x30;
	return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}

function isDigit(byte: number): boolean {
	return byte >= 0x30 && byte <= 0x39;
}
