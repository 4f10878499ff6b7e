import type { ExactStats } from "@robust-sync/system/files";
import type { Items } from "@robust-sync/system/items";
import type { Exchanger } from "../files/exchange-files.ts";
import type { Obstacle } from "../files/obstacle.ts";
import type { IndexFlags } from "../index/index-flags.ts";
import type { TreeChange } from "../objects/diff.ts";
import type { KnownContents } from "../objects/known-contents.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import type { GitPath } from "../paths/git-path.ts";
import type { Oid } from "../process/repository.ts";
import type { KeptFile } from "./kept-files.ts";
import type { PlacedVersion } from "./placed-versions.ts";

/** A file that git considers unchanged although its content differs from the commit's, because a filter keeps a part of it local. */
export interface FilteredFile {
	readonly path: GitPath;
	readonly before: Buffer;
	readonly onDisk: Buffer;
	readonly incoming: Buffer;
}

export interface CheckoutOptions {
	/** The commit of HEAD; null: no commit yet. */
	from: Oid | null;
	to: Oid;
	/** The branch to move, as a full ref name; null: no branch moves, only files and index. */
	ref: string | null;
	/** The commit of the branch, if it is not `from`. */
	branchAt?: Oid | null;
	/** A directory of our own on the workspace's file system, emptied afterwards. */
	staging: string;
	/** Gets the replaced files, under their paths below `files/`. Made on demand; kept. */
	backup: string;
	/** Mount points below the workspace: their files are staged and kept on its own file system (mount-store.ts). */
	mounts?: Iterable<GitPath>;
	/** A directory of our own for second links to placed files (placed-versions.ts). */
	versions?: string;
	/** Keeps such links; without it, later reads of these files are unknown. */
	keepsVersions?: boolean;
	/** Paths that do not belong to the working tree, even if the commits have them: they stay unchanged. */
	isOwn?(name: GitPath): boolean;
	/** The blobs. The repository's by default. */
	objects?: ObjectStore;
	/** Contents that need not be read from the repository. */
	contents?: KnownContents;
	/** Resumes an interrupted checkout: the backup may hold files already. */
	resume?: boolean;
	/** Merges what a filter keeps local in a file into its incoming content; without it, the incoming content is placed as it is. */
	mergeFiltered?(file: FilteredFile): Promise<Buffer>;
	/** Whether a file that appeared while the path was empty is an addition to `before`, and not a whole version. */
	isAddition?(path: GitPath, before: Buffer, written: Buffer): boolean;
	/** Only these changes, instead of those between two commits: index and branch stay. */
	changes?: Items<TreeChange>;
	/** Paths that earlier checkouts held, as changes from the version that their writers have read to that of HEAD. */
	held?: readonly TreeChange[];
	/** Held paths whose index bits a checkout has set, not the user. */
	ownBits?: ReadonlySet<GitPath>;
	/** Tries the held paths again, even without an incoming version. */
	retryHeld?: boolean;
	/**
	 * Decides before any change which paths stay untouched, because their local content must not leave this node or their file
	 * system is missing. @param flags index bits of the changed paths
	 */
	keepLocal?(changes: Items<TreeChange>, flags: ReadonlyMap<GitPath, IndexFlags>): Promise<ReadonlyMap<GitPath, IndexFlags | null>>;
	/** Called before the index moves on, with the paths that could not be placed or removed, for a durable record. */
	onHeld?(held: readonly HeldChange[], changes: Items<TreeChange>): Promise<void>;
	/** Called before each durable step with its name, and after each swap; throws to stop there. */
	checkpoint?(step: "staged" | "file" | "swap" | "swapped" | "files" | "index" | "ref"): void;
	/** Swaps files; one of its own by default. */
	exchanger?(): Exchanger;
}

/** A path that was left unchanged, with the reason. Index and branch have moved on even so. */
export interface HeldChange extends TreeChange {
	readonly obstacle: Obstacle;
	/** The stamp of the file on disk, if it is known to equal `before` (`statStamp`); null: it must be compared. */
	readonly seen: string | null;
}

export interface CheckoutReport {
	readonly changes: Items<TreeChange>;
	readonly kept: readonly KeptFile[];
	/** Paths that a program wrote to meanwhile: the next snapshot and the next check of the kept files find the writes. */
	readonly rescued: readonly GitPath[];
	/** Paths that could not be placed or removed. */
	readonly held: readonly HeldChange[];
	/** Placed files that are still there. */
	readonly placed: readonly PlacedFile[];
}

/** A file of ours in the working tree, in its state at the end of the checkout. */
export interface PlacedFile {
	readonly path: GitPath;
	readonly mode: string;
	/** The blob that git would store for it. */
	readonly oid: Oid;
	readonly version: PlacedVersion;
	readonly stats: ExactStats;
	/** Whether it has the content and mode of the placed version; else a program has written into it since. */
	readonly isIntact: boolean;
}
