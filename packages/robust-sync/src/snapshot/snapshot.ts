import { setTimeout as sleep } from "node:timers/promises";
import { excludePatterns, type GitPath, type Oid, type Status } from "@robust-sync/git";
import { forgetAttributes, withNodeTrailer } from "@robust-sync/resolve";
import type { Items } from "@robust-sync/system/items";
import { annotatedMessage, removeAnnotation, type SkippedFile } from "@robust-sync/workspace";
import type { ForeignWrite } from "../checkout/foreign-writes.ts";
import { noteHeld, withoutHeld } from "../checkout/held.ts";
import { lookAtReads } from "../checkout/rescue.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { snapshotMessage } from "../context/snapshot-message.ts";
import { wrongBranch } from "../context/sync-error.ts";
import { forgetUnchanged } from "../secrets/notes.ts";
import { beginSecretSearch } from "../secrets/policy.ts";
import { nextAnnotation } from "./annotations.ts";
import { commitFiles, isPlain, type MessageOf } from "./commit-files.ts";
import { commitThroughIndex } from "./commit-index.ts";
import { takeDirtyPaths } from "./dirty-paths.ts";
import { maxDirtyPaths } from "./dirty-set.ts";
import { unstageExcluded } from "./excluded.ts";
import { refreshIndex } from "./follow-head.ts";
import { separateHot, waitUntilQuiet } from "./hot-files.ts";
import { untrackOwnFiles } from "./own-tracked.ts";
import { type Candidates, findCandidates, untrackedAmong } from "./scan.ts";
import { confirmDeletionMs, separateVanished } from "./vanished-files.ts";

// The steps scan and commit of a cycle: finds the paths that may differ from HEAD (dirty-paths.ts, or a full scan in scan.ts), admits those
// that may be committed now, and commits them (commit-files.ts; files that only git can encode: commit-index.ts).

/** The result of a snapshot. */
export interface Snapshot {
	readonly status: Status;
	/** HEAD afterwards; null: still no commit. */
	readonly head: Oid | null;
	/** The number of committed files, and of deletions among them. */
	readonly committed: number;
	readonly deleted: number;
	/** Those files, if known by name. */
	readonly changed: Items<GitPath>;
	readonly skipped: readonly SkippedFile[];
	/** The lost updates, on disk and not in HEAD: to be merged as commits on the versions that their writers had read. */
	readonly foreign: readonly ForeignWrite[];
	/** Files that were being written, and names that have just vanished: they wait for the next snapshot. */
	readonly busy: readonly GitPath[];
	/** The number of them that vanished, or appeared with those. */
	readonly unconfirmed: number;
	/** Committed without the index (commit-files.ts): nothing that a person staged is in it. */
	readonly isDirect?: boolean;
}

/**
 * Commits every change except skipped files, as one commit, without the user's hooks, signing,
 * pager or editor. Without changes there is no commit. Files that are being written wait: for the next cycle if
 * `memory.deferHot` is set, else here, at most 10 s.
 * @param extra paths to commit even if an ignore rule covers them (delivered messages)
 */
export async function takeSnapshot(context: CycleContext, extra: readonly GitPath[] = []): Promise<Snapshot> {
	const { dirty, placed } = context.memory;
	lookAtReads(context);
	try {
		await beginSecretSearch(context);
		const annotation = await nextAnnotation(context);
		const { nodeName } = context.config;
		const messageOf: MessageOf = (changed, gone) =>
			`${withNodeTrailer(annotatedMessage(snapshotMessage(nodeName, changed, gone), annotation), nodeName)}\n`;
		const snapshot = (await commitDirtyPaths(context, extra, messageOf)) ?? (await scanAndCommit(context, extra, messageOf));
		for (const name of snapshot.busy) dirty.add(name);
		if (annotation !== null && snapshot.committed > 0) removeAnnotation(context.paths, annotation);
		placed.retire(context.repository, [...snapshot.busy, ...snapshot.foreign.map((write) => write.path)]);
		return snapshot;
	} catch (error) {
		dirty.invalidate();
		throw error;
	}
}

/** Commits the changes that the watcher has seen, without a full scan. @returns null: a full scan is needed */
async function commitDirtyPaths(context: CycleContext, extra: readonly GitPath[], messageOf: MessageOf): Promise<Snapshot | null> {
	const { repository, memory, now } = context;
	const { branch } = memory;
	if (withoutHeld(context, extra)?.length !== extra.length) return null;
	const lookedAt = memory.clock.now();
	const dirty = await takeDirtyPaths(context);
	if (dirty === null) return null;
	const { head } = dirty;
	const delivered = new Set(extra);
	const { quiet, busy } = separateHot(
		repository.root,
		dirty.names.filter((name) => !delivered.has(name)),
		memory.hot,
		now(),
	);
	const files = { head, branch, names: [...quiet], missing: null, admitted: delivered, delivered: extra, lookedAt, busy };
	const done = await commitFiles(context, files, messageOf);
	if (done === null) return null;
	const status = { head, branch, entries: [], refused: [], unreadable: [] };
	return { ...done, status, committed: done.changed.length, skipped: memory.dirty.skipped, isDirect: done.changed.length > 0 };
}

/** Scans everything, and commits. */
async function scanAndCommit(context: CycleContext, extra: readonly GitPath[], messageOf: MessageOf): Promise<Snapshot> {
	const { dirty } = context.memory;
	await refreshIndex(context);
	dirty.beginFullScan();
	const snapshot = await takeFullSnapshot(context, extra, messageOf);
	dirty.skipped = snapshot.skipped;
	context.memory.hasScanned = true;
	return snapshot;
}

async function takeFullSnapshot(context: CycleContext, extra: readonly GitPath[], messageOf: MessageOf): Promise<Snapshot> {
	const { repository, memory, now } = context;
	const lookedAt = memory.clock.now();
	let found = await findCandidates(context);
	// `git add -f` or a commit of own files since the cycle began.
	if (!memory.ownTrackedChecked && (await untrackOwnFiles(context))) found = await findCandidates(context);
	// A person may have switched branches since the cycle began: nothing of ours is committed on theirs.
	const { branch } = found.status;
	if (branch !== null && memory.branch !== null && branch !== memory.branch) throw wrongBranch(branch, memory.branch);
	if (excludePatterns(repository).length > 0 && (await unstageExcluded(context, found.status))) found = await findCandidates(context);
	forgetAttributes(repository, found.changed);
	// Delivered messages are complete: they do not wait.
	const delivered = new Set(extra);
	const others = () => (delivered.size === 0 ? found.changed : found.changed.filter((name) => !delivered.has(name)));
	let { quiet, busy } = separateHot(repository.root, others(), memory.hot, now());
	if (busy.length > 0 && !memory.deferHot) {
		await waitUntilQuiet(repository.root, busy, memory.hot, now);
		found = await findCandidates(context);
		quiet = others();
		busy = [];
	}
	let unconfirmed = 0;
	let missing: ReadonlySet<GitPath> = new Set();
	const deadline = performance.now() + 2 * confirmDeletionMs;
	for (;;) {
		const isNew = untrackedAmong(found.status);
		const checked = separateVanished(repository.root, quiet, memory.vanished, now(), isNew);
		if (checked.unconfirmed.length > 0 && !memory.deferHot && performance.now() < deadline) {
			await sleep(secondLookMs);
			found = await findCandidates(context);
			quiet = others();
			continue;
		}
		quiet = checked.confirmed;
		busy = [...busy, ...checked.unconfirmed];
		unconfirmed = checked.unconfirmed.length;
		missing = checked.missing;
		break;
	}
	if (memory.secrets.held.size > 0) forgetUnchanged(context, new Set(found.changed));
	const { status, skipped, held } = found;
	const { head } = status;
	if (head !== null && branch !== null && (await areFilesOnly(context, found))) {
		const admitted = new Set([...quiet, ...extra]);
		const files = { head, branch, names: [...quiet], missing, admitted, delivered: extra, lookedAt, busy };
		const done = await commitFiles(context, files, messageOf);
		if (done !== null) {
			noteHeld(context, held, []);
			const left = { status, skipped, unconfirmed, committed: done.changed.length, isDirect: done.changed.length > 0 };
			return { ...done, ...left };
		}
	}
	return await commitThroughIndex(context, { found, quiet, missing, busy, unconfirmed, extra, lookedAt }, messageOf);
}

/** Whether all findings of a full scan are plain files: no filter, submodule, database or held path, and nothing staged. */
async function areFilesOnly(context: CycleContext, { status, held, databases, changed }: Candidates): Promise<boolean> {
	if (databases.length > 0 || held.written.length > 0 || held.staged.length > 0 || changed.length > maxDirtyPaths) return false;
	return status.entries.every(({ index, submodule }) => (index === "." || index === "?") && !submodule) && (await isPlain(context));
}

/** The pause after which `--once` checks again whether a vanished name is back. */
const secondLookMs = 100;
