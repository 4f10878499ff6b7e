import { Buffer } from "node:buffer";

// The file format of SQLite, as far as rows and keys need it: https://www.sqlite.org/fileformat2.html

const magic = "SQLite format 3\0";
const tableLeaf = 0x0d;
const tableInterior = 0x05;
/** Tables WITHOUT ROWID are stored as indexes are: rows on every page, the columns of the primary key first. */
const indexLeaf = 0x0a;
const indexInterior = 0x02;

/** A database in memory. */
export interface Database {
	readonly bytes: Buffer;
	readonly pageSize: number;
	/** Bytes of a page that hold data. */
	readonly usable: number;
}

/** A page of a table or index. */
export interface Page {
	readonly isLeaf: boolean;
	readonly isIndex: boolean;
	/** Offsets in the file. A cell of an inner page begins with the number of a page. */
	readonly cells: readonly number[];
	/** The number of the last page below an inner one. */
	readonly lastBelow: number;
}

/** A part of a row or key, in the file. */
export interface Part {
	readonly start: number;
	readonly length: number;
}

/** @returns null: the content is not a database */
export function databaseOf(bytes: Buffer): Database | null {
	if (bytes.length < 512 || bytes.toString("latin1", 0, magic.length) !== magic) return null;
	const stored = bytes.readUInt16BE(16);
	const pageSize = stored === 1 ? 65_536 : stored;
	const usable = pageSize - (bytes[20] ?? 0);
	return pageSize < 512 || usable < 480 ? null : { bytes, pageSize, usable };
}

/** @param at the offset of a whole page @returns null: it has no rows, keys or pages below it */
export function pageAt({ bytes, pageSize }: Database, at: number): Page | null {
	const header = at === 0 ? 100 : at;
	const kind = bytes[header] ?? 0;
	const isIndex = kind === indexLeaf || kind === indexInterior;
	const isLeaf = kind === tableLeaf || kind === indexLeaf;
	if (!isLeaf && kind !== tableInterior && kind !== indexInterior) return null;
	const pointers = header + (isLeaf ? 8 : 12);
	const count = Math.min(bytes.readUInt16BE(header + 3), Math.floor((at + pageSize - pointers) / 2));
	const cells = Array.from({ length: count }, (_, index) => at + bytes.readUInt16BE(pointers + 2 * index));
	return { isLeaf, isIndex, cells: cells.filter((cell) => cell + 4 <= bytes.length), lastBelow: bytes.readUInt32BE(header + 8) };
}

/** A number of one to nine bytes, and the offset behind it. */
export function varintAt(bytes: Buffer, at: number): readonly [value: number, next: number] {
	let value = 0;
	for (let index = 0; index < 8; index++) {
		const byte = bytes[at + index] ?? 0;
		value = value * 128 + (byte & 0x7f);
		if (byte < 0x80) return [value, at + index + 1];
	}
	return [value * 256 + (bytes[at + 8] ?? 0), at + 9];
}

/** Where the row or key of a cell begins, and its bytes on all pages. */
function payloadAt(bytes: Buffer, { isLeaf, isIndex }: Page, cell: number): { readonly start: number; readonly size: number } {
	const [size, next] = varintAt(bytes, isLeaf ? cell : cell + 4);
	return { start: isIndex ? next : varintAt(bytes, next)[1], size };
}

/** The parts of the row or key of a cell: more than one, if it continues on overflow pages. @param most bytes after which no further page is read */
export function partsOf({ bytes, pageSize, usable }: Database, page: Page, cell: number, most: number): Part[] {
	const { start, size } = payloadAt(bytes, page, cell);
	const mostLocal = page.isIndex ? Math.floor(((usable - 12) * 64) / 255) - 23 : usable - 35;
	const least = Math.floor(((usable - 12) * 32) / 255) - 23;
	const rest = least + ((size - least) % (usable - 4));
	const shortened = rest > mostLocal ? least : rest;
	const local = size <= mostLocal ? size : shortened;
	const parts: Part[] = [{ start, length: Math.max(0, Math.min(local, bytes.length - start)) }];
	const pointer = start + local;
	let overflow = local < size && pointer + 4 <= bytes.length ? bytes.readUInt32BE(pointer) : 0;
	for (let taken = local; overflow > 0 && taken < Math.min(size, most); ) {
		const at = (overflow - 1) * pageSize;
		const length = Math.min(usable - 4, size - taken, bytes.length - at - 4);
		if (length <= 0) break;
		parts.push({ start: at + 4, length });
		taken += length;
		overflow = bytes.readUInt32BE(at);
	}
	return parts;
}

/** The bytes of some parts in one piece. */
export const joined = (bytes: Buffer, parts: readonly Part[]): Buffer =>
	Buffer.concat(parts.map(({ start, length }) => bytes.subarray(start, start + length)));
