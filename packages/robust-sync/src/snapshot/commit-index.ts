import {
	GitError,
	type GitPath,
	type GitResult,
	hookFailureText,
	indexModes,
	missingInIndex,
	type Oid,
	type Repository,
	readHead,
	readTreeFiles,
	rootTree,
	type StatusEntry,
	stageFiles,
	storeBlobs,
	storedMode,
	writeIndexEntries,
	writeTree,
} from "@robust-sync/git";
import { filtersApply, forgetAttributes } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import { type Items, joined, viewOf } from "@robust-sync/system/items";
import { holdRemedies } from "@robust-sync/workspace";
import { unstageForeign } from "../checkout/foreign-writes.ts";
import { noteHeld, stageHeldWrites } from "../checkout/held.ts";
import { type CheckedContent, findStaleWrites } from "../checkout/rescue.ts";
import { skippedFile } from "../checkout/skipped-files.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { forgetFirstChanges } from "../context/first-changes.ts";
import { SyncError } from "../context/sync-error.ts";
import { withoutSecretFiles } from "../secrets/files.ts";
import { commitDate } from "./commit-date.ts";
import { commitOnBranch, type MessageOf } from "./commit-files.ts";
import { changedCopies, copyLiveDatabases } from "./live-database.ts";
import { isPlaceholder } from "./nested-repositories.ts";
import { type Candidates, hasLinkAbove, isGone, isNothing } from "./scan.ts";
import type { Snapshot } from "./snapshot.ts";

// Files that only git can encode (filters, submodules, a person's staged changes, thousands of files) are staged first, and the tree of
// the index is committed. With the user's hooks, `git commit` does that.

/** Restores index entries from HEAD for paths without one. @returns these */
async function restoreInIndex(repository: Repository, head: Oid, names: Items<GitPath>): Promise<readonly GitPath[]> {
	if (names.length === 0) return [];
	const vanished = await missingInIndex(repository, names);
	if (vanished.length === 0) return [];
	const entries = await readTreeFiles(repository, head, vanished);
	await writeIndexEntries(
		repository,
		[...entries].map(([name, entry]) => ({ path: name, entry })),
	);
	return vanished;
}

/**
 * Commits the index with the user's hooks. A hook gets the timeout of the network: one that waits for an answer would block for ever.
 * @param date seconds since the epoch @returns HEAD afterwards @throws SyncError HOOK_FAILED
 */
async function commitWithHooks({ repository, config }: CycleContext, head: Oid | null, date: number, message: string): Promise<Oid | null> {
	const time = `@${date} +0000`;
	const options = ["--quiet", "--cleanup=verbatim", "--no-status", "--allow-empty-message", "-F", "-"];
	const env = { GIT_AUTHOR_DATE: time, GIT_COMMITTER_DATE: time };
	let result: GitResult;
	try {
		result = await repository.run(["commit", ...options], {
			input: message,
			env,
			accept: [0, 1],
			timeoutMs: repository.networkTimeoutMs,
		});
	} catch (error) {
		if (!(error instanceof GitError) || error.code !== "GIT_TIMEOUT") throw error;
		const what = `did not end within ${config.gitTimeoutSeconds} s (GIT_TIMEOUT) and was killed`;
		throw new SyncError("HOOK_FAILED", await hookFailureText(repository, "commit", what, ""), { cause: error });
	}
	faultPoint("snapshot-committed");
	const { oid } = await readHead(repository);
	// Touched but unchanged files leave nothing to commit; git exits with 1 as well.
	if (result.exitCode === 1 && oid === head && (await isStaged(repository))) {
		const said = result.stderr.trim().split("\n").at(-1) ?? "";
		throw new SyncError("HOOK_FAILED", await hookFailureText(repository, "commit", "refused the commit", said));
	}
	return oid;
}

async function isStaged(repository: Repository): Promise<boolean> {
	return (await repository.run(["diff", "--cached", "--quiet"], { accept: [0, 1] })).exitCode === 1;
}

/** Commits the tree of the index, if it differs from HEAD's. @returns HEAD afterwards */
async function commitTreeOfIndex(
	context: CycleContext,
	{ branch, head }: { readonly branch: string | null; readonly head: Oid | null },
	date: number,
	message: string,
): Promise<Oid | null> {
	const { repository } = context;
	const tree = await writeTree(repository);
	const before = head === null ? repository.emptyTree : await rootTree(repository, head);
	return tree === before ? head : await commitOnBranch(context, { branch, head, tree, changes: [], date, message });
}

/** Stages exactly the examined content: a write in between belongs to the next snapshot, which examines it. */
async function stageChecked({ repository, paths }: CycleContext, checked: readonly CheckedContent[]): Promise<void> {
	if (checked.length === 0) return;
	const oids = await storeBlobs(
		repository,
		paths.staging,
		checked.map(({ content }) => content),
	);
	const recorded = await indexModes(
		repository,
		checked.map(({ path: name }) => name),
	);
	const modeOf = ({ path: name, mode }: CheckedContent) => storedMode(repository, name, mode, recorded.get(name));
	await writeIndexEntries(
		repository,
		checked.map((file, index) => ({ path: file.path, entry: { mode: modeOf(file), oid: oids[index] ?? "" } })),
	);
}

/** The findings of a full scan. */
export interface Admitted {
	readonly found: Candidates;
	/** Files at rest that differ from HEAD, without delivered messages. */
	readonly quiet: Items<GitPath>;
	/** The deleted ones among them. */
	readonly missing: ReadonlySet<GitPath>;
	/** Files that wait for the next snapshot, and the number of them that vanished, or appeared with those. */
	readonly busy: readonly GitPath[];
	readonly unconfirmed: number;
	/** Delivered messages. */
	readonly extra: readonly GitPath[];
	/** Time of the scan, by the monotonic clock. */
	readonly lookedAt: number;
}

/** Stages the admitted files, and commits the index. @throws SyncError HOOK_FAILED; GitError, LockLostError, ScanError */
export async function commitThroughIndex(context: CycleContext, admitted: Admitted, messageOf: MessageOf): Promise<Snapshot> {
	const { repository, config, memory } = context;
	const { found, missing, extra, lookedAt, unconfirmed } = admitted;
	const { status, held } = found;
	let busy = admitted.busy;
	let quiet = await withoutSecretFiles(context, admitted.quiet);
	// The rest of the cycle asks for tracked files only: a first snapshot may have a million others.
	const tracked = { ...status, entries: status.entries.filter(({ kind }) => kind !== "untracked") };
	const pathsWhere = (test: (entry: StatusEntry) => boolean) => viewOf(tracked.entries.filter(test), (entry) => entry.path);
	const byGit = new Set(pathsWhere(({ index, worktree }) => index !== "." && worktree === "."));
	const { checked, foreign } = await findStaleWrites(context, quiet, byGit);
	await unstageForeign(context, status.head, foreign);
	const isForeign = new Set(foreign.map((write) => write.path));
	if (isForeign.size > 0) quiet = quiet.filter((name) => !isForeign.has(name));
	// The cached answer is from before this commit.
	forgetAttributes(repository, found.changed);
	const { copies: made, failed } = await copyLiveDatabases(context, found.databases);
	const copies = await changedCopies(context, status.head, made);
	const skipped = [...found.skipped, ...failed.map((name) => skippedFile(name, "live-database"))];
	const submodules = new Set(pathsWhere((entry) => entry.submodule));
	// A name that vanished since that scan waits for a second scan, too.
	const vanishesNow = (name: GitPath) => !missing.has(name) && !submodules.has(name) && isNothing(repository.root, name);
	const late = new Set(quiet.filter(vanishesNow));
	if (late.size > 0) quiet = quiet.filter((name) => !late.has(name));
	busy = [...busy, ...late];
	const paths = joined(quiet, extra);
	const hasStaged = tracked.entries.some((entry) => entry.index !== ".");
	const nothing = { status: tracked, head: status.head, committed: 0, deleted: 0, changed: [], foreign, unconfirmed };
	if (paths.length === 0 && copies.length === 0 && !hasStaged && held.written.length === 0 && held.staged.length === 0) {
		noteHeld(context, held, []);
		forgetFirstChanges(memory, lookedAt, busy);
		return { ...nothing, skipped, busy };
	}

	const changed = joined(
		paths.filter((name) => !isPlaceholder(name)),
		[...copies.map(({ path: name }) => name), ...held.written.map((entry) => entry.path)],
	);
	const named = changed.length > 0 ? changed : viewOf(status.entries, (entry) => entry.path);
	// A link replaced a directory: its files are deleted, whatever is behind the link.
	const deletions = pathsWhere((entry) => entry.worktree === "D");
	const listed = new Set(deletions.length > 0 ? quiet : []);
	const replaced = deletions.filter((name) => listed.has(name) && hasLinkAbove(repository.root, name));
	const goneSet = new Set<GitPath>(replaced);
	const gone = paths.filter((name) => !goneSet.has(name) && !submodules.has(name) && isGone(repository.root, name));
	for (const name of gone) goneSet.add(name);
	// If filters apply, only git knows a file's blob: it reads the file once more.
	const rereads = checked.length > 0 && (await filtersApply(repository));
	const exact = [...(rereads ? [] : checked), ...copies];
	const checkedSet = new Set(exact.map(({ path: name }) => name));
	const present = paths.filter((name) => !goneSet.has(name) && !checkedSet.has(name));
	const deleted = named.filter((name) => goneSet.has(name)).length;
	// A copy that a database has just made is dated now.
	const date = await commitDate(context, status.head, copies.length > 0 ? [] : changed);
	context.lock.assertHeld();
	const heldWrites = await stageHeldWrites(context, held);
	const waiting = new Set(busy);
	if (replaced.length > 0)
		await writeIndexEntries(
			repository,
			viewOf(replaced, (name) => ({ path: name, entry: null })),
		);
	const toStage = joined(gone, waiting.size === 0 ? present : present.filter((name) => !waiting.has(name)));
	const unreadable = await stageFiles(repository, toStage, ["--ignore-skip-worktree-entries"]);
	const encoded = unreadable.length > 0 && (await filtersApply(repository));
	for (const name of unreadable)
		skipped.push(
			encoded ? { ...skippedFile(name, "filter-failed"), remedy: holdRemedies["filter-failed"] } : skippedFile(name, "unreadable"),
		);
	// Names that vanished right before git read them are restored in the index.
	const inIndex = new Set(pathsWhere(({ kind, submodule }) => kind === "changed" && !submodule));
	const mayVanish = inIndex.size === 0 ? [] : present.filter((name) => inIndex.has(name) && !waiting.has(name));
	if (status.head !== null) busy = [...busy, ...(await restoreInIndex(repository, status.head, mayVanish))];
	await stageChecked(context, exact);
	const still = new Set(busy);
	const message = messageOf(busy.length === 0 ? named : named.filter((name) => !still.has(name)), goneSet);
	faultPoint("snapshot-staged");
	context.lock.assertHeld();
	const head = config.syncHooks
		? await commitWithHooks(context, status.head, date, message)
		: await commitTreeOfIndex(context, { branch: status.branch, head: status.head }, date, message);
	forgetFirstChanges(memory, lookedAt, busy);
	noteHeld(context, held, heldWrites);
	if (head === status.head) return { ...nothing, skipped, busy };
	const committed = Math.max(changed.length - unreadable.length, 1);
	return { ...nothing, head, committed, deleted: Math.min(deleted, committed), changed: named, skipped, busy };
}
