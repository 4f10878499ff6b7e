import { setTimeout as sleep } from "node:timers/promises";
import {
	excludePatterns,
	type GitPath,
	hookFailureText,
	isArgument,
	type Oid,
	readHead,
	type Status,
	stageFiles,
	updateRef,
	writeIndexEntries,
} from "@robust-sync/git";
import { filtersApply, forgetAttributes, withNodeTrailer } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import { annotatedMessage, holdRemedies, removeAnnotation, type SkippedFile } from "@robust-sync/workspace";
import { type ForeignWrite, unstageForeign } from "../checkout/foreign-writes.ts";
import { noteHeld, stageHeldWrites } from "../checkout/held.ts";
import { lookAtReads, noteCommitted, rescueStaleWrites } from "../checkout/rescue.ts";
import { skippedFile } from "../checkout/skipped-files.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { forgetFirstChanges } from "../context/first-changes.ts";
import { snapshotMessage } from "../context/snapshot-message.ts";
import { SyncError, wrongBranch } from "../context/sync-error.ts";
import { withoutSecretFiles } from "../secrets/files.ts";
import { forgetUnchanged } from "../secrets/notes.ts";
import { beginSecretSearch } from "../secrets/policy.ts";
import { nextAnnotation } from "./annotations.ts";
import { commitDate } from "./commit-date.ts";
import { commit, commitIndex, isStaged, isStagedByCommit, restoreInIndex, stageAndCommit, stageChecked } from "./commit-index.ts";
import { bringIndexUpToDate, takeDirectSnapshot } from "./direct-snapshot.ts";
import { unstageExcluded } from "./excluded.ts";
import { separateHot, waitUntilQuiet } from "./hot-files.ts";
import { changedCopies, copyLiveDatabases } from "./live-database.ts";
import { isPlaceholder } from "./nested-repositories.ts";
import { untrackOwnFiles } from "./own-tracked.ts";
import { findCandidates, hasLinkAbove, isGone, isNothing } from "./scan.ts";
import { confirmDeletionMs, separateVanished } from "./vanished-files.ts";

/** What a snapshot found and did. */
export interface Snapshot {
	readonly status: Status;
	/** HEAD afterwards; null: still no commit. */
	readonly head: Oid | null;
	/** How many files were committed, and how many of those are deletions. */
	readonly committed: number;
	readonly deleted: number;
	/** Those files, as far as they are known by name. */
	readonly changed: readonly GitPath[];
	readonly skipped: readonly SkippedFile[];
	/** Lost updates that were put right. */
	readonly rescued: number;
	/** The other lost updates, on disk and not in HEAD: to be merged as commits on the versions that their writers had read. */
	readonly foreign: readonly ForeignWrite[];
	/** Files that were being written, and names that vanished a moment ago: they wait for the next snapshot. */
	readonly busy: readonly GitPath[];
	/** How many of them vanished, or came with those. */
	readonly unconfirmed: number;
	/** Committed without the index (direct-snapshot.ts): nothing that a person staged is in it. */
	readonly isDirect?: boolean;
}

/**
 * Commits what is there: everything that changed but what must be skipped, as one commit, without the user's hooks, signing,
 * pager or editor. Nothing to commit makes no commit. Files that are being written wait: for the next cycle where
 * `memory.deferHot` says so, else here, at most 10 s.
 * @param extra paths to commit even where an ignore rule covers them (delivered messages)
 */
export async function takeSnapshot(context: CycleContext, extra: readonly GitPath[] = []): Promise<Snapshot> {
	const { known } = context.memory;
	lookAtReads(context);
	try {
		await beginSecretSearch(context);
		const annotation = await nextAnnotation(context);
		const message: SnapshotMessage = (changed, gone) =>
			withNodeTrailer(annotatedMessage(snapshotMessage(context.config.nodeName, changed, gone), annotation), context.config.nodeName);
		const noted = (snapshot: Snapshot) => {
			if (annotation !== null && snapshot.committed > 0) removeAnnotation(context.paths, annotation);
			context.memory.placed.retire(context.repository, [...snapshot.busy, ...snapshot.foreign.map((write) => write.path)]);
			return snapshot;
		};
		const direct = await takeDirectSnapshot(context, extra, (changed, gone) => `${message(changed, gone)}\n`);
		if (direct !== null) return noted(direct);
		await bringIndexUpToDate(context);
		known.lookingAtAll();
		const snapshot = noted(await takeFullSnapshot(context, extra, message));
		for (const name of snapshot.busy) known.saw(name);
		known.skipped = snapshot.skipped;
		context.memory.looked = true;
		return snapshot;
	} catch (error) {
		known.forget();
		throw error;
	}
}

type SnapshotMessage = (changed: readonly GitPath[], gone: ReadonlySet<GitPath>) => string;

async function takeFullSnapshot(context: CycleContext, extra: readonly GitPath[], messageOf: SnapshotMessage): Promise<Snapshot> {
	const { repository, config, memory, now } = context;
	const lookedAt = memory.clock.now();
	let found = await findCandidates(context);
	// `git add -f` or a commit of files of ours since the cycle began.
	if (!memory.ownTrackedChecked && (await untrackOwnFiles(context))) found = await findCandidates(context);
	// A person may have switched since the cycle began: nothing of ours is committed on their branch.
	const { branch } = found.status;
	if (branch !== null && memory.branch !== null && branch !== memory.branch) throw wrongBranch(branch, memory.branch);
	if (excludePatterns(repository).length > 0 && (await unstageExcluded(context, found.status))) found = await findCandidates(context);
	forgetAttributes(repository, found.changed);
	let { quiet, busy } = separateHot(repository.root, found.changed, memory.hot, now());
	if (busy.length > 0 && !memory.deferHot) {
		await waitUntilQuiet(repository.root, busy, memory.hot, now);
		found = await findCandidates(context);
		quiet = [...found.changed];
		busy = [];
	}
	let unconfirmed = 0;
	let missing: ReadonlySet<GitPath> = new Set();
	const deadline = performance.now() + 2 * confirmDeletionMs;
	for (;;) {
		const isNew = untrackedAmong(found.status);
		const looked = separateVanished(repository.root, quiet, memory.vanished, now(), isNew);
		if (looked.unconfirmed.length > 0 && !memory.deferHot && performance.now() < deadline) {
			await sleep(secondLookMs);
			found = await findCandidates(context);
			quiet = [...found.changed];
			continue;
		}
		quiet = looked.confirmed;
		busy = [...busy, ...looked.unconfirmed];
		unconfirmed = looked.unconfirmed.length;
		missing = looked.missing;
		break;
	}
	forgetUnchanged(context, new Set(found.changed));
	quiet = [...(await withoutSecretFiles(context, quiet))];
	const byGit = found.status.entries.filter(({ index, worktree }) => index !== "." && worktree === ".").map((entry) => entry.path);
	const search = await rescueStaleWrites(context, quiet, new Set(byGit));
	const { checked, rescued, foreign } = search;
	await unstageForeign(context, found.status.head, foreign);
	const isForeign = new Set(foreign.map((write) => write.path));
	quiet = quiet.filter((name) => !isForeign.has(name));
	// What that has remembered of attributes is from before this commit.
	forgetAttributes(repository, found.changed);
	const { status } = found;
	const { copies: made, failed } = await copyLiveDatabases(context, found.databases);
	const copies = await changedCopies(context, status.head, made);
	const skipped = [...found.skipped, ...failed.map((name) => skippedFile(name, "live-database"))];
	const submodules = new Set(status.entries.filter((entry) => entry.submodule).map((entry) => entry.path));
	// A name that has vanished since that look is looked at a second time, too.
	const vanishesNow = (name: GitPath) => !missing.has(name) && !submodules.has(name) && isNothing(repository.root, name);
	const late = new Set(quiet.filter(vanishesNow));
	quiet = quiet.filter((name) => !late.has(name));
	busy = [...busy, ...late];
	const listed = new Set(quiet);
	const paths = [...quiet, ...extra.filter((name) => !listed.has(name))];
	const { held } = found;
	const staged = status.entries.some((entry) => entry.index !== "." && entry.index !== "?");
	if (paths.length === 0 && copies.length === 0 && !staged && held.written.length === 0 && held.staged.length === 0) {
		noteHeld(context, held, []);
		forgetFirstChanges(memory, lookedAt, busy);
		return { status, head: status.head, committed: 0, deleted: 0, changed: [], skipped, rescued, foreign, busy, unconfirmed };
	}

	const changed = [
		...paths.filter((name) => !isPlaceholder(name)),
		...copies.map(({ path: name }) => name),
		...held.written.map((entry) => entry.path),
	];
	const named = changed.length > 0 ? changed : status.entries.map((entry) => entry.path);
	// A directory gave way to a link: what was in it is gone, whatever lies behind the link.
	const replaced = status.entries
		.filter((entry) => entry.worktree === "D" && listed.has(entry.path) && hasLinkAbove(repository.root, entry.path))
		.map((entry) => entry.path);
	const goneSet = new Set(replaced);
	const gone = paths.filter((name) => !goneSet.has(name) && !submodules.has(name) && isGone(repository.root, name));
	for (const name of gone) goneSet.add(name);
	// Where filters apply, only git knows what a file's blob is: it reads it once more.
	const rereads = checked.length > 0 && (await filtersApply(repository));
	const readAt = rereads ? memory.clock.now() : search.lookedAt;
	const exact = [...(rereads ? [] : checked), ...copies];
	const checkedSet = new Set(exact.map(({ path: name }) => name));
	const present = paths.filter((name) => !goneSet.has(name) && !checkedSet.has(name));
	let message = messageOf(named, goneSet);
	const deleted = named.filter((name) => goneSet.has(name)).length;
	// Of a copy that a database made just now, now is the time.
	const date = await commitDate(context, status.head, copies.length > 0 ? [] : changed);
	context.lock.assertHeld();
	const heldWrites = await stageHeldWrites(context, held);
	let unreadable: readonly GitPath[] = [];
	// `git commit` reads each file that the index knows nothing of, and that would be taken for a read by a program.
	const readsNothing = status.head !== null && branch !== null && !config.syncHooks && memory.placed.untouched(repository).length > 0;
	const tracked = new Set(status.entries.flatMap(({ kind, submodule, path: name }) => (kind === "changed" && !submodule ? [name] : [])));
	/** Takes names back into the index that have vanished right before git looked at them. */
	const keepVanished = async (): Promise<readonly GitPath[]> => {
		const names = present.filter((name) => tracked.has(name) && isArgument(name) && !busy.includes(name));
		const vanished = status.head === null ? [] : await restoreInIndex(repository, status.head, names);
		busy = [...busy, ...vanished];
		return vanished;
	};
	let atOnce =
		!readsNothing && exact.length === 0 && isStagedByCommit(context, status, paths)
			? await stageAndCommit(context, message, date, paths)
			: null;
	const madeAtOnce = atOnce === null ? null : (await readHead(repository)).oid;
	if (madeAtOnce !== null && madeAtOnce !== status.head && status.head !== null && (await keepVanished()).length > 0) {
		// Made without them once more.
		await updateRef(repository, `refs/heads/${branch}`, status.head, madeAtOnce, "robust-sync: a file vanished meanwhile");
		atOnce = null;
	}
	if (atOnce === null) {
		const still = new Set(busy);
		if (replaced.length > 0)
			await writeIndexEntries(
				repository,
				replaced.map((name) => ({ path: name, entry: null })),
			);
		unreadable = await stageFiles(repository, [...gone, ...present.filter((name) => !still.has(name))], ["--ignore-skip-worktree-entries"]);
		const encoded = unreadable.length > 0 && (await filtersApply(repository));
		for (const name of unreadable)
			skipped.push(
				encoded ? { ...skippedFile(name, "filter-failed"), remedy: holdRemedies["filter-failed"] } : skippedFile(name, "unreadable"),
			);
		await keepVanished();
		await stageChecked(context, exact);
		if (busy.length > 0) {
			const waiting = new Set(busy);
			message = messageOf(
				named.filter((name) => !waiting.has(name)),
				goneSet,
			);
		}
		faultPoint("snapshot-staged");
		context.lock.assertHeld();
	}
	const { exitCode, stderr } =
		atOnce ??
		(readsNothing
			? await commitIndex(context, date, { branch: branch as string, head: status.head as Oid }, `${message}\n`)
			: await commit(context, date, ["-F", "-"], `${message}\n`));
	faultPoint("snapshot-committed");
	noteCommitted(context, { checked, lookedAt: readAt });
	forgetFirstChanges(memory, lookedAt, busy);
	noteHeld(context, held, heldWrites);
	const { oid: head } = await readHead(repository);
	// Touched but unchanged files leave nothing to commit; git says so with exit code 1.
	const moved = head !== status.head;
	if (exitCode === 1 && !moved && config.syncHooks && (await isStaged(repository))) {
		const said = stderr.trim().split("\n").at(-1) ?? "";
		throw new SyncError("HOOK_FAILED", await hookFailureText(repository, "commit", "refused the commit", said));
	}
	if (exitCode === 1 && !moved)
		return { status, head, committed: 0, deleted: 0, changed: [], skipped, rescued, foreign, busy, unconfirmed };
	const committed = moved ? Math.max(changed.length - unreadable.length, 1) : 0;
	return {
		status,
		head,
		committed,
		deleted: Math.min(moved ? deleted : 0, committed),
		changed: moved ? named : [],
		skipped,
		rescued,
		foreign,
		busy,
		unconfirmed,
	};
}

/** The pause after which `--once` looks again whether a name that vanished has come back. */
const secondLookMs = 100;

function untrackedAmong({ entries }: Status): (name: GitPath) => boolean {
	const untracked = new Set(entries.flatMap(({ kind, path: name }) => (kind === "untracked" ? [name] : [])));
	return (name) => untracked.has(name);
}
