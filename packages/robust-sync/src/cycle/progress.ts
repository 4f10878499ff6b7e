import type { GitPath, Oid } from "@robust-sync/git";
import type { Integration } from "@robust-sync/resolve";
import type { HeldLoss, PublishedSecret, SkippedFile } from "@robust-sync/workspace";
import type { Snapshot } from "../snapshot/snapshot.ts";

/** What one cycle did. */
export interface CycleResult {
	readonly head: Oid | null;
	readonly branch: string;
	/** Files committed and how many of them are deletions, commits pulled and pushed, files resolved, late writes merged in. */
	readonly committed: number;
	readonly deleted: number;
	/** How many files a checkout of ours took away, because they were deleted elsewhere. */
	readonly removed: number;
	readonly commits: number;
	readonly pulled: number;
	readonly pushed: number;
	readonly resolved: number;
	readonly rescued: number;
	readonly delivered: number;
	readonly skipped: readonly SkippedFile[];
	/** How many tracked files this node neither sends nor checks out. */
	readonly excluded: number;
	/** What was published although it holds a secret. */
	readonly secrets: readonly PublishedSecret[];
	/** Files that were being written, or late writes that were merged in: another cycle should follow soon. */
	readonly busy: number;
	/** How many of them are names that vanished a moment ago, or came with those. */
	readonly unconfirmed: number;
	/** Messages that wait for the next cycle, because there are too many for one. */
	readonly waiting: number;
	/** Paths that our own checkout changed. */
	readonly checkedOut: readonly GitPath[];
	/** The remote's history was rewritten by someone; both histories are merged. */
	readonly rewritten: boolean;
	/** Directories below sync/conflicts/ that were written. */
	readonly saved: readonly string[];
	/** What waits for a person's word, and how many commits are not published because of it. */
	readonly held: readonly HeldLoss[];
	readonly ahead: number;
	/** How long the remote is to be left alone with what is committed here, milliseconds (hub-pace.ts); null: nothing waits for that. */
	readonly postponedMs: number | null;
}

/** What a cycle has done so far; its steps write into it. */
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
	checkedOut: GitPath[];
	/** Late writes that were merged into the working tree and wait to be committed, and commits that wait to be pushed. */
	late: number;
	/** The newest snapshot. */
	snapshot: Snapshot | null;
	/** The remote's tip, where what is beyond it is not published. */
	heldAt: Oid | null;
	postponedMs: number | null;
	/** What a person asked for was carried out: HEAD has more than the snapshot. */
	isTaskDone: boolean;
}

/** The progress of a cycle that has not begun. */
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

/** Takes in what a checkout did. */
export function noteIntegration(integration: Integration, progress: Progress): void {
	progress.saved.push(...integration.saved);
	for (const name of integration.changed) progress.checkedOut.push(name);
	progress.rescued += integration.rescued.length;
	progress.late += integration.rescued.length;
}
