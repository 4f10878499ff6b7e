import fs from "node:fs";
import path from "node:path";
import {
	blobOid,
	type DiskFile,
	type FileChange,
	fileSystemPath,
	GitError,
	type GitPath,
	isArgument,
	type Oid,
	openMergeStore,
	parentOf,
	readDiskFile,
	readHead,
	readIgnored,
	readTreePaths,
	type TreeEntry,
	updateRef,
	writeCommit,
	writeIndexEntries,
} from "@robust-sync/git";
import { filtersApply } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { withoutHeld } from "../checkout/held.ts";
import { noteCommitted, rescueStaleWrites } from "../checkout/rescue.ts";
import { reasonToSkip } from "../checkout/skipped-files.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { forgetFirstChanges } from "../context/first-changes.ts";
import { identityOf } from "../context/own-identity.ts";
import { refusedFiles } from "../remote/refused-files.ts";
import { secretChanges } from "../secrets/files.ts";
import { forgetUnchanged } from "../secrets/notes.ts";
import { commitDate } from "./commit-date.ts";
import { withoutExcluded } from "./excluded.ts";
import { separateHot } from "./hot-files.ts";
import { type Left, maxKnownPaths } from "./known-changes.ts";
import type { Snapshot } from "./snapshot.ts";
import { separateVanished } from "./vanished-files.ts";

/** All that is committed directly is in memory at once: more than this is left to git, which streams it. */
const maxBytes = 8 * 1_048_576;

/** How index and HEAD are, for KnownChanges; null where that is of no use to it: then nothing is asked. */
async function readLeft({ repository, memory }: CycleContext): Promise<Left | null> {
	const stats = fs.statSync(path.join(repository.gitDirectory, "index"), { throwIfNoEntry: false });
	if (!stats || !memory.known.isOfUse(stats.size)) return null;
	return { head: (await readHead(repository)).oid, indexStamp: `${stats.ino} ${stats.mtimeMs} ${stats.size}` };
}

/**
 * If a person has staged or committed something since we last wrote index and HEAD, the next scan is a full one. Otherwise `leave` would take
 * that state for ours.
 */
export async function noticeOthers(context: CycleContext): Promise<void> {
	const now = await readLeft(context);
	if (now !== null && !context.memory.known.isAsLeft(now)) context.memory.known.forget();
}

/** Remembers how index and HEAD are left by us. */
export async function leave(context: CycleContext): Promise<void> {
	const left = await readLeft(context);
	if (left !== null) context.memory.known.leave(left);
}

/** Whether something makes a plain file at this path another matter than its bytes: a link above it, or a repository that it belongs to. */
function isElsewhere(root: string, name: GitPath, seen: Map<GitPath, boolean>): boolean {
	for (let parent = parentOf(name); parent !== null; parent = parentOf(parent)) {
		const odd =
			seen.get(parent) ??
			(lstatIfThere(fileSystemPath(root, parent))?.isSymbolicLink() === true ||
				lstatIfThere(Buffer.concat([fileSystemPath(root, parent), Buffer.from("/.git")])) !== null);
		seen.set(parent, odd);
		if (odd) return true;
	}
	return false;
}

type Content = Pick<DiskFile, "mode" | "content" | "oid">;

/** What is there, as git would store it; null: nothing; undefined: something that only the full scan can deal with. @param limit bytes */
function contentAt({ repository, config }: CycleContext, name: GitPath, limit: number): Content | null | undefined {
	if (reasonToSkip(repository.root, name, config.maxFileMb) !== null) return undefined;
	try {
		const stats = lstatIfThere(fileSystemPath(repository.root, name));
		if (stats !== null && (stats.isDirectory() || stats.size > limit)) return undefined;
		return readDiskFile(repository, name);
	} catch {
		return undefined;
	}
}

/** Changes against `entries`, what HEAD has; null: something needs the full scan. */
function changesOf(
	context: CycleContext,
	names: readonly GitPath[],
	entries: ReadonlyMap<GitPath, TreeEntry>,
	given: ReadonlyMap<GitPath, Content>,
): FileChange[] | null {
	const changes: FileChange[] = [];
	let bytes = 0;
	for (const name of names) {
		const entry = entries.get(name);
		if (entry?.mode === "040000" || entry?.mode === "160000") return null;
		const file = given.get(name) ?? contentAt(context, name, maxBytes - bytes);
		if (file === undefined) return null;
		bytes += file?.content.length ?? 0;
		if (file === null) {
			if (entry) changes.push({ path: name, delete: true });
		} else if (entry?.mode !== file.mode || entry.oid !== file.oid) changes.push({ path: name, mode: file.mode, content: file.content });
	}
	return changes;
}

/** What HEAD has at some paths, and which of the others an ignore rule covers; null: these paths only the full scan can deal with. */
async function lookUp(
	{ repository }: CycleContext,
	head: Oid,
	names: readonly GitPath[],
	unignored: ReadonlySet<GitPath>,
): Promise<{ entries: Map<GitPath, TreeEntry>; ignored: Set<GitPath> } | null> {
	const seen = new Map<GitPath, boolean>();
	// Other rules change what is to be looked at, or what is stored, and not only here.
	if (names.some((name) => isElsewhere(repository.root, name, seen) || /(^|\/)\.git(ignore|attributes)$/.test(name))) return null;
	try {
		const entries = await readTreePaths(repository, head, names);
		const untracked = names.filter((name) => !entries.has(name) && !unignored.has(name));
		return { entries, ignored: await readIgnored(repository, untracked) };
	} catch (error) {
		if (error instanceof GitError) return null;
		throw error;
	}
}

/** Whether this repository is one in which a file's bytes are its blob, and a commit is made of nothing but blobs. */
async function isPlain({ repository, config }: CycleContext): Promise<boolean> {
	if (config.syncHooks || repository.isSparse || repository.config.get("core.filemode") === "false") return false;
	return !(await filtersApply(repository));
}

/** The paths to look at, and where HEAD is; null: everything must be looked at. */
async function whereToLook(context: CycleContext): Promise<{ head: Oid; looked: readonly GitPath[] } | null> {
	const left = await readLeft(context);
	if (left === null || left.head === null || refusedFiles(context).size > 0) return null;
	const looked = context.memory.known.toLookAt(left);
	return looked === null || !(await isPlain(context)) ? null : { head: left.head, looked };
}

/** Those of some paths that are not as HEAD has them; null: only git can tell. */
export async function changedDirectly(context: CycleContext, names: readonly GitPath[]): Promise<GitPath[] | null> {
	const [where, free] = [await whereToLook(context), withoutHeld(context, names)];
	const own = free === null ? null : await withoutExcluded(context, free);
	if (where === null || own === null || names.length > maxKnownPaths || !names.every(isArgument)) return null;
	const found = await lookUp(context, where.head, own, new Set());
	return found === null ? null : (changesOf(context, own, found.entries, new Map())?.map((change) => change.path) ?? null);
}

/**
 * Commits what the watcher has seen to change, without looking at anything else: blobs, the trees above them and the commit are
 * written directly. The index follows later (bringIndexUpToDate). For workspaces whose index costs more than all the rest.
 * @param extra paths to commit even where an ignore rule covers them
 * @param message of the commit, from what changed and what of it is gone
 * @returns null: everything must be looked at
 */
export async function takeDirectSnapshot(
	context: CycleContext,
	extra: readonly GitPath[],
	message: (changed: readonly GitPath[], gone: ReadonlySet<GitPath>) => string,
): Promise<Snapshot | null> {
	const { repository, memory, now } = context;
	const { known } = memory;
	const where = await whereToLook(context);
	const [author, identity] = [identityOf(context, "author"), identityOf(context, "committer")];
	if (where === null || author === null || identity === null) return null;
	const { head, looked } = where;
	const sent = new Set([...(await withoutExcluded(context, looked)), ...extra]);
	const names = withoutHeld(context, [...sent]);
	if (names === null || names.length > maxKnownPaths || !names.every(isArgument)) return null;
	const lookedAt = memory.clock.now();
	known.looking(looked);
	const delivered = new Set(extra);
	const { quiet: atRest, busy } = separateHot(
		repository.root,
		names.filter((name) => !delivered.has(name)),
		memory.hot,
		now(),
	);
	for (const name of busy) known.saw(name);
	const status = { head, branch: memory.branch, entries: [], refused: [], unreadable: [] };
	const nothing = {
		status,
		head,
		committed: 0,
		deleted: 0,
		changed: [],
		skipped: known.skipped,
		rescued: 0,
		foreign: [],
		busy,
		unconfirmed: 0,
	};
	if (atRest.length + delivered.size === 0) return nothing;

	const found = await lookUp(context, head, [...atRest, ...delivered], delivered);
	if (found === null) return null;
	const { confirmed, unconfirmed, missing } = separateVanished(
		repository.root,
		atRest,
		memory.vanished,
		now(),
		(name) => !found.entries.has(name),
	);
	for (const name of unconfirmed) known.saw(name);
	nothing.busy.push(...unconfirmed);
	nothing.unconfirmed = unconfirmed.length;
	const wanted = [...confirmed, ...delivered].filter((name) => !found.ignored.has(name));
	/** What has vanished since that look is looked at a second time, too. */
	const withoutLate = (changes: readonly FileChange[] | null): FileChange[] | null => {
		if (changes === null) return null;
		const late = changes.flatMap((change) => ("delete" in change && !missing.has(change.path) ? [change.path] : []));
		for (const name of late) known.saw(name);
		nothing.busy.push(...late);
		return changes.filter((change) => !late.includes(change.path));
	};
	const first = withoutLate(changesOf(context, wanted, found.entries, new Map()));
	if (first === null) return null;
	const search = await rescueStaleWrites(
		context,
		first.map((change) => change.path),
	);
	const { checked, rescued, foreign } = search;
	const isForeign = new Set(foreign.map((write) => write.path));
	const given = new Map(checked.map((file) => [file.path, { ...file, oid: blobOid(file.content, repository.objectFormat) }]));
	const asChecked = given.size === 0 ? first : withoutLate(changesOf(context, wanted, found.entries, given));
	if (asChecked === null) return null;
	const all = asChecked.filter((change) => !isForeign.has(change.path));
	const secret = await secretChanges(context, all);
	forgetUnchanged(context, new Set(all.map((change) => change.path)), wanted);
	const changes = secret.size === 0 ? all : all.filter((change) => !secret.has(change.path));
	if (changes.length === 0) {
		forgetFirstChanges(memory, lookedAt, busy);
		return { ...nothing, rescued, foreign };
	}
	const paths = changes.map((change) => change.path);
	const gone = new Set(changes.flatMap((change) => ("delete" in change ? [change.path] : [])));
	const date = await commitDate(context, head, paths);
	context.lock.assertHeld();
	const { commit } = await writeCommit(openMergeStore(repository), {
		parents: [head],
		author,
		identity,
		date,
		message: Buffer.from(message(paths, gone)),
		tree: null,
		changes,
	});
	faultPoint("direct-written");
	context.lock.assertHeld();
	for (const change of changes) known.indexBehind.add(change.path);
	await updateRef(repository, `refs/heads/${memory.branch}`, commit, head, "robust-sync: snapshot");
	faultPoint("direct-committed");
	noteCommitted(context, search);
	forgetFirstChanges(memory, lookedAt, busy);
	return { ...nothing, isDirect: true, head: commit, committed: changes.length, deleted: gone.size, changed: paths, rescued, foreign };
}

/**
 * Tells the index what direct snapshots committed. Until then `git status` shows those paths as staged the other way round. Where that
 * fails, the next look is at everything, and repairs it.
 */
export async function bringIndexUpToDate({ repository, memory, lock, log }: CycleContext): Promise<void> {
	const { known } = memory;
	const names = [...known.indexBehind];
	if (names.length === 0) return;
	known.indexBehind.clear();
	try {
		const { oid } = await readHead(repository);
		if (oid === null) return;
		const entries = await readTreePaths(repository, oid, names);
		lock.assertHeld();
		await writeIndexEntries(
			repository,
			names.map((name) => ({ path: name, entry: entries.get(name) ?? null })),
		);
		faultPoint("direct-indexed");
	} catch (error) {
		known.forget();
		if (!(error instanceof GitError)) throw error;
		log.debug(`the index could not follow: ${error.message}`);
	}
}
