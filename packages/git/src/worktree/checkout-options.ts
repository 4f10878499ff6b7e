import type fs from "node:fs";
import type { FileExchanger } from "../files/exchange-files.ts";
import type { Obstacle } from "../files/obstacle.ts";
import type { IndexFlags } from "../index/index-flags.ts";
import type { TreeChange } from "../objects/diff.ts";
import type { KnownContents } from "../objects/known-contents.ts";
import type { GitPath } from "../paths/git-path.ts";
import type { Oid } from "../process/repository.ts";
import type { FilteredFile } from "./expected-versions.ts";
import type { KeptFile } from "./kept-files.ts";
import type { PlacedVersion } from "./placed-versions.ts";

export interface MoveOptions {
	/** Where HEAD is; null: no commit yet. */
	from: Oid | null;
	to: Oid;
	/** The branch to move, as a full ref name; null: no branch moves, only files and index. */
	ref: string | null;
	/** Where the branch is, when that is not `from`. */
	branchAt?: Oid | null;
	/** A directory of our own on the workspace's file system, emptied afterwards. */
	staging: string;
	/** Takes the files that are replaced, under their paths below `files/`. Made when needed; kept. */
	backup: string;
	/** Mount points below the workspace: their files are staged and kept on its own file system (mount-store.ts). */
	mounts?: Iterable<GitPath>;
	/** A directory of our own for second links to what is put in place (placed-versions.ts). */
	versions?: string;
	/** Keeps such links; else it is unknown later what was read. */
	keepsVersions?: boolean;
	/** Paths that are no part of the working tree, whatever the commits say: they are left as they are. */
	isOwn?(name: GitPath): boolean;
	/** Contents that need not be read from the repository. */
	contents?: KnownContents;
	/** A move that was interrupted is taken up again: the backup may hold files already. */
	resume?: boolean;
	/** Merges what a filter keeps local in a file into its incoming content; without it, the incoming content is placed as it is. */
	mergeFiltered?(file: FilteredFile): Promise<Buffer>;
	/** Whether a file that appeared while the path was empty is an addition to `before`, and not all that should be left. */
	isAddition?(path: GitPath, before: Buffer, written: Buffer): boolean;
	/** These changes, and not those between two commits: index and branch stay. */
	changes?: TreeChange[];
	/** Paths that earlier moves held, as changes from what their writers have read to what HEAD has. */
	held?: readonly TreeChange[];
	/** Held paths whose index bits a move has set, not the user. */
	ownBits?: ReadonlySet<GitPath>;
	/** Tries the held paths again, also where nothing comes in for them. */
	retryHeld?: boolean;
	/**
	 * Decides before anything is touched which paths stay untouched, because their local content must not leave this node or their file
	 * system is missing. @param flags index bits of the changed paths
	 */
	keepLocal?(changes: readonly TreeChange[], flags: ReadonlyMap<GitPath, IndexFlags>): Promise<ReadonlyMap<GitPath, IndexFlags | null>>;
	/** Called before the index moves on, with the paths that could not be placed or removed, for the caller to note them durably. */
	onHeld?(held: readonly HeldChange[], changes: readonly TreeChange[]): Promise<void>;
	/** Called before each durable step with its name, and after each swap; throws to stop there. */
	checkpoint?(step: "staged" | "file" | "swap" | "swapped" | "files" | "index" | "ref"): void;
	/** Swaps files; one of its own by default. */
	exchanger?(): FileExchanger;
}

/** A path that was left as it is, and why. Index and branch have moved on all the same. */
export interface HeldChange extends TreeChange {
	readonly obstacle: Obstacle;
	/** The file on disk, where it is known to be as `before` (`statStamp`); null: it has to be compared. */
	readonly seen: string | null;
}

export interface MoveReport {
	readonly changes: readonly TreeChange[];
	readonly kept: readonly KeptFile[];
	/** Paths that a program wrote to meanwhile: the next snapshot and the next check of the kept files find what it wrote. */
	readonly rescued: readonly GitPath[];
	/** Paths that could not be placed or removed. */
	readonly held: readonly HeldChange[];
	/** Files that were put in place and lie there. */
	readonly placed: readonly PlacedFile[];
}

/** A file of ours in the working tree, as it was when all was done. */
export interface PlacedFile {
	readonly path: GitPath;
	readonly mode: string;
	/** The blob that git would store for it. */
	readonly oid: Oid;
	readonly version: PlacedVersion;
	readonly stats: fs.BigIntStats;
	/** Whether it has the content and mode that it was put there with; else a program has written into it since. */
	readonly isIntact: boolean;
}
