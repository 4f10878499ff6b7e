import {
	type GitPath,
	gitPathIfAllowed,
	type IsOwnName,
	type Oid,
	openMergeStore,
	type Repository,
	readableVersions,
	readTreeWhole,
	type TreeEntry,
} from "@robust-sync/git";
import { approvedPaths, approveTrailer } from "./approval.ts";
import { contentKey, copiedBefore, type Loss, type LostFile } from "./loss.ts";
import type { GuardLimits } from "./worth-a-look.ts";

/** Deletions of one node within this time are one piece of work, however many commits they are in: a recursive deletion may take minutes. */
export const slowLossWindowMs = 10 * 60_000;
const windowSeconds = slowLossWindowMs / 1000;
/** More commits than this are not looked at: a node makes a few a second at most. */
const maxCommits = 5_000;
/** For a comparison that does not end: it is then made without a search for renames. */
const timeoutMs = 10_000;

export interface SlowLossQuestion {
	/** What is published. */
	readonly tip: Oid;
	/** What is to be. */
	readonly to: Oid;
	/** Whose deletions are counted. */
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

/** Commits, newest first; no merges. */
async function steps(store: Repository, node: string, range: readonly string[], since: readonly string[] = []): Promise<Step[]> {
	const format = `--format=%H%n%ct%n${trailer("Robust-Sync-Node")}%n${trailer(approveTrailer)}`;
	const options = ["-z", "--no-merges", `--max-count=${maxCommits}`, "--no-show-signature", format, ...since];
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
	readonly how: "deleted" | "made";
	readonly entry: TreeEntry;
}

/** What each of some commits deleted and made. What git finds to be renamed, with edits too, is neither. */
async function events(store: Repository, commits: readonly Oid[]): Promise<Map<Oid, Event[]>> {
	const wanted = new Set(commits);
	const found = new Map<Oid, Event[]>();
	const compare = (renames: readonly string[]) =>
		store.run(["diff-tree", "--stdin", "-z", "-r", "--root", "--raw", "--no-abbrev", "--diff-filter=AD", ...renames], {
			input: `${commits.join("\n")}\n`,
			timeoutMs,
		});
	const { stdout } = await compare(["-M50%", "-l1000"]).catch(() => compare(["--no-renames"]));
	const tokens = stdout.toString("latin1").split("\0");
	let list: Event[] = [];
	for (let at = 0; at < tokens.length; at++) {
		const token = (tokens[at] ?? "").trimStart();
		if (wanted.has(token)) {
			list = [];
			found.set(token, list);
		} else if (token.startsWith(":")) {
			const [modeBefore = "", modeAfter = "", before = "", after = "", status] = token.slice(1).split(" ");
			const name = gitPathIfAllowed(tokens[++at] ?? "");
			const isDeleted = status === "D";
			const entry = isDeleted ? { mode: modeBefore, oid: before } : { mode: modeAfter, oid: after };
			if (name !== null && entry.mode !== "160000") list.push({ name, how: isDeleted ? "deleted" : "made", entry });
		}
	}
	return found;
}

/** One commit of this node, with what it took away and how many files it made. */
interface Counted {
	readonly seconds: number;
	readonly isPublished: boolean;
	readonly lost: readonly LostFile[];
	readonly made: number;
}

/**
 * What each commit took away, oldest first, without what a later one, or the same, made again: there, or elsewhere by the same name, as a
 * move does that the watcher saw in two parts.
 */
function countEvents(
	commits: readonly { readonly seconds: number; readonly isPublished: boolean; readonly events: readonly Event[] }[],
): Counted[] {
	const waiting = new Map<string, LostFile[]>();
	const moved = new Set<LostFile>();
	const counted = commits.map(({ seconds, isPublished, events: list }) => {
		const lost: LostFile[] = [];
		for (const { name, how, entry } of list) {
			if (how !== "deleted") continue;
			const file: LostFile = { path: name, how: "deleted", before: entry, after: null };
			const key = contentKey(name, entry);
			lost.push(file);
			waiting.set(key, [...(waiting.get(key) ?? []), file]);
		}
		let made = 0;
		for (const { name, how, entry } of list) {
			if (how !== "made") continue;
			const origin = waiting.get(contentKey(name, entry))?.pop();
			if (origin) moved.add(origin);
			else made++;
		}
		return { seconds, isPublished, lost, made };
	});
	return counted.map((one) => ({ ...one, lost: one.lost.filter((file) => !moved.has(file)) }));
}

/**
 * The files of all pieces of work within ten minutes by which the tree lost more than the limits, and of which something is not published.
 * What was made meanwhile took the place of something: files that rotate, come and go, or have new names.
 */
function overLimit(work: readonly Counted[], { files, percent }: GuardLimits, left: number): Set<LostFile> {
	const held = new Set<LostFile>();
	for (const [end, last] of work.entries()) {
		let [net, isOpen, added] = [0, false, end + 1];
		for (let start = end; start >= 0; start--) {
			const first = work[start] as Counted;
			if (first.seconds < last.seconds - windowSeconds) break;
			net += first.lost.length - first.made;
			isOpen ||= !first.isPublished;
			if (!isOpen || net <= files || net <= (percent / 100) * (left + net)) continue;
			for (const one of work.slice(start, added)) for (const file of one.lost) held.add(file);
			added = start;
		}
	}
	return held;
}

/** One loss of all that two name. */
export function joinLosses(one: Loss, other: Loss): Loss {
	const files = new Map([...other.files, ...one.files].map((file) => [file.path, file]));
	const sorted = [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
	return { ...one, files: sorted, tracked: Math.max(one.tracked, other.tracked) };
}

/**
 * What a node has taken away by many commits, none of which is a loss, within ten minutes. Only what is not published yet can be held, and the
 * rest of it comes back with it.
 * @returns null: nothing to ask, or it was approved
 * @throws GitError
 */
export async function findSlowLoss(repository: Repository, { tip, to, node, limits, isOwn }: SlowLossQuestion): Promise<Loss | null> {
	if (tip === to) return null;
	const store = openMergeStore(repository);
	const fresh = await steps(store, node, [to, `^${tip}`]);
	const own = fresh.filter(({ isMine }) => isMine).map(({ commit }) => commit);
	const deletes = ({ how }: Event) => how === "deleted";
	if (own.length === 0 || ![...(await events(store, own)).values()].some((list) => list.some(deletes))) return null;
	const unpublished = new Set(fresh.map(({ commit }) => commit));
	const oldest = fresh.filter(({ isMine }) => isMine).reduce((min, { seconds }) => Math.min(min, seconds), Number.POSITIVE_INFINITY);
	const all = await steps(store, node, [to], [`--since=@${oldest - windowSeconds} +0000`]);
	const mine = all.filter(({ isMine }) => isMine).reverse();
	const changed = await events(
		store,
		mine.map(({ commit }) => commit),
	);
	const [version] = await readableVersions(repository, [to] as const, isOwn);
	const tree = await readTreeWhole(repository, version);
	const work = countEvents(
		mine
			.map(({ commit, seconds }) => ({
				seconds,
				isPublished: !unpublished.has(commit),
				events: (changed.get(commit) ?? []).filter(({ name }) => !isOwn(name.split("/", 1)[0] ?? "")),
			}))
			.sort((a, b) => a.seconds - b.seconds),
	);
	const isGone = ({ path: name }: LostFile) => !tree.has(name);
	const held = [...overLimit(work, limits, tree.size)].filter(isGone);
	if (held.length === 0) return null;
	const approvals = all.filter(({ approves }) => approves).map(({ commit }) => commit);
	const wanted = new Map(held.map((file) => [file.path, null]));
	const approved = approvals.length > 0 ? await approvedPaths(repository, approvals, wanted, isOwn) : new Set<GitPath>();
	const rest = work.map((one) => ({ ...one, lost: one.lost.filter((file) => !approved.has(file.path)) }));
	// The newest content of a file that was deleted more than once.
	const gone = [...overLimit(rest, limits, tree.size)].filter(isGone);
	const copied = await copiedBefore(repository, version, gone);
	const files = new Map(gone.filter((file) => !copied.has(file.path)).map((file) => [file.path, file]));
	if (files.size <= limits.files || files.size <= (limits.percent / 100) * (tree.size + files.size)) return null;
	return {
		kind: "many",
		files: [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
		tracked: tree.size + files.size,
		mounts: [],
	};
}
