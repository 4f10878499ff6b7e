import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import path from "node:path";
import {
	type CheckoutReport,
	type CleanCommit,
	checkOutTree,
	cleanCommits,
	type GitPath,
	isAncestor,
	isIndexMissing,
	type KeptFile,
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
import { type Items, viewOf } from "@robust-sync/system/items";
import type { Lock } from "@robust-sync/system/lock";
import type { MonotonicClock } from "@robust-sync/system/monotonic-clock";
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

/** The environment of a checkout. */
export interface IntegrateContext {
	readonly repository: Repository;
	readonly paths: WorkspacePaths;
	/** Held by the caller; asserted before every durable step. */
	readonly lock: Lock;
	readonly now: () => number;
	/** Measures the ages of backups; by default the kernel's. */
	readonly clock?: MonotonicClock;
	/** Tries paths that earlier checkouts held again, even without an incoming version. */
	readonly retryHeld?: boolean;
	/** The limits above which an incoming loss waits for a person's decision; null, or absent: nothing is held. */
	readonly guard?: GuardLimits | null;
	/** Keeps links to placed files, which later show whether they were read. */
	readonly keepsVersions?: boolean;
	/** Called with the files of ours in the working tree after a checkout. */
	readonly onPlaced?: (files: readonly PlacedFile[]) => void;
	/** Logs problems that did not fail the checkout. */
	readonly warn?: (message: string, details: Record<string, unknown>) => void;
	/** Merges on the way that this process has just computed. */
	readonly made?: readonly Resolution[];
}

/** The result of a checkout. */
export interface Integration {
	/** The new HEAD. */
	readonly head: Oid;
	readonly kind: "nothing" | "fast-forward" | "merge";
	readonly resolution: Resolution | null;
	readonly changed: Items<GitPath>;
	/** The number of these that were removed, because the commit lacks them. */
	readonly deleted: number;
	/** Paths that a program wrote to during the checkout: the next cycle commits the writes. */
	readonly rescued: readonly GitPath[];
	/** Names of the new directories below sync/conflicts/. */
	readonly saved: readonly string[];
	/** The number of commits of a fast-forward; null: not counted on the way. */
	readonly commits: number | null;
}

/** Saves the losing versions of each resolution, unless that was done before (a resumed checkout). */
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

/** Between files, the lock is asserted if the last time was longer ago than this. */
const assertEveryMs = 10;

/** Carries out the journal: moves files, index and branch, and saves the versions that this node loses. */
async function checkOut(context: IntegrateContext, journal: Journal, how: { resume: boolean; branch: boolean }, known: Resolution | null) {
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
			// Only some of the steps at many files: the assertion reads a file.
			const isAtFile = step === "file" || step === "swap" || step === "swapped";
			if (!isAtFile || performance.now() - heldAt > assertEveryMs) {
				lock.assertHeld();
				heldAt = performance.now();
			}
			// From here on files may have been touched, and this records it.
			if (step === "staged") mkdirSync(path.join(paths.backups, backup), { recursive: true, mode: 0o700 });
			faultPoint(`move-${step}`);
		},
	};
	// Saves the losing versions concurrently; the journal stays until both are on disk. If one side fails, wait for the other:
	// nothing may run into the next cycle.
	const [moved, kept] = await Promise.allSettled([
		filtersApply(repository).then((filters) => checkOutTree(repository, options, filters)),
		(async () => {
			// The other side of a merge brings its own merges, like a fast-forward.
			const onTheWay = await saveEarlierMerges(context, from, theirs ?? to, context.made);
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
	recordBackup({ ...context, files: repository.files }, backup, report.kept);
	removeIfEmpty(path.join(paths.backups, backup));
	forgetAttributes(
		repository,
		viewOf(report.changes, (change) => change.path),
	);
	return { report, saved, commits, untouched: holder.untouched };
}

/** Removes an empty directory; another one stays. */
export function removeIfEmpty(directory: string): void {
	try {
		rmdirSync(directory);
	} catch {
		// It is not empty.
	}
}

/**
 * A checkout that failed before it touched a file is abandoned, if HEAD is still at its start: the next cycle fetches first, and a newer
 * commit replaces it. So a newer commit cures one that cannot be checked out here.
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
	const { report, saved, commits, untouched } = await checkOut(context, journal, { resume, branch: true }, known);
	const stays = new Set([...untouched, ...report.held.map((held) => held.path), ...report.rescued]);
	known?.contents?.clear();
	removeJournal(context.paths);
	faultPoint("move-done");
	return {
		head: journal.to,
		kind: journal.theirs === null ? "fast-forward" : "merge",
		resolution: known,
		changed: viewOf(report.changes, (change) => change.path),
		deleted: report.changes.filter(({ path: name, after }) => after === null && !stays.has(name)).length,
		rescued: report.rescued,
		saved,
		commits,
	};
}

/**
 * Tries held paths again, without an incoming commit. @param head the commit of HEAD
 * @returns null: no held path could be placed
 * @throws GitError, the file system's errors, LockLostError; `resumeIntegration` then continues
 */
export async function retryHeld(context: IntegrateContext, ref: string, head: Oid): Promise<Integration | null> {
	if (!new Holder(context).hasRetries) return null;
	const journal = newJournal(context, { from: head, to: head, ref, theirs: null, branch_at: null });
	context.lock.assertHeld();
	writeJournal(context.paths, journal);
	return await carryOut({ ...context, retryHeld: true }, journal, false, null);
}

/** Writes the manifest of the files that a checkout kept, if any. @throws the file system's error */
export function recordBackup(
	{ files, paths, now, clock }: Pick<IntegrateContext, "paths" | "now" | "clock"> & Pick<Repository, "files">,
	backup: string,
	kept: CheckoutReport["kept"],
): void {
	if (kept.length === 0) return;
	writeBackupManifest(files, paths, backup, {
		...replacedNow(now(), clock),
		files: replacedFiles(kept),
	});
}

/** Yields one at a time, so that each is in memory only while it is written. */
function* replacedFiles(kept: CheckoutReport["kept"]): Generator<ReplacedFile> {
	for (const file of kept) yield replacedFile(file);
}

/** A kept file in the form of the manifest. */
export function replacedFile({ mtimeMs, placed, ...file }: KeptFile): ReplacedFile {
	return {
		...file,
		mtime_ms: mtimeMs,
		...(placed ? { placed: { ino: placed.ino, atime_ms: placed.atimeMs, mtime_ms: placed.mtimeMs } } : {}),
	};
}

/** The commit that contains both sides; nothing has moved yet. */
export interface Plan {
	readonly kind: Integration["kind"];
	readonly from: Oid | null;
	readonly to: Oid;
	/** The other side of a merge; null: a fast-forward, or nothing to do. */
	readonly theirs: Oid | null;
	readonly resolution: Resolution | null;
	/** Whether `to` has commits that the other side lacks, and must be pushed. */
	readonly publish: boolean;
	/** Refused paths of the other side, one character a byte: they are in no tree of ours. */
	readonly refused: readonly string[];
}

// The HEAD of the last check in the life of the process.
const lookedAt = new WeakSet<Repository>();

/** A fast-forward to `theirs`, which contains `ours`, without its refused paths. @throws GitError */
export async function planFastForward(repository: Repository, ours: Oid | null, theirs: Oid): Promise<Plan> {
	const [their] = await cleanCommits(openMergeStore(repository), [theirs], isOwnName);
	const { clean = theirs, refused = [] } = their ?? {};
	return { kind: "fast-forward", from: ours, to: clean, theirs: null, resolution: null, publish: false, refused };
}

/**
 * Finds the commit that contains `ours` (HEAD; null: no commit yet) and `theirs`: one of them, or a merge computed in
 * the object database. Touches no ref, no index and no file, so its result can be published before anything moves.
 * @throws GitError
 */
export async function planIntegration(repository: Repository, ours: Oid | null, theirs: Oid): Promise<Plan> {
	const standing = ours === null ? "behind" : await relation(repository, ours, theirs);
	const nothing = { kind: "nothing", from: ours, to: ours ?? theirs, theirs: null, resolution: null, publish: false, refused: [] } as const;
	// Commits and checkouts of this node are clean. A commit by another program is checked once.
	if (standing === "same" && lookedAt.has(repository)) return nothing;
	lookedAt.add(repository);
	if (ours === null || standing === "behind") return await planFastForward(repository, ours, theirs);
	const store = openMergeStore(repository);
	const [{ clean, refused }] = (await cleanCommits(store, [theirs], isOwnName)) as [CleanCommit];
	if (standing === "same" && clean !== theirs) return await planFastForward(repository, ours, theirs);
	// The clean version of the remote's commit is not pushed by itself: the peer may remove the refused paths.
	if (standing !== "diverged") return { ...nothing, publish: standing === "ahead" && ours !== clean, refused };
	const [{ original }] = (await cleanCommits(store, [ours], isOwnName)) as [CleanCommit];
	if (original !== null && (await isAncestor(repository, original, theirs))) return await planFastForward(repository, ours, theirs);
	const resolution = await resolveMerge(repository, ours, theirs);
	faultPoint("integrate-resolved");
	return { kind: "merge", from: ours, to: resolution.commit, theirs, resolution, publish: true, refused };
}

/** A new journal; not written yet. */
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
 * should have been committed right before.
 *
 * @param ref full name of the branch
 * @throws GitError, the file system's errors, LockLostError; `resumeIntegration` then continues
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

/** Plans and carries out: brings this node from `ours` to a commit that contains `theirs`. */
export async function integrate(context: IntegrateContext, ref: string, ours: Oid | null, theirs: Oid): Promise<Integration> {
	return await carryOutPlan(context, ref, await planIntegration(context.repository, ours, theirs));
}

/** Whether one commit replaces another, on the same parents (`git commit --amend`): the working tree is unchanged. */
async function isAmended(repository: Repository, before: Oid, after: Oid): Promise<boolean> {
	const [of, now] = await Promise.all([readParents(repository, before), readParents(repository, after)]);
	return of.join() === now.join();
}

/** Continues an interrupted checkout (killed, out of disk, or overtaken by a person's commit). Null: there was none. */
export async function resumeIntegration(context: IntegrateContext): Promise<Integration | null> {
	const { repository, paths } = context;
	const journal = readJournal(paths);
	if (!journal) return null;
	const { from, to, ref } = journal;
	// A person has another branch checked out: their files are not touched. The checkout continues when they are back.
	if (`refs/heads/${(await readHead(repository)).branch}` !== ref) return null;
	const at = await readRef(repository, ref);
	const stood = journal.branch_at ?? from;
	// Killed before it had an index: the index must have the paths that the checkout does not touch.
	if (from !== null && isIndexMissing(repository)) await readTreeIntoIndex(repository, to);
	if (at === stood || at === to) return await carryOut(context, journal, true, null);
	if (at === null || stood === null || !((await isAncestor(repository, stood, at)) || (await isAmended(repository, stood, at)))) {
		// A person moved the branch. Files that were placed already are an ordinary uncommitted change now.
		removeJournal(paths);
		return null;
	}
	// A person committed, or amended a commit, during the checkout. Files and index go to its target; then both are merged.
	await checkOut(context, journal, { resume: true, branch: false }, null);
	const plan = await planIntegration(repository, at, to);
	const second = newJournal(context, { from: to, to: plan.to, ref, theirs: null, branch_at: at });
	context.lock.assertHeld();
	writeJournal(paths, second);
	faultPoint("integrate-overtaken");
	return await carryOut(context, second, false, plan.resolution);
}
