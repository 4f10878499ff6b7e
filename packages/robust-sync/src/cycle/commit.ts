import { setImmediate } from "node:timers/promises";
import { diffLooseTrees, diffTrees, fileSystemPath, type Oid, readDiskFile, readHead, storedMode } from "@robust-sync/git";
import { type Plan, saveDecidedForUpstream } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import { joined } from "@robust-sync/system/items";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { type ForeignWrite, mergeForeignWrites, mergeOnDisk } from "../checkout/foreign-writes.ts";
import { findLateWrites } from "../checkout/rescue.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { knownTip } from "../remote/upstream.ts";
import { withoutSecrets } from "../secrets/commits.ts";
import { secretChanges } from "../secrets/files.ts";
import { listUnpublished, pathsOf } from "../secrets/unpublished.ts";
import { isPlain } from "../snapshot/commit-files.ts";
import { recordBaseline, refreshIndex } from "../snapshot/follow-head.ts";
import { waitUntilQuiet } from "../snapshot/hot-files.ts";
import { followOwnHead, withoutOwnFiles } from "../snapshot/own-tracked.ts";
import { type Snapshot, takeSnapshot } from "../snapshot/snapshot.ts";
import { noteIntegration, type Progress } from "./progress.ts";
import { refuseOpenOperation } from "./recover.ts";

// The steps scan and commit of a cycle: each of its snapshots is taken here.

/** After a longer wait for the network everything is scanned again, whatever the watcher saw. */
export const momentMs = 1_000;
/** More files, and larger ones, are compared with HEAD by git. */
const mostCompared = 64;
const largestComparedBytes = 1_048_576;
/** Longest wait for files that are being written and that a checkout would replace. */
const busyWaitMs = 200;

/**
 * Scans the working tree and commits the changes, except those that must not be published.
 * @param targets messages for the snapshot @param late writes that were found in kept files
 */
export async function snapshotInto(
	context: CycleContext,
	progress: Progress,
	targets: Parameters<typeof takeSnapshot>[1] = [],
	late: readonly ForeignWrite[] = [],
): Promise<Snapshot> {
	faultPoint("cycle-before-snapshot");
	const found = await takeSnapshot(context, targets);
	const taken = await withForeignWrites(context, progress, found, late).catch((error: unknown) => {
		// The changes on disk are in no commit yet, so the next scan must be a full one.
		context.memory.dirty.invalidate();
		throw error;
	});
	const unpublished = await listUnpublished(context, taken);
	const touched = unpublished.isAll ? pathsOf(unpublished.commits) : null;
	const snapshot = await withoutSecrets(context, await withoutOwnFiles(context, taken, touched), unpublished);
	followOwnHead(context, found.status.head, snapshot.head);
	progress.snapshot = snapshot;
	// Read first, so that the next snapshot of this cycle sees what a person commits or stages from here on.
	await recordBaseline(context);
	faultPoint("cycle-after-snapshot");
	progress.committed += snapshot.committed;
	progress.deleted += snapshot.deleted;
	context.memory.changes.add(snapshot.changed);
	if (snapshot.committed > 0) progress.commits++;
	await saveDecisions(context, progress, snapshot);
	return snapshot;
}

/** Merges writes from older versions into the new commit. What must be in no commit (a secret, a file too large) is merged on disk only. */
async function withForeignWrites(
	context: CycleContext,
	progress: Progress,
	taken: Snapshot,
	late: readonly ForeignWrite[],
): Promise<Snapshot> {
	const found = [...late, ...taken.foreign];
	if (found.length === 0 || taken.head === null) return taken;
	const contents = found.flatMap(({ path, content, base }) => [
		{ path, mode: "100644", content },
		...(typeof base === "object" && base.content !== null ? [{ path, mode: "100644", content: base.content }] : []),
	]);
	const secret = await secretChanges(context, contents);
	const isLocal = ({ path, content }: ForeignWrite) => secret.has(path) || content.length > context.config.maxFileMb * 1_000_000;
	const local = found.filter((write) => isLocal(write) && write.kept !== undefined);
	const writes = found.filter((write) => !isLocal(write));
	if (local.length + writes.length === 0) return taken;
	await refreshIndex(context);
	progress.rescued += local.length + writes.length;
	let after = taken;
	if (writes.length > 0) {
		const { head, integration } = await mergeForeignWrites(context, taken.head, writes);
		if (integration !== null) noteIntegration(integration, progress);
		const names = [...new Set(writes.map((write) => write.path))];
		after = { ...taken, head, isDirect: false, committed: taken.committed + names.length, changed: joined(taken.changed, names) };
	}
	if (local.length > 0) await mergeOnDisk(context, after.head as Oid, local);
	return after;
}

/**
 * Commits and merges the writes that a checkout of this cycle found, so that each is at its path again even if no cycle follows. The
 * next cycle publishes the result.
 * @throws SyncError OPERATION_OPEN, WRONG_BRANCH, DETACHED_HEAD
 */
export async function mergeFoundWrites(context: CycleContext, progress: Progress): Promise<void> {
	const { foreign } = await findLateWrites(context);
	if (foreign.length === 0) return;
	await refuseOpenOperation(context);
	await snapshotInto(context, progress, [], foreign);
}

/**
 * Commits the writes since the latest snapshot on HEAD, which has not moved: the cycle may have waited for the network for
 * seconds or minutes since then.
 * @param plan the next checkout
 * @throws SyncError OPERATION_OPEN, WRONG_BRANCH, DETACHED_HEAD if a person has begun an operation meanwhile
 */
export async function snapshotAgain(
	context: CycleContext,
	latest: Snapshot,
	plan: Plan,
	progress: Progress,
	waitedMs: number,
): Promise<Snapshot> {
	const { repository, memory, now } = context;
	await refuseOpenOperation(context);
	// The kernel's newest events are read in the next turns of the loop.
	for (let turn = 0; turn < 2; turn++) await setImmediate();
	if (waitedMs < momentMs && (await readHead(repository)).oid === latest.head) {
		const isQuiet = memory.dirty.isWatching ? memory.firstChanges.size === 0 : await areAsInHead(context, latest, plan);
		if (isQuiet) return latest;
	}
	const snapshot = await snapshotInto(context, progress);
	if (snapshot.busy.length === 0) return snapshot;
	const busy = new Set(snapshot.busy);
	const changes = await diffTrees(repository, snapshot.head ?? repository.emptyTree, plan.to);
	const inTheWay = changes.flatMap(({ path: name }) => (busy.has(name) ? [name] : []));
	if (inTheWay.length === 0) return snapshot;
	await waitUntilQuiet(repository.root, inTheWay, memory.hot, now, busyWaitMs);
	return await snapshotInto(context, progress);
}

/** Whether the files that a checkout would replace are few, and as HEAD has them. Without a watcher, only git knows more. */
async function areAsInHead(context: CycleContext, { head, busy }: Snapshot, plan: Plan): Promise<boolean> {
	const { repository } = context;
	if (head === null || busy.length > 0 || !(await isPlain(context))) return false;
	const changes = diffLooseTrees(repository, head, plan.to);
	if (changes === null || changes.length > mostCompared) return false;
	try {
		return changes.every(({ path: name, before }) => {
			const stats = lstatIfThere(fileSystemPath(repository.root, name));
			if (stats === null || stats.size > largestComparedBytes) return stats === null && before === null;
			const file = readDiskFile(repository, name);
			return file !== null && file.oid === before?.oid && storedMode(repository, name, file.mode, before.mode) === before.mode;
		});
	} catch {
		return false;
	}
}

/** Carries out a person's task on top of a snapshot. */
export async function taskInto(context: CycleContext, progress: Progress, snapshot: Snapshot): Promise<Snapshot> {
	const { task } = context;
	if (task === undefined || snapshot.head === null) return snapshot;
	await refreshIndex(context);
	const done = await task(context, snapshot.head);
	if (done === null) return snapshot;
	progress.isTaskDone = true;
	progress.commits++;
	if (done.integration !== null) noteIntegration(done.integration, progress);
	await recordBaseline(context);
	// The task may restore a secret.
	return await withoutSecrets(context, { ...snapshot, head: done.head, isDirect: false });
}

/** A person may have staged the other side's file in place of their own; a person without git stages nothing. */
async function saveDecisions(context: CycleContext, progress: Progress, { status, head, committed }: Snapshot): Promise<void> {
	const { repository, paths, now } = context;
	const staged = status.entries.some(({ kind, index }) => kind === "changed" && index === "M");
	const tip = committed > 0 && staged && head !== null ? await knownTip(context) : null;
	if (tip === null || head === null) return;
	const { saved } = await saveDecidedForUpstream(repository, paths, { head: status.head, commit: head, tip }, now());
	if (saved !== null) progress.saved.push(saved);
}
