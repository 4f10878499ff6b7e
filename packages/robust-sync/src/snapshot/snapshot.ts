import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
	commitTree,
	directoriesAbove,
	displayPath,
	excludedAmong,
	excludePatterns,
	fileSystemPath,
	GitError,
	type GitPath,
	type GitResult,
	gitPathList,
	hookFailureText,
	isArgument,
	lstatIfThere,
	mountStoreName,
	type Oid,
	pathsInIndex,
	Repository,
	readHead,
	readStatus,
	readTreePaths,
	type Status,
	stageFiles,
	storeBlobs,
	updateRef,
	withoutSlash,
	withSlash,
	writeIndexEntries,
	writeTree,
} from "@robust-sync/git";
import { filtersApply, forgetAttributes, isOwnPath, withNodeTrailer } from "@robust-sync/resolve";
import { counted } from "@robust-sync/service/counted";
import { printable } from "@robust-sync/service/printable";
import { annotatedMessage, faultPoint, holdRemedies, neverCommitted, removeAnnotation, type SkippedFile } from "@robust-sync/workspace";
import { type HeldView, mountsNow, noteHeld, stageHeldWrites, viewHeld } from "../checkout/held.ts";
import { type CheckedContent, lookAtReads, noteCommitted, rescueStaleWrites } from "../checkout/rescue.ts";
import { findSpecialFiles, liveDatabaseOf, reasonToSkip, skippedFile } from "../checkout/skipped-files.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { forgetFirstChanges } from "../context/first-changes.ts";
import { SyncError, wrongBranch } from "../context/sync-error.ts";
import { refusedFiles } from "../remote/refused-files.ts";
import { withoutSecretFiles } from "../secrets/files.ts";
import { forgetUnchanged } from "../secrets/notes.ts";
import { beginSecretSearch } from "../secrets/policy.ts";
import { nextAnnotation } from "./annotations.ts";
import { commitDate } from "./commit-date.ts";
import { bringIndexUpToDate, takeDirectSnapshot } from "./direct-snapshot.ts";
import { unstageExcluded } from "./excluded.ts";
import { separateHot, waitUntilQuiet } from "./hot-files.ts";
import { changedCopies, copyLiveDatabases } from "./live-database.ts";
import { findBareLinks, isPlaceholder, openNestedRepositories } from "./nested-repositories.ts";
import { untrackOwnFiles } from "./own-tracked.ts";
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
	/** Files that were being written, and names that vanished a moment ago: they wait for the next snapshot. */
	readonly busy: readonly GitPath[];
	/** How many of them vanished, or came with those. */
	readonly unconfirmed: number;
	/** Committed without the index (direct-snapshot.ts): nothing that a person staged is in it. */
	readonly isDirect?: boolean;
}

/** What would be committed now, sorted for git: what is gone first, so that a file can become a directory. */
export interface Candidates {
	readonly status: Status;
	readonly changed: readonly GitPath[];
	readonly skipped: readonly SkippedFile[];
	readonly held: HeldView;
	/** Databases that a program has open: the file on disk must not be committed, a copy by the database itself may. */
	readonly databases: readonly GitPath[];
}

/** Sockets and the like come and go without git noticing; looking for them costs a walk. */
const scanIntervalMs = 10 * 60_000;

/** Reads the status and leaves out what docs/contract.md says is never committed. Opens nested repositories by SYNC_NESTED. */
export async function findCandidates(context: CycleContext): Promise<Candidates> {
	const { repository, config, memory, now } = context;
	const scan = now() - memory.scannedAt >= scanIntervalMs || now() < memory.scannedAt;
	const mountedBefore = mountsNow(context);
	memory.placed.settle(repository);
	const untouched = memory.placed.untouched(repository);
	const [first, specialFiles, bareLinks] = await Promise.all([
		readStatus(repository, untouched),
		scan ? findSpecialFiles(repository.root) : memory.specialFiles,
		scan ? findBareLinks(repository) : memory.bareLinks,
	]);
	if (scan) {
		memory.scannedAt = now();
		memory.specialFiles = specialFiles;
		memory.bareLinks = bareLinks;
	}
	let status = first;
	// A person has committed something, perhaps files of ours.
	if (memory.synced !== null && status.head !== memory.synced) memory.ownTrackedChecked = false;
	const nested = new Set<GitPath>();
	if (bareLinks.length > 0) {
		// Another tool's `git add` committed a link in place of the files.
		const { skipped, opened } = await openNestedRepositories(repository, bareLinks, config.syncNested);
		for (const directory of skipped) nested.add(withSlash(directory));
		memory.bareLinks = skipped;
		if (opened) status = await readStatus(repository, untouched);
	}
	// One round opens the repositories of one depth; a repository inside them shows up in the next.
	for (let depth = 0; depth < 16; depth++) {
		const directories = status.entries
			.filter((entry) => entry.kind === "untracked" && entry.path.endsWith("/") && !nested.has(entry.path))
			.map((entry) => entry.path);
		if (directories.length === 0) break;
		const { skipped, opened } = await openNestedRepositories(repository, directories, config.syncNested);
		for (const directory of skipped) nested.add(withSlash(directory));
		if (!opened) break;
		status = await readStatus(repository, untouched);
	}
	const mounted = mountsNow(context);
	const held = await viewHeld(context, status, new Set([...mountedBefore].filter((mount) => mounted.has(mount))));
	const skipped: SkippedFile[] = [...nested].map((directory) => skippedFile(withoutSlash(directory), "nested-repository"));
	skipped.push(
		...specialFiles
			.filter((file) => fs.existsSync(`${repository.root}/${file}`))
			.map((file) => ({ path: file, reason: "special-file" as const })),
	);
	skipped.push(...status.refused.map((name) => skippedFile(name, "refused-path")));
	skipped.push(...status.unreadable.map((directory) => skippedFile(directory, "unreadable")));
	const changed: GitPath[] = [];
	const refused = refusedFiles(context);
	const databases = new Set<GitPath>();
	const untracked = new Set(status.entries.flatMap((entry) => (entry.kind === "untracked" ? [entry.path] : [])));
	const excluded = await excludedAmong(
		repository,
		status.entries.map((entry) => entry.path),
	);
	for (const entry of status.entries) {
		const { path: name, submodule, kind, index } = entry;
		if (held.hides(entry) || refused.has(name) || excluded.has(name)) continue;
		// `git rm --cached` of a file that is ignored: the person wants it here and not in commits.
		if (kind === "changed" && index === "D" && !untracked.has(name) && !isGone(repository.root, name)) continue;
		// A link that gave way to the files below it is out of the index already.
		if (isOwnPath(name)) {
			// Someone has put it into the index.
			if (index !== "?" && index !== "D") memory.ownTrackedChecked = false;
			else if (index === "?" && !isExactlyOurs(name)) skipped.push(skippedFile(name, "refused-path"));
			continue;
		}
		// What is ours there, or is in the place of it; its own `.gitignore` may be gone.
		if (kind === "untracked" && isInMountStore(name, mounted)) {
			if (!isGone(repository.root, name)) skipped.push(skippedFile(name, "refused-path"));
			continue;
		}
		if (submodule && index === "D") continue;
		if (name.endsWith("/") || nested.has(withSlash(name))) continue;
		if (submodule && kind === "changed" && fs.existsSync(Buffer.concat([fileSystemPath(repository.root, name), Buffer.from("/.git")]))) {
			changed.push(name);
			continue;
		}
		const reason = reasonToSkip(repository.root, name, config.maxFileMb);
		if (reason === null) changed.push(name);
		else if (reason === "live-database") {
			const database = liveDatabaseOf(repository.root, name) ?? name;
			// One that waits for its program to end has an older version than HEAD.
			if (!held.state.paths.has(database)) databases.add(database);
		} else if (!skipped.some((entry) => entry.path === displayPath(name))) skipped.push(skippedFile(name, reason));
	}
	return { status, changed, skipped, held, databases: [...databases] };
}

/** Whether a path is the directory that we keep at the top of a file system below the workspace, or in it. */
function isInMountStore(name: GitPath, mounts: ReadonlySet<GitPath>): boolean {
	return [...mounts].some((mount) => `${name}/`.startsWith(`${mount}/${mountStoreName}/`));
}

// Excluded by .git/info/exclude, but a `.gitignore` may take that back.
function isExactlyOurs(name: GitPath): boolean {
	return neverCommitted.some((own) => name === own || name.startsWith(`${own}/`));
}

/** Whether no file is there (any more): nothing, or a directory. */
export function isGone(root: string, name: GitPath): boolean {
	try {
		const stats = lstatIfThere(fileSystemPath(root, name));
		return !stats || stats.isDirectory();
	} catch {
		return false;
	}
}

function hasLinkAbove(root: string, name: GitPath): boolean {
	return directoriesAbove(name).some((above) => lstatIfThere(fileSystemPath(root, above))?.isSymbolicLink());
}

/**
 * One line that a person can read: `helios: 3 files (notes.md, state.json, …)`; what is gone is said to be: `helios: 22 files deleted
 * (a, b, …)`, or `helios: 3 files (a, b, …), 22 deleted`.
 * @param gone those of the paths that are deleted
 */
export function snapshotMessage(node: string, paths: readonly GitPath[], gone: ReadonlySet<GitPath> = new Set()): string {
	const left = paths.filter((name) => !gone.has(name));
	const deleted = paths.length - left.length;
	const listed = left.length > 0 ? left : paths;
	const shown = listed.slice(0, 2).map((name) => printable(displayPath(name)));
	const names = listed.length > shown.length ? [...shown, "…"] : shown;
	const list = `(${names.join(", ")})`;
	if (left.length === 0 && deleted > 0) return `${node}: ${counted(deleted, "file")} deleted ${list}`;
	return `${node}: ${counted(left.length, "file")} ${list}${deleted > 0 ? `, ${deleted} deleted` : ""}`;
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
			context.memory.placed.retire(context.repository, snapshot.busy);
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
		return { status, head: status.head, committed: 0, deleted: 0, changed: [], skipped, rescued: 0, busy, unconfirmed };
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
	const byGit = status.entries.filter(({ index, worktree }) => index !== "." && worktree === ".").map((entry) => entry.path);
	const search = await rescueStaleWrites(context, quiet, new Set(byGit));
	const { checked, rescued } = search;
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
	if (exitCode === 1 && !moved) return { status, head, committed: 0, deleted: 0, changed: [], skipped, rescued, busy, unconfirmed };
	const committed = moved ? Math.max(changed.length - unreadable.length, 1) : 0;
	return {
		status,
		head,
		committed,
		deleted: Math.min(moved ? deleted : 0, committed),
		changed: moved ? named : [],
		skipped,
		rescued,
		busy,
		unconfirmed,
	};
}

/** Whether there is nothing at a path; unknown counts as something. */
function isNothing(root: string, name: GitPath): boolean {
	try {
		return lstatIfThere(fileSystemPath(root, name)) === null;
	} catch {
		return false;
	}
}

/** Takes paths back into the index, as HEAD has them, that are not in it. @returns these */
async function restoreInIndex(repository: Repository, head: Oid, names: readonly GitPath[]): Promise<GitPath[]> {
	if (names.length === 0) return [];
	const listed = await pathsInIndex(repository, names);
	const vanished = names.filter((name) => !listed.has(name));
	if (vanished.length === 0) return [];
	const entries = await readTreePaths(repository, head, vanished);
	await writeIndexEntries(
		repository,
		[...entries].map(([name, entry]) => ({ path: name, entry })),
	);
	return vanished;
}

/** `--once` looks again this often whether a name that vanished has come back. */
const secondLookMs = 100;

function untrackedAmong({ entries }: Status): (name: GitPath) => boolean {
	const untracked = new Set(entries.flatMap(({ kind, path: name }) => (kind === "untracked" ? [name] : [])));
	return (name) => untracked.has(name);
}

/** More files than this are staged by a command that is made for it. */
const maxStagedByCommit = 100;

/** Whether all that is to be committed are files that git knows, changed or gone: then the commit can stage them itself. Hooks would inherit how. */
function isStagedByCommit({ repository, config }: CycleContext, { entries }: Status, paths: readonly GitPath[]): boolean {
	if (paths.length === 0 || paths.length > maxStagedByCommit || repository.isSparse || config.syncHooks) return false;
	const plain = new Set(
		entries
			.filter(({ kind, index, worktree, submodule }) => kind === "changed" && index === "." && "MD".includes(worktree) && !submodule)
			.map((entry) => entry.path),
	);
	return paths.every((name) => plain.has(name) && !hasLinkAbove(repository.root, name));
}

/** One process instead of two. Null: git stumbled over a file, and has staged nothing. */
async function stageAndCommit(context: CycleContext, message: string, date: number, paths: readonly GitPath[]): Promise<GitResult | null> {
	try {
		const options = ["-m", message, "--include", "--pathspec-from-file=-", "--pathspec-file-nul"];
		return await commit(context, date, options, gitPathList(paths), { GIT_LITERAL_PATHSPECS: "1" });
	} catch (error) {
		if (error instanceof GitError && error.code === "INTERNAL") return null;
		throw error;
	}
}

/** A hook of the user's gets as long as the network does: one that waits for an answer would hold us up for ever. @param date seconds since the epoch */
async function commit(
	{ repository, config }: CycleContext,
	date: number,
	options: readonly string[],
	input: string | Buffer,
	env: Readonly<Record<string, string>> = {},
): Promise<GitResult> {
	const hooks = config.syncHooks;
	const dates = { GIT_AUTHOR_DATE: `@${date} +0000`, GIT_COMMITTER_DATE: `@${date} +0000` };
	try {
		return await repository.run(
			["commit", "--quiet", ...(hooks ? [] : ["--no-verify"]), "--cleanup=verbatim", "--no-status", "--allow-empty-message", ...options],
			{ input, env: { ...env, ...dates }, accept: [0, 1], ...(hooks ? { timeoutMs: repository.networkTimeoutMs } : {}) },
		);
	} catch (error) {
		if (!hooks || !(error instanceof GitError) || error.code !== "GIT_TIMEOUT") throw error;
		const what = `did not end within ${config.gitTimeoutSeconds} s (GIT_TIMEOUT) and was killed`;
		throw new SyncError("HOOK_FAILED", await hookFailureText(repository, "commit", what, ""), { cause: error });
	}
}

/** The same by the index alone. @returns exit code 1: there is nothing to commit */
async function commitIndex(
	{ repository }: CycleContext,
	date: number,
	{ branch, head }: { branch: string; head: Oid },
	message: string,
): Promise<Pick<GitResult, "exitCode" | "stderr">> {
	const tree = await writeTree(repository);
	const before = (await repository.run(["rev-parse", "--verify", "--end-of-options", `${head}^{tree}`])).stdout.toString("latin1").trim();
	if (tree === before) return { exitCode: 1, stderr: "" };
	const dates = { GIT_AUTHOR_DATE: `@${date} +0000`, GIT_COMMITTER_DATE: `@${date} +0000` };
	const dated = new Repository({ ...repository, env: { ...repository.env, ...dates } });
	await updateRef(repository, `refs/heads/${branch}`, await commitTree(dated, tree, [head], message), head, "robust-sync: snapshot");
	return { exitCode: 0, stderr: "" };
}

async function isStaged(repository: Repository): Promise<boolean> {
	return (await repository.run(["diff", "--cached", "--quiet"], { accept: [0, 1] })).exitCode === 1;
}

// Exactly the content that was looked at: a write in between is the next snapshot's, which looks again.
async function stageChecked({ repository, paths }: CycleContext, checked: readonly CheckedContent[]): Promise<void> {
	if (checked.length === 0) return;
	const oids = await storeBlobs(
		repository,
		paths.staging,
		checked.map(({ content }) => content),
	);
	await writeIndexEntries(
		repository,
		checked.map(({ path: name, mode }, index) => ({ path: name, entry: { mode, oid: oids[index] ?? "" } })),
	);
}
