import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import type { Oid } from "../process/repository.ts";
import type { NewObject } from "./object-id.ts";
import { offsetDelta, packTypes, writeDistance, writeLength } from "./pack-entry.ts";
import { crcOf, idsAt, maxPackBytes, maxPackObjects, orderOfIds, packIndexContent } from "./pack-index.ts";

// The encoding of packs (gitformat-pack(5)), into one block of memory: a buffer for each part of each object costs more than all else.

/** The most bytes in one block that is not compressed (RFC 1951). */
const maxStored = 65_535;
/** The most bytes that one instruction of a delta copies (without the third byte of its size), or inserts. */
const maxCopy = 0xffff;
const maxInsert = 0x7f;
/** As in git's own packs. */
const maxDepth = 50;
const headerBytes = 12;
/** An upper bound for the length of an object, the distance of its base and the frame of zlib. */
const frameBytes = 64;

/** The last object of a series. */
interface Base {
	readonly content: Buffer;
	readonly offset: number;
	readonly depth: number;
}

/** Writes objects as a pack. */
export class PackBuilder {
	readonly #format: string;
	readonly #level: number;
	#out: Buffer;
	#at = headerBytes;
	#count = 0;
	readonly #last = new Map<string, Base>();
	/** The ids of the objects, one after the other, and where they begin. */
	#ids = Buffer.alloc(0);
	#offsets = new Uint32Array(0);

	/** @param level of zlib; 0: not compressed, and versions of one series as deltas */
	constructor(format: string, level: number) {
		this.#format = format;
		this.#level = level;
		this.#out = Buffer.allocUnsafe(65_536);
	}

	/** The number of objects in it. */
	get count(): number {
		return this.#count;
	}

	/** @param oid its id; without it there is no `index` */
	add({ type, content, series }: NewObject, oid?: Oid): void {
		const offset = this.#at;
		if (oid !== undefined) this.#note(oid, offset);
		this.#count++;
		if (this.#level > 0) {
			const data = deflateSync(content, { level: this.#level, chunkSize: content.length + 128 });
			this.#reserve(data.length + frameBytes);
			this.#at = writeLength(this.#out, this.#at, packTypes[type], content.length);
			this.#at += data.copy(this.#out, this.#at);
			return;
		}
		const base = series === undefined ? undefined : this.#last.get(series);
		const isDelta = base !== undefined && base.depth < maxDepth && this.#addDelta(base, content);
		if (!isDelta) {
			this.#reserve(storedBytes(content.length) + frameBytes);
			this.#at = writeLength(this.#out, this.#at, packTypes[type], content.length);
			this.#at = writeStored(content, this.#out, this.#at);
		}
		if (series !== undefined) this.#last.set(series, { content, offset, depth: isDelta ? base.depth + 1 : 0 });
	}

	/** The whole pack, in two parts. */
	end(): [Buffer, Buffer] {
		this.#out.write("PACK", "latin1");
		this.#out.writeUInt32BE(2, 4);
		this.#out.writeUInt32BE(this.#count, 8);
		const pack = this.#out.subarray(0, this.#at);
		return [pack, createHash(this.#format).update(pack).digest()];
	}

	/** The index of the pack; null: git has to make it. @param hash the second part of `end` */
	index(hash: Buffer): Buffer | null {
		const idLength = hash.length;
		const count = this.#count;
		if (this.#at > maxPackBytes || count >= maxPackObjects || this.#ids.length < count * idLength) return null;
		const offsets = this.#offsets;
		const order = orderOfIds(this.#ids, idLength, count);
		const endOf = (place: number) => (place + 1 < count ? (offsets[place + 1] as number) : this.#at);
		const crcs = order.map((place) => crcOf(this.#out, offsets[place] as number, endOf(place)));
		return packIndexContent(
			{ count, ids: idsAt(this.#ids, idLength, order), crcs, offsets: order.map((place) => offsets[place] as number) },
			this.#format,
			hash,
		);
	}

	#note(oid: Oid, offset: number): void {
		const count = this.#count;
		const idLength = oid.length / 2;
		if (count >= this.#offsets.length) {
			const room = Math.max(1_024, 2 * count);
			const [ids, offsets] = [Buffer.alloc(room * idLength), new Uint32Array(room)];
			this.#ids.copy(ids);
			offsets.set(this.#offsets);
			[this.#ids, this.#offsets] = [ids, offsets];
		}
		this.#ids.write(oid, count * idLength, "hex");
		this.#offsets[count] = offset;
	}

	#reserve(bytes: number): void {
		if (this.#at + bytes <= this.#out.length) return;
		const out = Buffer.allocUnsafe(Math.max(2 * this.#out.length, this.#at + bytes));
		this.#out.copy(out, 0, 0, this.#at);
		this.#out = out;
	}

	/** Copies the common start and end from the base. @returns false: they are too short; nothing was written */
	#addDelta({ content: base, offset }: Base, content: Buffer): boolean {
		const shorter = Math.min(base.length, content.length);
		let start = 0;
		while (start < shorter && base[start] === content[start]) start++;
		let end = 0;
		while (end < shorter - start && base[base.length - 1 - end] === content[content.length - 1 - end]) end++;
		const inserted = content.length - start - end;
		const copies = Math.ceil(start / maxCopy) + Math.ceil(end / maxCopy);
		const most = 20 + 7 * copies + inserted + Math.ceil(inserted / maxInsert);
		if (2 * most >= content.length) return false;
		const delta = Buffer.allocUnsafe(most);
		let at = writeSize(base.length, delta, 0);
		at = writeSize(content.length, delta, at);
		at = writeCopies(0, start, delta, at);
		for (let from = start; from < start + inserted; from += maxInsert) {
			const to = Math.min(from + maxInsert, start + inserted);
			delta[at++] = to - from;
			at += content.copy(delta, at, from, to);
		}
		at = writeCopies(base.length - end, base.length, delta, at);
		this.#reserve(storedBytes(at) + frameBytes);
		const place = this.#at;
		this.#at = writeLength(this.#out, this.#at, offsetDelta, at);
		this.#at = writeDistance(this.#out, this.#at, place - offset);
		this.#at = writeStored(delta.subarray(0, at), this.#out, this.#at);
		return true;
	}
}

const storedBytes = (length: number) => 6 + 5 * Math.max(1, Math.ceil(length / maxStored)) + length;

/**
 * Writes a content as zlib does without compression (RFC 1950): for a small object, the state that zlib sets up costs more than all else.
 * @returns the offset after it
 */
export function writeStored(content: Uint8Array, out: Buffer, start: number): number {
	let at = start;
	out[at++] = 0x78;
	out[at++] = 0x01;
	const blocks = Math.max(1, Math.ceil(content.length / maxStored));
	for (let block = 0; block < blocks; block++) {
		const part = blocks === 1 ? content : content.subarray(block * maxStored, (block + 1) * maxStored);
		out[at] = block === blocks - 1 ? 1 : 0;
		out.writeUInt16LE(part.length, at + 1);
		out.writeUInt16LE(part.length ^ 0xffff, at + 3);
		out.set(part, at + 5);
		at += 5 + part.length;
	}
	let low = 1;
	let high = 0;
	// As many as fit into a number of 32 bits before the remainder is taken.
	for (let from = 0; from < content.length; from += 3_800) {
		const to = Math.min(content.length, from + 3_800);
		for (let index = from; index < to; index++) {
			low += content[index] as number;
			high += low;
		}
		low %= 65_521;
		high %= 65_521;
	}
	return out.writeUInt32BE(((high << 16) | low) >>> 0, at);
}

/** A length in a delta: groups of seven bits, the lowest first. @returns the offset after it */
function writeSize(length: number, out: Buffer, start: number): number {
	let at = start;
	let rest = length;
	for (; rest > 0x7f; rest = Math.floor(rest / 128)) out[at++] = (rest & 0x7f) | 0x80;
	out[at++] = rest;
	return at;
}

/** Instructions that copy a part of the base: all four bytes of the offset, two of the size. @returns the offset after them */
function writeCopies(from: number, to: number, out: Buffer, start: number): number {
	let at = start;
	for (let offset = from; offset < to; offset += maxCopy) {
		out[at++] = 0xbf;
		at = out.writeUInt32LE(offset, at);
		at = out.writeUInt16LE(Math.min(maxCopy, to - offset), at);
	}
	return at;
}
