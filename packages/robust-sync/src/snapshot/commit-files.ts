import {
	blobOid,
	type DiskFile,
	type FileChange,
	fileSystemPath,
	GitError,
	type GitPath,
	type Oid,
	openMergeStore,
	parentOf,
	readDiskFile,
	readIgnored,
	readTreePaths,
	storedMode,
	type TreeEntry,
	updateRef,
	writeCommit,
} from "@robust-sync/git";
import { filtersApply, isOwnPath } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import type { Items } from "@robust-sync/system/items";
import { lstatIfThere } from "@robust-sync/system/lstat";
import type { ForeignWrite } from "../checkout/foreign-writes.ts";
import { findStaleWrites } from "../checkout/rescue.ts";
import { reasonToSkip } from "../checkout/skipped-files.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { forgetFirstChanges } from "../context/first-changes.ts";
import { ownIdentity } from "../context/own-identity.ts";
import { secretChanges } from "../secrets/files.ts";
import { forgetUnchanged } from "../secrets/notes.ts";
import { commitDate } from "./commit-date.ts";
import { maxDirtyPaths } from "./dirty-set.ts";
import { separateVanished } from "./vanished-files.ts";

// The step commit of a cycle. A file's bytes are its blob, nearly always: then blobs, trees and commit are written at once, from the
// bytes that are read here. Files that only git can encode go through the index (commit-index.ts), and end in the same commit.

/** Limit of bytes in memory: a larger commit is left to git, which streams it. */
const maxBytes = 8 * 1_048_576;

/** The message of a commit, from its changes and deletions. */
export type MessageOf = (changed: Items<GitPath>, gone: ReadonlySet<GitPath>) => string;

/** The content of a commit: all changes to its parent, or a tree that git has written from the index. */
export interface SnapshotCommit {
	readonly branch: string | null;
	/** The parent; null: none. */
	readonly head: Oid | null;
	readonly tree: Oid | null;
	readonly changes: readonly FileChange[];
	/** Seconds since the epoch. */
	readonly date: number;
	readonly message: string;
}

/** The committer: writes the objects, and moves the branch from the parent to the commit. @throws GitError, LockLostError, the file system's error */
export async function commitOnBranch(context: CycleContext, commit: SnapshotCommit): Promise<Oid> {
	const { repository, lock, memory } = context;
	const { branch, head, tree, changes, date, message } = commit;
	lock.assertHeld();
	const made = await writeCommit(openMergeStore(repository), {
		parents: head === null ? [] : [head],
		...ownIdentity(context),
		date,
		message: Buffer.from(message),
		tree,
		changes,
	});
	faultPoint("snapshot-written");
	lock.assertHeld();
	for (const change of changes) memory.dirty.indexBehind.add(change.path);
	await updateRef(repository, `refs/heads/${branch}`, made.commit, head, "robust-sync: snapshot");
	faultPoint("snapshot-committed");
	return made.commit;
}

/** Whether a plain file at this path is not simply its bytes: because of a link above it, or a repository that it belongs to. */
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

/** The file's entry, as git would store it; null: none; undefined: it cannot be committed directly. @param limit bytes */
function contentAt(context: CycleContext, name: GitPath, limit: number): Content | null | undefined {
	const { repository, config, memory } = context;
	if (memory.forget.isWaiting(name) || reasonToSkip(repository, name, config.maxFileMb) !== null) return undefined;
	try {
		const stats = lstatIfThere(fileSystemPath(repository.root, name));
		if (stats !== null && (stats.isDirectory() || stats.size > limit)) return undefined;
		return readDiskFile(repository, name);
	} catch {
		return undefined;
	}
}

/** Changes against `entries`, those of HEAD; null: some file cannot be committed directly. */
export function changesOf(
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
			continue;
		}
		const mode = storedMode(context.repository, name, file.mode, entry?.mode);
		if (entry?.mode !== mode || entry.oid !== file.oid) changes.push({ path: name, mode, content: file.content });
	}
	return changes;
}

/** HEAD's entries at some paths, and which of the others an ignore rule covers. */
export interface KnownPaths {
	readonly entries: ReadonlyMap<GitPath, TreeEntry>;
	readonly ignored: ReadonlySet<GitPath>;
}

/**
 * Looks paths up in HEAD.
 * @param admitted no ignore rule covers these
 * @returns null: some of them cannot be committed directly
 */
export async function lookUp(
	{ repository }: CycleContext,
	head: Oid,
	names: readonly GitPath[],
	admitted: ReadonlySet<GitPath>,
): Promise<KnownPaths | null> {
	const seen = new Map<GitPath, boolean>();
	// Other rules change what is scanned or stored, and not only here.
	if (names.some((name) => isElsewhere(repository.root, name, seen) || /(^|\/)\.git(ignore|attributes)$/.test(name))) return null;
	if (names.some(isOwnPath)) return null;
	try {
		const entries = await readTreePaths(repository, head, names);
		const untracked = names.filter((name) => !entries.has(name) && !admitted.has(name));
		return { entries, ignored: await readIgnored(repository, untracked) };
	} catch (error) {
		if (error instanceof GitError) return null;
		throw error;
	}
}

/** Whether in this repository a file's bytes are its blob, and a commit consists of blobs only. */
export async function isPlain({ repository, config }: CycleContext): Promise<boolean> {
	if (config.syncHooks || repository.isSparse || repository.config.get("core.filemode") === "false") return false;
	return !(await filtersApply(repository));
}

/** The input of a commit. */
export interface FilesToCommit {
	readonly head: Oid;
	readonly branch: string | null;
	/** Files at rest that may differ from HEAD, without delivered messages. */
	readonly names: readonly GitPath[];
	/** The deleted ones among them, if known; null: names that have just vanished were not separated yet. */
	readonly missing: ReadonlySet<GitPath> | null;
	/** No ignore rule covers these. */
	readonly admitted: ReadonlySet<GitPath>;
	/** Delivered messages: they do not wait for a second scan. */
	readonly delivered: readonly GitPath[];
	/** Time of the scan, by the monotonic clock. */
	readonly lookedAt: number;
	/** Files that are being written. */
	readonly busy: readonly GitPath[];
}

/** The result of a commit. */
export interface CommittedFiles {
	readonly head: Oid;
	readonly changed: readonly GitPath[];
	readonly deleted: number;
	readonly foreign: readonly ForeignWrite[];
	/** Files that wait for the next snapshot. */
	readonly busy: readonly GitPath[];
	/** The number of them that vanished, or appeared with those. */
	readonly unconfirmed: number;
}

/**
 * Commits files, and nothing else: the bytes read here are searched for lost updates and secrets, and committed.
 * @returns null: some file cannot be committed directly, and goes through the index
 */
export async function commitFiles(context: CycleContext, files: FilesToCommit, messageOf: MessageOf): Promise<CommittedFiles | null> {
	const { repository, memory, now } = context;
	const { head, branch, names, admitted, delivered, lookedAt } = files;
	if (names.length + delivered.length > maxDirtyPaths) return null;
	const busy = [...files.busy];
	if (names.length + delivered.length === 0) {
		forgetFirstChanges(memory, lookedAt, busy);
		return { head, changed: [], deleted: 0, foreign: [], busy, unconfirmed: 0 };
	}
	const found = await lookUp(context, head, [...names, ...delivered], new Set([...admitted, ...delivered]));
	if (found === null) return null;
	const isNew = (name: GitPath) => !found.entries.has(name);
	const { confirmed, unconfirmed, missing } =
		files.missing === null
			? separateVanished(repository.root, names, memory.vanished, now(), isNew)
			: { confirmed: names, unconfirmed: [], missing: files.missing };
	busy.push(...unconfirmed);
	const wanted = [...confirmed, ...delivered].filter((name) => !found.ignored.has(name));
	/** Names that vanished since that scan get a second one, too. */
	const withoutLate = (changes: readonly FileChange[] | null): FileChange[] | null => {
		if (changes === null) return null;
		const late = changes.flatMap((change) => ("delete" in change && !missing.has(change.path) ? [change.path] : []));
		busy.push(...late);
		return changes.filter((change) => !late.includes(change.path));
	};
	const first = withoutLate(changesOf(context, wanted, found.entries, new Map()));
	if (first === null) return null;
	const { checked, foreign } = await findStaleWrites(
		context,
		first.map((change) => change.path),
	);
	const isForeign = new Set(foreign.map((write) => write.path));
	const given = new Map(checked.map((file) => [file.path, { ...file, oid: blobOid(file.content, repository.objectFormat) }]));
	const asChecked = given.size === 0 ? first : withoutLate(changesOf(context, wanted, found.entries, given));
	if (asChecked === null) return null;
	const all = asChecked.filter((change) => !isForeign.has(change.path));
	const secret = await secretChanges(context, all);
	forgetUnchanged(context, new Set(all.map((change) => change.path)), wanted);
	const changes = secret.size === 0 ? all : all.filter((change) => !secret.has(change.path));
	const done = { changed: changes.map((change) => change.path), foreign, busy, unconfirmed: unconfirmed.length };
	const gone = new Set(changes.flatMap((change) => ("delete" in change ? [change.path] : [])));
	let newHead = head;
	if (changes.length > 0) {
		const date = await commitDate(context, head, done.changed);
		newHead = await commitOnBranch(context, { branch, head, tree: null, changes, date, message: messageOf(done.changed, gone) });
	}
	forgetFirstChanges(memory, lookedAt, busy);
	return { ...done, head: newHead, deleted: gone.size };
}
