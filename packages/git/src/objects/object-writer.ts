import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import type { Oid, Repository } from "../process/repository.ts";
import { mayWriteLoose, writeLooseObjects } from "./loose-objects.ts";
import { type NewObject, objectOid } from "./object-id.ts";
import { withObjectReader } from "./object-reader.ts";
import type { OidSet } from "./oid-set.ts";

export { type NewObject, objectOid } from "./object-id.ts";

const packTypes = { commit: 1, tree: 2, blob: 3, tag: 4 };

/** The most bytes in one block that is not compressed (RFC 1951). */
const maxStored = 65_535;

/** A content as zlib writes it without compression (RFC 1950): for a small object, the state that zlib sets up costs more than all else. */
export function storedZlib(content: Uint8Array): Buffer {
	const blocks = Math.max(1, Math.ceil(content.length / maxStored));
	const out = Buffer.allocUnsafe(2 + 5 * blocks + content.length + 4);
	out.writeUInt16BE(0x7801, 0);
	let at = 2;
	for (let block = 0; block < blocks; block++) {
		const part = content.subarray(block * maxStored, (block + 1) * maxStored);
		out[at] = block === blocks - 1 ? 1 : 0;
		out.writeUInt16LE(part.length, at + 1);
		out.writeUInt16LE(part.length ^ 0xffff, at + 3);
		out.set(part, at + 5);
		at += 5 + part.length;
	}
	let low = 1;
	let high = 0;
	// As many as fit into a number of 32 bits before the remainder is taken.
	for (let start = 0; start < content.length; start += 3_800) {
		const end = Math.min(content.length, start + 3_800);
		for (let index = start; index < end; index++) {
			low += content[index] as number;
			high += low;
		}
		low %= 65_521;
		high %= 65_521;
	}
	out.writeUInt32BE(((high << 16) | low) >>> 0, at);
	return out;
}

/** A length in groups of seven bits, the lowest first; `first` bits of it are in the first byte already. */
function lengthBytes(length: number, first: number): number[] {
	const bytes: number[] = [];
	let byte = first;
	for (let rest = length; rest > 0; rest = Math.floor(rest / 128)) {
		bytes.push(byte | 0x80);
		byte = rest & 0x7f;
	}
	bytes.push(byte);
	return bytes;
}

/** How far back the base of a delta is (gitformat-pack(5)). */
function distanceBytes(distance: number): number[] {
	const bytes = [distance & 0x7f];
	for (let rest = Math.floor(distance / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(0x80 | (--rest & 0x7f));
	return bytes;
}

const maxCopy = 0xffff;
const maxInsert = 0x7f;

function copyOps(from: number, to: number): number[] {
	const bytes: number[] = [];
	for (let at = from; at < to; at += maxCopy) {
		const size = Math.min(maxCopy, to - at);
		// All four bytes of the offset, and two of the size.
		bytes.push(0xbf, at & 0xff, (at >>> 8) & 0xff, (at >>> 16) & 0xff, at >>> 24, size & 0xff, size >>> 8);
	}
	return bytes;
}

/** A content as a delta on another one: what both begin and end with is copied (gitformat-pack(5), Deltified representation). */
export function deltaOf(base: Buffer, content: Buffer): Buffer {
	const shorter = Math.min(base.length, content.length);
	let start = 0;
	while (start < shorter && base[start] === content[start]) start++;
	let end = 0;
	while (end < shorter - start && base[base.length - 1 - end] === content[content.length - 1 - end]) end++;
	const sizes = [base.length, content.length].flatMap((length) => lengthBytes(Math.floor(length / 128), length & 0x7f));
	const parts: Uint8Array[] = [Buffer.from([...sizes, ...copyOps(0, start)])];
	for (let at = start; at < content.length - end; at += maxInsert) {
		const part = content.subarray(at, Math.min(at + maxInsert, content.length - end));
		parts.push(Buffer.of(part.length), part);
	}
	parts.push(Buffer.from(copyOps(base.length - end, base.length)));
	return Buffer.concat(parts);
}

/** As in git's own packs. */
const maxDepth = 50;
const offsetDelta = 6;

/** Objects as a pack (gitformat-pack(5)). */
function packOf(objects: readonly NewObject[], format: Repository["objectFormat"], level: number): Buffer {
	const header = Buffer.alloc(12);
	header.write("PACK");
	header.writeUInt32BE(2, 4);
	header.writeUInt32BE(objects.length, 8);
	const parts: Buffer[] = [header];
	const zlib = (content: Buffer) => (level === 0 ? storedZlib(content) : deflateSync(content, { level, chunkSize: content.length + 128 }));
	const last = new Map<string, { readonly content: Buffer; readonly offset: number; readonly depth: number }>();
	let offset = header.length;
	for (const { type, content, series } of objects) {
		const base = series === undefined ? undefined : last.get(series);
		const delta = base !== undefined && base.depth < maxDepth ? deltaOf(base.content, content) : null;
		const isDelta = delta !== null && base !== undefined && 2 * delta.length < content.length;
		const data = isDelta ? delta : content;
		const head = lengthBytes(Math.floor(data.length / 16), ((isDelta ? offsetDelta : packTypes[type]) << 4) | (data.length & 15));
		const entry = [Buffer.from(isDelta ? [...head, ...distanceBytes(offset - base.offset)] : head), zlib(data)];
		if (series !== undefined) last.set(series, { content, offset, depth: isDelta ? base.depth + 1 : 0 });
		for (const part of entry) offset += part.length;
		parts.push(...entry);
	}
	const pack = Buffer.concat(parts);
	return Buffer.concat([pack, createHash(format).update(pack).digest()]);
}

/** At most this many objects, and bytes, are written without a process. */
const fewObjects = 64;
const fewBytes = 1_048_576;

/** Whether some objects are so few and small that a process would take longer than writing them. */
export function areFew(store: Repository, objects: readonly { readonly content: Uint8Array }[]): boolean {
	return (
		objects.length <= fewObjects && mayWriteLoose(store) && objects.reduce((bytes, { content }) => bytes + content.length, 0) <= fewBytes
	);
}

/** Writes objects durably, by one process at most; nothing refers to them yet. @throws GitError, the file system's error */
export async function writeObjects(store: Repository, objects: readonly NewObject[]): Promise<void> {
	if (areFew(store, objects)) await writeLooseObjects(store, objects);
	else await store.run(["unpack-objects", "-q"], { input: packOf(objects, store.objectFormat, 6) });
}

/** Fewer objects than this become loose ones, more a pack of their own. */
const packFrom = 200;
/** As many bytes, and objects, wait in memory until they are written. */
const maxBatchBytes = 64 * 1_048_576;
const maxBatchObjects = 50_000;

/** Where new objects go. */
export interface ObjectSink {
	/** @returns the id that the object has */
	add(object: NewObject): Oid;
	/** So much waits in memory that `flush` should be called. */
	readonly isFull: boolean;
	/** @throws GitError */
	flush(): Promise<void>;
}

/** Only the ids of objects are wanted. */
export function idsOnly(format: Repository["objectFormat"]): ObjectSink {
	return { add: (object) => objectOid(object, format), isFull: false, flush: () => Promise.resolve() };
}

/** Writes any number of objects, many at once. What was added can be read after the next `flush`. */
export class ObjectWriter implements ObjectSink {
	readonly #store: Repository;
	readonly #present: OidSet | null;
	#objects = new Map<Oid, NewObject>();
	#bytes = 0;
	/** The names of the packs that were made. */
	readonly packs = new Set<string>();

	/**
	 * @param store from openMergeStore
	 * @param present ids of all its objects, where they are known; new ones are added; else git checks each new one
	 */
	constructor(store: Repository, present: OidSet | null = null) {
		this.#store = store;
		this.#present = present;
	}

	/** @returns the id that the object has */
	add(object: NewObject): Oid {
		const oid = objectOid(object, this.#store.objectFormat);
		if (this.#present?.has(oid) || this.#objects.has(oid)) return oid;
		this.#present?.add(oid);
		this.#objects.set(oid, object);
		this.#bytes += object.content.length;
		return oid;
	}

	/** So much waits in memory that `flush` should be called. */
	get isFull(): boolean {
		return this.#bytes > maxBatchBytes || this.#objects.size > maxBatchObjects;
	}

	/** Writes what waits. @throws GitError */
	async flush(): Promise<void> {
		const oids = [...this.#objects.keys()];
		const waiting = [...this.#objects.values()];
		this.#objects = new Map();
		this.#bytes = 0;
		// The rest of many belongs to them.
		const fewest = this.packs.size > 0 ? 1 : packFrom;
		if (waiting.length < fewest) {
			await writeObjects(this.#store, waiting);
			return;
		}
		// Another node may have made the same ones: they were fetched then.
		const infos = this.#present ? null : await withObjectReader(this.#store, (reader) => reader.infos(oids));
		const objects = infos === null ? waiting : waiting.filter((_object, index) => infos[index] === null);
		if (objects.length < fewest) await writeObjects(this.#store, objects);
		// Uncompressed: it takes a fifth of the time, ids hardly shrink, and the next maintenance rewrites such packs.
		else {
			const { stdout } = await this.#store.run(["index-pack", "--stdin"], { input: packOf(objects, this.#store.objectFormat, 0) });
			// What it prints is the kind of file, a tab and the id (git-index-pack(1)).
			const [, id] = stdout.toString("latin1").trim().split("\t");
			if (id !== undefined) this.packs.add(`pack-${id}`);
		}
	}
}
