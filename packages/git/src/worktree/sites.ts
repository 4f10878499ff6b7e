import path from "node:path";
import { isGone } from "../files/on-disk.ts";
import { hasOtherNameBelow } from "../files/other-name.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import { type HeldPlace, openBeneath } from "../paths/beneath.ts";
import type { GitPath } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";
import { BackupDirectory } from "./backup-directory.ts";
import type { CheckoutOptions } from "./checkout-options.ts";
import { MountStores } from "./mount-store.ts";
import { Staging } from "./staging.ts";

/** A path that never exists. */
const nowhere = Buffer.from("/proc/self/nowhere/at/all");

/** The staging and backup directories of one file system. */
export interface Site {
	/** The directory at its top; null: the workspace's own. */
	readonly top: GitPath | null;
	readonly staging: Staging;
	readonly backup: BackupDirectory;
}

/** The sites of a checkout: for each path the file itself, and the directories for its staged and kept versions. */
export class Sites {
	readonly staging: Staging;
	readonly backup: BackupDirectory;
	readonly stores: MountStores;
	/** The inodes of files that this checkout has placed, and that have a link in `versions`: until its end they have one in the staging directory, too. */
	readonly placedNow = new Set<string>();
	readonly #repository: Repository;
	readonly #objects: ObjectStore;
	readonly #backupName: string;
	readonly #sites = new Map<GitPath | null, Site>();
	/** The current path, with its directory held open. */
	#open: { readonly name: GitPath; readonly place: HeldPlace } | null = null;

	constructor(repository: Repository, places: Pick<CheckoutOptions, "staging" | "backup" | "mounts">, objects: ObjectStore) {
		this.#repository = repository;
		this.#objects = objects;
		this.#backupName = path.basename(places.backup);
		this.staging = new Staging(repository, path.join(places.staging, String(process.pid)), objects);
		this.backup = new BackupDirectory(repository.files, places.backup);
		this.stores = new MountStores(repository, places.mounts ?? [], path.dirname(places.backup));
		this.#sites.set(null, { top: null, staging: this.staging, backup: this.backup });
	}

	/** The site of a path. @throws ObstacleError other-file-system; the file system's error */
	of(name: GitPath): Site {
		const top = this.stores.topOf(name);
		const known = this.#sites.get(top);
		if (known !== undefined || top === null) return known as Site;
		const store = this.stores.open(top);
		const staging = new Staging(this.#repository, path.join(store, "staging", String(process.pid)), this.#objects);
		staging.clear();
		const backup = new BackupDirectory(this.#repository.files, path.join(store, "backups", this.#backupName));
		const site = { top, staging, backup };
		this.#sites.set(top, site);
		return site;
	}

	/** The staged file, on the file system of its path. */
	stagedFor(name: GitPath, file: string): string {
		const { top, staging } = this.of(name);
		return top === null ? file : staging.copyOf(file);
	}

	/**
	 * Names the file at a path by its open directory: a later change above it by a commit or another user cannot redirect us.
	 * If a link, a file or nothing is above the path, nothing is at the path.
	 */
	live(name: GitPath): Buffer {
		if (this.#open?.name === name) return this.#open.place.file;
		this.closePlace();
		try {
			const place = openBeneath(this.#repository.root, name, { files: this.#repository.files });
			this.#open = { name, place };
			return place.file;
		} catch (error) {
			if (!isGone(error) && !["ELOOP", "ENAMETOOLONG"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
			return nowhere;
		}
	}

	/** Whether the file at a path, or a directory above it, has another name: then nothing is at the path. */
	hasOtherName(name: GitPath): boolean {
		return hasOtherNameBelow(this.#repository, name);
	}

	/** Call it when the directories above a path may have been replaced. */
	closePlace(): void {
		this.#open?.place.close();
		this.#open = null;
	}

	/** Closes open directories, and removes staged files. */
	close(): void {
		this.closePlace();
		this.staging.remove();
		for (const { top, backup } of this.#sites.values()) if (top !== null) backup.removeEmpty();
		this.stores.close();
	}
}
