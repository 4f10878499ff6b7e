import { Buffer } from "node:buffer";

// A long value of an SQLite database continues on overflow pages: in the file, its parts are apart. https://www.sqlite.org/fileformat2.html

interface Segment {
	readonly start: number;
	readonly length: number;
}

/** One row or key that continues on overflow pages: its parts in their order. */
export type Chain = readonly Segment[];

const magic = "SQLite format 3\0";
const tableLeaf = 0x0d;
const indexLeaf = 0x0a;
const indexInterior = 0x02;

function varintAt(bytes: Buffer, at: number): readonly [value: number, next: number] {
	let value = 0;
	for (let index = 0; index < 8; index++) {
		const byte = bytes[at + index] ?? 0;
		value = value * 128 + (byte & 0x7f);
		if (byte < 0x80) return [value, at + index + 1];
	}
	return [value * 256 + (bytes[at + 8] ?? 0), at + 9];
}

/** The rows and keys of a database that are on more than one page. Other contents have none. */
export function* chainsOf(bytes: Buffer): Generator<Chain> {
	if (bytes.length < 512 || bytes.toString("latin1", 0, magic.length) !== magic) return;
	const stored = bytes.readUInt16BE(16);
	const pageSize = stored === 1 ? 65_536 : stored;
	const usable = pageSize - (bytes[20] ?? 0);
	if (pageSize < 512 || usable < 480) return;
	// Made-up chains that share pages must not take longer than a database of this size can.
	let left = 2 * bytes.length;
	for (let page = 0; page + pageSize <= bytes.length; page += pageSize) {
		const header = page === 0 ? 100 : page;
		const kind = bytes[header];
		if (kind !== tableLeaf && kind !== indexLeaf && kind !== indexInterior) continue;
		const most = kind === tableLeaf ? usable - 35 : Math.floor(((usable - 12) * 64) / 255) - 23;
		const least = Math.floor(((usable - 12) * 32) / 255) - 23;
		const pointers = header + (kind === indexInterior ? 12 : 8);
		const count = bytes.readUInt16BE(header + 3);
		for (let index = 0; index < count && pointers + 2 * index + 2 <= page + pageSize; index++) {
			const cell = page + bytes.readUInt16BE(pointers + 2 * index);
			const [size, next] = varintAt(bytes, kind === indexInterior ? cell + 4 : cell);
			if (size <= most) continue;
			const start = kind === tableLeaf ? varintAt(bytes, next)[1] : next;
			const rest = least + ((size - least) % (usable - 4));
			const local = rest > most ? least : rest;
			if (start + local + 4 > page + pageSize) continue;
			const segments: Segment[] = [{ start, length: local }];
			let overflow = bytes.readUInt32BE(start + local);
			for (let taken = local; overflow > 0 && taken < size && left > 0; left -= usable) {
				const at = (overflow - 1) * pageSize;
				if (at + pageSize > bytes.length) break;
				const length = Math.min(usable - 4, size - taken);
				segments.push({ start: at + 4, length });
				taken += length;
				overflow = bytes.readUInt32BE(at);
			}
			if (segments.length > 1) yield segments;
		}
	}
}

/** The bytes of a chain in one piece. */
export const joined = (bytes: Buffer, chain: Chain): Buffer =>
	Buffer.concat(chain.map(({ start, length }) => bytes.subarray(start, start + length)));

/** Where an offset of the file is in a chain; null: elsewhere. */
export function offsetIn(chain: Chain, offset: number): number | null {
	let before = 0;
	for (const { start, length } of chain) {
		if (offset >= start && offset < start + length) return before + offset - start;
		before += length;
	}
	return null;
}

/** Writes the bytes of a chain back to their places. */
export function putJoined(target: Buffer, chain: Chain, content: Buffer): void {
	let at = 0;
	for (const { start, length } of chain) {
		content.copy(target, start, at, at + length);
		at += length;
	}
}
