// Above 400 lines: the walk of a log, its filters and its paging share one state, the commits read ahead.
import {
	cleanCommits,
	diffWithRenames,
	displayPath,
	emptyCommit,
	type GitPath,
	gitPathIfAllowed,
	isArgument,
	nulRecords,
	type Oid,
	openMergeStore,
	type Repository,
	readTreePaths,
} from "@robust-sync/git";
import { isOwnName, timestamp } from "@robust-sync/workspace";
import type { Moment } from "./moment.ts";
import { isSelected } from "./selected-paths.ts";
import { agentTrailer, bodyOf, type HistoryKind, kindOfCommit, nodeOf, runTrailer, trailersOf } from "./trailers.ts";

/** One file that a commit changed. */
export interface HistoryFile {
	readonly path: GitPath;
	/** The name that it had before; null: the same. */
	readonly from: GitPath | null;
	readonly change: "added" | "changed" | "deleted" | "renamed";
	/** Lines; null: it is binary. */
	readonly linesAdded: number | null;
	readonly linesDeleted: number | null;
	/** Blob ids; null: there is none on that side. */
	readonly before: Oid | null;
	readonly after: Oid | null;
}

/** One commit as people see it. */
export interface HistoryEntry {
	readonly commit: Oid;
	readonly parents: readonly Oid[];
	/** Milliseconds since the epoch, by the committer. */
	readonly at: number;
	readonly node: string;
	readonly kind: HistoryKind;
	readonly subject: string;
	/** What was said about it, by `--annotate` or a person. */
	readonly text: string;
	readonly agent: string | null;
	readonly run: string | null;
	/** None for a merge. */
	readonly files: readonly HistoryFile[];
}

export interface HistoryQuery {
	/** Where to begin; usually HEAD. */
	readonly head: Oid;
	/** Only commits that touch one of them; a single file is followed over its renames. None: all. */
	readonly paths?: readonly GitPath[];
	readonly since?: Moment | null;
	readonly until?: Moment | null;
	readonly node?: string | null;
	readonly agent?: string | null;
	readonly run?: string | null;
	/** This many entries at most. */
	readonly limit?: number;
	/** Children before parents, whatever their dates. */
	readonly inOrder?: boolean;
	/** Milliseconds; default: as long as any local command. */
	readonly timeoutMs?: number;
}

/** The headers of commits, newest first, and where the walk ended. */
interface Header {
	readonly commit: Oid;
	readonly parents: readonly Oid[];
	readonly seconds: number;
	readonly author: string;
	readonly message: string;
}

/** The last second of the year 9999. */
const maxSeconds = 253_402_300_799;
/** Commits compared by one process: it ends soon where a few are enough. */
const comparedAtOnce = 500;

/** Whether history has a path as a directory, if at all. */
async function isDirectory(store: Repository, head: Oid, name: GitPath): Promise<boolean> {
	const modeIn = async (commit: Oid) => (await readTreePaths(store, commit, [name])).get(name)?.mode;
	const mode = await modeIn(head);
	if (mode !== undefined) return mode === "040000";
	// It is gone: what was it before it was last touched?
	const { stdout } = await store.run(
		["log", "-1", "--no-show-signature", "--format=%P", "--end-of-options", head, "--", displayPath(name)],
		{
			env: { GIT_LITERAL_PATHSPECS: "1" },
		},
	);
	for (const parent of stdout.toString("latin1").trim().split(" ").filter(Boolean)) {
		const before = await modeIn(parent);
		if (before !== undefined) return before === "040000";
	}
	return false;
}

/** Whether git can be told a path: names need not be UTF-8, arguments are. */
const canBeTold = (name: GitPath) => isArgument(name) && !displayPath(name).includes("\ufffd");

/** A commit may claim any date. @returns one that can be shown: before 1970 and after 9999 are the ends */
function usableSeconds(text: string): number {
	return Math.min(Math.max(Number(text) || 0, 0), maxSeconds);
}

function headerOf(record: Buffer): Header {
	const [commit = "", parents = "", seconds = "", author = "", ...lines] = record.toString("utf8").split("\n");
	return { commit, parents: parents.split(" ").filter(Boolean), seconds: usableSeconds(seconds), author, message: lines.join("\n") };
}

/**
 * Reads the headers of a range alone: git compares no more of the trees than it takes to know which commits touch the paths.
 * @param isWanted the others are passed over
 * @returns those that are wanted, and the oldest of all; null: there are enough, and it was not asked for
 */
async function readHeaders(
	store: Repository,
	{ since, until, inOrder, timeoutMs }: HistoryQuery,
	range: readonly string[],
	paths: readonly GitPath[],
	limit: number,
	isWanted: ((header: Header) => boolean) | null,
): Promise<{ headers: Header[]; oldest: Header | null }> {
	const headers: Header[] = [];
	let last: Header | null = null;
	const { onOutput: add, end } = nulRecords((record) => {
		last = headerOf(record);
		if (headers.length < limit && (isWanted?.(last) ?? true)) headers.push(last);
	});
	const args = [
		"log",
		"-z",
		...(inOrder ? ["--topo-order"] : []),
		...(Number.isFinite(limit) && isWanted === null ? [`--max-count=${limit}`] : []),
		...(since?.kind === "time" ? [`--since=@${Math.floor(since.at / 1000)} +0000`] : []),
		...(until?.kind === "time" ? [`--until=@${Math.floor(until.at / 1000)} +0000`] : []),
		"--no-mailmap",
		"--no-show-signature",
		"--encoding=UTF-8",
		"--format=%H%n%P%n%ct%n%an%n%B",
		"--end-of-options",
		...range,
		"--",
		...paths.map(displayPath),
	];
	await store.run(args, {
		env: { GIT_LITERAL_PATHSPECS: "1" },
		...(timeoutMs === undefined ? {} : { timeoutMs }),
		onOutput(chunk) {
			add(chunk);
			return headers.length >= limit ? "enough" : undefined;
		},
	});
	if (headers.length < limit) end();
	return { headers, oldest: headers.length < limit ? last : null };
}

interface RawFile {
	path: GitPath;
	from: GitPath | null;
	change: HistoryFile["change"];
	before: Oid | null;
	after: Oid | null;
	linesAdded: number | null;
	linesDeleted: number | null;
}

const changes: Readonly<Record<string, HistoryFile["change"]>> = { A: "added", D: "deleted", R: "renamed", C: "added" };
const isNothing = (oid: string) => /^0+$/.test(oid);
const count = (text: string) => (text === "-" ? null : Number(text));

/** Takes `git diff-tree --stdin -z --raw --numstat` apart, token by token. */
class FilesParser {
	readonly files = new Map<string, Map<string, RawFile>>();
	readonly #commits: ReadonlySet<string>;
	#current = new Map<string, RawFile>();
	/** Paths that the record at hand still takes, and what becomes of them. */
	#wanted: { left: number; names: string[]; done: (names: string[]) => void } | null = null;

	/** @param commits as they were asked about */
	constructor(commits: ReadonlySet<string>) {
		this.#commits = commits;
	}

	token(token: Buffer): void {
		const text = token.toString("latin1");
		if (this.#wanted !== null) {
			this.#wanted.names.push(text);
			if (--this.#wanted.left > 0) return;
			const { names, done } = this.#wanted;
			this.#wanted = null;
			done(names);
			return;
		}
		const record = text.replace(/^\n+/, "");
		if (record.startsWith(":")) this.#raw(record);
		else if (this.#commits.has(record)) {
			this.#current = new Map();
			this.files.set(record, this.#current);
		} else if (record !== "") this.#numstat(record);
	}

	/** ":<mode> <mode> <id> <id> <status>", then one path or two. */
	#raw(record: string): void {
		const [, , before = "", after = "", status = ""] = record.slice(1).split(" ");
		const isPair = status.startsWith("R") || status.startsWith("C");
		const files = this.#current;
		this.#take(isPair ? 2 : 1, (names) => {
			const path = gitPathIfAllowed(names.at(-1) ?? "");
			if (path === null) return;
			files.set(path, {
				path,
				from: status.startsWith("R") ? gitPathIfAllowed(names[0] ?? "") : null,
				change: changes[status[0] ?? ""] ?? "changed",
				before: isNothing(before) ? null : before,
				after: isNothing(after) ? null : after,
				linesAdded: null,
				linesDeleted: null,
			});
		});
	}

	/** "<added> TAB <deleted> TAB <path>", or nothing behind the second tab and two paths. */
	#numstat(record: string): void {
		const [, added = "", deleted = "", name = ""] = /^(\d+|-)\t(\d+|-)\t([\s\S]*)$/.exec(record) ?? [];
		const files = this.#current;
		const note = (path: string) => {
			const file = files.get(path);
			if (file) [file.linesAdded, file.linesDeleted] = [count(added), count(deleted)];
		};
		if (name !== "") note(name);
		else this.#take(2, (names) => note(names[1] ?? ""));
	}

	#take(left: number, done: (names: string[]) => void): void {
		this.#wanted = { left, names: [], done };
	}
}

/**
 * What commits changed; a merge nothing. Their clean versions are compared: the tree of a commit that a peer pushed may have millions of
 * paths, or make git fail.
 * @param paths only these; none: all
 * @throws GitError
 */
async function readFiles(
	store: Repository,
	headers: readonly Header[],
	paths: readonly GitPath[],
	timeoutMs: number | undefined,
): Promise<Map<Oid, HistoryFile[]>> {
	const plain = headers.filter(({ parents }) => parents.length <= 1);
	const oids = [...new Set(plain.flatMap(({ commit, parents }) => [commit, ...parents]))];
	const cleaned = oids.length > 0 ? await cleanCommits(store, oids, isOwnName) : [];
	const clean = new Map(oids.map((oid, index) => [oid, cleaned[index]?.clean ?? oid]));
	const lines: string[] = [];
	const commitOf = new Map<string, Oid>();
	for (const { commit, parents } of plain) {
		const own = clean.get(commit) ?? commit;
		const parent = parents[0] === undefined ? null : (clean.get(parents[0]) ?? parents[0]);
		if (own === parent) continue;
		commitOf.set(own, commit);
		// Without a parent on its line a clean version is compared with what it is the clean version of.
		const base = parent ?? (own === commit ? null : await emptyCommit(store));
		lines.push(`${own}${base === null ? "" : ` ${base}`}\n`);
	}
	const found = new Map<Oid, HistoryFile[]>();
	if (lines.length === 0) return found;
	const parser = new FilesParser(new Set(commitOf.keys()));
	const { onOutput, end } = nulRecords((record) => parser.token(record));
	const format = ["--stdin", "-z", "-r", "--root", "--raw", "--numstat", "--no-abbrev", "-M", "--no-ext-diff", "--no-textconv"];
	await store.run(["diff-tree", ...format, "--", ...paths.map(displayPath)], {
		env: { GIT_LITERAL_PATHSPECS: "1" },
		input: lines.join(""),
		...(timeoutMs === undefined ? {} : { timeoutMs }),
		onOutput,
	});
	end();
	for (const [own, files] of parser.files) found.set(commitOf.get(own) ?? own, [...files.values()]);
	return found;
}

/** The name that a file had before the commit that made it under this one; null: it was new. @throws GitError */
async function nameBefore(store: Repository, { commit, parents }: Header, name: GitPath): Promise<GitPath | null> {
	const [parent] = parents;
	if (parent === undefined || parents.length > 1) return null;
	const [before, after] = await cleanCommits(store, [parent, commit], isOwnName);
	const found = (await diffWithRenames(store, before?.clean ?? parent, after?.clean ?? commit)).find(
		({ from, to }) => to === name && from !== name,
	);
	return found?.from ?? null;
}

function entryOf({ commit, parents, seconds, author, message }: Header, files: readonly HistoryFile[]): HistoryEntry {
	const trailers = trailersOf(message);
	const [subject = ""] = message.split("\n", 1);
	const names = files.map((file) => file.path);
	return {
		commit,
		parents,
		at: seconds * 1000,
		node: nodeOf(message, author, trailers),
		kind: kindOfCommit(parents.length, trailers, names),
		subject,
		text: bodyOf(message),
		agent: trailers.get(agentTrailer)?.at(-1) ?? null,
		run: trailers.get(runTrailer)?.at(-1) ?? null,
		files,
	};
}

/** Which commits are asked for by what they say themselves; null: all. */
function filterOf({ node, agent, run }: HistoryQuery): ((header: Header) => boolean) | null {
	if (node == null && agent == null && run == null) return null;
	return ({ message, author }) => {
		const trailers = trailersOf(message);
		if (node != null && nodeOf(message, author, trailers) !== node) return false;
		if (agent != null && trailers.get(agentTrailer)?.at(-1) !== agent) return false;
		return run == null || trailers.get(runTrailer)?.at(-1) === run;
	};
}

/**
 * Commits, newest first: one process for what they say, which is ended when there are enough, and one for what they changed.
 * @throws GitError
 */
export async function readHistory(repository: Repository, query: HistoryQuery): Promise<HistoryEntry[]> {
	const { head, since, until, limit = Number.POSITIVE_INFINITY, timeoutMs } = query;
	const store = openMergeStore(repository);
	const untold = query.paths?.every(canBeTold) === false ? (query.paths ?? null) : null;
	let paths = untold === null ? (query.paths ?? []) : [];
	const [only] = paths;
	let followed = paths.length === 1 && only !== undefined && !(await isDirectory(store, head, only)) ? only : null;
	let start = until?.kind === "commit" ? until.commit : head;
	const entries: HistoryEntry[] = [];
	for (;;) {
		const range = [start, ...(since?.kind === "commit" ? [`^${since.commit}`] : [])];
		const wanted = untold === null ? limit - entries.length : Number.POSITIVE_INFINITY;
		const { headers, oldest } = await readHeaders(store, query, range, paths, wanted, filterOf(query));
		for (let at = 0; at < headers.length && entries.length < limit; at += comparedAtOnce) {
			const some = headers.slice(at, at + comparedAtOnce);
			const files = await readFiles(store, some, paths, timeoutMs);
			for (const header of some) {
				const all = files.get(header.commit) ?? [];
				const own = untold === null ? all : all.filter((file) => isSelected(file.path, untold));
				if (untold === null || own.length > 0) entries.push(entryOf(header, own));
			}
		}
		// Where there are enough, the last of them may be the one that made it.
		const first = oldest ?? headers.at(-1);
		const name = followed !== null && first !== undefined ? await nameBefore(store, first, followed) : null;
		if (name === null || followed === null || first === undefined) break;
		// What made it under this name took it from another one.
		if (entries.at(-1)?.commit === first.commit)
			entries[entries.length - 1] = entryOf(first, (await readFiles(store, [first], [name, followed], timeoutMs)).get(first.commit) ?? []);
		const [parent] = first.parents;
		if (oldest === null || parent === undefined || entries.length >= limit) break;
		[start, paths, followed] = [parent, [name], name];
	}
	return entries.slice(0, limit);
}

/** An entry for programs: times as text, paths as text, and what was counted. */
export function historyDocument({
	commit,
	parents,
	at,
	node,
	kind,
	subject,
	text,
	agent,
	run,
	files,
}: HistoryEntry): Record<string, unknown> {
	return {
		commit,
		parents,
		at: timestamp(at),
		node,
		kind,
		subject,
		text: text || null,
		agent,
		run,
		...totalsOf(files),
		files: files.map(({ path, from, change, linesAdded, linesDeleted }) => ({
			path: displayPath(path),
			...(from === null ? {} : { from: displayPath(from) }),
			change,
			lines_added: linesAdded,
			lines_deleted: linesDeleted,
		})),
	};
}

/** How many files and lines. */
export function totalsOf(files: readonly HistoryFile[]): {
	added: number;
	changed: number;
	deleted: number;
	renamed: number;
	lines_added: number;
	lines_deleted: number;
} {
	const of = (change: HistoryFile["change"]) => files.filter((file) => file.change === change).length;
	const sum = (lines: (number | null)[]) => lines.reduce<number>((total, line) => total + (line ?? 0), 0);
	return {
		added: of("added"),
		changed: of("changed"),
		deleted: of("deleted"),
		renamed: of("renamed"),
		lines_added: sum(files.map((file) => file.linesAdded)),
		lines_deleted: sum(files.map((file) => file.linesDeleted)),
	};
}
