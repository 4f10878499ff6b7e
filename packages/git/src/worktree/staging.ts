import path from "node:path";
import { addUpToAll, type Files, O_CREAT, O_EXCL, O_RDONLY, O_WRONLY } from "@robust-sync/system/files";
import { Column, type Items } from "@robust-sync/system/items";
import { isFileMode } from "../files/disk-file.ts";
import { ObstacleError } from "../files/obstacle.ts";
import { newFileBits } from "../files/permissions.ts";
import type { TreeChange } from "../objects/diff.ts";
import type { TreeEntry } from "../objects/merge-tree.ts";
import { type ObjectReader, present } from "../objects/object-reader.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import { type GitPath, gitPathBytes, gitPathList } from "../paths/git-path.ts";
import { GitError } from "../process/errors.ts";
import { watchFiles } from "../process/process-progress.ts";
import { WorkCounter } from "../process/progress.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { StagedFiles } from "./staged-files.ts";

/** False: the target is empty, too long or has a NUL in it (symlink(2)). */
function makeLink(files: Files, target: Buffer, file: string): boolean {
	try {
		files.symlink(target, file);
		return true;
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (["ENOENT", "ENAMETOOLONG", "EINVAL", "ERR_INVALID_ARG_VALUE"].includes(code ?? "")) return false;
		throw error;
	}
}

/** Larger contents are not read into memory for a checkout. */
const largeBytes = 4_194_304;

/** At most this many objects are requested at a time. */
const objectsAtATime = 4_096;

/** A directory of our own for files that will be linked into the working tree; they are durable before that. */
export class Staging {
	readonly #repository: Repository;
	readonly directory: string;
	readonly #objects: ObjectStore;
	#sequence = 0;

	/** @param directory on the workspace's file system @param objects what is staged */
	constructor(repository: Repository, directory: string, objects: ObjectStore) {
		this.#repository = repository;
		this.#objects = objects;
		this.directory = directory;
	}

	get #files(): Files {
		return this.#repository.files;
	}

	/**
	 * A killed process, perhaps with our pid, has left its files: some are linked to live files, and writing to them
	 * would write through.
	 */
	clear(): void {
		this.remove();
		this.#files.makeTree(this.directory, 0o700);
	}

	remove(): void {
		this.#files.removeTree(this.directory);
	}

	/** A name that no other file here has. */
	nextFile(): string {
		return path.join(this.directory, String(this.#sequence++));
	}

	/** An empty list of staged files for these changes. */
	#listFor(changes: Items<TreeChange>): StagedFiles {
		return new StagedFiles(path.normalize(this.directory), changes.length);
	}

	/** Stages a file again here, from another file system. Durable. @returns its file */
	copyOf(file: string): string {
		const copy = this.nextFile();
		if (this.#files.lstat(file).isSymbolicLink()) {
			this.#files.symlink(this.#files.readlink(file), copy);
			return copy;
		}
		this.#files.copy(file, copy, true);
		const descriptor = this.#files.open(copy, O_RDONLY);
		try {
			this.#files.fsync(descriptor);
		} finally {
			this.#files.close(descriptor);
		}
		return copy;
	}

	/** Stages one content. @returns its file */
	async writeOne(content: Buffer, mode: string | undefined): Promise<string> {
		const file = this.nextFile();
		this.#files.writeFile(file, content, { mode: newFileBits(mode) });
		this.#files.markUnread(file);
		await this.#files.makeDurable([file], this.directory);
		return file;
	}

	/**
	 * Stages one side's contents in their form on disk. @param filters through git's filters and line-end rules
	 * @returns by index of the change, undefined if it has no file
	 */
	async write(changes: Items<TreeChange>, side: "before" | "after", filters: boolean): Promise<StagedFiles> {
		this.#files.makeTree(this.directory, 0o700);
		const isLink = (change: TreeChange) => change[side]?.mode === "120000";
		const indexes = new Column();
		for (const [index, change] of changes.entries())
			if (isFileMode(change[side]?.mode) && (!filters || isLink(change))) indexes.push(index);
		if (!filters) return await this.#writePlain(changes, side, indexes.numbers(), this.#listFor(changes));
		// A link has no filter; git would cut a target at a NUL.
		const files = await this.#writeFiltered(
			changes.map((change) => (isLink(change) ? { ...change, [side]: null } : change)),
			side,
		);
		return await this.#writePlain(changes, side, indexes.numbers(), files);
	}

	/** Writes the contents of the commit. @param indexes of the changes to write @param files the list to add them to */
	async #writePlain(changes: Items<TreeChange>, side: "before" | "after", indexes: Uint32Array, files: StagedFiles): Promise<StagedFiles> {
		const counter = new WorkCounter(this.#repository.onProgress, "writing files", indexes.length);
		const entryAt = (index: number) => (changes.at(index) as TreeChange)[side] as TreeEntry;
		const toSync: string[] = [];
		const large: number[] = [];
		const place = (index: number, mode: string): string => {
			const number = this.#sequence++;
			files.set(index, number);
			const file = files.at(index) as string;
			if (mode !== "120000") addUpToAll(toSync, file);
			return file;
		};
		const read = async (reader: Pick<ObjectReader, "infos" | "each">, some: readonly number[]) => {
			const entries = some.map((index) => ({ index, ...entryAt(index) }));
			const infos = await reader.infos(entries.map(({ oid }) => oid));
			const isLarge = (at: number) => (infos[at]?.size ?? 0) > largeBytes;
			for (const [at, { index }] of entries.entries()) if (isLarge(at)) large.push(index);
			const small = entries.filter((_, at) => !isLarge(at));
			await reader.each(
				small.map(({ oid }) => oid),
				(_info, found, at) => {
					const { index, mode, oid } = small[at] as (typeof small)[number];
					const [content, file] = [present(found, oid), place(index, mode)];
					counter.add();
					if (mode === "120000") {
						if (!makeLink(this.#files, content, file)) files.set(index, new ObstacleError("impossible-link"));
					} else {
						this.#files.writeFile(file, content, { mode: newFileBits(mode) });
						this.#files.markUnread(file);
					}
				},
			);
		};
		if (indexes.length > 0)
			await this.#objects.withReader(async (reader) => {
				for (let start = 0; start < indexes.length; start += objectsAtATime)
					await read(reader, [...indexes.subarray(start, start + objectsAtATime)]);
			});
		for (const index of large) {
			const { mode, oid } = entryAt(index);
			await this.#writeLarge(oid, place(index, mode), newFileBits(mode));
			counter.add();
		}
		counter.end();
		await this.#files.makeDurable(toSync, this.directory);
		return files;
	}

	/** git writes it itself: a large file need not pass through our memory. */
	async #writeLarge(oid: Oid, file: string, permissions: number): Promise<void> {
		const output = this.#files.open(file, O_WRONLY | O_CREAT | O_EXCL, permissions);
		try {
			await this.#objects.copyTo(oid, output);
		} catch (error) {
			// git reports the failed write, but not its cause: if the disk is full, our own write fails as well.
			this.#files.write(output, Buffer.alloc(65_536));
			throw error;
		} finally {
			this.#files.close(output);
		}
		this.#files.markUnread(file);
	}

	/** By an index of just these paths, checked out below this directory. A filter that fails concerns its file alone. */
	async #writeFiltered(changes: readonly TreeChange[], side: "before" | "after"): Promise<StagedFiles> {
		const directory = path.join(this.directory, side);
		const env = { GIT_INDEX_FILE: path.join(this.directory, `${side}.index`) };
		const entries = changes.map((change) => (isFileMode(change[side]?.mode) ? change[side] : null));
		const lines = changes.flatMap((change, index) =>
			entries[index] ? [Buffer.from(`${entries[index]?.mode} ${entries[index]?.oid}\t`), gitPathBytes(change.path), Buffer.of(0)] : [],
		);
		await this.#repository.run(["update-index", "-z", "--index-info"], { input: lines, env });
		const names = changes.flatMap((change, index) => (entries[index] ? [change.path] : []));
		await this.#checkOut(names, directory, env);
		const files = this.#listFor(changes);
		const toSync: string[] = [];
		for (const [index, change] of changes.entries()) {
			if (!entries[index]) continue;
			const flat = this.nextFile();
			try {
				this.#files.rename(Buffer.concat([Buffer.from(`${directory}/`), gitPathBytes(change.path)]), flat);
				if (entries[index]?.mode !== "120000") {
					this.#files.markUnread(flat);
					addUpToAll(toSync, flat);
				}
				files.set(index, flat);
			} catch (error) {
				const { code } = error as NodeJS.ErrnoException;
				if (code === "ENAMETOOLONG") files.set(index, new ObstacleError("name-too-long"));
				else if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
				else files.set(index, new ObstacleError(entries[index]?.mode === "120000" ? "impossible-link" : "filter-failed"));
			}
		}
		await this.#files.makeDurable(toSync, this.directory);
		return files;
	}

	/** git stops at a file whose filter fails: the others are checked out without it. */
	async #checkOut(names: readonly GitPath[], directory: string, env: Readonly<Record<string, string>>): Promise<void> {
		if (names.length === 0) return;
		try {
			await this.#repository.run(["checkout-index", "-q", "-f", "-z", "--stdin", `--prefix=${directory}/`], {
				env,
				input: gitPathList(names),
				onRunning: watchFiles(this.#repository, {
					what: "writing files",
					root: directory,
					names,
					before: 0,
					total: names.length,
					isMade: true,
				}),
			});
		} catch (error) {
			if (!(error instanceof GitError) || error.code === "DISK_FULL" || error.code === "GIT_TIMEOUT") throw error;
			if (names.length === 1) return;
			const middle = names.length >> 1;
			await this.#checkOut(names.slice(0, middle), directory, env);
			await this.#checkOut(names.slice(middle), directory, env);
		}
	}
}
