import { createHash, type Hash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { deflateSync } from "node:zlib";
import type { Repository } from "../process/repository.ts";
import { installPack } from "./install-pack.ts";
import { idLengthOf } from "./object-id.ts";
import { withObjectReader } from "./object-reader.ts";
import type { OidSet } from "./oid-set.ts";
import { headerAt, maxHeaderBytes, offsetDelta, packTypes, refDelta, writeDistance, writeLength } from "./pack-entry.ts";
import { crcOf, idsAt, maxPackBytes, maxPackObjects, type PackIndex, packIndexContent, readPackIndex, sortedPlaces } from "./pack-index.ts";

// A pack without some of its objects, from the bytes of the old one: git would look up, examine and sort each object that stays, which takes longer
// than all the rest where a few of hundreds of thousands go. An entry is copied as it is; where it is a delta on an entry nearby, only the distance is
// written again. An entry whose base goes is written in full. All entries that stay are checked by the CRC-32 of the index first: git handles damaged ones.

/** Read and written at a time. */
const blockBytes = 1_048_576;

/** Writes a file, and its hash at the end. */
class HashedFile {
	readonly #descriptor: number;
	readonly #hash: Hash;
	#block = Buffer.allocUnsafe(2 * blockBytes);
	#filled = 0;
	/** The next offset. */
	at = 0;

	constructor(file: string, format: string) {
		this.#descriptor = fs.openSync(file, "wx", 0o444);
		this.#hash = createHash(format);
	}

	write(bytes: Buffer, start = 0, end = bytes.length): void {
		if (this.#filled + end - start > this.#block.length) this.#flush();
		if (end - start > this.#block.length) this.#out(bytes.subarray(start, end));
		else this.#filled += bytes.copy(this.#block, this.#filled, start, end);
		this.at += end - start;
	}

	#out(bytes: Buffer): void {
		this.#hash.update(bytes);
		for (let at = 0; at < bytes.length; ) at += fs.writeSync(this.#descriptor, bytes, at);
	}

	#flush(): void {
		this.#out(this.#block.subarray(0, this.#filled));
		this.#filled = 0;
	}

	/** @returns the hash, which is at the end of the file as well */
	end(): Buffer {
		this.#flush();
		const hash = this.#hash.digest();
		for (let at = 0; at < hash.length; ) at += fs.writeSync(this.#descriptor, hash, at);
		fs.fsyncSync(this.#descriptor);
		return hash;
	}

	close(): void {
		fs.closeSync(this.#descriptor);
	}
}

/** Entries of a pack that stay, by the order of their offsets. */
interface Layout {
	readonly index: PackIndex;
	/** Places in the index, by offset. */
	readonly order: Uint32Array;
	/** Bytes of the pack without its hash. */
	readonly end: number;
	/** 1: the entry at this place in the index stays. */
	readonly stays: Uint8Array;
}

/** The number in the order of the entry at an offset; -1: none begins there. */
function numberAt({ index, order }: Layout, offset: number): number {
	let [low, high] = [0, order.length - 1];
	while (low <= high) {
		const middle = (low + high) >> 1;
		const at = index.offsets[order[middle] as number] as number;
		if (at === offset) return middle;
		if (at < offset) low = middle + 1;
		else high = middle - 1;
	}
	return -1;
}

/** Calls for each entry that stays, in their order, with a block of memory that has it. @returns false: the pack is shorter than its index says */
async function eachStaying(
	descriptor: number,
	{ index, order, end, stays }: Layout,
	receive: (number: number, place: number, block: Buffer, at: number, end: number) => void,
): Promise<boolean> {
	let block = Buffer.alloc(0);
	let from = 0;
	for (let number = 0; number < order.length; number++) {
		const place = order[number] as number;
		if (stays[place] === 0) continue;
		const start = index.offsets[place] as number;
		if (start >= end) return false;
		const next = number + 1 < order.length ? (index.offsets[order[number + 1] as number] as number) : end;
		if (start < from || next > from + block.length) {
			await nextTurn();
			from = start;
			block = Buffer.allocUnsafe(Math.min(end - start, Math.max(blockBytes, next - start)));
			for (let at = 0; at < block.length; ) {
				const read = fs.readSync(descriptor, block, at, block.length - at, start + at);
				if (read === 0) return false;
				at += read;
			}
		}
		receive(number, place, block, start - from, next - from);
	}
	return true;
}

/** Of an entry that is no delta, or a delta on the object with an id. */
const noBase = -1;

/** What the entries that stay are based on. */
interface Bases {
	/** For each number the one of the base nearby. */
	readonly numbers: Int32Array;
	/** Places of entries whose base goes. */
	readonly withoutBase: readonly number[];
}

/** @returns null: the pack is not as its index says */
async function basesOf(descriptor: number, layout: Layout, gone: OidSet): Promise<Bases | null> {
	const { index, order, stays } = layout;
	const numbers = new Int32Array(order.length).fill(noBase);
	const withoutBase: number[] = [];
	let isIntact = true;
	const isRead = await eachStaying(descriptor, layout, (number, place, block, at, end) => {
		if (crcOf(block, at, end) !== index.crcs[place]) isIntact = false;
		if (!isIntact) return;
		const { kind, length, distance } = headerAt(block, at);
		if (kind === refDelta && gone.hasAt(block, at + length)) withoutBase.push(place);
		if (kind !== offsetDelta) return;
		const base = numberAt(layout, (index.offsets[place] as number) - distance);
		if (base < 0) isIntact = false;
		else if (stays[order[base] as number] === 0) withoutBase.push(place);
		else numbers[number] = base;
	});
	return isRead && isIntact ? { numbers, withoutBase } : null;
}

/** The places in the index of what stays. */
function placesOf(stays: Uint8Array): Uint32Array {
	const places = new Uint32Array(stays.length);
	let count = 0;
	for (let place = 0; place < stays.length; place++) if (stays[place] === 1) places[count++] = place;
	return places.subarray(0, count);
}

/** Writes the entries. @returns their index; null: the pack is not as its index says @throws GitError, the file system's error */
async function writeEntries(
	repository: Repository,
	descriptor: number,
	layout: Layout,
	out: HashedFile,
	gone: OidSet,
): Promise<PackIndex | null> {
	const idLength = idLengthOf(repository);
	const { index, order, stays } = layout;
	const bases = await basesOf(descriptor, layout, gone);
	if (bases === null) return null;
	const places = placesOf(stays);
	const head = Buffer.from("PACK\0\0\0\x02\0\0\0\0", "latin1");
	head.writeUInt32BE(places.length, 8);
	out.write(head);
	const offsets = new Uint32Array(index.count);
	const crcs = Uint32Array.from(index.crcs);
	// First of all, because a base is before its deltas.
	const oids = bases.withoutBase.map((place) => index.ids.toString("hex", place * idLength, (place + 1) * idLength));
	const isWritten = new Uint8Array(index.count);
	const header = Buffer.alloc(maxHeaderBytes);
	let isThere = true;
	await withObjectReader(repository, (reader) =>
		reader.each(oids, (info, content, at) => {
			const place = bases.withoutBase[at] as number;
			if (info === null || content === null || out.at > maxPackBytes) {
				isThere = false;
				return;
			}
			const headerEnd = writeLength(header, 0, packTypes[info.type], content.length);
			const data = deflateSync(content);
			isWritten[place] = 1;
			offsets[place] = out.at;
			crcs[place] = crcOf(data, 0, data.length, crcOf(header, 0, headerEnd));
			out.write(header, 0, headerEnd);
			out.write(data);
		}),
	);
	if (!isThere) return null;
	const isRead = await eachStaying(descriptor, layout, (number, place, block, at, end) => {
		if (isWritten[place] === 1) return;
		const offset = out.at;
		offsets[place] = offset;
		const base = bases.numbers[number] as number;
		if (base === noBase) {
			out.write(block, at, end);
			return;
		}
		const { length, distance, end: data } = headerAt(block, at);
		const now = offset - (offsets[order[base] as number] as number);
		if (now === distance) {
			out.write(block, at, end);
			return;
		}
		const headerEnd = writeDistance(header, block.copy(header, 0, at, at + length), now);
		crcs[place] = crcOf(block, at + data, end, crcOf(header, 0, headerEnd));
		out.write(header, 0, headerEnd);
		out.write(block, at + data, end);
	});
	if (!isRead || out.at > maxPackBytes) return null;
	const column = (all: Uint32Array) => places.map((place) => all[place] as number);
	return { count: places.length, ids: idsAt(index.ids, idLength, places), crcs: column(crcs), offsets: column(offsets) };
}

/**
 * Writes a pack with what stays of another one, durably.
 * @param packs the directory @param name of the other pack, which stays as it is @param gone the ids to leave out
 * @returns the name of the new one; null: git has to make it @throws GitError, the file system's error
 */
export async function packWithout(repository: Repository, packs: string, name: string, gone: OidSet): Promise<string | null> {
	const idLength = idLengthOf(repository);
	const index = readPackIndex(fs.readFileSync(path.join(packs, `${name}.idx`)), idLength);
	const file = path.join(packs, `${name}.pack`);
	const { size, mode } = fs.statSync(file);
	if (index === null || size > maxPackBytes || index.count >= maxPackObjects) return null;
	const stays = new Uint8Array(index.count);
	for (let place = 0; place < index.count; place++) stays[place] = gone.hasAt(index.ids, place * idLength) ? 0 : 1;
	const order = sortedPlaces(index.count, (place) => index.offsets[place] as number);
	const temporary = path.join(packs, `tmp_pack_${process.pid}_without`);
	const descriptor = fs.openSync(file, "r");
	try {
		fs.rmSync(temporary, { force: true });
		const out = new HashedFile(temporary, repository.objectFormat);
		try {
			const columns = await writeEntries(repository, descriptor, { index, order, end: size - idLength, stays }, out, gone);
			if (columns === null) return null;
			const hash = out.end();
			return installPack(packs, temporary, packIndexContent(columns, repository.objectFormat, hash), hash, mode & 0o777);
		} finally {
			out.close();
		}
	} finally {
		fs.closeSync(descriptor);
		fs.rmSync(temporary, { force: true });
	}
}
