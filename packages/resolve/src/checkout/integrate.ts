import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import path from "node:path";
import {
	type CleanCommit,
	cleanCommits,
	type GitPath,
	isAncestor,
	isIndexMissing,
	type KeptFile,
	type MoveReport,
	moveWorkingTree,
	type Oid,
	openMergeStore,
	type PlacedFile,
	type Repository,
	readHead,
	readParents,
	readRef,
	readTreeIntoIndex,
	relation,
	topOf,
} from "@robust-sync/git";
import type { GuardLimits } from "@robust-sync/guard";
import { faultPoint } from "@robust-sync/system/fault-points";
import type { Lock } from "@robust-sync/system/lock";
import { compactTimestamp, timestamp } from "@robust-sync/system/timestamps";
import {
	isOwnName,
	type Journal,
	listSavedVersions,
	mountPointsBelow,
	type ReplacedFile,
	readJournal,
	removeJournal,
	replacedNow,
	type WorkspacePaths,
	writeBackupManifest,
	writeJournal,
} from "@robust-sync/workspace";
import type { Resolution } from "../merge/resolution.ts";
import { resolveMerge } from "../merge/resolve-merge.ts";
import { saveVersions } from "../saved/save-versions.ts";
import { saveEarlierMerges } from "./earlier-merges.ts";
import { filtersApply, forgetAttributes } from "./filters-apply.ts";
import { Holder } from "./held.ts";
import { isAddition, mergeFiltered } from "./late-writes.ts";

/** What moving a node to another commit needs. */
export interface IntegrateContext {
	readonly repository: Repository;
	readonly paths: WorkspacePaths;
	/** Held by the caller; asserted before every durable step. */
	readonly lock: Lock;
	readonly now: () => number;
	/** Paths that earlier checkouts held are tried again, also where nothing comes in for them. */
	readonly retryHeld?: boolean;
	/** From which loss on what comes in is not carried out without a person's word; null, or not given: nothing is held. */
	readonly guard?: GuardLimits | null;
	/** Keeps links to what is put in place, so that it shows later whether it was read. */
	readonly keepsVersions?: boolean;
	/** Called with the files of ours that lie in the working tree after a checkout. */
	readonly onPlaced?: (files: readonly PlacedFile[]) => void;
	/** Logs what did not fail the checkout. */
	readonly warn?: (message: string, details: Record<string, unknown>) => void;
}

/** What came of it. */
export interface Integration {
	/** Where HEAD is now. */
	readonly head: Oid;
	readonly kind: "nothing" | "fast-forward" | "merge";
	readonly resolution: Resolution | null;
	readonly changed: readonly GitPath[];
	/** How many of these were taken away, because they are gone from the commit. */
	readonly deleted: number;
	/** Paths that a program wrote to while the files were moved: the next cycle commits what it wrote. */
	readonly rescued: readonly GitPath[];
	/** Names of the directories below sync/conflicts/ that were written. */
	readonly saved: readonly string[];
	/** How many commits a fast-forward brought; null: that was not counted on the way. */
	readonly commits: number | null;
}

/** Saves what each resolution left out, unless that was done before (a move that is taken up again). */
async function saveAll(context: IntegrateContext, resolutions: readonly Resolution[]): Promise<string[]> {
	const { repository, paths, now } = context;
	if (resolutions.length === 0) return [];
	const known = new Set(listSavedVersions(paths, 1_000).map(({ manifest }) => manifest?.merge_commit));
	const saved: string[] = [];
	for (const resolution of resolutions) {
		if (known.has(resolution.commit)) continue;
		const name = await saveVersions(repository, paths, resolution, now());
		if (name !== null) saved.push(name);
	}
	return saved;
}

/** Between files, the lock is asserted when the last time was longer ago than this. */
const assertEveryMs = 10;

/** Carries out the journal: moves files, index and branch, and saves the versions that this node loses. */
async function move(context: IntegrateContext, journal: Journal, how: { resume: boolean; branch: boolean }, known: Resolution | null) {
	const { repository, paths, lock } = context;
	const { from, to, ref, backup, branch_at, theirs } = journal;
	const holder = new Holder(context, journal, known?.contents);
	let heldAt = Number.NEGATIVE_INFINITY;
	const options = {
		held: holder.toRetry(),
		ownBits: holder.ownBits,
		retryHeld: context.retryHeld === true,
		keepLocal: holder.keepLocal,
		onHeld: holder.onHeld,
		from,
		to,
		ref: how.branch ? ref : null,
		branchAt: branch_at,
		staging: paths.staging,
		backup: path.join(paths.backups, backup),
		mounts: mountPointsBelow(repository.root),
		versions: paths.versions,
		keepsVersions: context.keepsVersions === true,
		resume: how.resume,
		...(known?.contents ? { contents: known.contents } : {}),
		isOwn: (name: GitPath) => isOwnName(topOf(name)),
		mergeFiltered,
		isAddition,
		checkpoint(step: string) {
			// Of the steps at each of many files, some: asking means reading a file.
			const isAtFile = step === "file" || step === "swap" || step === "swapped";
			if (!isAtFile || performance.now() - heldAt > assertEveryMs) {
				lock.assertHeld();
				heldAt = performance.now();
			}
			// From here on files may have been touched, and this shows it.
			if (step === "staged") mkdirSync(path.join(paths.backups, backup), { recursive: true, mode: 0o700 });
			faultPoint(`move-${step}`);
		},
	};
	// What this node loses is saved in the same breath; the journal stays until both are on disk. Where one fails the other is waited
	// for: it must not go on while the next cycle begins.
	const [moved, kept] = await Promise.allSettled([
		filtersApply(repository).then((filters) => moveWorkingTree(repository, options, filters)),
		(async () => {
			// The other side of a merge brings merges that it made, as a fast-forward does.
			const onTheWay = await saveEarlierMerges(context, from, theirs ?? to);
			if (known === null && (theirs === null || from === null)) return onTheWay;
			const resolution = known ?? (await resolveMerge(repository, from as Oid, theirs as Oid));
			return { saved: [...onTheWay.saved, ...(await saveAll(context, [resolution]))], commits: null };
		})(),
	]);
	if (moved.status === "rejected") {
		if (how.branch) await forgetUntouched(context, journal);
		throw moved.reason;
	}
	if (kept.status === "rejected") throw kept.reason;
	const report = moved.value;
	const { commits, saved } = kept.value;
	context.onPlaced?.(report.placed);
	faultPoint("move-saved");
	recordBackup(context, backup, report);
	removeIfEmpty(path.join(paths.backups, backup));
	forgetAttributes(
		repository,
		report.changes.map((change) => change.path),
	);
	return { report, saved, commits, untouched: holder.untouched };
}

/** Removes a directory with nothing in it; another one stays. */
export function removeIfEmpty(directory: string): void {
	try {
		rmdirSync(directory);
	} catch {
		// There is something in it.
	}
}

/**
 * A move that failed before it touched a file is forgotten, where HEAD is where it began: the next cycle fetches first, and what came
 * meanwhile takes its place. So a newer commit cures one that cannot be checked out here.
 */
async function forgetUntouched({ repository, paths, lock }: IntegrateContext, { from, ref, backup, branch_at }: Journal): Promise<void> {
	try {
		lock.assertHeld();
	} catch {
		return;
	}
	if (from === null || branch_at !== null || existsSync(path.join(paths.backups, backup)) || isIndexMissing(repository)) return;
	if ((await readRef(repository, ref)) === from) removeJournal(paths);
}

/** Carries out a journal that is on disk. @param resume it was begun before @param known the merge that `to` is, if it is known */
export async function carryOut(
	context: IntegrateContext,
	journal: Journal,
	resume: boolean,
	known: Resolution | null,
): Promise<Integration> {
	const { report, saved, commits, untouched } = await move(context, journal, { resume, branch: true }, known);
	const stays = new Set([...untouched, ...report.held.map((held) => held.path), ...report.rescued]);
	known?.contents?.clear();
	removeJournal(context.paths);
	faultPoint("move-done");
	return {
		head: journal.to,
		kind: journal.theirs === null ? "fast-forward" : "merge",
		resolution: known,
		changed: report.changes.map((change) => change.path),
		deleted: report.changes.filter(({ path: name, after }) => after === null && !stays.has(name)).length,
		rescued: report.rescued,
		saved,
		commits,
	};
}

/**
 * Tries again what earlier checkouts held, where nothing comes in. @param head where HEAD is
 * @returns null: nothing is held that could be placed
 * @throws GitError, the file system's errors, LockLostError; `resumeIntegration` then goes on
 */
export async function retryHeld(context: IntegrateContext, ref: string, head: Oid): Promise<Integration | null> {
	if (!new Holder(context).hasRetries) return null;
	const journal = newJournal(context, { from: head, to: head, ref, theirs: null, branch_at: null });
	context.lock.assertHeld();
	writeJournal(context.paths, journal);
	return await carryOut({ ...context, retryHeld: true }, journal, false, null);
}

/** Writes the manifest of what a checkout kept, where it kept anything. @throws the file system's error */
export function recordBackup({ paths, now }: Pick<IntegrateContext, "paths" | "now">, backup: string, report: MoveReport): void {
	if (report.kept.length === 0) return;
	writeBackupManifest(paths, backup, {
		...replacedNow(now()),
		files: replacedFiles(report.kept),
	});
}

/** Yields one at a time, so that each is in memory only while it is written. */
function* replacedFiles(kept: MoveReport["kept"]): Generator<ReplacedFile> {
	for (const file of kept) yield replacedFile(file);
}

/** A kept file as the manifest has it. */
export function replacedFile({ mtimeMs, placed, ...file }: KeptFile): ReplacedFile {
	return {
		...file,
		committed: true,
		mtime_ms: mtimeMs,
		...(placed ? { placed: { ino: placed.ino, atime_ms: placed.atimeMs, mtime_ms: placed.mtimeMs } } : {}),
	};
}

/** Where a node should go to contain both sides; nothing has moved yet. */
export interface Plan {
	readonly kind: Integration["kind"];
	readonly from: Oid | null;
	readonly to: Oid;
	/** The other side of a merge; null: a fast-forward, or nothing to do. */
	readonly theirs: Oid | null;
	readonly resolution: Resolution | null;
	/** Whether `to` has something that the other side lacks, and is to be pushed. */
	readonly publish: boolean;
	/** What the other side holds and no working tree may have, one character a byte: it is in no tree of ours. */
	readonly refused: readonly string[];
}

// Where HEAD was once looked at in the life of the process.
const lookedAt = new WeakSet<Repository>();

/** A fast-forward to `theirs`, which contains `ours`, without what is refused in it. @throws GitError */
export async function planFastForward(repository: Repository, ours: Oid | null, theirs: Oid): Promise<Plan> {
	const [their] = await cleanCommits(openMergeStore(repository), [theirs], isOwnName);
	const { clean = theirs, refused = [] } = their ?? {};
	return { kind: "fast-forward", from: ours, to: clean, theirs: null, resolution: null, publish: false, refused };
}

/**
 * Finds the commit that contains `ours` (where HEAD is; null: no commit yet) and `theirs`: one of them, or a merge computed in
 * the object database. Touches no ref, no index and no file, so its result can be published before anything moves.
 * @throws GitError
 */
export async function planIntegration(repository: Repository, ours: Oid | null, theirs: Oid): Promise<Plan> {
	const standing = ours === null ? "behind" : await relation(repository, ours, theirs);
	const nothing = { kind: "nothing", from: ours, to: ours ?? theirs, theirs: null, resolution: null, publish: false, refused: [] } as const;
	// What this node made or checked out is clean. What someone else put there is found once.
	if (standing === "same" && lookedAt.has(repository)) return nothing;
	lookedAt.add(repository);
	if (ours === null || standing === "behind") return await planFastForward(repository, ours, theirs);
	const store = openMergeStore(repository);
	const [{ clean, refused }] = (await cleanCommits(store, [theirs], isOwnName)) as [CleanCommit];
	if (standing === "same" && clean !== theirs) return await planFastForward(repository, ours, theirs);
	// The clean version of what the remote has is not pushed by itself: the peer may take back what is refused.
	if (standing !== "diverged") return { ...nothing, publish: standing === "ahead" && ours !== clean, refused };
	const [{ original }] = (await cleanCommits(store, [ours], isOwnName)) as [CleanCommit];
	if (original !== null && (await isAncestor(repository, original, theirs))) return await planFastForward(repository, ours, theirs);
	const resolution = await resolveMerge(repository, ours, theirs);
	faultPoint("integrate-resolved");
	return { kind: "merge", from: ours, to: resolution.commit, theirs, resolution, publish: true, refused };
}

/** A journal of a move that begins now; not written yet. */
export function newJournal(context: IntegrateContext, fields: Pick<Journal, "from" | "to" | "ref" | "theirs" | "branch_at">): Journal {
	return { schema: 1, ...fields, backup: freeBackupName(context), started_at: timestamp(context.now()) };
}

/** A name for a new directory below `sync/backups/`. The clock may have been set back: no two checkouts share one. */
export function freeBackupName({ now, paths }: Pick<IntegrateContext, "now" | "paths">): string {
	let at = now();
	while (existsSync(path.join(paths.backups, compactTimestamp(at)))) at++;
	return compactTimestamp(at);
}

/**
 * Carries a plan out: branch, index and working tree follow in one journalled step that destroys no byte. The working tree
 * should have just been committed.
 *
 * @param ref full name of the branch
 * @throws GitError, the file system's errors, LockLostError; `resumeIntegration` then goes on
 */
export async function carryOutPlan(context: IntegrateContext, ref: string, plan: Plan): Promise<Integration> {
	if (plan.kind === "nothing")
		return { head: plan.to, kind: "nothing", resolution: null, changed: [], deleted: 0, rescued: [], saved: [], commits: 0 };
	const { from, to, theirs, resolution } = plan;
	return await begin(context, newJournal(context, { from, to, ref, theirs, branch_at: null }), resolution);
}

/**
 * The same for a working tree that differs from HEAD. Versions that lose in the merges between `head` and `to` are saved like those of merges
 * made by other nodes.
 * @param at `head`: the commit of HEAD; `disk`: a commit with the content of the working tree; `to`: a commit that contains HEAD
 */
export async function carryOutFrom(
	context: IntegrateContext,
	ref: string,
	{ head, disk, to }: { readonly head: Oid; readonly disk: Oid; readonly to: Oid },
): Promise<Integration> {
	const branch_at = disk === head ? null : head;
	return await begin(context, newJournal(context, { from: disk, to, ref, theirs: null, branch_at }), null);
}

async function begin(context: IntegrateContext, journal: Journal, known: Resolution | null): Promise<Integration> {
	context.lock.assertHeld();
	writeJournal(context.paths, journal);
	faultPoint("integrate-journalled");
	return await carryOut(context, journal, false, known);
}

/** Both at once: brings this node from `ours` to a commit that contains `theirs`. */
export async function integrate(context: IntegrateContext, ref: string, ours: Oid | null, theirs: Oid): Promise<Integration> {
	return await carryOutPlan(context, ref, await planIntegration(context.repository, ours, theirs));
}

/** Whether one commit takes the place of another, on the same parents (`git commit --amend`): the working tree is as it was. */
async function isAmended(repository: Repository, before: Oid, after: Oid): Promise<boolean> {
	const [of, now] = await Promise.all([readParents(repository, before), readParents(repository, after)]);
	return of.join() === now.join();
}

/** Goes on with a move that was interrupted (killed, out of disk, or overtaken by a person's commit). Null when there was none. */
export async function resumeIntegration(context: IntegrateContext): Promise<Integration | null> {
	const { repository, paths } = context;
	const journal = readJournal(paths);
	if (!journal) return null;
	const { from, to, ref } = journal;
	// A person has another branch checked out: their files are not touched. It goes on when they are back.
	if (`refs/heads/${(await readHead(repository)).branch}` !== ref) return null;
	const at = await readRef(repository, ref);
	const stood = journal.branch_at ?? from;
	// Killed before it had an index: what the move does not touch must be in it.
	if (from !== null && isIndexMissing(repository)) await readTreeIntoIndex(repository, to);
	if (at === stood || at === to) return await carryOut(context, journal, true, null);
	if (at === null || stood === null || !((await isAncestor(repository, stood, at)) || (await isAmended(repository, stood, at)))) {
		// A person took the branch elsewhere. What was moved already is an ordinary uncommitted change now.
		removeJournal(paths);
		return null;
	}
	// A person committed, or amended a commit, in the middle of the move. Files and index go to where they were going; then both are merged.
	await move(context, journal, { resume: true, branch: false }, null);
	const plan = await planIntegration(repository, at, to);
	const second = newJournal(context, { from: to, to: plan.to, ref, theirs: null, branch_at: at });
	context.lock.assertHeld();
	writeJournal(paths, second);
	faultPoint("integrate-overtaken");
	return await carryOut(context, second, false, plan.resolution);
}
