import path from "node:path";
import type { Files } from "@robust-sync/system/files";
import { Mounts } from "../files/mounts.ts";
import { canLink, ObstacleError } from "../files/obstacle.ts";
import { openBeneath } from "../paths/beneath.ts";
import { type GitPath, gitPathOf, mountStoreName } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";

// Neither link(2) nor rename(2) crosses file systems: files of one that is mounted below the workspace are staged and kept
// in a directory of ours at its top. A `.gitignore` of its own hides it from git.

/** The store of a file system below the workspace, made and checked. */
interface Store {
	readonly directory: string;
	close(): void;
}

/** Stores of the file systems below the workspace, opened on demand. */
export class MountStores {
	readonly #files: Files;
	readonly #root: string;
	readonly #mounts: Mounts;
	readonly #backups: string;
	readonly #stores = new Map<GitPath, Store>();

	/**
	 * @param mounts mount points below the workspace: a bind mount has the same device number, but link(2) refuses it
	 * @param backups the directory of all backups on the workspace's file system: a store's files for a removed backup are removed
	 */
	constructor({ root, files }: Pick<Repository, "root" | "files">, mounts: Iterable<GitPath>, backups: string) {
		this.#root = root;
		this.#files = files;
		this.#mounts = new Mounts({ root, files }, new Set(mounts));
		this.#backups = backups;
	}

	/** The top of the file system of a path's directory; null: the workspace's own. */
	topOf(name: GitPath): GitPath | null {
		return this.#mounts.of(name).top;
	}

	/** Whether a path is a store of ours, or in one: a commit's files there are not placed. */
	isInside(name: GitPath): boolean {
		const top = this.topOf(name);
		if (top === null) return false;
		const store = `${top}/${mountStoreName}`;
		return name === store || name.startsWith(`${store}/`);
	}

	/**
	 * The store at a top, for this process; it stays the same directory even if the path changes.
	 * @throws ObstacleError other-file-system: others can write to the store's directory; no-hard-links; the file system's error
	 */
	open(top: GitPath): string {
		const known = this.#stores.get(top);
		if (known) return known.directory;
		const place = openBeneath(this.#root, gitPathOf(`${top}/${mountStoreName}/x`), { makeParents: true, mode: 0o700, files: this.#files });
		try {
			const directory = place.file.subarray(0, -2).toString();
			const stats = this.#files.stat(`${directory}/.`);
			const isOurs = stats.uid === process.geteuid?.();
			// Other users with write permission could replace staged files. A file system without permissions (exfat, vfat) has no hard links either.
			if (!isOurs || (stats.mode & 0o022) !== 0)
				throw new ObstacleError(isOurs && !hasLinks(this.#files, directory) ? "no-hard-links" : "other-file-system");
			writeIfEmpty(this.#files, `${directory}/.gitignore`, "*\n");
			this.#files.removeTree(`${directory}/staging`);
			this.#removeOrphans(`${directory}/backups`);
			this.#stores.set(top, { directory, close: place.close });
			return directory;
		} catch (error) {
			place.close();
			throw error;
		}
	}

	/** Removes the staged files, and forgets the stores. */
	close(): void {
		for (const { directory, close } of this.#stores.values()) {
			this.#files.removeTree(`${directory}/staging`);
			close();
		}
		this.#stores.clear();
		this.#mounts.clear();
	}

	#removeOrphans(backups: string): void {
		if (!this.#files.exists(backups)) return;
		for (const name of this.#files.readdir(backups).map(String))
			if (!this.#files.exists(path.join(this.#backups, name))) this.#files.removeTree(path.join(backups, name));
	}
}

/** Whether files in a directory of ours can have hard links. */
function hasLinks(files: Files, directory: string): boolean {
	const file = `${directory}/.probe-${process.pid}`;
	files.unlinkIfThere(file);
	files.writeFile(file, Buffer.alloc(0), { isNew: true });
	try {
		return canLink(files, file, `${file}-link`);
	} finally {
		files.unlinkIfThere(file);
	}
}

/** Writes a file that is missing, or that a killed process has made and not written. */
function writeIfEmpty(files: Files, file: string, text: string): void {
	const stats = files.lstatIfThere(file);
	if (stats === null || (stats.isFile() && stats.size === 0)) files.writeFile(file, Buffer.from(text), { mode: 0o600 });
}
