import type { Files } from "@robust-sync/system/files";
import { ObstacleError } from "../files/obstacle.ts";
import { isGone, isSpecial, readContent } from "../files/on-disk.ts";
import { hasOtherName } from "../files/other-name.ts";
import type { TreeChange } from "../objects/diff.ts";
import { blobOid } from "../objects/objects.ts";
import { beneath } from "../paths/beneath.ts";
import { conflictCopyPath } from "../paths/conflict-copy.ts";
import { directoriesAbove, type GitPath } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";
import type { Sites } from "./sites.ts";
import type { TakenFiles } from "./taken-files.ts";

/** The number of tries at directories that a program keeps replacing. */
const maxAttempts = 100;

/** Whether a path above is no directory any more, or a new one is there already. */
function isReplaced(error: unknown): boolean {
	return ["EEXIST", "ELOOP", "ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}

/** Resolves files in the place of a directory, and directories in the place of a file. */
export class WayMaker {
	readonly #repository: Repository;
	readonly #sites: Sites;
	readonly #taken: TakenFiles;
	/** Working-tree directories known to exist. */
	readonly #directories = new Set<GitPath>();

	constructor(repository: Repository, sites: Sites, taken: TakenFiles) {
		this.#repository = repository;
		this.#sites = sites;
		this.#taken = taken;
	}

	get #files(): Files {
		return this.#repository.files;
	}

	/** A submodule is an empty directory until a person fills it. */
	placeSubmodule(name: GitPath): void {
		this.clearParents(name);
		const live = this.#sites.live(name);
		const stats = this.#files.lstatIfThere(live);
		if ((stats !== null && !stats.isDirectory()) || hasOtherName(this.#files, live)) throw new ObstacleError("in-the-way");
		if (stats === null) this.#files.mkdir(live);
	}

	/** The directories above `name` are not those of before: a program has removed or replaced one. Makes them again. */
	clearParentsAgain(name: GitPath): void {
		this.#forgetAbove(name);
		this.clearParents(name);
	}

	#forgetAbove(name: GitPath): void {
		for (const directory of directoriesAbove(name)) this.#directories.delete(directory);
		this.#sites.closePlace();
	}

	/** Makes the directories above `name`; a file or link in the place of one is renamed. */
	clearParents(name: GitPath): void {
		for (let attempt = 1; ; attempt++) {
			try {
				this.#makeParents(name);
				return;
			} catch (error) {
				// A program has removed or replaced a known directory, or made the missing one.
				if (!isReplaced(error) || attempt >= maxAttempts) throw error;
				this.#forgetAbove(name);
			}
		}
	}

	#makeParents(name: GitPath): void {
		const { root, objectFormat, files } = this.#repository;
		for (const directory of directoriesAbove(name)) {
			if (this.#directories.has(directory)) continue;
			this.#sites.closePlace();
			beneath(
				root,
				directory,
				(live) => {
					const stats = this.#files.lstatIfThere(live);
					if (isSpecial(this.#files, live) || hasOtherName(this.#files, live)) throw new ObstacleError("in-the-way");
					if (stats && !stats.isDirectory()) {
						const content = readContent(this.#files, live, stats) ?? Buffer.alloc(0);
						beneath(root, conflictCopyPath(directory, blobOid(content, objectFormat)), (beside) => files.rename(live, beside), { files });
						this.#taken.rescued.push(directory);
					}
					if (!stats?.isDirectory()) this.#files.mkdir(live);
				},
				{ files },
			);
			this.#directories.add(directory);
		}
	}

	/** Removes a directory in the place of a file if it and all below are empty. */
	removeEmptyTree(directory: Buffer): boolean {
		try {
			for (const name of this.#files.readdir(directory)) {
				const below = Buffer.concat([directory, Buffer.from("/"), name]);
				if (!this.#files.lstatIfThere(below)?.isDirectory() || !this.removeEmptyTree(below)) return false;
			}
			this.#files.rmdir(directory);
			return true;
		} catch {
			return false;
		}
	}

	/**
	 * The directory keeps the name; the incoming file is placed beside it, and the next snapshot commits that.
	 * @returns false: the directories above are gone
	 */
	placeConflictCopy(change: TreeChange, staged: string): boolean {
		const beside = this.#sites.live(conflictCopyPath(change.path, change.after?.oid ?? ""));
		try {
			if (!this.#files.lstatIfThere(beside)) this.#files.link(staged, beside);
		} catch (error) {
			if (!isGone(error)) throw error;
			return false;
		}
		this.#taken.rescued.push(change.path);
		return true;
	}
}
