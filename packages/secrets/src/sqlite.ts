import type { Derived } from "./derived.ts";
import { type Database, databaseOf, joined, pageAt, partsOf, varintAt } from "./sqlite-format.ts";

// The texts of an SQLite database, row by row: in the file, values follow each other without anything between them.

/** Longer values are searched as far as this. */
const maxValue = 65_536;
/** Characters of rows in one search. */
const maxRows = 65_536;
/** Deeper trees are not databases. */
const maxDepth = 20;

interface Search {
	readonly database: Database;
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
function* rowsOf(search: Search, root: number, seen: Set<number>, depth = 0): Generator<Row> {
	const { database, encoding } = search;
	const { bytes, pageSize } = database;
	const at = (root - 1) * pageSize;
	if (!Number.isInteger(root) || root < 1 || at + pageSize > bytes.length || seen.has(root) || depth > maxDepth) return;
	seen.add(root);
	const page = pageAt(database, at);
	if (page === null) return;
	const { isLeaf, isIndex, cells, lastBelow } = page;
	for (const cell of cells) {
		if (!isLeaf) yield* rowsOf(search, bytes.readUInt32BE(cell), seen, depth + 1);
		if (!isLeaf && !isIndex) continue;
		const payload = joined(bytes, partsOf(database, page, cell, maxValue));
		search.left -= payload.length + 16;
		if (search.left < 0) return;
		yield { at, values: valuesOf(payload, encoding) };
	}
	if (!isLeaf) yield* rowsOf(search, lastBelow, seen, depth + 1);
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
	const database = databaseOf(bytes);
	if (database === null) return [];
	const search = { database, encoding: bytes.readUInt32BE(56), left: 2 * bytes.length };
	const texts: Derived[] = [];
	const seen = new Set<number>();
	// type, name, table, root page, statement
	for (const { values: schema } of rowsOf(search, 1, seen)) {
		if (schema[0] !== "table") continue;
		const columns = columnsOf(schema[4] ?? "");
		let text = "";
		let from = 0;
		for (const { at, values } of rowsOf(search, Number(schema[3]), seen)) {
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
