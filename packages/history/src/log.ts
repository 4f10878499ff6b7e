import { isUtf8 } from "node:buffer";
import {
	cleanCommits,
	diffWithRenames,
	displayPath,
	emptyCommit,
	GitError,
	type GitPath,
	gitPathBytes,
	isArgument,
	type Oid,
	openMergeStore,
	type Repository,
	readTreePaths,
	topOf,
} from "@robust-sync/git";
import { timestamp } from "@robust-sync/system/timestamps";
import { isOwnName } from "@robust-sync/workspace";
import type { ChangedFiles, HistoryFile } from "./changed-files.ts";
import type { Moment } from "./moment.ts";
import { isSelected } from "./selected-paths.ts";
import { cutOffCommits } from "./shallow.ts";
import { agentTrailer, bodyOf, type HistoryKind, kindOfCommit, nodeOf, runTrailer, trailersOf } from "./trailers.ts";
import { compareCommits, type Header, type Range, readHeaders, type Walked, walkWithFiles } from "./walk.ts";

export type { HistoryFile } from "./changed-files.ts";

/** Commits that one process compares if their trees are cleaned first: small, so that a query with a low limit ends soon. */
const comparedAtOnce = 500;
/** A file that was renamed more often is not followed further. */
const maxNames = 100;

/** One commit, as shown to people. */
export interface HistoryEntry {
	readonly commit: Oid;
	readonly parents: readonly Oid[];
	/** Milliseconds since the epoch, by the committer. */
	readonly at: number;
	readonly node: string;
	readonly kind: HistoryKind;
	readonly subject: string;
	/** The note on it, by `--annotate` or a person. */
	readonly text: string;
	readonly agent: string | null;
	readonly run: string | null;
	/** None for a merge. */
	readonly files: readonly HistoryFile[];
}

export interface HistoryQuery {
	/** The newest commit; usually HEAD. */
	readonly head: Oid;
	/** Only commits that touch one of these paths; a single file is followed over its renames. None: all. */
	readonly paths?: readonly GitPath[];
	readonly since?: Moment | null;
	readonly until?: Moment | null;
	readonly node?: string | null;
	readonly agent?: string | null;
	readonly run?: string | null;
	/** At most this many entries. */
	readonly limit?: number;
	/** Children before parents, whatever their dates. */
	readonly inOrder?: boolean;
	/** Milliseconds; default: as long as any local command. */
	readonly timeoutMs?: number;
	/**
	 * Compares trees as they are, with limited memory, at the cost of `git log`; if that fails, and without this option, clean
	 * versions are compared.
	 */
	readonly quick?: boolean;
}

/** Whether the path is a directory in history. */
async function isDirectory(store: Repository, head: Oid, name: GitPath): Promise<boolean> {
	const modeIn = async (commit: Oid) => (await readTreePaths(store, commit, [name])).get(name)?.mode;
	const mode = await modeIn(head);
	if (mode !== undefined) return mode === "040000";
	// The path is gone: its type before the commit that last touched it decides.
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

/** Whether a path can be an argument of git: names need not be UTF-8, arguments are. */
const isPassable = (name: GitPath) => isArgument(name) && !displayPath(name).includes("\ufffd");

/**
 * The files that commits changed; none for a merge. Compares clean versions: the tree of a commit that a peer pushed may have millions of
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
		// A line without a parent would compare a clean version with its original.
		const base = parent ?? (own === commit ? null : await emptyCommit(store));
		lines.push(`${own}${base === null ? "" : ` ${base}`}\n`);
	}
	const found = new Map<Oid, HistoryFile[]>();
	if (lines.length === 0) return found;
	for (const [own, files] of await compareCommits(store, lines, { paths, timeoutMs, isLimited: false }))
		found.set(commitOf.get(own) ?? own, [...files.values()]);
	return found;
}

/** Own files are left out of history. */
const ownFiles = (files: ChangedFiles): HistoryFile[] => [...files.values()].filter((file) => !isOwnName(topOf(file.path)));

/** The same for many commits, without cleaning them. @throws GitError where their trees make git fail */
async function readFilesQuickly(
	store: Repository,
	headers: readonly Header[],
	paths: readonly GitPath[],
	timeoutMs: number | undefined,
): Promise<Map<Oid, HistoryFile[]>> {
	const lines = headers.flatMap(({ commit, parents }) => (parents.length <= 1 ? [`${commit}\n`] : []));
	const found = await compareCommits(store, lines, { paths, timeoutMs, isLimited: true });
	return new Map([...found].map(([commit, files]) => [commit, ownFiles(files)]));
}

/** @returns null: clean trees are needed @throws GitError GIT_TIMEOUT */
async function unlessGitFails<T>(attempt: () => Promise<T>): Promise<T | null> {
	try {
		return await attempt();
	} catch (error) {
		if (!(error instanceof GitError) || error.code === "GIT_TIMEOUT") throw error;
		return null;
	}
}

/** The name of a file before the commit that gave it this one; null: the file was new. @throws GitError */
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
		node: nodeOf(message, author, trailers, parents.length > 1),
		kind: kindOfCommit(parents.length, trailers, names),
		subject,
		text: bodyOf(message, trailers),
		agent: trailers.get(agentTrailer)?.at(-1) ?? null,
		run: trailers.get(runTrailer)?.at(-1) ?? null,
		files,
	};
}

/** The filter by node, agent and run; null: all commits. */
function filterOf({ node, agent, run }: HistoryQuery): ((header: Header) => boolean) | null {
	if (node == null && agent == null && run == null) return null;
	return ({ message, author, parents }) => {
		const trailers = trailersOf(message);
		if (node != null && nodeOf(message, author, trailers, parents.length > 1) !== node) return false;
		if (agent != null && trailers.get(agentTrailer)?.at(-1) !== agent) return false;
		return run == null || trailers.get(runTrailer)?.at(-1) === run;
	};
}

/** Paths as arguments for git; `filtered`: all of them, if one cannot be an argument: then all commits are read and filtered by path here. */
function passablePaths({ paths = [] }: HistoryQuery): { paths: readonly GitPath[]; filtered: readonly GitPath[] | null } {
	return paths.every(isPassable) ? { paths, filtered: null } : { paths: [], filtered: paths };
}

/** The entry of a commit; none if it touches no `filtered` path. */
function entriesOf(header: Header, files: readonly HistoryFile[], filtered: readonly GitPath[] | null): HistoryEntry[] {
	if (filtered === null) return [entryOf(header, files)];
	const selected = files.filter((file) => isSelected(file.path, filtered));
	return selected.length > 0 ? [entryOf(header, selected)] : [];
}

const rangeOf = ({ head, since, until, inOrder, timeoutMs }: HistoryQuery, paths: readonly GitPath[]): Range => ({
	start: until?.kind === "commit" ? until.commit : head,
	paths,
	since,
	until,
	inOrder,
	timeoutMs,
});

/**
 * Commits, newest first.
 * @throws GitError
 */
export async function readHistory(repository: Repository, query: HistoryQuery): Promise<HistoryEntry[]> {
	const store = openMergeStore(repository);
	const quickly =
		query.quick === true && filterOf(query) === null ? await unlessGitFails(async () => await readQuickly(store, query)) : null;
	const entries = quickly ?? (await readCarefully(store, query));
	const cutOff = cutOffCommits(repository);
	return cutOff.size === 0 ? entries : entries.map((entry) => (cutOff.has(entry.commit) ? { ...entry, files: [] } : entry));
}

/** By one process for all, without cleaning the trees. */
async function readQuickly(store: Repository, query: HistoryQuery): Promise<HistoryEntry[]> {
	const { limit = Number.POSITIVE_INFINITY } = query;
	const { paths, filtered } = passablePaths(query);
	const range = rangeOf(query, paths);
	const [only] = paths;
	if (filtered === null && paths.length === 1 && only !== undefined)
		return (await walkFollowing(store, range, only, limit)).slice(0, limit);
	const walked = await walkWithFiles(store, range, filtered === null ? limit : Number.POSITIVE_INFINITY);
	return walked.flatMap(({ header, files }) => entriesOf(header, ownFiles(files), filtered)).slice(0, limit);
}

/** A rename: the commit, and the earlier name of the file. */
interface Origin {
	readonly header: Header;
	readonly from: GitPath;
	/** Whether all commits walked before descend from it in one line. */
	readonly isLinear: boolean;
}

/** Whether there is no merge between two commits. @throws GitError */
async function isLinear(store: Repository, start: Oid, end: Oid): Promise<boolean> {
	const { stdout } = await store.run(["rev-list", "--min-parents=2", "--max-count=1", "--end-of-options", start, `^${end}`, "--"]);
	return stdout.length === 0;
}

/**
 * Follows one path over the renames of the file. If no merge precedes a rename, the walk goes on from there with both names: each
 * commit is walked through once.
 */
async function walkFollowing(store: Repository, range: Range, only: GitPath, limit: number): Promise<HistoryEntry[]> {
	const found = new Map<Oid, HistoryEntry>();
	let names: readonly GitPath[] = [only];
	let current = only;
	let { start } = range;
	while (found.size < limit && names.length <= maxNames) {
		const ender = new AbortController();
		let origin: Promise<Origin | null> | null = null;
		const originOf = async (header: Header, name: GitPath): Promise<Origin | null> => {
			const from = await nameBefore(store, header, name);
			return from === null ? null : { header, from, isLinear: await isLinear(store, start, header.commit) };
		};
		const onCommit = ({ header, files }: Walked) => {
			const file = files.get(current);
			// The walk covers the older name already.
			if (file?.from != null) current = file.from;
			else if (origin === null && file?.change === "added" && header.parents.length === 1) {
				origin = originOf(header, current);
				origin.then(
					(known) => known?.isLinear && ender.abort(),
					() => undefined,
				);
			}
		};
		const walked = await walkWithFiles(store, { ...range, start, paths: names }, limit - found.size, onCommit, ender.signal);
		const last = walked.at(-1);
		let made: Origin | null = await (origin as Promise<Origin | null> | null);
		if (made === null && last && last.files.get(current)?.change === "added") {
			const from = await nameBefore(store, last.header, current);
			if (from !== null) made = { header: last.header, from, isLinear: true };
		}
		const end = made?.isLinear ? walked.findIndex(({ header }) => header.commit === made.header.commit) + 1 : walked.length;
		for (const { header, files } of walked.slice(0, end))
			if (!found.has(header.commit)) found.set(header.commit, entryOf(header, ownFiles(files)));
		if (made === null) break;
		const { header, from } = made;
		const files = await readFiles(store, [header], [from, current], range.timeoutMs);
		found.set(header.commit, entryOf(header, files.get(header.commit) ?? []));
		[names, start, current] = [[from, ...names], header.parents[0] ?? "", from];
		if (made.isLinear) continue;
		// The commits before the rename were walked with the newer name only.
		for (const entry of await walkFollowing(store, { ...range, start }, from, limit))
			if (!found.has(entry.commit)) found.set(entry.commit, entry);
		return range.inOrder ? [...found.values()] : [...found.values()].sort((a, b) => b.at - a.at);
	}
	return [...found.values()];
}

/** One process reads the headers, and ends when there are enough; another compares the clean versions. */
async function readCarefully(store: Repository, query: HistoryQuery): Promise<HistoryEntry[]> {
	const { head, limit = Number.POSITIVE_INFINITY, timeoutMs } = query;
	const passable = passablePaths(query);
	const { filtered } = passable;
	let { paths } = passable;
	const [only] = paths;
	let followed = paths.length === 1 && only !== undefined && !(await isDirectory(store, head, only)) ? only : null;
	let { start } = rangeOf(query, paths);
	const entries: HistoryEntry[] = [];
	for (;;) {
		const wanted = filtered === null ? limit - entries.length : Number.POSITIVE_INFINITY;
		const { headers, oldest } = await readHeaders(store, { ...rangeOf(query, paths), start }, wanted, filterOf(query));
		const quick = query.quick === true && headers.length > comparedAtOnce;
		const all = quick ? await unlessGitFails(async () => await readFilesQuickly(store, headers, paths, timeoutMs)) : null;
		for (let at = 0; at < headers.length && entries.length < limit; at += comparedAtOnce) {
			const some = headers.slice(at, at + comparedAtOnce);
			const files = all ?? (await readFiles(store, some, paths, timeoutMs));
			for (const header of some) entries.push(...entriesOf(header, files.get(header.commit) ?? [], filtered));
		}
		// With enough commits, the last of them may be the rename.
		const first = oldest ?? headers.at(-1);
		const name = followed !== null && first !== undefined ? await nameBefore(store, first, followed) : null;
		if (name === null || followed === null || first === undefined) break;
		// The commit that gave the file this name renamed it.
		if (entries.at(-1)?.commit === first.commit)
			entries[entries.length - 1] = entryOf(first, (await readFiles(store, [first], [name, followed], timeoutMs)).get(first.commit) ?? []);
		const [parent] = first.parents;
		if (oldest === null || parent === undefined || entries.length >= limit) break;
		[start, paths, followed] = [parent, [name], name];
	}
	return entries.slice(0, limit);
}

const hexOf = (key: string, name: GitPath) =>
	/^[ -~]*$/.test(name) || isUtf8(gitPathBytes(name)) ? {} : { [`${key}_hex`]: gitPathBytes(name).toString("hex") };

/** A path for programs: as text, and its bytes as well if it is not UTF-8. */
export function pathFields(name: GitPath): { path: string; path_hex?: string } {
	return { path: displayPath(name), ...hexOf("path", name) };
}

/** An entry for programs: times and paths as text, with counts. */
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
			...pathFields(path),
			...(from === null ? {} : { from: displayPath(from), ...hexOf("from", from) }),
			change,
			lines_added: linesAdded,
			lines_deleted: linesDeleted,
		})),
	};
}

/** The numbers of files and lines. */
export function totalsOf(files: readonly HistoryFile[]): {
	added: number;
	changed: number;
	deleted: number;
	renamed: number;
	lines_added: number;
	lines_deleted: number;
} {
	const totals = { added: 0, changed: 0, deleted: 0, renamed: 0, lines_added: 0, lines_deleted: 0 };
	for (const { change, linesAdded, linesDeleted } of files) {
		totals[change]++;
		totals.lines_added += linesAdded ?? 0;
		totals.lines_deleted += linesDeleted ?? 0;
	}
	return totals;
}
