import { countCommits, type Oid, readHead } from "@robust-sync/git";
import { continueEarlierMerges } from "@robust-sync/resolve";
import { joined } from "@robust-sync/system/items";
import type { SkippedFile } from "@robust-sync/workspace";
import { heldLosses, outgoingLoss } from "../checkout/guard.ts";
import { heldSkipped } from "../checkout/held.ts";
import { refusedBefore } from "../checkout/refused-paths.ts";
import { findLateWrites } from "../checkout/rescue.ts";
import { refusedPath } from "../checkout/skipped-files.ts";
import { type CycleContext, integrateContext } from "../context/cycle-context.ts";
import { finishHub } from "../forget/clean-hub.ts";
import { finishWaiting } from "../forget/finish-waiting.ts";
import { forgetSkipped } from "../forget/forget-state.ts";
import { applyFetched, prefetchWithoutForgotten } from "../forget/forgotten-upstream.ts";
import { waitingSkipped } from "../forget/waiting-files.ts";
import { collectOutbox, confirmDelivered, markCommitted } from "../outbox/outbox.ts";
import { refusedFiles, refusedSkipped } from "../remote/refused-list.ts";
import { knownTip, nameUnbornBranch, requireRemote, syncedBranch } from "../remote/upstream.ts";
import { publishedSecrets, secretSkipped } from "../secrets/notes.ts";
import { excludeFromNowOn, excludeFromTheStart, keepExcluded } from "../snapshot/excluded.ts";
import { noticeOthers, recordBaseline, refreshIndex } from "../snapshot/follow-head.ts";
import { ownTrackedFiles, setAsideTrackedState, untrackOwnFiles } from "../snapshot/own-tracked.ts";
import { integrateMirrors, retryHeldPaths } from "./check-out.ts";
import { mergeFoundWrites, snapshotInto, taskInto } from "./commit.ts";
import { type CycleResult, newProgress, type Progress } from "./progress.ts";
import { recover } from "./recover.ts";
import { syncWithRemote } from "./sync-with-remote.ts";

export type { CycleResult } from "./progress.ts";

/**
 * One cycle: recover → collect messages → scan → commit → fetch → merge → publish → check out → record.
 *
 * Scan and commit are one snapshot (commit.ts). Fetch, merge and publish are repeated until no other node pushes in between (sync-with-remote.ts).
 * A merge is published before it is checked out, so that other nodes have the least time to push in between. Writes
 * during the wait for the network are committed on HEAD before the checkout (check-out.ts), and merged like any other
 * commit. Safe to be killed at any instant: the next cycle continues.
 * @throws SyncError, GitError, file system errors (see toSyncError); LockLostError
 */
export async function runCycle(context: CycleContext): Promise<CycleResult> {
	const progress = newProgress();
	await setAsideTrackedState(context);
	await excludeFromTheStart(context);
	progress.rescued += (await recover(context)).rescued;
	requireRemote(context);
	await nameUnbornBranch(context);
	await applyFetched(context);
	await finishWaiting(context);
	progress.checkedOut = joined(progress.checkedOut, await keepExcluded(context));

	let noteScan: (isToPush: boolean) => void = () => undefined;
	const isToPush = new Promise<boolean>((resolve) => {
		noteScan = resolve;
	});
	const asked = prefetchWithoutForgotten(context, isToPush);
	const work = async () => {
		const late = await findLateWrites(context);
		await untrackOwnFiles(context);
		const outbox = await collectOutbox(context);
		const scanned = await snapshotInto(context, progress, outbox.targets, late.foreign);
		noteScan(scanned.committed > 0 && context.memory.pace.waitToPushMs() === 0);
		const snapshot = await taskInto(context, progress, scanned);
		const committed = markCommitted(context, outbox);
		const agree = async () => {
			const agreed = await syncWithRemote(context, snapshot, progress, asked);
			if (await integrateMirrors(context, snapshot, progress)) return (await readHead(context.repository)).oid;
			await retryHeldPaths(context, progress);
			return agreed;
		};
		let isMoved = false;
		const move = async () => {
			const agreed = await agree();
			if (progress.late > 0) await mergeFoundWrites(context, progress);
			isMoved = agreed !== snapshot.head;
			return agreed;
		};
		const head = await move().finally(async () => {
			if (!isMoved) await noticeOthers(context);
			await refreshIndex(context);
			await recordBaseline(context);
		});
		return { outbox, committed, head, late: late.skipped };
	};
	// No work of a cycle may continue after its end or failure.
	const { outbox, committed, head, late } = await work().finally(() => {
		noteScan(true);
		return asked?.catch(() => undefined);
	});

	if (progress.heldAt === null) await finishHub(context);
	return await record(context, progress, { outbox, committed, head, late });
}

interface Outcome {
	readonly outbox: Awaited<ReturnType<typeof collectOutbox>>;
	readonly committed: ReturnType<typeof markCommitted>;
	/** The commit that this node and the remote agree on. */
	readonly head: Oid | null;
	/** Late writes that are left in the kept files. */
	readonly late: readonly SkippedFile[];
}

/** Keeps the first entry of each path. */
function onePerPath(entries: readonly SkippedFile[]): SkippedFile[] {
	const named = new Set<string>();
	return entries.filter(({ path }) => !named.has(path) && named.add(path));
}

/** The last step: confirms messages, remembers the remote's tip, and returns the result. @throws LockLostError, GitError */
async function record(
	context: CycleContext,
	progress: Progress,
	{ outbox, committed, head, late: lateSkipped }: Outcome,
): Promise<CycleResult> {
	const isAllPublished = progress.heldAt === null && progress.postponedMs === null && progress.late === 0;
	progress.checkedOut = joined(
		progress.checkedOut,
		await excludeFromNowOn(context, isAllPublished && progress.snapshot?.busy.length === 0),
	);
	// A checkout of this cycle has done its share already.
	if (progress.pulled === 0) progress.saved.push(...(await continueEarlierMerges(integrateContext(context))));
	// If this process was suspended meanwhile, another one may own the workspace now.
	context.lock.assertHeld();
	const { heldAt } = progress;
	const isHeld = heldAt !== null && head !== null;
	const isPostponed = progress.postponedMs !== null;
	// A message that the hub refuses is on no other node.
	const delivered = isHeld || isPostponed ? 0 : confirmDelivered(context, committed, refusedFiles(context));
	const held = heldLosses(context, isHeld ? await outgoingLoss(context, heldAt, head) : null);
	const waitsAt = isHeld ? heldAt : isPostponed ? await knownTip(context) : head;
	const ahead = head === null ? 0 : await countCommits(context.repository, waitsAt, head);
	const { memory } = context;
	// The first cycle of a process: an earlier one has seen them arrive.
	if (memory.synced === null && memory.refused.length === 0 && head !== null) memory.refused = await refusedBefore(context, head);
	if (!isPostponed) memory.synced = waitsAt;
	// During a limit the remote was not asked for announced heads.
	if (memory.pace.limitedMs() === 0) memory.announced.clear();
	const { snapshot, late, heldAt: _heldAt, isTaskDone: _isTaskDone, ...done } = progress;
	const refused = memory.refused.map(refusedPath);
	// Held paths come first: until such a path is checked out, that matters more than its absence from commits.
	const skipped = onePerPath([
		...heldSkipped(context),
		...(snapshot?.skipped ?? []),
		...outbox.skipped,
		...refused,
		...refusedSkipped(context),
		...secretSkipped(context),
		...forgetSkipped(memory.forget),
		...waitingSkipped(context),
		...ownTrackedFiles(context),
		...lateSkipped,
	]);
	const busy = (snapshot?.busy.length ?? 0) + late;
	return {
		head,
		branch: syncedBranch(context),
		...done,
		held,
		ahead,
		delivered,
		skipped,
		excluded: memory.excluded.files,
		secrets: publishedSecrets(context),
		busy,
		unconfirmed: snapshot?.unconfirmed ?? 0,
		waiting: outbox.waiting,
	};
}
