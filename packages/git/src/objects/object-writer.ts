import { mkdir, open, rm } from "node:fs/promises";
import path from "node:path";
import type { Oid, Repository } from "../process/repository.ts";
import { installPack } from "./install-pack.ts";
import { mayWriteLoose, objectsDirectory, writeLooseObjects } from "./loose-objects.ts";
import { type NewObject, objectOid } from "./object-id.ts";
import { withObjectReader } from "./object-reader.ts";
import type { OidSet } from "./oid-set.ts";
import { PackBuilder } from "./pack-builder.ts";

/** Objects as a pack. @param level of zlib. 0, for many: it takes a fifth of the time, ids hardly shrink, and the next maintenance rewrites such packs */
function builderOf(
	objects: Iterable<readonly [Oid | undefined, NewObject]>,
	format: Repository["objectFormat"],
	level: number,
): PackBuilder {
	const pack = new PackBuilder(format, level);
	for (const [oid, object] of objects) pack.add(object, oid);
	return pack;
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
	else {
		const pack = builderOf(
			objects.map((object) => [undefined, object]),
			store.objectFormat,
			6,
		);
		await store.run(["unpack-objects", "-q"], { input: pack.end() });
	}
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

/** Adds blobs, and writes what waits in memory whenever it is too much. @throws GitError */
export async function addBlobs(sink: ObjectSink, contents: Iterable<Buffer>): Promise<void> {
	for (const content of contents) {
		sink.add({ type: "blob", content });
		if (sink.isFull) await sink.flush();
	}
}

/** Only the ids of objects are wanted. */
export function idsOnly(format: Repository["objectFormat"]): ObjectSink {
	return { add: (object) => objectOid(object, format), isFull: false, flush: () => Promise.resolve() };
}

/** Writes a pack with its index without a process: git would examine each object once more. @returns its name; null: git has to do it */
async function writeOwnPack(store: Repository, pack: PackBuilder, [content, hash]: readonly [Buffer, Buffer]): Promise<string | null> {
	const index = pack.index(hash);
	if (index === null) return null;
	const packs = path.join(objectsDirectory(store), "pack");
	// git removes old files of this name, as remains of killed processes.
	const temporary = path.join(packs, `tmp_pack_${process.pid}_new`);
	await mkdir(packs, { recursive: true });
	await rm(temporary, { force: true });
	try {
		const file = await open(temporary, "wx", 0o444);
		try {
			await file.writeFile(content);
			await file.writeFile(hash);
			await file.sync();
		} finally {
			await file.close();
		}
		return installPack(packs, temporary, index, hash, 0o444);
	} finally {
		await rm(temporary, { force: true });
	}
}

/** Writes any number of objects, many at once. What was added can be read after the next `flush`. */
export class ObjectWriter implements ObjectSink {
	readonly #store: Repository;
	readonly #present: OidSet | null;
	#objects = new Map<Oid, NewObject>();
	/** Has what waits instead, if it is much and needs no check: its contents are not kept one by one. */
	#pack: PackBuilder | null = null;
	#bytes = 0;
	/** The names of the packs that were made. */
	readonly packs = new Set<string>();
	/** All added objects that are in none of those packs: they were present before, or are loose. Some that are in one may be among them. */
	readonly outside = new Set<Oid>();

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
		const isNew = this.#present === null ? !this.#objects.has(oid) : this.#present.addNew(oid);
		if (!isNew) {
			if (!this.#objects.has(oid)) this.outside.add(oid);
			return oid;
		}
		this.#bytes += object.content.length;
		if (this.#pack !== null) this.#pack.add(object, oid);
		else {
			this.#objects.set(oid, object);
			if (this.#present !== null && this.#objects.size >= this.#fewest) {
				this.#pack = builderOf(this.#objects, this.#store.objectFormat, 0);
				this.#objects = new Map();
			}
		}
		return oid;
	}

	/** So much waits in memory that `flush` should be called. */
	get isFull(): boolean {
		return this.#bytes > maxBatchBytes || (this.#pack?.count ?? this.#objects.size) > maxBatchObjects;
	}

	/** As many objects become a pack. The rest of many belongs to them. */
	get #fewest(): number {
		return this.packs.size > 0 ? 1 : packFrom;
	}

	/** Writes what waits. @throws GitError */
	async flush(): Promise<void> {
		const waiting = [...this.#objects];
		const pack = this.#pack;
		this.#objects = new Map();
		this.#pack = null;
		this.#bytes = 0;
		if (pack !== null) {
			await this.#writePack(pack);
			return;
		}
		const fewest = this.#fewest;
		if (waiting.length < fewest) {
			await this.#writeOutside(waiting);
			return;
		}
		// Another node may have made the same ones: they were fetched then.
		const infos = this.#present ? null : await withObjectReader(this.#store, (reader) => reader.infos(waiting.map(([oid]) => oid)));
		const objects = infos === null ? waiting : waiting.filter((_object, index) => infos[index] === null);
		for (const info of infos ?? []) if (info !== null) this.outside.add(info.oid);
		if (objects.length < fewest) await this.#writeOutside(objects);
		else await this.#writePack(builderOf(objects, this.#store.objectFormat, 0));
	}

	async #writePack(pack: PackBuilder): Promise<void> {
		const parts = pack.end();
		const own = mayWriteLoose(this.#store) ? await writeOwnPack(this.#store, pack, parts) : null;
		if (own !== null) {
			this.packs.add(own);
			return;
		}
		const { stdout } = await this.#store.run(["index-pack", "--stdin"], { input: parts });
		// It prints the kind of file, a tab and the id (git-index-pack(1)).
		const [, id] = stdout.toString("latin1").trim().split("\t");
		if (id !== undefined) this.packs.add(`pack-${id}`);
	}

	async #writeOutside(objects: readonly (readonly [Oid, NewObject])[]): Promise<void> {
		for (const [oid] of objects) this.outside.add(oid);
		await writeObjects(
			this.#store,
			objects.map(([, object]) => object),
		);
	}
}
