import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import type { Oid, Repository } from "../process/repository.ts";
import { withObjectReader } from "./object-reader.ts";

/** An object that is to be written. */
export interface NewObject {
	readonly type: "commit" | "tree" | "blob" | "tag";
	readonly content: Buffer;
}

/** The id that an object gets. */
export function objectOid({ type, content }: NewObject, format: Repository["objectFormat"]): Oid {
	return createHash(format).update(`${type} ${content.length}\0`).update(content).digest("hex");
}

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

/** Objects as a pack (gitformat-pack(5)). */
function packOf(objects: readonly NewObject[], format: Repository["objectFormat"], level: number): Buffer {
	const header = Buffer.alloc(12);
	header.write("PACK");
	header.writeUInt32BE(2, 4);
	header.writeUInt32BE(objects.length, 8);
	const parts: Buffer[] = [header];
	for (const { type, content } of objects) {
		const size: number[] = [];
		let byte = (packTypes[type] << 4) | (content.length & 15);
		for (let rest = Math.floor(content.length / 16); rest > 0; rest = Math.floor(rest / 128)) {
			size.push(byte | 0x80);
			byte = rest & 0x7f;
		}
		size.push(byte);
		parts.push(Buffer.from(size), level === 0 ? storedZlib(content) : deflateSync(content, { level, chunkSize: content.length + 128 }));
	}
	const pack = Buffer.concat(parts);
	return Buffer.concat([pack, createHash(format).update(pack).digest()]);
}

/** Writes objects by one process; nothing refers to them yet. @throws GitError */
export async function writeObjects(store: Repository, objects: readonly NewObject[]): Promise<void> {
	if (objects.length > 0) await store.run(["unpack-objects", "-q"], { input: packOf(objects, store.objectFormat, 6) });
}

/** Fewer objects than this become loose ones, more a pack of their own. */
const packFrom = 200;
/** As many bytes, and objects, wait in memory until they are written. */
const maxBatchBytes = 64 * 1_048_576;
const maxBatchObjects = 50_000;

/** Writes any number of objects, many at once. What was added can be read after the next `flush`. */
export class ObjectWriter {
	readonly #store: Repository;
	readonly #present: ReadonlySet<Oid> | null;
	#objects = new Map<Oid, NewObject>();
	#bytes = 0;

	/**
	 * @param store from openMergeStore
	 * @param present ids of all its objects, where they are known; else git checks each new one
	 */
	constructor(store: Repository, present: ReadonlySet<Oid> | null = null) {
		this.#store = store;
		this.#present = present;
	}

	/** @returns the id that the object has. @throws GitError */
	async add(object: NewObject): Promise<Oid> {
		const oid = objectOid(object, this.#store.objectFormat);
		if (this.#present?.has(oid) || this.#objects.has(oid)) return oid;
		this.#objects.set(oid, object);
		this.#bytes += object.content.length;
		if (this.#bytes > maxBatchBytes || this.#objects.size > maxBatchObjects) await this.flush();
		return oid;
	}

	/** Writes what waits. @throws GitError */
	async flush(): Promise<void> {
		const oids = [...this.#objects.keys()];
		const waiting = [...this.#objects.values()];
		this.#objects = new Map();
		this.#bytes = 0;
		if (waiting.length < packFrom) {
			await writeObjects(this.#store, waiting);
			return;
		}
		// Another node may have made the same ones: they were fetched then.
		const infos = this.#present ? null : await withObjectReader(this.#store, (reader) => reader.infos(oids));
		const objects = infos === null ? waiting : waiting.filter((_object, index) => infos[index] === null);
		if (objects.length < packFrom) await writeObjects(this.#store, objects);
		// Uncompressed: it takes a fifth of the time, ids hardly shrink, and the next maintenance rewrites such packs.
		else await this.#store.run(["index-pack", "--stdin"], { input: packOf(objects, this.#store.objectFormat, 0) });
	}
}
