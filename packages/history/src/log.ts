import {
	displayPath,
	type GitPath,
	gitPathIfAllowed,
	isArgument,
	type Oid,
	openMergeStore,
	type Repository,
	readTreePaths,
} from "@robust-sync/git";
import { timestamp } from "@robust-sync/workspace";
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
	/** So many entries at most. */
	readonly limit?: number;
	/** Children before parents, whatever their dates. */
	readonly inOrder?: boolean;
	/** Milliseconds; default: as long as any local command. */
	readonly timeoutMs?: number;
}

/** Whether all of history has a path as a directory, if at all. */
async function isDirectory(store: Repository, head: Oid, name: GitPath): Promise<boolean> {
	const entry = (await readTreePaths(store, head, [name])).get(name);
	if (entry !== undefined) return entry.mode === "040000";
	// It is gone: what was it when it was last touched?
	const { stdout } = await store.run(
		["log", "-z", "-1", "--format=", "--name-only", "--no-renames", "--diff-filter=D", "--end-of-options", head, "--", displayPath(name)],
		{ env: { GIT_LITERAL_PATHSPECS: "1" } },
	);
	return stdout
		.toString("latin1")
		.split("\0")
		.some((touched) => touched.trimStart().startsWith(`${name}/`));
}

/** Whether git can be told a path: names need not be UTF-8, arguments are. */
const canBeTold = (name: GitPath) => isArgument(name) && !displayPath(name).includes("\ufffd");

async function argumentsOf(store: Repository, query: HistoryQuery): Promise<string[]> {
	const { head, since, until, node, agent, run, limit, inOrder } = query;
	const isTold = query.paths?.every(canBeTold) ?? true;
	const paths = isTold ? (query.paths ?? []) : [];
	const [only] = paths;
	const follow = paths.length === 1 && only !== undefined && !(await isDirectory(store, head, only));
	const isFiltered = !isTold || node != null || agent != null || run != null;
	const range = [...(until?.kind === "commit" ? [until.commit] : [head]), ...(since?.kind === "commit" ? [`^${since.commit}`] : [])];
	return [
		"log",
		"-z",
		...(inOrder ? ["--topo-order"] : []),
		...(follow ? ["--follow"] : []),
		...(limit !== undefined && !isFiltered ? [`--max-count=${limit}`] : []),
		...(since?.kind === "time" ? [`--since=@${Math.floor(since.at / 1000)} +0000`] : []),
		...(until?.kind === "time" ? [`--until=@${Math.floor(until.at / 1000)} +0000`] : []),
		"--no-mailmap",
		"--no-show-signature",
		"--encoding=UTF-8",
		"--root",
		"--no-ext-diff",
		"--no-textconv",
		"--raw",
		"--numstat",
		"--no-abbrev",
		"-M",
		"--format=%x02%H%n%P%n%ct%n%an%n%B",
		"--end-of-options",
		...range,
		"--",
		...paths.map(displayPath),
	];
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

/** Takes `git log -z --raw --numstat` apart, token by token. */
class LogParser {
	readonly #receive: (entry: HistoryEntry) => void;
	#header: string | null = null;
	#files = new Map<string, RawFile>();
	/** Paths that the record at hand still takes, and what becomes of them. */
	#wanted: { left: number; names: string[]; done: (names: string[]) => void } | null = null;

	constructor(receive: (entry: HistoryEntry) => void) {
		this.#receive = receive;
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
		if (record.startsWith("\u0002")) {
			this.end();
			this.#header = record.slice(1);
		} else if (record.startsWith(":")) this.#raw(record);
		else if (record !== "") this.#numstat(record);
	}

	/** ":<mode> <mode> <id> <id> <status>", then one path or two. */
	#raw(record: string): void {
		const [, , before = "", after = "", status = ""] = record.slice(1).split(" ");
		const isPair = status.startsWith("R") || status.startsWith("C");
		this.#take(isPair ? 2 : 1, (names) => {
			const path = gitPathIfAllowed(names.at(-1) ?? "");
			if (path === null) return;
			this.#files.set(path, {
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
		const note = (path: string) => {
			const file = this.#files.get(path);
			if (file) [file.linesAdded, file.linesDeleted] = [count(added), count(deleted)];
		};
		if (name !== "") note(name);
		else this.#take(2, (names) => note(names[1] ?? ""));
	}

	#take(left: number, done: (names: string[]) => void): void {
		this.#wanted = { left, names: [], done };
	}

	/** No more of this commit comes. */
	end(): void {
		if (this.#header === null) return;
		const [commit = "", parents = "", seconds = "", author = "", ...lines] = Buffer.from(this.#header, "latin1")
			.toString("utf8")
			.split("\n");
		const message = lines.join("\n");
		const files = [...this.#files.values()];
		this.#header = null;
		this.#files = new Map();
		const trailers = trailersOf(message);
		const parentIds = parents.split(" ").filter(Boolean);
		this.#receive({
			commit,
			parents: parentIds,
			at: Number(seconds) * 1000,
			node: nodeOf(message, author, trailers),
			kind: kindOfCommit(
				parentIds.length,
				trailers,
				files.map((file) => file.path),
			),
			subject: lines[0] ?? "",
			text: bodyOf(message),
			agent: trailers.get(agentTrailer)?.at(-1) ?? null,
			run: trailers.get(runTrailer)?.at(-1) ?? null,
			files,
		});
	}
}

/**
 * Commits, newest first. One process, which is ended when there are enough.
 * @throws GitError
 */
export async function readHistory(repository: Repository, query: HistoryQuery): Promise<HistoryEntry[]> {
	const { limit = Number.POSITIVE_INFINITY, node, agent, run } = query;
	const store = openMergeStore(repository);
	const entries: HistoryEntry[] = [];
	const untold = query.paths?.every(canBeTold) === false ? query.paths : null;
	const parser = new LogParser((all) => {
		const entry = untold === null ? all : { ...all, files: all.files.filter((file) => isSelected(file.path, untold)) };
		if (untold !== null && entry.files.length === 0) return;
		if (node != null && entry.node !== node) return;
		if (agent != null && entry.agent !== agent) return;
		if (run != null && entry.run !== run) return;
		if (entries.length < limit) entries.push(entry);
	});
	let rest: Buffer = Buffer.alloc(0);
	await store.run(await argumentsOf(store, query), {
		env: { GIT_LITERAL_PATHSPECS: "1" },
		...(query.timeoutMs === undefined ? {} : { timeoutMs: query.timeoutMs }),
		onOutput(chunk) {
			const buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
			let start = 0;
			for (let end = buffer.indexOf(0); end >= 0; end = buffer.indexOf(0, start)) {
				parser.token(buffer.subarray(start, end));
				start = end + 1;
			}
			rest = buffer.subarray(start);
			return entries.length >= limit ? "enough" : undefined;
		},
	});
	if (rest.length > 0) parser.token(rest);
	parser.end();
	return entries;
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
