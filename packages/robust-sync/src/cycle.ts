import { countCommits, type GitPath, type Oid, pushCommit } from "@robust-sync/git";
import { integrate } from "@robust-sync/resolve";
import { faultPoint, type SkippedFile } from "@robust-sync/workspace";
import pRetry from "p-retry";
import type { CycleContext } from "./cycle-context.ts";
import { collectOutbox, confirmDelivered, markCommitted } from "./outbox.ts";
import { recover } from "./recover.ts";
import { originOfLateWrite, rescueLateWrites } from "./rescue.ts";
import { type Snapshot, takeSnapshot } from "./snapshot.ts";
import { SyncError } from "./sync-error.ts";
import { fetchUpstream, knownTip, nameUnbornBranch, requireRemote, syncedBranch, type Upstream } from "./upstream.ts";

/** What one cycle did. */
export interface CycleResult {
	readonly head: Oid | null;
	readonly branch: string;
	/** Files committed, commits pulled and pushed, files resolved, late writes merged in. */
	readonly committed: number;
	readonly commits: number;
	readonly pulled: number;
	readonly pushed: number;
	readonly resolved: number;
	readonly rescued: number;
	readonly delivered: number;
	readonly skipped: readonly SkippedFile[];
	/** Files that were being written: another cycle should follow soon. */
	readonly busy: number;
	/** Paths that our own checkout changed. */
	readonly checkedOut: readonly GitPath[];
	/** The remote's history was rewritten by somebody; both histories are merged. */
	readonly rewritten: boolean;
	/** Directories below sync/conflicts/ that were written. */
	readonly saved: readonly string[];
}

/** Lost races until the cycle gives up with PUSH_RACE. */
const maxRaces = 10;

interface Progress {
	committed: number;
	commits: number;
	pulled: number;
	pushed: number;
	resolved: number;
	rescued: number;
	rewritten: boolean;
	saved: string[];
	checkedOut: GitPath[];
}

/**
 * One cycle: recover → rescue late writes → collect the outbox → snapshot → fetch → integrate → publish → confirm. Safe to be killed at any
 * instant; the next one goes on.
 * @throws SyncError, GitError, file system errors (see toSyncError); LockLostError
 */
export async function runCycle(context: CycleContext): Promise<CycleResult> {
	const progress: Progress = {
		committed: 0,
		commits: 0,
		pulled: 0,
		pushed: 0,
		resolved: 0,
		rescued: 0,
		rewritten: false,
		saved: [],
		checkedOut: [],
	};
	const recovery = await recover(context);
	progress.rescued += recovery.rescued;
	requireRemote(context);
	await nameUnbornBranch(context);

	progress.rescued += await rescueLateWrites(context);
	let outbox = collectOutbox(context);
	let snapshot = await snapshotInto(context, progress, outbox.targets);
	outbox = { ...markCommitted(context, outbox), skipped: outbox.skipped };
	const skipped = [...snapshot.skipped, ...outbox.skipped];

	let head = snapshot.head;
	// A first push without a fetch: when the remote is where we left it, its success proves that there was nothing to fetch.
	let moved = context.memory.announced.size > 0;
	if (head !== null && !moved && (await isFreshOnTop(context, snapshot))) {
		if ((await publish(context, head, progress, 1)) === "pushed")
			return finish(context, head, progress, skipped, snapshot, confirmDelivered(context, outbox));
		moved = true;
	}
	await pRetry(
		async () => {
			const upstream = await fetchUpstream(context, moved);
			head = await integrateUpstream(context, upstream, head, progress, (again) => {
				snapshot = again;
			});
			if (head === null || head === upstream.tip) return;
			if ((await publish(context, head, progress, await countCommits(context.repository, upstream.tip, head))) === "pushed") return;
			moved = true;
			throw new SyncError("PUSH_RACE", "other nodes pushed first, again and again: trying later");
		},
		{
			retries: maxRaces - 1,
			minTimeout: 20,
			maxTimeout: 2_000,
			factor: 1.6,
			randomize: true,
			shouldRetry: ({ error }) => error instanceof SyncError && error.code === "PUSH_RACE",
		},
	);
	return finish(context, head, progress, skipped, snapshot, confirmDelivered(context, outbox));
}

async function snapshotInto(
	context: CycleContext,
	progress: Progress,
	targets: Parameters<typeof takeSnapshot>[1] = [],
): Promise<Snapshot> {
	faultPoint("cycle-before-snapshot");
	const snapshot = await takeSnapshot(context, targets);
	faultPoint("cycle-after-snapshot");
	progress.committed += snapshot.committed;
	progress.rescued += snapshot.rescued;
	if (snapshot.committed > 0) progress.commits++;
	return snapshot;
}

/** Whether all that HEAD has beyond the remote's last known tip are snapshots of ours on top of it. */
async function isFreshOnTop(context: CycleContext, snapshot: Snapshot): Promise<boolean> {
	if (snapshot.committed === 0) return false;
	const known = await knownTip(context);
	return known !== null && snapshot.status.head === known;
}

/**
 * Brings in what the remote has: nothing, a fast-forward, or a merge. What was written meanwhile is committed first and the
 * step repeated, so that the working tree was clean when it moved.
 */
async function integrateUpstream(
	context: CycleContext,
	upstream: Upstream,
	head: Oid | null,
	progress: Progress,
	onSnapshot: (snapshot: Snapshot) => void,
): Promise<Oid | null> {
	const { tip } = upstream;
	faultPoint("cycle-fetched");
	if (upstream.rewritten) progress.rewritten = true;
	if (tip === null || tip === head) return head;
	const ref = `refs/heads/${syncedBranch(context)}`;
	const [integration, pulled] = await Promise.all([
		integrate({ ...context, baseOfLateWrite: (late) => originOfLateWrite(context, late) }, ref, head, tip),
		countCommits(context.repository, head, tip),
	]);
	progress.pulled += pulled;
	if (integration.resolution) {
		progress.commits++;
		progress.resolved += integration.resolution.files.length;
	}
	progress.saved.push(...integration.saved);
	for (const name of integration.changed) progress.checkedOut.push(name);
	progress.rescued += integration.rescued.length;
	if (integration.rescued.length === 0) return integration.head;
	const again = await snapshotInto(context, progress);
	onSnapshot(again);
	return again.head;
}

/** @param commits how many the remote lacks */
async function publish(context: CycleContext, head: Oid, progress: Progress, commits: number): Promise<"pushed" | "race"> {
	const { repository, config } = context;
	context.lock.assertHeld();
	faultPoint("cycle-before-push");
	const outcome = await pushCommit(repository, config.syncRemote, syncedBranch(context), head, { hooks: config.syncHooks });
	faultPoint("cycle-after-push");
	if (outcome === "pushed") progress.pushed += commits;
	return outcome;
}

function finish(
	context: CycleContext,
	head: Oid | null,
	progress: Progress,
	skipped: readonly SkippedFile[],
	snapshot: Snapshot,
	delivered: number,
): CycleResult {
	context.memory.synced = head;
	context.memory.announced.clear();
	return { head, branch: syncedBranch(context), ...progress, delivered, skipped, busy: snapshot.busy.length };
}
