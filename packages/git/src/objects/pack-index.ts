import { createHash } from "node:crypto";
import fs from "node:fs";
import nodeZlib from "node:zlib";

// The index of a pack (gitformat-pack(5)). It is read whole, and written, in version 2 for packs below 2 GiB: larger offsets have a table of their own.

/** The first bytes of version 2. */
export const indexSignature = Buffer.from([0xff, 0x74, 0x4f, 0x63, 0, 0, 0, 2]);
/** How many ids begin with each byte or less. */
const fanoutBytes = 256 * 4;
/** Where version 2 has the first id. */
export const firstId = indexSignature.length + fanoutBytes;

/** Whether an index has version 2. */
export const hasSignature = (index: Buffer): boolean => index.subarray(0, indexSignature.length).equals(indexSignature);

/** Calls for each id in a pack's index, in order (versions 1 and 2). @throws the file system's error */
export function eachIdOfPack(file: string, idLength: number, receive: (content: Buffer, offset: number) => void): void {
	const content = fs.readFileSync(file);
	const [fanout, beforeId] = hasSignature(content) ? [indexSignature.length, 0] : [0, 4];
	const count = content.readUInt32BE(fanout + fanoutBytes - 4);
	const start = fanout + fanoutBytes + beforeId;
	for (let number = 0; number < count; number++) receive(content, start + number * (beforeId + idLength));
}

/** Larger offsets do not fit into the first table. */
export const maxPackBytes = 0x7fff_ffff;

/** The columns of an index: the ids in their order, and for each the CRC-32 of its entry in the pack, and where that is. */
export interface PackIndex {
	readonly count: number;
	/** All ids, one after the other. */
	readonly ids: Buffer;
	readonly crcs: Uint32Array;
	readonly offsets: Uint32Array;
}

/** @returns null: it is of another version, or its pack is larger than {@link maxPackBytes} */
export function readPackIndex(content: Buffer, idLength: number): PackIndex | null {
	if (content.length < firstId || !hasSignature(content)) return null;
	const count = content.readUInt32BE(firstId - 4);
	const crcsAt = firstId + count * idLength;
	const offsetsAt = crcsAt + 4 * count;
	if (content.length !== offsetsAt + 4 * count + 2 * idLength) return null;
	const column = (at: number) => new Uint32Array(new Uint8Array(content.subarray(at, at + 4 * count)).buffer).map(swapped);
	return { count, ids: content.subarray(firstId, crcsAt), crcs: column(crcsAt), offsets: column(offsetsAt) };
}

/** Numbers are in network byte order there. */
const isLittle = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
const swapped = (number: number): number =>
	isLittle ? ((number << 24) | ((number & 0xff00) << 8) | ((number >>> 8) & 0xff00) | (number >>> 24)) >>> 0 : number;

/** An index as its file has it. @param format of ids @param packHash the last bytes of the pack */
export function packIndexContent({ count, ids, crcs, offsets }: PackIndex, format: string, packHash: Buffer): Buffer {
	const idLength = packHash.length;
	const crcsAt = firstId + count * idLength;
	const content = Buffer.allocUnsafe(crcsAt + 8 * count + 2 * idLength);
	indexSignature.copy(content);
	let upTo = 0;
	for (let first = 0; first < 256; first++) {
		while (upTo < count && (ids[upTo * idLength] as number) <= first) upTo++;
		content.writeUInt32BE(upTo, indexSignature.length + 4 * first);
	}
	ids.copy(content, firstId, 0, count * idLength);
	for (const [at, column] of [
		[crcsAt, crcs],
		[crcsAt + 4 * count, offsets],
	] as const) {
		const numbers = column.subarray(0, count).map(swapped);
		content.set(new Uint8Array(numbers.buffer, numbers.byteOffset, 4 * count), at);
	}
	const end = crcsAt + 8 * count;
	packHash.copy(content, end);
	createHash(format)
		.update(content.subarray(0, end + idLength))
		.digest()
		.copy(content, end + idLength);
	return content;
}

/** With more objects, a key and a place do not fit into the 53 bits of a number. */
export const maxPackObjects = 2 ** 21;

/** The places of some keys in the order of the keys. Numbers are sorted without a call for each comparison. @param count at most {@link maxPackObjects} */
export function sortedPlaces(count: number, keyAt: (place: number) => number): Uint32Array {
	const both = new Float64Array(count);
	for (let place = 0; place < count; place++) both[place] = keyAt(place) * maxPackObjects + place;
	return Uint32Array.from(both.sort(), (one) => one % maxPackObjects);
}

/**
 * The places of ids that lie one after the other, in the order of the ids. @param count at most {@link maxPackObjects}
 */
export function orderOfIds(ids: Buffer, idLength: number, count: number): Uint32Array {
	const keyAt = (place: number) => ids.readUInt32BE(place * idLength);
	const order = sortedPlaces(count, keyAt);
	const compare = (a: number, b: number) => ids.compare(ids, b * idLength, (b + 1) * idLength, a * idLength, (a + 1) * idLength);
	for (let start = 0; start < count; ) {
		let end = start + 1;
		while (end < count && keyAt(order[end] as number) === keyAt(order[start] as number)) end++;
		if (end - start > 1) order.subarray(start, end).sort(compare);
		start = end;
	}
	return order;
}

/** The ids at some places, one after the other. */
export function idsAt(ids: Buffer, idLength: number, places: Uint32Array): Buffer {
	const found = Buffer.allocUnsafe(places.length * idLength);
	// For so few bytes a call of copy() takes longer.
	for (let number = 0, to = 0; number < places.length; number++)
		for (let from = (places[number] as number) * idLength, end = from + idLength; from < end; ) found[to++] = ids[from++] as number;
	return found;
}

const table = new Uint32Array(256).map((_zero, byte) => {
	let crc = byte;
	for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
	return crc;
});

/** More bytes are left to zlib, where Node has that (20.15 and later); for fewer a call takes longer. */
const fewBytes = 256;

/** Older versions of Node have no `crc32`. */
const zlib: { readonly crc32?: typeof nodeZlib.crc32 } = nodeZlib;

/** The CRC-32 of a part of a block. @param before the CRC-32 of the bytes in front of it, if it goes on from there */
export function crcOf(bytes: Buffer, start: number, end: number, before = 0): number {
	if (end - start > fewBytes && zlib.crc32 !== undefined) return zlib.crc32(bytes.subarray(start, end), before);
	let crc = ~before;
	for (let at = start; at < end; at++) crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] as number)) & 0xff] as number);
	return ~crc >>> 0;
}
