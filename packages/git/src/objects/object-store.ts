import type { Oid, Repository } from "../process/repository.ts";
import type { KnownContents } from "./known-contents.ts";
import { type ObjectReader, withObjectReader } from "./object-reader.ts";
import { readObjectsWhole, storeBlobs } from "./objects.ts";

/** The blobs of a repository, as a checkout uses them. */
export interface ObjectStore {
	/** Reads many blobs with one reader, which ends with `use`. @throws GitError; what `use` throws */
	withReader(use: (reader: Pick<ObjectReader, "infos" | "each">) => Promise<void>): Promise<void>;
	/** Writes a blob to an open file, whose content need not pass through memory. @throws GitError */
	copyTo(oid: Oid, descriptor: number): Promise<void>;
	/** The content of a blob. @throws GitError CORRUPT_REPOSITORY if it is missing */
	content(oid: Oid): Promise<Buffer>;
	/** The size of a blob in bytes. @throws GitError */
	size(oid: Oid): Promise<number>;
	/** Stores contents as blobs. @param staging a directory of our own for the moment @throws GitError */
	store(contents: readonly Buffer[], staging: string): Promise<void>;
}

/** The blobs of a git repository. */
export class GitObjects implements ObjectStore {
	readonly #repository: Repository;
	readonly #known: KnownContents | null;

	/** @param known contents that need not be read from the repository */
	constructor(repository: Repository, known: KnownContents | null = null) {
		this.#repository = repository;
		this.#known = known;
	}

	async withReader(use: (reader: Pick<ObjectReader, "infos" | "each">) => Promise<void>): Promise<void> {
		await withObjectReader(this.#repository, use, this.#known);
	}

	async copyTo(oid: Oid, descriptor: number): Promise<void> {
		await this.#repository.run(["cat-file", "blob", oid], { outputTo: descriptor });
	}

	async content(oid: Oid): Promise<Buffer> {
		return (await readObjectsWhole(this.#repository, [oid])).get(oid) as Buffer;
	}

	async size(oid: Oid): Promise<number> {
		return Number((await this.#repository.run(["cat-file", "-s", oid])).stdout.toString("latin1"));
	}

	async store(contents: readonly Buffer[], staging: string): Promise<void> {
		await storeBlobs(this.#repository, staging, contents);
	}
}
