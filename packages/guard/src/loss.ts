import {
	blobOid,
	countTreeFiles,
	diffTrees,
	type GitPath,
	gitPathIfAllowed,
	type KnownContents,
	nulRecords,
	type ObjectReader,
	type Oid,
	openMergeStore,
	type Repository,
	readableVersions,
	readTreeWhole,
	type TreeChange,
	type TreeChanges,
	type TreeEntry,
	withObjectReader,
} from "@robust-sync/git";
import { approvalsBetween, approvedPaths } from "./approval.ts";
import { type ContentChange, contentChange, isEdited } from "./content-loss.ts";
import { type GuardLimits, wholeTreeFiles, wholeTreeShare } from "./possible-loss.ts";

/** One file that a commit deletes, empties or replaces. */
export interface LostFile {
	readonly path: GitPath;
	readonly how: "deleted" | "emptied" | "replaced";
	readonly before: TreeEntry;
	/** null: the file is deleted. */
	readonly after: TreeEntry | null;
}

/** A loss without approval. */
export interface Loss {
	/** More than the limits; nearly the whole tree; or all files below a mount point. */
	readonly kind: "many" | "whole-tree" | "mount";
	/** In the order of their paths. */
	readonly files: readonly LostFile[];
	/** Number of files that were tracked before. */
	readonly tracked: number;
	/** The mount points below which nothing is left. */
	readonly mounts: readonly GitPath[];
}

export interface LossQuestion {
	/** The commit before the loss. */
	readonly from: Oid;
	/** The commit with the loss. */
	readonly to: Oid;
	readonly limits: GuardLimits;
	/** Directories that are mount points here. */
	readonly mounts?: Iterable<GitPath>;
	/** The difference, if known. */
	readonly changes?: TreeChanges;
	/** Contents that need not be read again. */
	readonly contents?: KnownContents;
	/** Names that are not part of the workspace. */
	isOwn?(name: string): boolean;
}

/** Larger contents are compared by their size alone. */
const maxComparedBytes = 4 * 1_048_576;
/** The share of such a large file that must remain. */
const keptOfLarge = 0.05;
/** Commits of one author within this time are one piece of work: a program that deletes for a while is committed in parts. */
const togetherSeconds = 10;

const isBlob = (entry: TreeChange["after"]) => entry !== null && entry.mode !== "160000";
const isLink = (entry: TreeEntry) => entry.mode === "120000";

/** Files deleted in one place whose content, perhaps edited, was added in another: git's own search for renames. @throws GitError */
async function movedAway(repository: Repository, from: Oid, to: Oid): Promise<Set<GitPath>> {
	const { stdout } = await openMergeStore(repository).run([
		"diff-tree",
		"-r",
		"-z",
		"--raw",
		"--no-abbrev",
		"-M50%",
		"-l1000",
		"--diff-filter=R",
		"--end-of-options",
		from,
		to,
	]);
	const tokens = stdout.toString("latin1").split("\0");
	const moved = new Set<GitPath>();
	// ":<modes> <ids> R<score>" NUL old path NUL new path NUL
	for (let at = 0; at + 2 < tokens.length; at += 3) {
		const name = gitPathIfAllowed(tokens[at + 1] ?? "");
		if (name !== null) moved.add(name);
	}
	return moved;
}

/** The name without directories and without its last extension. */
const stemOf = (name: GitPath) => name.slice(name.lastIndexOf("/") + 1).replace(/(.)\.[^.]*$/, "$1");

/** The key of a file that was moved or got another extension: its content and its name. */
export const contentKey = (name: GitPath, { oid }: TreeEntry): string => `${oid} ${stemOf(name)}`;

/** Copies that an earlier commit had made: deleting a file is no loss if the same content exists elsewhere by the same name. */
export async function copiedBefore(repository: Repository, to: Oid, deleted: readonly LostFile[]): Promise<Set<GitPath>> {
	const there = new Map<string, number>();
	for (const [name, entry] of await readTreeWhole(repository, to)) {
		const key = contentKey(name, entry);
		there.set(key, (there.get(key) ?? 0) + 1);
	}
	const copied = new Set<GitPath>();
	for (const { path: name, before } of deleted) {
		const key = contentKey(name, before);
		const left = there.get(key) ?? 0;
		if (left === 0) continue;
		there.set(key, left - 1);
		copied.add(name);
	}
	return copied;
}

/** The keys of a renamed file, the most reliable first: its directory and stem, its last directory and stem, its name, its stem. */
function namesOf(name: GitPath): string[] {
	const directory = name.slice(0, name.lastIndexOf("/") + 1);
	const parent = directory.slice(directory.lastIndexOf("/", directory.length - 2) + 1);
	const stem = stemOf(name);
	return [`in ${directory}${stem}`, `below ${parent}${stem}`, `name ${name.slice(directory.length)}`, `stem ${stem}`];
}

/** Renames with other content that git does not find, because there are too many files, or too little of a line remains. */
function pairedByName(deleted: readonly LostFile[], added: TreeChanges): TreeChange[] {
	const known = new Map(added.flatMap((change) => namesOf(change.path).map((name) => [name, change] as const)));
	const used = new Set<TreeChange>();
	return deleted.flatMap((file) => {
		const pair = namesOf(file.path)
			.map((name) => known.get(name))
			.find((change) => change !== undefined && !used.has(change));
		if (!pair) return [];
		used.add(pair);
		return [{ path: file.path, before: file.before, after: pair.after }];
	});
}

/** Compares files that still exist. @returns those that are emptied or replaced @throws GitError */
export async function changedFiles(
	repository: Repository,
	changes: TreeChanges,
	compare: (before: Buffer, after: Buffer) => ContentChange = contentChange,
	known: KnownContents | null = null,
): Promise<LostFile[]> {
	const emptyBlob = blobOid(Buffer.alloc(0), repository.objectFormat);
	const lost: LostFile[] = [];
	const toRead: { readonly path: GitPath; readonly before: TreeEntry; readonly after: TreeEntry }[] = [];
	for (const { path: name, before, after } of changes) {
		if (before === null || after === null || before.oid === after.oid || before.oid === emptyBlob) continue;
		if (after.oid === emptyBlob) lost.push({ path: name, how: "emptied", before, after });
		else if (after.mode === "160000" || isLink(before) !== isLink(after)) lost.push({ path: name, how: "replaced", before, after });
		// The target of a symbolic link is not content.
		else if (!isLink(before)) toRead.push({ path: name, before, after });
	}
	const compareAll = async (reader: ObjectReader) => {
		let before: Buffer | null = null;
		let beforeSize = 0;
		await reader.each(
			toRead.flatMap((file) => [file.before.oid, file.after.oid]),
			(info, content, index) => {
				const file = toRead[index >> 1];
				if (index % 2 === 0) {
					// The buffer is overwritten by the next object.
					before = content === null ? null : Buffer.from(content);
					beforeSize = info?.size ?? 0;
					return;
				}
				if (!file || info === null) return;
				const how =
					before !== null && content !== null ? compare(before, content) : info.size < keptOfLarge * beforeSize ? "emptied" : "kept";
				if (how !== "kept") lost.push({ ...file, how });
			},
			maxComparedBytes,
		);
	};
	await withObjectReader(repository, compareAll, known);
	return lost;
}

/** All files that are lost between two commits, without moves. */
async function lostFiles(repository: Repository, { from, to, contents }: LossQuestion, changes: TreeChanges): Promise<LostFile[]> {
	const deleted = changes.flatMap(({ path: name, before, after }): LostFile[] =>
		before !== null && isBlob(before) && after === null ? [{ path: name, how: "deleted", before, after }] : [],
	);
	const moved = deleted.length > 0 ? await movedAway(repository, from, to) : new Set();
	const unmoved = deleted.filter((file) => !moved.has(file.path));
	const copied = unmoved.length > 0 ? await copiedBefore(repository, to, unmoved) : new Set();
	const missing = unmoved.filter((file) => !copied.has(file.path));
	const pairs = pairedByName(
		missing,
		changes.filter(({ before, after }) => before === null && isBlob(after)),
	);
	const unlike = new Set(
		(await changedFiles(repository, pairs, (one, other) => (isEdited(one, other) ? "kept" : "replaced"))).map((file) => file.path),
	);
	const renamed = new Set(pairs.flatMap((pair) => (unlike.has(pair.path) ? [] : [pair.path])));
	const changed = await changedFiles(
		repository,
		changes.filter(({ before, after }) => isBlob(before) && after !== null),
		contentChange,
		contents,
	);
	return [...missing.filter((file) => !renamed.has(file.path)), ...changed].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Limits `git log --raw` over commits of a peer. If it takes longer, all of them count as one piece of work. */
const workTimeoutMs = 10_000;

/** One piece of work of one author, with the paths that it touched. */
interface Work {
	readonly author: string;
	seconds: number;
	readonly touched: Set<GitPath>;
}

/** The pieces of work between two commits. @throws GitError */
async function workBetween(repository: Repository, from: Oid, to: Oid): Promise<Work[]> {
	const works: Work[] = [];
	let isPath = false;
	const { onOutput, end } = nulRecords((record) => {
		const token = record.toString("latin1");
		if (isPath) {
			isPath = false;
			const name = gitPathIfAllowed(token);
			if (name !== null) works.at(-1)?.touched.add(name);
			return;
		}
		const text = token.trimStart();
		if (text.startsWith(":")) isPath = true;
		else if (text.startsWith("\u0002")) {
			const [date = "", ...author] = text.slice(1).split(" ");
			const work = { author: author.join(" "), seconds: Number(date), touched: new Set<GitPath>() };
			const last = works.at(-1);
			if (last?.author === work.author && Math.abs(last.seconds - work.seconds) <= togetherSeconds) last.seconds = work.seconds;
			else works.push(work);
		}
	});
	await openMergeStore(repository).run(
		[
			"log",
			"-z",
			"--no-merges",
			"--topo-order",
			"--raw",
			"--no-abbrev",
			"--no-renames",
			"--format=%x02%ct %an",
			"--end-of-options",
			to,
			`^${from}`,
			"--",
		],
		{ timeoutMs: workTimeoutMs, onOutput },
	);
	end();
	return works;
}

function kindOf(lost: number, tracked: number, { files, percent }: GuardLimits): Loss["kind"] | null {
	if (lost >= wholeTreeFiles && lost >= wholeTreeShare * tracked) return "whole-tree";
	return lost > files && lost > (percent / 100) * tracked ? "many" : null;
}

/**
 * The files that would be lost between two commits, if a person must approve their loss. Judges each piece of work by itself: a week of
 * small deletions that arrives at once is no loss.
 * @returns null: no question, or the loss was approved
 * @throws GitError
 */
export async function findLoss(repository: Repository, question: LossQuestion): Promise<Loss | null> {
	const { from, to, limits } = question;
	if (from === to) return null;
	const isOwn = (name: string) => question.isOwn?.(name) ?? false;
	const [older, newer] = await readableVersions(repository, [from, to] as const, isOwn);
	const clean = { ...question, from: older, to: newer };
	const among = (all: TreeChanges) => all.filter(({ path: name }) => !isOwn(name));
	// Added files are no loss by themselves: mostly, they need not be listed.
	const changes = among(question.changes ?? (await diffTrees(repository, clean.from, clean.to, false))).filter(
		({ before }) => before !== null,
	);
	const mounts = [...(question.mounts ?? [])];
	const isBelowAny = (name: GitPath) => mounts.some((mount) => name.startsWith(`${mount}/`));
	const isSmall = changes.length < wholeTreeFiles && !changes.some(({ path: name, after }) => after === null && isBelowAny(name));
	if (isSmall) return null;
	const tracked = await countTreeFiles(repository, clean.from);
	// No content can turn such a small change into a loss.
	if (mounts.length === 0 && kindOf(changes.length, tracked, limits) === null) return null;
	const lost = await lostFiles(repository, clean, among(question.changes ?? (await diffTrees(repository, clean.from, clean.to))));
	// A workspace may have a million files, and mostly it has no mount point.
	const before = mounts.length === 0 ? new Map<GitPath, TreeEntry>() : await readTreeWhole(repository, clean.from);
	const emptied = emptiedMounts(mounts, before, lost);
	const net = kindOf(lost.length, tracked, limits);
	if (net === null && emptied.length === 0) return null;
	const held = new Set<GitPath>();
	for (const { path: name } of lost) if (emptied.some((mount) => name.startsWith(`${mount}/`))) held.add(name);
	let kind: Loss["kind"] = "mount";
	if (net !== null) {
		const names = new Set(lost.map((file) => file.path));
		const rest = new Set(names);
		for (const { touched } of await workBetween(repository, from, to).catch(() => [])) {
			const own = [...touched].filter((name) => names.has(name));
			for (const name of own) rest.delete(name);
			if (kindOf(own.length, tracked, limits) === null) continue;
			kind = net;
			for (const name of own) held.add(name);
		}
		// Files that no commit removed were removed by a merge.
		if (kindOf(rest.size, tracked, limits) !== null) {
			kind = net;
			for (const name of rest) held.add(name);
		}
	}
	if (held.size === 0) return null;
	const approvals = await approvalsBetween(repository, from, to);
	const wanted = new Map(lost.filter((file) => held.has(file.path)).map((file) => [file.path, file.after] as const));
	const approved = approvals.length > 0 ? await approvedPaths(repository, approvals, wanted, isOwn) : new Set();
	const files = lost.filter((file) => held.has(file.path) && !approved.has(file.path));
	// The rest of a loss that was approved in part is judged by itself.
	const isLeft = emptiedMounts(mounts, before, files).length > 0 || kindOf(files.length, tracked, limits) !== null;
	return isLeft ? { kind, files, tracked, mounts: emptied } : null;
}

/** Mount points that had files, and have none any more. */
function emptiedMounts(mounts: readonly GitPath[], before: ReadonlyMap<GitPath, TreeEntry>, lost: readonly LostFile[]): GitPath[] {
	if (mounts.length === 0) return [];
	const deleted = new Set(lost.flatMap((file) => (file.how === "deleted" ? [file.path] : [])));
	return mounts.filter((mount) => {
		const below = [...before.keys()].filter((name) => name.startsWith(`${mount}/`));
		return below.length > 0 && below.every((name) => deleted.has(name));
	});
}
