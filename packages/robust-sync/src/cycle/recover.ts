import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
	attachHead,
	deleteRef,
	findLockFiles,
	isAncestor,
	isIndexMissing,
	isIndexWhole,
	lockHolder,
	operationInProgress,
	operationText,
	pruningCollector,
	readHead,
	readRef,
	rebuildIndex,
	setAsideLockFile,
	updateRef,
} from "@robust-sync/git";
import { checkOutFirst, integrate, resumeIntegration } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import { compactTimestamp } from "@robust-sync/system/timestamps";
import { restoreLocalNotes } from "../checkout/held.ts";
import { type CycleContext, integrateContext } from "../context/cycle-context.ts";
import { SyncError, wrongBranch } from "../context/sync-error.ts";
import { resumeForget } from "../forget/forgotten-upstream.ts";
import { repairRepository } from "./repair.ts";
import { setAsideInvalidStates } from "./state-files.ts";

/** The result of recovery, for the log and the totals. */
export interface Recovery {
	readonly done: readonly string[];
	readonly rescued: number;
}

/** Longest wait for a live git before the cycle fails with INDEX_LOCKED. */
const heldLockTimeoutMs = 10_000;
/** Interval between two checks of a lock without a visible holder: a git that holds it briefly has released it by the second one. */
const recheckMs = 30;
const collectorPollMs = 100;

/** Leftover in `.git` or `sync/` → remedy. In this order; a kill is safe in each row. */
const table: readonly (readonly [found: string, recover: (context: CycleContext) => Promise<string | null>])[] = [
	["a state file of ours that is not valid", setAsideInvalidStates],
	["a lock file that a killed git left", setAsideStaleLocks],
	["a garbage collection that prunes at once", waitForCollector],
	["an index that a power cut tore", makeIndexAgain],
	["objects that the last cycle missed", repairObjects],
	["an interrupted checkout", finishInterruptedCheckout],
	["unfinished files of a killed process", clearStaging],
	["a person's rebase, merge, cherry-pick, revert or bisect", leaveOpenOperation],
	["a detached HEAD", attachDetachedHead],
	["a clone that was never checked out", checkOutClone],
	["local files without their records", holdLocalAgain],
	["an interrupted forgetting", resumeForget],
];

/**
 * Brings the repository back to a state in which a cycle can start, after a crash or a person's command. Never deletes user data; returns
 * one line for each remedy.
 * @throws SyncError INDEX_LOCKED, OPERATION_OPEN, WRONG_BRANCH, DETACHED_HEAD
 */
export async function recover(context: CycleContext): Promise<Recovery> {
	const done: string[] = [];
	for (const [, handle] of table) {
		const line = await handle(context);
		if (line === null) continue;
		done.push(line);
		context.log.warn(`recovered: ${line}`);
	}
	return { done, rescued: done.length };
}

/**
 * A person may have begun a merge, or switched branches, while the cycle waited for the network: then the cycle neither commits nor checks out.
 * @throws SyncError OPERATION_OPEN, WRONG_BRANCH, DETACHED_HEAD
 */
export async function refuseOpenOperation(context: CycleContext): Promise<void> {
	await leaveOpenOperation(context);
	await attachDetachedHead(context);
}

async function setAsideStaleLocks({ repository, log, now }: CycleContext): Promise<string | null> {
	const moved: string[] = [];
	const deadline = performance.now() + heldLockTimeoutMs;
	for (;;) {
		const files = findLockFiles(repository);
		if (files.length === 0) break;
		const inodes = new Map(files.map((file) => [file, fs.statSync(file, { throwIfNoEntry: false })?.ino]));
		await sleep(recheckMs);
		let waiting = false;
		for (const [file, inode] of inodes) {
			if (inode === undefined || fs.statSync(file, { throwIfNoEntry: false })?.ino !== inode) continue;
			const holder = lockHolder(repository, file);
			if (holder === null) {
				if (setAsideLockFile(repository, file, inode, compactTimestamp(now())) !== null)
					moved.push(path.relative(repository.commonDirectory, file));
				continue;
			}
			// The lock of a background gc delays nothing; a gc that prunes is waited for below.
			if (/\/gc\.(log|pid)\.lock$/.test(file)) continue;
			waiting = true;
			if (performance.now() > deadline) {
				throw new SyncError("INDEX_LOCKED", `${file} is held by '${holder.command}' (pid ${holder.pid}): wait until it is done, or end it`);
			}
			log.debug(`${file} is held by '${holder.command}' (pid ${holder.pid}): waiting`);
		}
		if (!waiting) break;
	}
	return moved.length > 0 ? `set aside ${moved.join(", ")}, which no live process holds` : null;
}

async function holdLocalAgain(context: CycleContext): Promise<string | null> {
	const count = await restoreLocalNotes(context);
	return count > 0 ? `sync/held.json was lost: ${count} files that are ignored here stay local` : null;
}

async function makeIndexAgain({ repository, memory, now }: CycleContext): Promise<string | null> {
	const thorough = !memory.indexChecked;
	memory.indexChecked = true;
	if (isIndexWhole(repository, thorough)) return null;
	await rebuildIndex(repository, compactTimestamp(now()));
	return "the index was torn: rebuilt from HEAD, no file was touched";
}

async function repairObjects(context: CycleContext): Promise<string | null> {
	if (!context.memory.damaged) return null;
	const done = await repairRepository(context);
	context.memory.damaged = false;
	return done;
}

/** New objects are not referenced yet, and would be pruned. */
async function waitForCollector({ repository, log }: CycleContext): Promise<null> {
	const deadline = performance.now() + heldLockTimeoutMs;
	for (;;) {
		const collector = pruningCollector(repository);
		if (collector === null) return null;
		if (performance.now() > deadline) {
			throw new SyncError(
				"INDEX_LOCKED",
				`'git gc --prune' (pid ${collector.pid}) is at work in the repository: wait until it is done, or end it`,
			);
		}
		log.debug(`git gc --prune (pid ${collector.pid}) is at work: waiting`);
		await sleep(collectorPollMs);
	}
}

async function finishInterruptedCheckout(context: CycleContext): Promise<string | null> {
	const resumed = await resumeIntegration(integrateContext(context));
	return resumed ? `finished the interrupted checkout of ${resumed.head.slice(0, 12)} (${resumed.changed.length} files)` : null;
}

/** Without an index no missing file counts as deleted. */
async function checkOutClone(context: CycleContext): Promise<string | null> {
	const { repository } = context;
	if (!isIndexMissing(repository)) return null;
	const { branch, oid } = await readHead(repository);
	if (branch === null || oid === null) return null;
	const done = await checkOutFirst(integrateContext(context), `refs/heads/${branch}`, oid);
	return `there was no index: ${done === null ? "made from HEAD" : `checked out what was missing (${done.changed.length} ${done.changed.length === 1 ? "file" : "files"})`}`;
}

/**
 * The cycle lock excludes other processes: staged files were never placed, or are linked at their places. The directory stays for the
 * next checkout.
 */
async function clearStaging({ paths }: CycleContext): Promise<null> {
	const stats = fs.lstatSync(paths.staging, { throwIfNoEntry: false });
	// A link to it would lead out of the workspace.
	if (stats?.isDirectory() !== true) fs.rmSync(paths.staging, { force: true });
	else for (const name of fs.readdirSync(paths.staging)) fs.rmSync(path.join(paths.staging, name), { recursive: true, force: true });
	return null;
}

async function leaveOpenOperation({ repository }: CycleContext): Promise<null> {
	const operation = operationInProgress(repository.gitDirectory);
	if (!operation) return null;
	const next =
		operation.name === "bisect"
			? "end it with 'git bisect reset'"
			: operation.name === "merge"
				? "run 'conflict-resolver --resolve' (or --abort)"
				: `finish it with 'git ${operation.name} --continue' (or --abort), or run 'conflict-resolver --resolve'`;
	throw new SyncError(
		"OPERATION_OPEN",
		`${operationText(operation.name)} is in progress, begun by a person: ${next}; syncing continues after that`,
	);
}

/** A commit that is on no branch keeps this name while it is merged. */
const detachedPrefix = "robust-sync/detached-";

/** The branch is chosen once: SYNC_BRANCH, else the branch that is checked out at the first cycle. */
async function attachDetachedHead(context: CycleContext): Promise<string | null> {
	const { repository, config, memory } = context;
	const { branch: attached, oid } = await readHead(repository);
	const interrupted = attached?.startsWith(detachedPrefix) ? attached : null;
	if (attached !== null && interrupted === null) {
		memory.branch ??= config.syncBranch ?? (memory.resumed ? await lastBranch(context) : null) ?? attached;
		if (attached === memory.branch) return null;
		if (oid === null && config.syncBranch !== null) {
			await attachHead(repository, `refs/heads/${config.syncBranch}`);
			return `the unborn branch is named ${config.syncBranch} now, by SYNC_BRANCH`;
		}
		throw wrongBranch(attached, memory.branch);
	}
	const target = config.syncBranch ?? memory.branch ?? (await lastBranch(context)) ?? (await onlyBranch(context));
	if (target === null)
		throw new SyncError("DETACHED_HEAD", "HEAD is detached and no branch is configured: run 'git checkout <branch>', or set SYNC_BRANCH");
	memory.branch = target;
	const ref = `refs/heads/${target}`;
	const tip = await readRef(repository, ref);
	if (oid === null) return null;
	if (tip === null || (await isAncestor(repository, tip, oid))) {
		if (tip !== oid) await updateRef(repository, ref, oid, tip, "robust-sync: re-attach a detached HEAD");
		await attachHead(repository, ref);
		if (interrupted) await deleteRef(repository, `refs/heads/${interrupted}`, oid);
		return `HEAD was detached at ${oid.slice(0, 12)}: '${target}' has its commits now and is checked out`;
	}
	if (await isAncestor(repository, oid, tip)) {
		throw new SyncError(
			"DETACHED_HEAD",
			`HEAD is detached at ${oid.slice(0, 12)}, an older commit of '${target}': run 'git checkout ${target}' when you are done looking; syncing continues after that`,
		);
	}
	// Both have commits: the branch's tip is merged into HEAD, on a new branch.
	const kept = `refs/heads/${interrupted ?? `${detachedPrefix}${oid.slice(0, 12)}`}`;
	if (interrupted === null) {
		if ((await readRef(repository, kept)) !== oid) await updateRef(repository, kept, oid, null, "robust-sync: keep a detached HEAD");
		faultPoint("detached-kept");
		await attachHead(repository, kept);
	}
	faultPoint("detached-attached");
	const { head } = await integrate(integrateContext(context), kept, oid, tip);
	faultPoint("detached-merged");
	await updateRef(repository, ref, head, tip, "robust-sync: re-attach a detached HEAD");
	await attachHead(repository, ref);
	await deleteRef(repository, kept, head);
	return `HEAD was detached at ${oid.slice(0, 12)}: merged into '${target}', which is checked out now`;
}

/** The synced branch of this node's previous process, if it still exists. */
async function lastBranch({ repository, memory }: CycleContext): Promise<string | null> {
	if (memory.lastBranch === null || memory.lastBranch.startsWith(detachedPrefix)) return null;
	return (await readRef(repository, `refs/heads/${memory.lastBranch}`)) === null ? null : memory.lastBranch;
}

async function onlyBranch({ repository }: CycleContext): Promise<string | null> {
	const { stdout } = await repository.run(["for-each-ref", "--format=%(refname:lstrip=2)", "--count=2", "refs/heads/"]);
	const branches = stdout.toString("utf8").trim().split("\n");
	return branches.length === 1 && branches[0] ? branches[0] : null;
}
