import type { Files } from "@robust-sync/system/files";
import type { Items } from "@robust-sync/system/items";
import { makeInheritingFile } from "../files/permissions.ts";
import type { TreeChange } from "../objects/diff.ts";
import { type GitPath, gitPathOf, parentOf } from "../paths/git-path.ts";
import type { Sites } from "./sites.ts";
import type { Staged, StagedFiles } from "./staged-files.ts";

/** Directories with defaults for new files: a group, or an access control list. The kernel applies them to a file that is made there. */
export class InheritingDirectories {
	#directories: ReadonlySet<GitPath | null> = new Set();
	readonly #files: Files;
	readonly #sites: Sites;

	constructor(files: Files, sites: Sites) {
		this.#files = files;
		this.#sites = sites;
	}

	/**
	 * Sets the directories of a checkout, and removes the file that a killed process has left in one: it would count as a program's.
	 * @param staged the staged files of the changes
	 */
	set(directories: ReadonlySet<GitPath | null>, changes: Items<TreeChange>, staged: StagedFiles): void {
		this.#directories = directories;
		for (const directory of directories) {
			try {
				const left = this.#newFileIn(directory);
				const stats = this.#files.lstatIfThere(left);
				if (!stats?.isFile()) continue;
				// After a power cut it may be the placed file as well, or hold what was written into it.
				if (stats.size === 0 || stats.nlink > 1 || this.#isStaged(left, directory, changes, staged)) this.#files.unlink(left);
			} catch {
				// The checkout of a file there meets the same error.
			}
		}
	}

	/** Applies the directory's defaults to a new file. @returns the staged file with them, with the same content; without defaults the same file */
	apply({ path: name, after }: TreeChange, staged: string): string {
		const directory = parentOf(name);
		if (!this.#directories.has(directory)) return staged;
		if (after?.mode === "120000" || this.#files.lstatIfThere(this.#sites.live(name)) !== null) return staged;
		const file = this.#sites.of(name).staging.nextFile();
		if (!makeInheritingFile(this.#files, this.#newFileIn(directory), file, after?.mode)) return staged;
		this.#files.writeFile(file, this.#files.readUnseen(staged), { isDurable: true });
		this.#files.markUnread(file);
		return file;
	}

	/** The file of ours that gets a directory's defaults, for a moment. */
	#newFileIn(directory: GitPath | null): Buffer {
		return this.#sites.live(gitPathOf(directory === null ? ".robust-sync-new" : `${directory}/.robust-sync-new`));
	}

	/** Whether a file holds what was staged for a file in its directory. */
	#isStaged(file: Buffer, directory: GitPath | null, changes: Items<TreeChange>, staged: StagedFiles): boolean {
		for (const [index, { path }] of changes.entries())
			if (parentOf(path) === directory && this.#holdsStaged(file, staged.at(index))) return true;
		return false;
	}

	/** Whether a file holds what was staged; after a power cut some of it may be zeros. */
	#holdsStaged(file: Buffer, staged: Staged | undefined): boolean {
		if (typeof staged !== "string" || this.#files.lstatIfThere(staged)?.size !== this.#files.lstatIfThere(file)?.size) return false;
		const content = this.#files.readUnseen(staged);
		return this.#files.readUnseen(file).every((byte, index) => byte === 0 || byte === content[index]);
	}
}
