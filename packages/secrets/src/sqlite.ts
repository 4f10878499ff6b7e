import type { Derived } from "./derived.ts";

// The texts of an SQLite database, row by row: in the file, values follow each other without anything between them.
// The format: https://www.sqlite.org/fileformat2.html

const magic = "SQLite format 3\0";
const tableLeaf = 0x0d;
const tableInterior = 0x05;
/** Tables WITHOUT ROWID are stored as indexes are: rows on every page, the columns of the primary key first. */
const indexLeaf = 0x0a;
const indexInterior = 0x02;
/** Longer values are searched as far as this. */
const maxValue = 65_536;
/** Characters of rows in one search. */
const maxRows = 65_536;
/** Deeper trees are not databases. */
const maxDepth = 20;

interface Database {
	readonly bytes: Buffer;
	readonly pageSize: number;
	/** Bytes of a page that hold data. */
	readonly usable: number;
	readonly encoding: number;
	/** Bytes of rows that are read before the search of a damaged or made-up database ends. */
	left: number;
}

interface Row {
	/** Offset of the page. */
	readonly at: number;
	/** Texts and numbers by column, one character a byte of UTF-8; "": anything else. */
	readonly values: readonly string[];
}

/** A number of one to nine bytes, and the offset behind it. */
function varintAt(bytes: Buffer, at: number): readonly [value: number, next: number] {
	let value = 0;
	for (let index = 0; index < 8; index++) {
		const byte = bytes[at + index] ?? 0;
		value = value * 128 + (byte & 0x7f);
		if (byte < 0x80) return [value, at + index + 1];
	}
	return [value * 256 + (bytes[at + 8] ?? 0), at + 9];
}

/** The content of a cell, which may continue on overflow pages. */
function payloadAt({ bytes, pageSize, usable }: Database, at: number, size: number, isIndex: boolean): Buffer {
	const most = isIndex ? Math.floor(((usable - 12) * 64) / 255) - 23 : usable - 35;
	if (size <= most) return bytes.subarray(at, at + size);
	const least = Math.floor(((usable - 12) * 32) / 255) - 23;
	const rest = least + ((size - least) % (usable - 4));
	const local = rest > most ? least : rest;
	const parts = [bytes.subarray(at, at + local)];
	let next = at + local + 4 <= bytes.length ? bytes.readUInt32BE(at + local) : 0;
	for (let taken = local; next > 0 && taken < Math.min(size, maxValue); ) {
		const start = (next - 1) * pageSize;
		if (start + 4 > bytes.length) break;
		const part = bytes.subarray(start + 4, start + Math.min(usable, 4 + size - taken));
		parts.push(part);
		taken += part.length;
		next = part.length === 0 ? 0 : bytes.readUInt32BE(start);
	}
	return Buffer.concat(parts);
}

function textOf(value: Buffer, encoding: number): string {
	if (encoding === 1) return value.toString("latin1");
	const even = Buffer.from(value.subarray(0, value.length - (value.length % 2)));
	return Buffer.from((encoding === 2 ? even : even.swap16()).toString("utf16le")).toString("latin1");
}

const integerSizes = [0, 1, 2, 3, 4, 6, 8, 8];

/** The values of a record. */
function valuesOf(payload: Buffer, encoding: number): string[] {
	const [headerSize, first] = varintAt(payload, 0);
	const values: string[] = [];
	let at = headerSize;
	for (let next = first; next < Math.min(headerSize, payload.length); ) {
		const [type, behind] = varintAt(payload, next);
		next = behind;
		const size = type >= 12 ? Math.floor((type - 12) / 2) : (integerSizes[type] ?? 0);
		const value = payload.subarray(at, at + size);
		at += size;
		const isInteger = type >= 1 && type <= 6 && value.length === size;
		if (isInteger) values.push(String(value.readIntBE(0, Math.min(size, 6))));
		else values.push(type >= 13 && type % 2 === 1 ? textOf(value, encoding) : "");
	}
	return values;
}

/** The rows of a table. @param seen pages that were visited: each is at most once @param root the number of a page */
function* rowsOf(database: Database, root: number, seen: Set<number>, depth = 0): Generator<Row> {
	const { bytes, pageSize } = database;
	const at = (root - 1) * pageSize;
	if (!Number.isInteger(root) || root < 1 || at + pageSize > bytes.length || seen.has(root) || depth > maxDepth) return;
	seen.add(root);
	const header = root === 1 ? at + 100 : at;
	const count = bytes.readUInt16BE(header + 3);
	const kind = bytes[header] ?? 0;
	const isIndex = kind === indexLeaf || kind === indexInterior;
	const isLeaf = kind === tableLeaf || kind === indexLeaf;
	if (!isLeaf && kind !== tableInterior && kind !== indexInterior) return;
	const pointers = header + (isLeaf ? 8 : 12);
	for (let index = 0; index < count && pointers + 2 * index + 2 <= at + pageSize; index++) {
		const cell = at + bytes.readUInt16BE(pointers + 2 * index);
		if (cell + 4 > bytes.length) continue;
		if (!isLeaf) yield* rowsOf(database, bytes.readUInt32BE(cell), seen, depth + 1);
		if (!isLeaf && !isIndex) continue;
		const [size, next] = varintAt(bytes, isLeaf ? cell : cell + 4);
		const [, start] = isIndex ? [0, next] : varintAt(bytes, next);
		database.left -= Math.min(size, maxValue) + 16;
		if (database.left < 0) return;
		yield { at, values: valuesOf(payloadAt(database, start, size, isIndex), database.encoding) };
	}
	if (!isLeaf) yield* rowsOf(database, bytes.readUInt32BE(header + 8), seen, depth + 1);
}

const nameIn = (column: string): string => /[\w.-]+/.exec(column.slice(0, 400))?.[0] ?? "";

/** The columns of a table in the order of its rows, by the statement that made it. */
function columnsOf(statement: string): string[] {
	const definitions = statement
		.slice(statement.indexOf("(") + 1)
		.replaceAll(/\([^()]{0,400}\)/g, "")
		.split(",");
	const names = definitions.map(nameIn);
	if (!/without\s{1,9}rowid/i.test(statement)) return names;
	const listed = /primary\s{1,9}key\s{0,9}\(([^()]{1,400})\)/i.exec(statement)?.[1]?.split(",").map(nameIn);
	const key = listed ?? definitions.filter((one) => /primary\s{1,9}key/i.test(one.slice(0, 400))).map(nameIn);
	return [...key, ...names.filter((name) => !key.includes(name))];
}

/** A row as lines of a name and a value: each column, and each word with the value beside it, as tables of settings have them. */
function linesOf(values: readonly string[], columns: readonly string[]): string {
	return values
		.map((value, index) => {
			const before = values[index - 1] ?? "";
			const pair = /^[\w.-]{3,64}$/.test(before) ? `${before}=${value}\n` : "";
			return value.length < 8 ? "" : `${columns[index] ?? ""}=${value}\n${pair}`;
		})
		.join("");
}

/** The rows of an SQLite database as lines of names and values. Other contents have none. */
export function databaseTexts(bytes: Buffer): Derived[] {
	if (bytes.length < 512 || bytes.toString("latin1", 0, magic.length) !== magic) return [];
	const stored = bytes.readUInt16BE(16);
	const pageSize = stored === 1 ? 65_536 : stored;
	if (pageSize < 512) return [];
	const database = { bytes, pageSize, usable: pageSize - (bytes[20] ?? 0), encoding: bytes.readUInt32BE(56), left: 2 * bytes.length };
	const texts: Derived[] = [];
	const seen = new Set<number>();
	// type, name, table, root page, statement
	for (const { values: schema } of rowsOf(database, 1, seen)) {
		if (schema[0] !== "table") continue;
		const columns = columnsOf(schema[4] ?? "");
		let text = "";
		let from = 0;
		for (const { at, values } of rowsOf(database, Number(schema[3]), seen)) {
			if (text === "") from = at;
			text += linesOf(values, columns);
			if (text.length < maxRows) continue;
			texts.push({ text, at: from });
			text = "";
		}
		if (text !== "") texts.push({ text, at: from });
	}
	return texts;
}
