import path from "node:path";
import { addUpToAll, type FileName, type Files } from "@robust-sync/system/files";
import { type GitPath, gitPath, gitPathBytes } from "../paths/git-path.ts";

/** A directory below `late/`: `<number>`, or `<number>-<inode of our file that was linked there>`. */
interface LateDirectory {
	readonly directory: string;
	readonly number: number;
	readonly inode: string | undefined;
}

function lateDirectory(directory: string): LateDirectory {
	const [number, inode] = directory.split("-");
	return { directory, number: Number(number), inode };
}

function parentBytes(file: Buffer): Buffer {
	return file.subarray(0, file.lastIndexOf(0x2f));
}

/**
 * The files that a checkout removes from the working tree: `files/<path>` the first one at a path, `late/<number>/<path>` all later
 * ones.
 */
export class BackupDirectory {
	readonly directory: string;
	readonly #files: Files;
	/** The entries of an interrupted checkout below `late/`, in their order. */
	readonly #lateBefore: readonly LateDirectory[];
	#lateSequence: number;
	readonly #made = new Set<string>();
	/** Directories in which one was made, and is not durable yet; null: each is made durable at once. */
	#changed: Buffer[] | null = null;

	/** @param directory made on demand */
	constructor(files: Files, directory: string) {
		this.#files = files;
		this.directory = directory;
		const late = path.join(directory, "late");
		this.#lateBefore = files.exists(late)
			? files
					.readdir(late)
					.map((name) => lateDirectory(name.toString()))
					.sort((a, b) => a.number - b.number)
			: [];
		this.#lateSequence = (this.#lateBefore.at(-1)?.number ?? -1) + 1;
	}

	#below(directory: string, name: GitPath): Buffer {
		return Buffer.concat([Buffer.from(`${this.directory}/${directory}/`), gitPathBytes(name)]);
	}

	/** For the first file at a path. */
	first(name: GitPath): Buffer {
		return this.#below("files", name);
	}

	/**
	 * For every further file that is removed at a path.
	 * @param ours a file of ours that is linked there for a swap: after a crash its inode identifies it as ours
	 */
	nextLate(name: GitPath, ours?: FileName): Buffer {
		const inode = ours === undefined ? "" : `-${this.#files.lstat(ours).ino}`;
		return this.#below(`late/${this.#lateSequence++}${inode}`, name);
	}

	/**
	 * The files that an interrupted checkout removed at a path, and the file of ours that it would have placed. In the order of removal.
	 */
	takenBefore(name: GitPath): { readonly file: Buffer; readonly isOurs: boolean }[] {
		const late = this.#lateBefore.map(({ directory, inode }) => ({ file: this.#below(`late/${directory}`, name), inode }));
		return [{ file: this.first(name), inode: undefined }, ...late].flatMap(({ file, inode }) => {
			const stats = this.#files.lstatIfThere(file);
			// Made for what is below it in the old commit.
			if (stats?.isDirectory() && this.#made.has(file.toString("latin1"))) return [];
			return stats ? [{ file, isOurs: String(stats.ino) === inode }] : [];
		});
	}

	/** The path of a file of this directory, from here. */
	pathBelow(file: Buffer): GitPath {
		return gitPath(file.subarray(Buffer.byteLength(this.directory) + 1));
	}

	/**
	 * Makes the directories above the first file at a path: what is moved there must not vanish with them in a power cut. If that is impossible, its
	 * checkout meets the same error.
	 * @param changed gets the directories to make durable
	 */
	prepare(name: GitPath, changed: Buffer[]): void {
		this.#changed = changed;
		try {
			this.makeParents(this.first(name));
		} catch {
			// As above.
		} finally {
			this.#changed = null;
		}
	}

	/** Makes this directory itself, durably: without the workspace's one, the store of another file system loses its files (MountStores). */
	makeDurably(): void {
		this.#make(Buffer.from(this.directory));
	}

	/** Makes the directories above a file of this directory, durably. */
	makeParents(file: Buffer): void {
		this.#make(parentBytes(file));
	}

	/** Removes empty directories. @param withTop also this one, if it has no file */
	removeEmpty(withTop = true): void {
		const remove = (directory: Buffer) => {
			for (const name of this.#files.readdir(directory)) {
				const below = Buffer.concat([directory, Buffer.from("/"), name]);
				if (this.#files.lstatIfThere(below)?.isDirectory()) remove(below);
			}
			if (!withTop && directory.length === Buffer.byteLength(this.directory)) return;
			try {
				this.#files.rmdir(directory);
			} catch {
				// It is not empty.
			}
		};
		if (this.#files.exists(this.directory)) remove(Buffer.from(this.directory));
	}

	#make(directory: Buffer): void {
		const key = directory.toString("latin1");
		if (this.#made.has(key)) return;
		if (directory.length > Buffer.byteLength(this.directory)) this.#make(parentBytes(directory));
		// The recursive mode of node:fs decodes names; this function keeps their bytes.
		try {
			this.#files.mkdir(directory, 0o700);
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			if (code === "ENOENT") {
				this.#make(parentBytes(directory));
				this.#files.mkdir(directory, 0o700);
			} else if (code !== "EEXIST") throw error;
		}
		this.#made.add(key);
		// Also one that is there: the process that made it may have ended before it was durable.
		const above = parentBytes(directory);
		if (this.#changed) addUpToAll(this.#changed, above);
		else this.#files.makeDurableNow(above);
	}
}
