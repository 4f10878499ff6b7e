import type { FileStats, Files } from "@robust-sync/system/files";
import { isFileMode } from "../files/disk-file.ts";
import { type Found, isContent, isGone, readContent } from "../files/on-disk.ts";
import type { TreeChange } from "../objects/diff.ts";
import type { TreeEntry } from "../objects/merge-tree.ts";
import { blobOid } from "../objects/objects.ts";
import { beneath } from "../paths/beneath.ts";
import { conflictCopyPath } from "../paths/conflict-copy.ts";
import { directoriesAbove, fileSystemPath, type GitPath } from "../paths/git-path.ts";
import type { Oid, Repository } from "../process/repository.ts";
import type { ExpectedVersions, Versions } from "./expected-versions.ts";
import { KeptFiles } from "./kept-files.ts";
import type { PlacedVersions } from "./placed-versions.ts";
import type { Sites } from "./sites.ts";

/** The number of tries beside directories that a program keeps removing. */
const maxAttempts = 100;
/** No file has this time: a kept file that is recorded with it is checked once. */
const unseenMs = 0;

/** The files that a checkout removes from the working tree: each is in the backup, and recorded as expected or as a foreign write. */
export class TakenFiles {
	readonly kept: KeptFiles;
	/** Paths that a program wrote to meanwhile. */
	readonly rescued: GitPath[] = [];
	readonly #repository: Repository;
	readonly #sites: Sites;
	readonly #expected: ExpectedVersions;
	readonly #placedVersions: PlacedVersions | null;

	constructor(repository: Repository, sites: Sites, expected: ExpectedVersions, placedVersions: PlacedVersions | null) {
		this.kept = new KeptFiles(repository.files, (name) => sites.of(name), repository.objectFormat);
		this.#repository = repository;
		this.#sites = sites;
		this.#expected = expected;
		this.#placedVersions = placedVersions;
	}

	get #files(): Files {
		return this.#repository.files;
	}

	/** Renames the file at `name` into the backup. False: there is none, or it is a directory, pipe, socket or device, which stays. */
	take(name: GitPath, destination: Buffer): boolean {
		const live = this.#sites.live(name);
		const stats = this.#files.lstatIfThere(live);
		if (!isContent(stats)) return false;
		this.#sites.of(name).backup.makeParents(destination);
		try {
			this.#files.rename(live, destination);
			return true;
		} catch (error) {
			if (isGone(error)) return false;
			throw error;
		}
	}

	/** Links a removed file to its path again. False: a newer file is there, or a program has removed the directory. */
	relink(name: GitPath, file: Buffer): boolean {
		try {
			this.#files.link(file, this.#sites.live(name));
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			if (code === "ENOENT") return false;
			if (code !== "EEXIST") throw error;
			return this.finishReturn(name, file);
		}
		this.#endReturn(name, file);
		return true;
	}

	#endReturn(name: GitPath, file: Buffer): void {
		// In a power cut, the removal may be on disk without the link.
		const live = this.#sites.live(name);
		this.#files.makeDurableNow(live.subarray(0, live.lastIndexOf(0x2f)));
		this.#files.unlink(file);
	}

	/** Finishes the return of a file to its path, in which a process was killed. @returns whether it was being returned: it is not taken any more */
	finishReturn(name: GitPath, file: Buffer): boolean {
		const stats = this.#files.lstatIfThere(file);
		const live = this.#files.lstatIfThere(this.#sites.live(name));
		// Another file system may be mounted there by now.
		if (!isContent(stats) || live?.ino !== stats.ino || live.dev !== stats.dev) return false;
		this.#endReturn(name, file);
		return true;
	}

	/** Records a removed file: as expected, or as a foreign write. */
	note(change: TreeChange, file: Buffer, versions: Versions | null, isAddition = false): void {
		const stats = this.#files.lstatIfThere(file);
		if (stats?.isDirectory()) this.#keepDirectoryBeside(change.path, file);
		const content = stats ? readContent(this.#files, file, stats) : null;
		if (!stats || content === null) return;
		if (this.#expected.isExpected(change, content, stats, versions)) this.noteExpected(change, file, { content, stats }, versions);
		else this.observe(change, file, versions, isAddition);
	}

	/**
	 * A file that came out of a swap is not the expected one: a program wrote it a moment before, from the expected version. It
	 * stays in the backup, where the next check of the kept files finds it and commits it on its base.
	 */
	observe(change: TreeChange, file: Buffer, versions: Versions | null, isAddition: boolean): void {
		const { path: name, before } = change;
		const stats = this.#cutHardLinks(name, file, this.#files.lstat(file));
		const expected = versions?.before ? this.kept.idOf(versions.before) : isFileMode(before?.mode) ? (before as TreeEntry).oid : null;
		// A program that opens, appends and closes has made a new file while the path was empty.
		const base = isAddition || expected === null ? this.kept.idOf(Buffer.alloc(0)) : expected;
		this.kept.note(name, file, base, this.incomingId(change, versions), { stats }).mtimeMs = unseenMs;
		this.rescued.push(name);
	}

	/** Records a removed file as expected. @param found its state before it was read: a write since then is a late write */
	noteExpected(change: TreeChange, file: Buffer, { content, stats: found }: Found, versions: Versions | null): void {
		const { path: name, before } = change;
		const now = this.#files.lstat(file);
		const stats = this.#cutHardLinks(name, file, now);
		const oid = versions ? this.kept.idOf(content) : (before?.oid ?? "");
		const note = this.kept.note(name, file, oid, this.incomingId(change, versions), { stats });
		note.size = content.length;
		if (now.mtimeMs !== found.mtimeMs) note.mtimeMs = unseenMs;
	}

	/**
	 * Calls `work`, which records a removed file. If that fails, the file is recorded as not read yet, so that the check of the kept files does it; a
	 * directory returns to its place.
	 * @param ours the file of ours that a swap links to the same name first @throws what `work` throws
	 */
	async orUnread<T>(
		change: TreeChange,
		file: Buffer,
		versions: Versions | null,
		ours: string | null,
		work: () => T | Promise<T>,
	): Promise<T> {
		try {
			return await work();
		} catch (error) {
			const taken = this.#kindOfTaken(file, ours);
			if (taken === "file") this.#noteUnread(change, file, versions);
			else if (taken === "directory") this.#returnDirectory(change.path, file);
			throw error;
		}
	}

	#kindOfTaken(file: Buffer, ours: string | null): "file" | "directory" | null {
		try {
			const stats = this.#files.lstatIfThere(file);
			if (stats === null || (ours !== null && stats.ino === this.#files.lstatIfThere(ours)?.ino)) return null;
			return stats.isDirectory() ? "directory" : "file";
		} catch {
			// Unknown: a record of what is no file does no harm.
			return "file";
		}
	}

	#returnDirectory(name: GitPath, directory: Buffer): void {
		try {
			this.#files.rename(directory, this.#sites.live(name));
		} catch {
			this.#keepDirectoryBeside(name, directory);
		}
	}

	#noteUnread(change: TreeChange, file: Buffer, versions: Versions | null): void {
		const { path: name, before } = change;
		if (this.kept.has(name, file)) return;
		const base = versions?.before ? this.kept.idOf(versions.before) : isFileMode(before?.mode) ? (before as TreeEntry).oid : null;
		const stats = { size: 0, mtimeMs: unseenMs };
		this.kept.note(name, file, base ?? this.kept.idOf(Buffer.alloc(0)), this.incomingId(change, versions), { stats });
		this.rescued.push(name);
	}

	incomingId({ after }: TreeChange, versions: Versions | null): Oid | null {
		if (versions?.incoming) return this.kept.idOf(versions.incoming);
		return isFileMode(after?.mode) ? (after?.oid ?? null) : null;
	}

	/** Copies a file that has other hard links: later writes through those names do not concern this path. @returns the stats of the file in the backup */
	#cutHardLinks(name: GitPath, file: Buffer, stats: FileStats): FileStats {
		if (!stats.isFile() || stats.nlink === 1) return stats;
		// A program may have moved a file here that we have just placed elsewhere. It may also have it open: a copy would not get what it writes.
		const own = this.#sites.placedNow.has(String(stats.ino)) ? 2 : 1;
		if (stats.nlink === 1 + own && this.#placedVersions?.has(file) === true) return stats;
		// Whole or not at all: in the backup, part of it would be a program's write.
		const copy = this.#sites.of(name).staging.nextFile();
		this.#files.copy(file, copy, true);
		this.#files.makeDurableNow(copy);
		this.#files.utimes(copy, stats.atimeMs / 1000, stats.mtimeMs / 1000);
		this.#files.rename(copy, file);
		return this.#files.lstat(file);
	}

	/** A process was killed while it held a directory: that is placed beside the file now. */
	#keepDirectoryBeside(name: GitPath, directory: Buffer): void {
		const { root, files, objectFormat } = this.#repository;
		const id = blobOid(Buffer.from(String(files.lstat(directory).ino)), objectFormat);
		// A program may have removed the directories above, or replaced one by a file.
		const isReplaced = (above: GitPath) => files.lstatIfThere(fileSystemPath(root, above))?.isDirectory() === false;
		this.rescued.push(name);
		for (let attempt = 1; ; attempt++) {
			const free = directoriesAbove(name).find(isReplaced) ?? name;
			try {
				beneath(root, conflictCopyPath(free, id), (beside) => files.rename(directory, beside), { makeParents: true, files });
				return;
			} catch (error) {
				if (!isGone(error) || attempt >= maxAttempts) throw error;
			}
		}
	}
}
