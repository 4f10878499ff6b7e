import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
	cleanCommits,
	commitTree,
	displayPath,
	fileSystemPath,
	isIndexMissing,
	type Oid,
	openMergeStore,
	operationInProgress,
	operationText,
	Repository,
	readHead,
	readRemoteBranch,
	readTreeIntoIndex,
	stageFiles,
	withScratchIndex,
	writeTree,
} from "@robust-sync/git";
import { withNodeTrailer } from "@robust-sync/resolve";
import type { Logger } from "@robust-sync/service/log";
import { printable } from "@robust-sync/service/printable";
import { askHolder, isHolderAlive, isHolderInTable, type LockHolder, readLockHolder } from "@robust-sync/system/lock";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { timestamp } from "@robust-sync/system/timestamps";
import {
	type Config,
	ensureExcluded,
	type HeldLoss,
	isOwnName,
	listPending,
	pauseText,
	readPause,
	recordCycle,
	type SkippedFile,
	type SyncState,
	type WorkspacePaths,
} from "@robust-sync/workspace";
import { acquireCycleLock } from "@robust-sync/workspace/cycle-lock";
import { heldLosses, mayBeLoss, outgoingLoss } from "../checkout/guard.ts";
import { type CycleContext, openWorkspaceRepository } from "../context/cycle-context.ts";
import { workspaceProgress } from "../context/progress.ts";
import { SyncError, toSyncError } from "../context/sync-error.ts";
import { type CycleResult, runCycle } from "../cycle/cycle.ts";
import { SyncRecord } from "../cycle/record.ts";
import type { Task } from "../cycle/task.ts";
import { isSearching } from "../daemon/daemon.ts";
import { maintainWorkspace } from "../daemon/maintain-workspace.ts";
import { newMemory } from "../daemon/new-memory.ts";
import type { ForgetMemory } from "../forget/forget-state.ts";
import { Mirrors } from "../remote/mirrors.ts";
import { configurePace, limitSeenMs, resumeLimit, stillLimited } from "../remote/pace-of-workspace.ts";
import { readPosition } from "../remote/position.ts";
import { knownTip, requireRemote, syncedBranch } from "../remote/upstream.ts";
import { withoutSecretFiles } from "../secrets/files.ts";
import { secretSkipped } from "../secrets/notes.ts";
import { beginSecretSearch } from "../secrets/policy.ts";
import { isPlaceholder } from "../snapshot/nested-repositories.ts";
import { type Candidates, findCandidates } from "../snapshot/scan.ts";
import { admitForeignWorkspace } from "./foreign-workspace.ts";

/** A write that was merged during the checkout is committed by a follow-up cycle. */
const maxFollowUps = 3;

function addUp(first: CycleResult, second: CycleResult): CycleResult {
	const sum = (field: "committed" | "deleted" | "removed" | "commits" | "pulled" | "pushed" | "resolved" | "rescued" | "delivered") =>
		first[field] + second[field];
	return {
		...second,
		committed: sum("committed"),
		deleted: sum("deleted"),
		removed: sum("removed"),
		commits: sum("commits"),
		pulled: sum("pulled"),
		pushed: sum("pushed"),
		resolved: sum("resolved"),
		rescued: sum("rescued"),
		delivered: sum("delivered"),
		rewritten: first.rewritten || second.rewritten,
		saved: [...first.saved, ...second.saved],
	};
}

export interface OnceOptions {
	paths: WorkspacePaths;
	config: Config;
	logger: Logger;
	now?: () => number;
	/** The task of the command. */
	task?: Task;
	/** The process's memory of content that is to be forgotten; a cycle updates it. */
	forget?: ForgetMemory;
}

/** The result of `--once`. */
export type OnceOutcome =
	| { readonly ok: true; readonly result: CycleResult; readonly state: SyncState }
	| { readonly ok: false; readonly error: SyncError; readonly state: SyncState };

/**
 * One cycle, alone or beside a daemon. It does not write the daemon's state file, and notifies the daemon to scan again.
 * @throws LockedError after 60 s of waiting for a cycle in progress; LockLostError
 */
export async function syncOnce({ paths, config, logger, now = Date.now, task, forget }: OnceOptions): Promise<OnceOutcome> {
	try {
		await admitForeignWorkspace(paths, config);
	} catch (error) {
		return refused(toSyncError(error), new SyncRecord(paths, () => config, now, logger.warn).state, now());
	}
	const lock = await acquireCycleLock(paths, "a sync cycle");
	const started = performance.now();
	const instance = paths.instanceLock("sync");
	let daemon: LockHolder | null = null;
	/** Whether a daemon runs. Checked before each write of the state file, because a daemon that started meanwhile owns that file. */
	const isBeside = async () => {
		daemon = readLockHolder(instance);
		return daemon !== null && (await isHolderAlive(instance, daemon));
	};
	const record = new SyncRecord(
		paths,
		() => config,
		now,
		(line) => logger.warn(line),
		true,
	);
	const memory = { ...newMemory(paths, false), ...(forget ? { forget, publishable: forget.made?.from ?? null } : {}) };
	let context: CycleContext | undefined;
	const work = workspaceProgress(paths, logger, now);
	const pause = readPause(paths, now());
	if (pause !== null) {
		await lock.release();
		return refused(new SyncError("PAUSED", `sync is paused ${pauseText(pause)}: robust-sync --resume ends it`), record.state, now());
	}
	try {
		if (!(await isBeside())) void record.syncing();
		ensureExcluded(paths.root);
		work.begin();
		const repository = await openWorkspaceRepository(paths, config, { onProgress: work.report });
		memory.branch = config.syncBranch;
		memory.lastBranch = record.state.branch;
		memory.ownTracked = record.ownTracked;
		memory.damaged = record.state.last_error?.code === "CORRUPT_REPOSITORY";
		context = { repository, paths, config, log: logger, now, lock, memory };
		configurePace(memory.pace, repository, context);
		resumeLimit(memory.pace, repository, record.state, now());
		let result = await paced(context, task);
		for (let again = 0; result.busy > 0 && again < maxFollowUps; again++) result = addUp(result, await runCycle(context));
		// Repeated as long as each cycle delivers some of them.
		for (let waiting = Number.POSITIVE_INFINITY; result.waiting > 0 && result.waiting < waiting; ) {
			waiting = result.waiting;
			result = addUp(result, await runCycle(context));
		}
		const beside = await isBeside();
		// Without a daemon no other process does it. After a forgetting, which took long enough, the next run does.
		if (!beside && !memory.forget.hasApplied) await maintainWorkspace(context);
		const durationMs = performance.now() - started;
		const limitedMs = memory.pace.limitedMs();
		if (limitedMs > 0) {
			if (!beside) await record.waited(result, durationMs, now() + limitedMs);
			return { ok: false, error: stillLimited(limitedMs, now(), record.state.last_error?.remote_message ?? null), state: record.state };
		}
		if (memory.steps !== null) throw memory.steps.cause;
		if (!beside) {
			recordCycle(paths, now(), durationMs, false);
			await record.succeeded(result, durationMs, null);
			result = await mirrorOnce(context, result, record);
		}
		return { ok: true, result, state: record.state };
	} catch (error) {
		const failure = toSyncError(error);
		if (!(await isBeside())) {
			recordCycle(paths, now(), performance.now() - started, true);
			// The next run avoids the remote for as long.
			const isLimited = failure.code === "RATE_LIMITED";
			const nextAttempt = isLimited ? now() + memory.pace.limited(failure.retryAfterMs, Math.random()) : null;
			// A branch other than the synced one is no position of this node.
			const position = context && failure.code !== "WRONG_BRANCH" ? await readPosition(context) : {};
			await record.failed(failure, nextAttempt, position);
		}
		return { ok: false, error: failure, state: record.state };
	} finally {
		await work.end();
		await record.flushed();
		await lock.release();
		if ((await isBeside()) && daemon !== null) await wakeHolder(instance, daemon);
	}
}

/** The longest wait for the next part of a push in parts; the rest is left to the next run. */
const longestTurnMs = 120_000;

/** A cycle, and further ones while a push is sent in parts: each keeps the push interval. @throws as runCycle */
async function paced(context: CycleContext, task: Task | undefined): Promise<CycleResult> {
	const { memory, log, lock } = context;
	let sum: CycleResult | null = null;
	for (let given = task; ; given = undefined) {
		try {
			const result = await runCycle(given === undefined ? context : { ...context, task: given });
			sum = sum === null ? result : addUp(sum, result);
			if (memory.steps === null) return sum;
		} catch (error) {
			if (!isSearching(memory) || memory.pace.limitedMs() > 0 || memory.pace.waitToPushMs() > longestTurnMs) throw error;
		}
		const waitMs = memory.pace.waitToPushMs();
		if (sum !== null && (memory.pace.limitedMs() > 0 || waitMs > longestTurnMs)) return sum;
		log.info(`the hub accepts this push in parts only: the next one is due in ${Math.ceil(waitMs / 1_000)} s`);
		await sleep(waitMs);
		lock.assertHeld();
	}
}

/** Pushes to the mirrors after the hub. A mirror's failure is in the state and the log, but fails no cycle. Commits that only a mirror had are merged by a further cycle. */
async function mirrorOnce(context: CycleContext, result: CycleResult, record: SyncRecord): Promise<CycleResult> {
	const { config, memory, repository, log, now } = context;
	if (config.syncMirrors.length === 0 || result.head === null) return result;
	const mirrors = new Mirrors({ log, now }, record.state.mirrors);
	memory.mirrors = mirrors;
	let sum = result;
	await mirrors.push({ repository, config, branch: result.branch, head: result.head });
	if (mirrors.tips.size > 0) {
		for (let again = 0; again < maxFollowUps && (again === 0 || sum.busy > 0); again++) sum = addUp(sum, await runCycle(context));
		if (sum.head !== null) await mirrors.push({ repository, config, branch: sum.branch, head: sum.head });
	}
	await record.update({ head: sum.head, mirrors: mirrors.states(config) });
	return sum;
}

/** The message if the workspace is read-only. */
function refused(error: SyncError, state: SyncState, now: number): OnceOutcome {
	const last_error = { code: error.code, message: printable(error.message), at: timestamp(now) };
	return { ok: false, error, state: { ...state, status: "failed", last_error } };
}

/** Wakes a daemon for a new scan, in any pid namespace. */
export async function wakeHolder(file: string, holder: LockHolder): Promise<void> {
	if ((await askHolder(file, holder, "wake")) || !isHolderInTable(holder)) return;
	process.kill(holder.pid, "SIGUSR1");
}

/** The plan of a cycle. */
export interface DryRun {
	readonly branch: string | null;
	readonly head: string | null;
	readonly would_commit: readonly string[];
	readonly would_deliver: number;
	readonly skipped: readonly SkippedFile[];
	/** The remote's tip; null: it has no such branch yet. */
	readonly remote_head: string | null;
	readonly would_fetch: boolean;
	readonly would_push: boolean;
	/** The loss that waits, or would wait, for a person's decision. */
	readonly held: readonly HeldLoss[];
	/** The obstacle, in words; null: none. */
	readonly blocked_by: string | null;
}

/** A context for commands that read without the cycle lock. @throws GitError, SyncError NO_REMOTE */
export async function lookingContext({ paths, config, logger, now = Date.now }: OnceOptions): Promise<CycleContext> {
	const repository = await openWorkspaceRepository(paths, config);
	const memory = newMemory(paths, false);
	const held = { assertHeld: () => undefined, release: async () => undefined };
	const context: CycleContext = { repository, paths, config, log: logger, now, lock: held, memory };
	requireRemote(context);
	memory.branch = config.syncBranch ?? (await readHead(repository)).branch ?? "HEAD";
	return context;
}

/** The paths that a snapshot would commit now. Touches no index. @throws GitError */
export async function lookForCandidates(context: CycleContext, head: Oid | null): Promise<Candidates> {
	return await withoutTouchingIndex(context, (scratch) => candidatesOf(scratch, head));
}

/** Computes the plan without a change of any ref, index or file. @throws GitError, SyncError */
export async function dryRun(options: OnceOptions): Promise<DryRun> {
	const { paths, config } = options;
	const context = await lookingContext(options);
	const { repository } = context;
	const { branch, oid } = await readHead(repository);
	const limitedMs = limitSeenMs(repository, paths, context.now());
	const [{ changed, skipped, held }, asked, known] = await Promise.all([
		withoutTouchingIndex(context, async (scratch, directory) => {
			const found = await candidatesOf(scratch, oid);
			return { ...found, held: await heldThen(context, scratch, directory, found) };
		}),
		limitedMs > 0 ? null : readRemoteBranch(repository, config.syncRemote, syncedBranch(context)),
		knownTip(context),
	]);
	const remoteHead = limitedMs > 0 ? known : asked;
	await beginSecretSearch(context);
	const publishable = await withoutSecretFiles(context, changed);
	const pending = listPending(paths).length;
	const operation = operationInProgress(repository.gitDirectory);
	const commits = publishable.length > 0 || pending > 0;
	return {
		branch,
		head: oid,
		would_commit: publishable.filter((name) => !isPlaceholder(name)).map(displayPath),
		would_deliver: pending,
		skipped: [...skipped, ...secretSkipped(context)],
		remote_head: remoteHead,
		would_fetch: remoteHead !== null && remoteHead !== known,
		would_push: commits || (oid !== null && oid !== remoteHead && (remoteHead === known || remoteHead === null)),
		held,
		blocked_by: operation
			? `${operationText(operation.name)} is in progress`
			: limitedMs > 0
				? `the remote limits requests: waiting another ${Math.ceil(limitedMs / 1_000)} s`
				: null,
	};
}

/** The loss that would wait for a person's decision once all of this is committed. Temporary objects are written below `directory`. */
async function heldThen(
	context: CycleContext,
	{ repository }: Pick<CycleContext, "repository">,
	directory: string,
	{ changed: candidates, status: { head } }: Candidates,
): Promise<readonly HeldLoss[]> {
	const { config } = context;
	const changed = candidates.filter((name) => !isPlaceholder(name));
	const tip = await knownTip(context);
	if (tip === null || head === null) return heldLosses(context, null, false);
	const deleted = changed.filter((name) => lstatIfThere(fileSystemPath(repository.root, name)) === null).length;
	context.memory.changes.add(changed);
	if (!(await mayBeLoss(context, head, changed.length, deleted))) return heldLosses(context, await outgoingLoss(context, tip, head), false);
	const objects = path.join(directory, "objects");
	fs.mkdirSync(objects);
	const known = [path.join(repository.commonDirectory, "objects"), objects];
	const env = {
		...repository.env,
		GIT_OBJECT_DIRECTORY: objects,
		// In quotes: a colon separates the directories (git(1)).
		GIT_ALTERNATE_OBJECT_DIRECTORIES: known.map((name) => `"${name.replaceAll(/[\\"]/g, "\\$&")}"`).join(":"),
	};
	const apart = new Repository({ ...repository, env });
	await stageFiles(apart, changed);
	const commit = await commitTree(apart, await writeTree(apart), [head], withNodeTrailer("what would be committed", config.nodeName));
	return heldLosses(context, await outgoingLoss({ ...context, repository: apart }, tip, commit), false);
}

/** Without an index, missing files are checked out, not deleted (checkOutFirst). */
async function candidatesOf(context: CycleContext, head: Oid | null): Promise<Candidates> {
	const { repository } = context;
	if (head === null || !isIndexMissing(repository)) return await findCandidates(context);
	const [commit] = await cleanCommits(openMergeStore(repository), [head], isOwnName);
	await readTreeIntoIndex(repository, commit?.clean ?? head);
	const found = await findCandidates(context);
	return { ...found, changed: found.changed.filter((name) => lstatIfThere(fileSystemPath(repository.root, name)) !== null) };
}

/** `git status` refreshes the index, and opens nested repositories in it: here in a copy. */
async function withoutTouchingIndex<T>(context: CycleContext, read: (context: CycleContext, directory: string) => Promise<T>): Promise<T> {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-dry-run-"));
	try {
		return await withScratchIndex(context.repository, directory, (repository) => read({ ...context, repository }, directory));
	} finally {
		fs.rmSync(directory, { recursive: true, force: true });
	}
}
