import { addUpToAll, type Files, fsyncEachUpTo } from "@robust-sync/system/files";
import type { TreeChange } from "../objects/diff.ts";
import { directoriesAbove, fileSystemPath, type GitPath } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";
import type { Sites } from "./sites.ts";

/**
 * Makes what a checkout changes outlive a power cut. Before a file is moved, the directories of its backup are durable; before the checkout is
 * complete (its journal is removed, and branch and index are at the new commit), the names that it has placed and removed are. Otherwise
 * the old files could be back, and would count as a program's.
 */
export class DurableChanges {
	readonly #repository: Repository;
	readonly #sites: Sites;
	/** By the top of a file system: staged files whose permission bits have changed since they were made durable. */
	readonly #changedModes = new Map<GitPath | null, string[]>();

	constructor(repository: Repository, sites: Sites) {
		this.#repository = repository;
		this.#sites = sites;
	}

	get #files(): Files {
		return this.#repository.files;
	}

	/** The permission bits of a staged file were changed. */
	noteMode(top: GitPath | null, staged: string): void {
		const noted = this.#changedModes.get(top) ?? [];
		this.#changedModes.set(top, noted);
		addUpToAll(noted, staged);
	}

	/** Call it before the first file is moved. @returns the number of paths whose old file has a place */
	async prepare(changes: Iterable<TreeChange>, isLeft: (name: GitPath) => boolean): Promise<number> {
		const changed = new Map<GitPath | null, Buffer[]>();
		let prepared = 0;
		for (const { path: name, before } of changes) {
			if (before === null || before.mode === "160000" || isLeft(name)) continue;
			const top = this.#sites.stores.topOf(name);
			const some = changed.get(top) ?? [];
			changed.set(top, some);
			if (top !== null) this.#sites.backup.makeDurably();
			try {
				this.#sites.of(name).backup.prepare(name, some);
				prepared++;
			} catch {
				// The file system of a path keeps no files: the path is held.
			}
		}
		for (const [top, some] of changed) await this.#files.makeChangesDurable(some, this.#directoryOf(top));
		return prepared;
	}

	/** Call it when all is in its place. */
	async complete(changes: Iterable<TreeChange>): Promise<void> {
		// null: the top of the working tree.
		const directories = new Map<GitPath | null, Set<GitPath | null>>();
		for (const { path: name } of changes) {
			const top = this.#sites.stores.topOf(name);
			const some = directories.get(top) ?? new Set();
			directories.set(top, some);
			if (some.size > fsyncEachUpTo) continue;
			some.add(null);
			// Those that were made, or removed, are names in the ones above them.
			for (const above of directoriesAbove(name)) some.add(above);
		}
		for (const [top, some] of directories) {
			const { root } = this.#repository;
			const names = [...some].map((name) => (name === null ? root : fileSystemPath(root, name)));
			await this.#files.makeChangesDurable([...names, ...(this.#changedModes.get(top) ?? [])], this.#directoryOf(top));
		}
	}

	#directoryOf(top: GitPath | null): string {
		const { root } = this.#repository;
		return top === null ? root : fileSystemPath(root, top).toString();
	}
}
