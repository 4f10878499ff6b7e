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
		parts.push(Buffer.from(size), deflateSync(content, { level, chunkSize: content.length + 128 }));
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
	#objects: NewObject[] = [];
	#bytes = 0;

	/** @param store from openMergeStore */
	constructor(store: Repository) {
		this.#store = store;
	}

	/** @returns the id that the object has. @throws GitError */
	async add(object: NewObject): Promise<Oid> {
		const oid = objectOid(object, this.#store.objectFormat);
		this.#objects.push(object);
		this.#bytes += object.content.length;
		if (this.#bytes > maxBatchBytes || this.#objects.length > maxBatchObjects) await this.flush();
		return oid;
	}

	/** Writes what waits. @throws GitError */
	async flush(): Promise<void> {
		const waiting = this.#objects.splice(0);
		this.#bytes = 0;
		if (waiting.length < packFrom) {
			await writeObjects(this.#store, waiting);
			return;
		}
		// Another node may have made the same ones: they were fetched then.
		const infos = await withObjectReader(this.#store, (reader) =>
			reader.infos(waiting.map((object) => objectOid(object, this.#store.objectFormat))),
		);
		const objects = waiting.filter((_object, index) => infos[index] === null);
		if (objects.length < packFrom) await writeObjects(this.#store, objects);
		// Ids hardly get smaller, and the next maintenance writes such packs again: not compressed, it takes a fifth of the time.
		else await this.#store.run(["index-pack", "--stdin"], { input: packOf(objects, this.#store.objectFormat, 0) });
	}
}
