import {
	GitError,
	type GitPath,
	gitPathIfAllowed,
	type IsOwnName,
	nulRecords,
	type Oid,
	openMergeStore,
	type Repository,
	readableVersions,
	readTreeWhole,
	type TreeEntry,
} from "@robust-sync/git";
import { approvedPaths, approveTrailer } from "./approval.ts";
import { slowContentChange, successorChange } from "./content-loss.ts";
import { changedFiles, contentKey, copiedBefore, type Loss, type LostFile } from "./loss.ts";
import type { GuardLimits } from "./possible-loss.ts";

/** The commits of one node within this time are one piece of work: a recursive deletion may take minutes. */
export const slowLossWindowMs = 10 * 60_000;
const windowSeconds = slowLossWindowMs / 1000;
/** Limit of commits that are read: a node makes a few a second at most. */
const maxCommits = 5_000;
/** Time limit of a comparison: beyond it, it is repeated without a search for renames, and then skipped. */
const timeoutMs = 10_000;

export interface SlowLossQuestion {
	/** The published commit. */
	readonly tip: Oid;
	/** The commit to publish. */
	readonly to: Oid;
	/** The node whose work is counted. */
	readonly node: string;
	readonly limits: GuardLimits;
	readonly isOwn: IsOwnName;
}

interface Step {
	readonly commit: Oid;
	readonly seconds: number;
	readonly isMine: boolean;
	readonly approves: boolean;
}

const trailer = (key: string) => `%(trailers:key=${key},valueonly,separator=%x2C)`;

/** Commits, newest first; no merges. @param since seconds since the epoch; null: all */
export async function steps(store: Repository, node: string, range: readonly string[], since: number | null = null): Promise<Step[]> {
	const format = `--format=%H%n%ct%n${trailer("Robust-Sync-Node")}%n${trailer(approveTrailer)}`;
	// git takes a time before 1970 for now: a clock that was never set begins there.
	const from = since === null ? [] : [`--since=@${Math.max(0, since)} +0000`];
	const options = ["-z", "--no-merges", `--max-count=${maxCommits}`, "--no-show-signature", format, ...from];
	const { stdout } = await store.run(["log", ...options, "--end-of-options", ...range, "--"]);
	return stdout
		.toString("utf8")
		.split("\0")
		.filter((record) => record !== "")
		.map((record) => {
			const [commit = "", seconds = "", by = "", approves = ""] = record.split("\n");
			return { commit, seconds: Number(seconds), isMine: by.trim() === node, approves: approves.trim() !== "" };
		});
}

interface Event {
	readonly name: GitPath;
	readonly how: "deleted" | "made" | "changed";
	/** The content before; of added files, the present one. */
	readonly entry: TreeEntry;
	/** The present content of changed files. */
	readonly after: TreeEntry | null;
}

/**
 * The paths that each of some commits deleted, added and changed. Renames that git finds, with edits too, are neither.
 * @param withAdded false: without the added ones
 */
export async function events(store: Repository, commits: readonly Oid[], withAdded = true): Promise<Map<Oid, Event[]>> {
	if (commits.length === 0) return new Map();
	// The oldest commit of a shallow clone did not add all of its files.
	const root = store.isShallow ? [] : ["--root"];
	const compare = async (renames: readonly string[]) => {
		const { onOutput, found } = eventParser(commits);
		const filter = `--diff-filter=${withAdded ? "A" : ""}DMT`;
		await store.run(["diff-tree", "--stdin", "-z", "-r", ...root, "--raw", "--no-abbrev", filter, ...renames], {
			input: `${commits.join("\n")}\n`,
			timeoutMs,
			onOutput,
		});
		return found;
	};
	const tooLong = (error: unknown) => {
		// A peer may have put this node's name on a tree bomb, which must stop no cycle. A single large loss is still found by findLoss.
		if (error instanceof GitError && error.code === "GIT_TIMEOUT") return new Map<Oid, Event[]>();
		throw error;
	};
	return await compare(["-M50%", "-l1000"]).catch(() => compare(["--no-renames"]).catch(tooLong));
}

/** Parses the changes of some commits as they arrive: a commit may have a million. */
function eventParser(commits: readonly Oid[]): { onOutput(chunk: Buffer): void; found: Map<Oid, Event[]> } {
	const wanted = new Set(commits);
	const found = new Map<Oid, Event[]>();
	let list: Event[] = [];
	let change: Omit<Event, "name"> | null = null;
	const { onOutput } = nulRecords((bytes) => {
		if (change !== null) {
			const name = gitPathIfAllowed(bytes.toString("latin1"));
			const { how, entry, after } = change;
			if (name !== null && entry.mode !== "160000") list.push({ name, how, entry, after });
			change = null;
			return;
		}
		const token = bytes.toString("latin1").trimStart();
		if (wanted.has(token)) {
			list = [];
			found.set(token, list);
		} else if (token.startsWith(":")) {
			const [modeBefore = "", modeAfter = "", before = "", after = "", status] = token.slice(1).split(" ");
			const how = status === "D" ? "deleted" : status === "A" ? "made" : "changed";
			const now = { mode: modeAfter, oid: after };
			change = { how, entry: how === "made" ? now : { mode: modeBefore, oid: before }, after: how === "changed" ? now : null };
		}
	});
	return { onOutput, found };
}

/** One commit of this node, with its changes. */
interface Commit {
	readonly seconds: number;
	readonly isPublished: boolean;
	readonly events: readonly Event[];
}

/** One commit of this node, with the files that it removed and the files that it added. */
interface Counted {
	readonly seconds: number;
	readonly isPublished: boolean;
	readonly lost: LostFile[];
	readonly made: Set<Event>;
	/** Files that the commit added, which count as replacements for lost ones. */
	readonly successors: Set<Event>;
}

/**
 * The files that each commit removed, oldest first, without those that it or a later commit added again: at the same path, or elsewhere by the same name, as
 * with a move that the watcher saw in two parts.
 */
function countEvents(commits: readonly Commit[]): Counted[] {
	const before = firstVersions(commits);
	const waiting = new Map<string, LostFile[]>();
	const moved = new Set<LostFile>();
	const counted = commits.map(({ seconds, isPublished, events: list }) => {
		const lost: LostFile[] = [];
		for (const { name, how, entry } of list) {
			if (how !== "deleted") continue;
			const file: LostFile = { path: name, how: "deleted", before: before.get(name) ?? entry, after: null };
			const key = contentKey(name, entry);
			lost.push(file);
			waiting.set(key, [...(waiting.get(key) ?? []), file]);
		}
		const made = new Set<Event>();
		for (const event of list) {
			if (event.how !== "made") continue;
			const origin = waiting.get(contentKey(event.name, event.entry))?.pop();
			if (origin) moved.add(origin);
			else made.add(event);
		}
		return { seconds, isPublished, lost, made, successors: new Set<Event>() };
	});
	return counted.map((one) => ({ ...one, lost: one.lost.filter((file) => !moved.has(file)) }));
}

/** The content of each changed file before its first change. */
function firstVersions(commits: readonly Commit[]): Map<GitPath, TreeEntry> {
	const first = new Map<GitPath, TreeEntry>();
	for (const { events: list } of commits)
		for (const { name, how, entry } of list) if (how === "changed" && !first.has(name)) first.set(name, entry);
	return first;
}

/**
 * Adds the files that still exist but have lost their content, in one step or many, each to the commit that changed it last. Reads nothing
 * while they are too few to be a loss.
 * @param tree the tree after all of the commits
 * @throws GitError
 */
async function countContents(
	repository: Repository,
	commits: readonly Commit[],
	work: readonly Counted[],
	tree: ReadonlyMap<GitPath, TreeEntry>,
	{ files }: GuardLimits,
): Promise<void> {
	const last = new Map<GitPath, { readonly after: TreeEntry; readonly counted: Counted }>();
	for (const [at, { events: list }] of commits.entries())
		for (const { name, after } of list) if (after !== null) last.set(name, { after, counted: work[at] as Counted });
	const changes = [...firstVersions(commits)].flatMap(([name, before]) => {
		const after = last.get(name)?.after ?? null;
		return after !== null && tree.get(name)?.oid === after.oid ? [{ path: name, before, after }] : [];
	});
	const deleted = work.reduce((sum, { lost }) => sum + lost.length, 0);
	if (changes.length + deleted <= files) return;
	for (const file of await changedFiles(repository, changes, slowContentChange)) last.get(file.path)?.counted.lost.push(file);
	await discountSuccessors(repository, work);
}

/** A file's name without its last extensions, the longest first: `a.txt.locked`, `a.txt`, `a`. */
function stemsOf(name: GitPath): string[] {
	const found: string[] = [name];
	for (let dot = name.lastIndexOf("."); dot > name.lastIndexOf("/") + 1; dot = name.lastIndexOf(".", dot - 1))
		found.push(name.slice(0, dot));
	return found;
}

/**
 * A file named after a deleted one (`a.txt.locked`) does not count as its replacement if its content is unreadable and the deleted file was a
 * text. So a program that encrypts files little by little still reaches the limits.
 * @throws GitError
 */
async function discountSuccessors(repository: Repository, work: readonly Counted[]): Promise<void> {
	const gone = new Map<string, LostFile[]>();
	for (const file of work.flatMap(({ lost }) => lost))
		if (file.how === "deleted")
			for (const stem of stemsOf(file.path).slice(0, 2)) {
				const sharing = gone.get(stem);
				if (sharing) sharing.push(file);
				else gone.set(stem, [file]);
			}
	const successors = new Map<GitPath, { readonly before: TreeEntry; readonly event: Event; readonly counted: Counted }>();
	const takeOrigin = ({ name }: Event): LostFile | null => {
		for (const stem of stemsOf(name)) {
			const sharing = gone.get(stem) ?? [];
			for (let last = sharing.at(-1); last && successors.has(last.path); last = sharing.at(-1)) sharing.pop();
			// The file itself may have been made within the same time.
			const file = sharing.findLast(({ path }) => path !== name && !successors.has(path));
			if (file) return file;
		}
		return null;
	};
	for (const counted of work)
		for (const event of counted.made) {
			const origin = takeOrigin(event);
			if (origin) successors.set(origin.path, { before: origin.before, event, counted });
		}
	const pairs = [...successors].map(([path, { before, event }]) => ({ path, before, after: event.entry }));
	for (const { path, how } of await changedFiles(repository, pairs, successorChange)) {
		const successor = successors.get(path);
		if (how !== "replaced" || !successor) continue;
		successor.counted.made.delete(successor.event);
		successor.counted.successors.add(successor.event);
	}
}

/**
 * The files of all pieces of work within ten minutes by which the tree lost more than the limits, if a part of it is not published yet.
 * Files added meanwhile count as replacements: files that rotate, come and go, or have new names.
 */
function overLimit(work: readonly Counted[], { files, percent }: GuardLimits, left: number): Set<LostFile> {
	const held = new Set<LostFile>();
	for (const [end, last] of work.entries()) {
		let [gone, changed, replaced, isOpen, added] = [0, 0, 0, false, end + 1];
		for (let start = end; start >= 0; start--) {
			const first = work[start] as Counted;
			if (first.seconds < last.seconds - windowSeconds) break;
			const deleted = first.lost.filter(({ how }) => how === "deleted").length;
			gone += deleted - first.made.size;
			changed += first.lost.length - deleted;
			replaced += first.successors.size;
			isOpen ||= !first.isPublished;
			const net = changed + gone;
			if (!isOpen || net <= files || net <= (percent / 100) * (left + gone - replaced)) continue;
			for (const one of work.slice(start, added)) for (const file of one.lost) held.add(file);
			added = start;
		}
	}
	return held;
}

/** Joins two losses. */
export function joinLosses(one: Loss, other: Loss): Loss {
	const files = new Map([...other.files, ...one.files].map((file) => [file.path, file]));
	const sorted = [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
	return { ...one, files: sorted, tracked: Math.max(one.tracked, other.tracked) };
}

/**
 * The files that a node removed by many commits within ten minutes, none of which is a loss alone. Only unpublished commits can be held; a
 * rejection restores the published part as well.
 * @returns null: no question, or the loss was approved
 * @throws GitError
 */
export async function findSlowLoss(repository: Repository, { tip, to, node, limits, isOwn }: SlowLossQuestion): Promise<Loss | null> {
	if (tip === to) return null;
	const store = openMergeStore(repository);
	const fresh = await steps(store, node, [to, `^${tip}`]);
	const own = fresh.filter(({ isMine }) => isMine).map(({ commit }) => commit);
	if (own.length === 0 || ![...(await events(store, own, false)).values()].some((list) => list.length > 0)) return null;
	const unpublished = new Set(fresh.map(({ commit }) => commit));
	const oldest = fresh.filter(({ isMine }) => isMine).reduce((min, { seconds }) => Math.min(min, seconds), Number.POSITIVE_INFINITY);
	const all = await steps(store, node, [to], oldest - windowSeconds);
	const mine = all.filter(({ isMine }) => isMine).reverse();
	const changed = await events(
		store,
		mine.map(({ commit }) => commit),
	);
	const [version] = await readableVersions(repository, [to] as const, isOwn);
	const tree = await readTreeWhole(repository, version);
	const commits = mine
		.map(({ commit, seconds }) => ({
			seconds,
			isPublished: !unpublished.has(commit),
			events: (changed.get(commit) ?? []).filter(({ name }) => !isOwn(name.split("/", 1)[0] ?? "")),
		}))
		.sort((a, b) => a.seconds - b.seconds);
	const work = countEvents(commits);
	await countContents(repository, commits, work, tree, limits);
	const isGone = ({ path: name, after }: LostFile) => tree.get(name)?.oid === after?.oid;
	const held = [...overLimit(work, limits, tree.size)].filter(isGone);
	if (held.length === 0) return null;
	const approvals = all.filter(({ approves }) => approves).map(({ commit }) => commit);
	const wanted = new Map(held.map((file) => [file.path, file.after]));
	const approved = approvals.length > 0 ? await approvedPaths(repository, approvals, wanted, isOwn) : new Set<GitPath>();
	const rest = work.map((one) => ({ ...one, lost: one.lost.filter((file) => !approved.has(file.path)) }));
	// The newest content of a file that was deleted more than once.
	const gone = [...overLimit(rest, limits, tree.size)].filter(isGone);
	const isDeleted = ({ how }: LostFile) => how === "deleted";
	const copied = await copiedBefore(repository, version, gone.filter(isDeleted));
	const files = new Map(gone.filter((file) => !copied.has(file.path)).map((file) => [file.path, file]));
	const replaced = rest.reduce((sum, { successors }) => sum + successors.size, 0);
	const tracked = tree.size - replaced + [...files.values()].filter(isDeleted).length;
	if (files.size <= limits.files || files.size <= (limits.percent / 100) * tracked) return null;
	return {
		kind: "many",
		files: [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
		tracked,
		mounts: [],
	};
}
