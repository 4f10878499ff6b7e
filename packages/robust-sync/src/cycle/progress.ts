import type { GitPath, Oid } from "@robust-sync/git";
import type { Integration } from "@robust-sync/resolve";
import { type Items, joined } from "@robust-sync/system/items";
import type { HeldLoss, PublishedSecret, SkippedFile } from "@robust-sync/workspace";
import type { Snapshot } from "../snapshot/snapshot.ts";

/** The result of one cycle. */
export interface CycleResult {
	readonly head: Oid | null;
	readonly branch: string;
	/** Files committed, and the deletions among them, commits pulled and pushed, files resolved, late writes merged. */
	readonly committed: number;
	readonly deleted: number;
	/** The number of files that a checkout removed because another node deleted them. */
	readonly removed: number;
	readonly commits: number;
	readonly pulled: number;
	readonly pushed: number;
	readonly resolved: number;
	readonly rescued: number;
	readonly delivered: number;
	readonly skipped: readonly SkippedFile[];
	/** The number of tracked files that this node neither sends nor checks out. */
	readonly excluded: number;
	/** Files published although they hold a secret. */
	readonly secrets: readonly PublishedSecret[];
	/** Files that were being written, or merged late writes: another cycle should follow soon. */
	readonly busy: number;
	/** The number of names among them that have just vanished, or that appeared with those. */
	readonly unconfirmed: number;
	/** Messages above one cycle's limit, which wait for the next. */
	readonly waiting: number;
	/** Paths that our own checkout changed. */
	readonly checkedOut: Items<GitPath>;
	/** The remote's history was rewritten; both histories are merged. */
	readonly rewritten: boolean;
	/** New directories below sync/conflicts/. */
	readonly saved: readonly string[];
	/** Losses that wait for a person's decision, and the number of commits that are unpublished because of them. */
	readonly held: readonly HeldLoss[];
	readonly ahead: number;
	/** How long the remote must be avoided, milliseconds, while commits wait here (hub-pace.ts); null: nothing waits. */
	readonly postponedMs: number | null;
}

/** The state of a cycle; its steps write into it. */
export interface Progress {
	committed: number;
	deleted: number;
	removed: number;
	commits: number;
	pulled: number;
	pushed: number;
	resolved: number;
	rescued: number;
	rewritten: boolean;
	saved: string[];
	checkedOut: Items<GitPath>;
	/** Late writes that were merged into the working tree and are not committed yet, and commits that are not pushed yet. */
	late: number;
	/** The newest snapshot. */
	snapshot: Snapshot | null;
	/** The remote's tip, if later commits are held. */
	heldAt: Oid | null;
	postponedMs: number | null;
	/** A person's task was carried out: HEAD has more than the snapshot. */
	isTaskDone: boolean;
}

/** The progress of a new cycle. */
export function newProgress(): Progress {
	return {
		committed: 0,
		deleted: 0,
		removed: 0,
		commits: 0,
		pulled: 0,
		pushed: 0,
		resolved: 0,
		rescued: 0,
		rewritten: false,
		saved: [],
		checkedOut: [],
		late: 0,
		snapshot: null,
		heldAt: null,
		postponedMs: null,
		isTaskDone: false,
	};
}

/** Adds the result of a checkout. */
export function noteIntegration(integration: Integration, progress: Progress): void {
	progress.saved.push(...integration.saved);
	progress.checkedOut = joined(progress.checkedOut, integration.changed);
	progress.rescued += integration.rescued.length;
	progress.late += integration.rescued.length;
}
