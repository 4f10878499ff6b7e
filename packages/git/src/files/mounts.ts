import { directoriesAbove, fileSystemPath, type GitPath } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";

/** The file system that a directory is on: the directory at its top (null: the workspace's own), and its device (null: it is missing). */
export interface Mount {
	readonly top: GitPath | null;
	readonly device: number | null;
}

/** The file systems of a working tree's directories. Each directory is looked up once: use it for a short time. */
export class Mounts {
	readonly #repository: Pick<Repository, "root" | "files">;
	readonly #mounts: ReadonlySet<GitPath>;
	readonly #known = new Map<GitPath, Mount>();
	#own: Mount | null = null;

	/** @param mounts mount points below the workspace: a bind mount has the same device number */
	constructor(repository: Pick<Repository, "root" | "files">, mounts: ReadonlySet<GitPath> = new Set()) {
		this.#repository = repository;
		this.#mounts = mounts;
	}

	/** The workspace's own. */
	get own(): Mount {
		this.#own ??= { top: null, device: this.#repository.files.stat(this.#repository.root).dev };
		return this.#own;
	}

	/** The file system of a path's directory, or of the lowest one above it that exists. */
	of(name: GitPath): Mount {
		let above = this.own;
		for (const directory of directoriesAbove(name)) {
			let found = this.#known.get(directory);
			if (found === undefined) {
				const device = this.#deviceOf(directory);
				const isTop = this.#mounts.has(directory) || (device !== null && device !== above.device);
				found = { top: isTop ? directory : above.top, device };
				this.#known.set(directory, found);
			}
			// Below a missing directory nothing exists.
			if (found.device === null) return { top: found.top, device: above.device };
			above = found;
		}
		return above;
	}

	#deviceOf(directory: GitPath): number | null {
		try {
			return this.#repository.files.lstatIfThere(fileSystemPath(this.#repository.root, directory))?.dev ?? null;
		} catch {
			return null;
		}
	}

	/** Forgets what was looked up. */
	clear(): void {
		this.#known.clear();
	}
}
