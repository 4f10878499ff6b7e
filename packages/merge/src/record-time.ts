import { latin1ToUtf8 } from "./bytes.ts";

/** Names of a record's own time field. */
const TIME_FIELDS = new Set(["ts", "time", "timestamp", "created_at", "date"]);

/**
 * A record's own time. `scale` tells numbers (epoch seconds or milliseconds, whatever the file uses) from calendar times
 * (milliseconds since the epoch), which are never compared with each other. `fine` orders what is finer than a millisecond.
 */
export interface RecordTime {
	readonly scale: "number" | "calendar";
	readonly value: number;
	readonly fine: number;
}

export type TimeReader = (record: string) => RecordTime | null;

/** Reads the time of a JSON object on one line, or of a line that starts with an RFC 3339 time (as in most logs, also in brackets). */
export function lineTime(record: string): RecordTime | null {
	const first = record.charCodeAt(0);
	if (first === 0x7b) return jsonLineTime(record);
	if (first === 0x5b) return rfc3339Time(record, 1);
	return rfc3339Time(record, 0);
}

/** Reads the time from the column of a CSV or TSV file whose header names it, else from an RFC 3339 prefix. */
export function columnTime(header: string | undefined, separator: string): TimeReader {
	const column = header === undefined ? -1 : fields(header, separator).findIndex((name) => TIME_FIELDS.has(name.trim().toLowerCase()));
	if (column === -1) return (record) => rfc3339Time(record, 0);
	return (record) => {
		const value = fields(record, separator)[column];
		return value === undefined ? null : parseTime(value.trim());
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

function parseTime(value: string): RecordTime | null {
	if (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value)) return { scale: "number", value: Number(value), fine: 0 };
	return rfc3339Time(value, 0);
}

/** The value of the first time field at the top level of a JSON object. A scan instead of a parse: this runs for every added line. */
function jsonLineTime(record: string): RecordTime | null {
	let depth = 0;
	for (let i = 0; i < record.length; i++) {
		const c = record.charCodeAt(i);
		if (c === 0x7b || c === 0x5b) depth++;
		else if (c === 0x7d || c === 0x5d) depth--;
		else if (c === 0x22) {
			const end = stringEnd(record, i);
			if (end === -1) return null;
			if (depth === 1 && isTimeField(record, i + 1, end)) {
				let at = skipSpace(record, end + 1);
				if (record.charCodeAt(at) === 0x3a) {
					at = skipSpace(record, at + 1);
					const time = jsonValueTime(record, at);
					if (time !== null) return time;
				}
			}
			i = end;
		}
	}
	return null;
}

function stringEnd(record: string, quote: number): number {
	for (let end = record.indexOf('"', quote + 1); end !== -1; end = record.indexOf('"', end + 1)) {
		let backslashes = 0;
		while (record.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
		if (backslashes % 2 === 0) return end;
	}
	return -1;
}

function isTimeField(record: string, start: number, end: number): boolean {
	const length = end - start;
	return (length === 2 || length === 4 || length === 9 || length === 10) && TIME_FIELDS.has(record.slice(start, end));
}

function skipSpace(record: string, from: number): number {
	let at = from;
	while (record.charCodeAt(at) === 0x20 || record.charCodeAt(at) === 0x09) at++;
	return at;
}

function jsonValueTime(record: string, at: number): RecordTime | null {
	if (record.charCodeAt(at) === 0x22) {
		const time = rfc3339Time(record, at + 1);
		if (time !== null) return time;
		const end = stringEnd(record, at);
		return end === -1 ? null : parseTime(latin1ToUtf8(record.slice(at + 1, end)));
	}
	const number = /^-?\d+(\.\d+)?([eE][+-]?\d+)?/.exec(record.slice(at, at + 40));
	return number === null ? null : { scale: "number", value: Number(number[0]), fine: 0 };
}

/**
 * Reads an RFC 3339 time (section 5.6; a space for the T, a comma for the point and a missing offset, read as UTC, are accepted, since
 * logs have them; so is a date alone) at an offset of a text.
 */
function rfc3339Time(text: string, from: number): RecordTime | null {
	const year = digits(text, from, 4);
	if (year === -1 || text.charCodeAt(from + 4) !== 0x2d) return null;
	const month = digits(text, from + 5, 2);
	if (month < 1 || month > 12 || text.charCodeAt(from + 7) !== 0x2d) return null;
	const day = digits(text, from + 8, 2);
	if (day < 1 || day > 31) return null;
	const separator = text.charCodeAt(from + 10);
	if (separator !== 0x54 && separator !== 0x74 && separator !== 0x20) return calendar(Date.UTC(year, month - 1, day), 0);
	const hour = digits(text, from + 11, 2);
	const minute = digits(text, from + 14, 2);
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || text.charCodeAt(from + 13) !== 0x3a) {
		return calendar(Date.UTC(year, month - 1, day), 0);
	}
	let at = from + 16;
	let second = 0;
	if (text.charCodeAt(at) === 0x3a) {
		second = digits(text, at + 1, 2);
		if (second < 0 || second > 60) return null;
		at += 3;
	}
	let nanoseconds = 0;
	if (text.charCodeAt(at) === 0x2e || text.charCodeAt(at) === 0x2c) {
		let unit = 100_000_000;
		for (at++; text.charCodeAt(at) >= 0x30 && text.charCodeAt(at) <= 0x39; at++) {
			nanoseconds += (text.charCodeAt(at) - 0x30) * unit;
			unit /= 10;
		}
	}
	const milliseconds = Math.floor(nanoseconds / 1_000_000);
	const offsetMinutes = readOffset(text, at);
	return calendar(
		Date.UTC(year, month - 1, day, hour, minute - offsetMinutes, second, milliseconds),
		nanoseconds - milliseconds * 1_000_000,
	);
}

function readOffset(text: string, at: number): number {
	const sign = text.charCodeAt(at);
	if (sign !== 0x2b && sign !== 0x2d) return 0;
	const hours = digits(text, at + 1, 2);
	const minutes = digits(text, text.charCodeAt(at + 3) === 0x3a ? at + 4 : at + 3, 2);
	if (hours < 0 || minutes < 0) return 0;
	return (sign === 0x2b ? 1 : -1) * (hours * 60 + minutes);
}

function digits(text: string, from: number, count: number): number {
	let value = 0;
	for (let i = from; i < from + count; i++) {
		const digit = text.charCodeAt(i) - 0x30;
		if (!(digit >= 0 && digit <= 9)) return -1;
		value = value * 10 + digit;
	}
	return value;
}

function calendar(value: number, fine: number): RecordTime {
	return { scale: "calendar", value, fine };
}
