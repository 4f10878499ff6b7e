import { displayPath, type GitPath, nulTexts, type Oid, type Repository } from "@robust-sync/git";
import { type ChangedFiles, FilesParser } from "./changed-files.ts";
import type { Moment } from "./moment.ts";

/** The header of a commit. */
export interface Header {
	readonly commit: Oid;
	readonly parents: readonly Oid[];
	readonly seconds: number;
	readonly author: string;
	readonly message: string;
}

/** The commits to walk, newest first. */
export interface Range {
	readonly start: Oid;
	/** Only commits that touch one of them; none: all. */
	readonly paths: readonly GitPath[];
	readonly since?: Moment | null | undefined;
	readonly until?: Moment | null | undefined;
	readonly inOrder?: boolean | undefined;
	readonly timeoutMs?: number | undefined;
}

/** The last second of the year 9999. */
const maxSeconds = 253_402_300_799;
/** Memory limit for git with trees from a peer: 100,000 commits need a fifth of it, and a tree bomb fails soon. */
const maxDataBytes = 256 * 1_048_576;
/** Begins each commit of a walk with files. */
const mark = "\u0002";

/** A commit may claim any date. @returns one that can be shown: before 1970 and after 9999 are the ends */
function usableSeconds(text: string): number {
	return Math.min(Math.max(Number(text) || 0, 0), maxSeconds);
}

/** @param record one character a byte */
function headerOf(record: string): Header {
	const text = /^[\0-\x7f]*$/.test(record) ? record : Buffer.from(record, "latin1").toString("utf8");
	const [commit = "", parents = "", seconds = "", author = ""] = text.split("\n", 4);
	const message = text.slice(commit.length + parents.length + seconds.length + author.length + 4);
	return { commit, parents: parents === "" ? [] : parents.split(" "), seconds: usableSeconds(seconds), author, message };
}

/** git's way of comparing, independent of the user's configuration. */
export const filesFormat = ["--raw", "--numstat", "--no-abbrev", "-M", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none"];

function logArguments({ start, paths, since, until, inOrder }: Range, limit: number, more: readonly string[], prefix = ""): string[] {
	return [
		"log",
		"-z",
		...(inOrder ? ["--topo-order"] : []),
		...(Number.isFinite(limit) ? [`--max-count=${limit}`] : []),
		...(since?.kind === "time" ? [`--since=@${Math.floor(since.at / 1000)} +0000`] : []),
		...(until?.kind === "time" ? [`--until=@${Math.floor(until.at / 1000)} +0000`] : []),
		"--no-follow",
		"--no-mailmap",
		"--no-show-signature",
		"--encoding=UTF-8",
		...more,
		`--format=${prefix}%H%n%P%n%ct%n%an%n%B`,
		"--end-of-options",
		start,
		...(since?.kind === "commit" ? [`^${since.commit}`] : []),
		"--",
		...paths.map(displayPath),
	];
}

const optionsOf = ({ timeoutMs }: Pick<Range, "timeoutMs">) => ({
	env: { GIT_LITERAL_PATHSPECS: "1" },
	...(timeoutMs === undefined ? {} : { timeoutMs }),
});

/**
 * Reads the headers of a range. git compares only as much of the trees as it needs to filter by path.
 * @param isWanted filter; null: all are wanted
 * @returns the wanted headers, and the oldest of all in the range; null: the limit was reached before it
 * @throws GitError
 */
export async function readHeaders(
	store: Repository,
	range: Range,
	limit: number,
	isWanted: ((header: Header) => boolean) | null,
): Promise<{ headers: Header[]; oldest: Header | null }> {
	const headers: Header[] = [];
	let last: Header | null = null;
	const { onOutput: add, end } = nulTexts((record) => {
		last = headerOf(record);
		if (headers.length < limit && (isWanted?.(last) ?? true)) headers.push(last);
	});
	await store.run(logArguments(range, isWanted === null ? limit : Number.POSITIVE_INFINITY, []), {
		...optionsOf(range),
		onOutput(chunk) {
			add(chunk);
			return headers.length >= limit ? "enough" : undefined;
		},
	});
	if (headers.length < limit) end();
	return { headers, oldest: headers.length < limit ? last : null };
}

/** A commit with its changed files. */
export interface Walked {
	readonly header: Header;
	readonly files: ChangedFiles;
}

/**
 * Reads commits with their files, by one process. Compares trees as they are: those that a peer pushed may make git fail, or exceed the
 * memory limit.
 * @param onCommit called for each commit once its files are known
 * @param signal ends the walk early
 * @throws GitError
 */
export async function walkWithFiles(
	store: Repository,
	range: Range,
	limit: number,
	onCommit: (walked: Walked) => void = () => undefined,
	signal?: AbortSignal,
): Promise<Walked[]> {
	const walked: Walked[] = [];
	const parser = new FilesParser((token) => {
		if (!token.startsWith(mark)) return null;
		const before = walked.at(-1);
		if (before) onCommit(before);
		const files: ChangedFiles = new Map();
		walked.push({ header: headerOf(token.slice(1)), files });
		return files;
	});
	const { onOutput, end } = nulTexts((record) => parser.token(record));
	await store.run(logArguments(range, limit, [...filesFormat, "--root", "--no-diff-merges", "--no-color"], "%x02"), {
		...optionsOf(range),
		maxDataBytes,
		...(signal ? { signal } : {}),
		onOutput: (chunk) => {
			if (!signal?.aborted) onOutput(chunk);
		},
	});
	if (signal?.aborted) return walked;
	end();
	const last = walked.at(-1);
	if (last) onCommit(last);
	return walked;
}

/**
 * The differences of pairs of trees, by one process.
 * @param pairs lines for `git diff-tree --stdin`: a commit and, if it is not compared with its parent, another one
 * @param isLimited whether to limit git's memory
 * @returns by the first commit of each line
 * @throws GitError
 */
export async function compareCommits(
	store: Repository,
	pairs: readonly string[],
	{ paths, timeoutMs, isLimited }: { paths: readonly GitPath[]; timeoutMs: number | undefined; isLimited: boolean },
): Promise<Map<Oid, ChangedFiles>> {
	const found = new Map<Oid, ChangedFiles>();
	const asked = new Set(pairs.map((line) => line.split(/[ \n]/, 1)[0] ?? ""));
	const parser = new FilesParser((token) => {
		if (!asked.has(token)) return null;
		const files: ChangedFiles = new Map();
		found.set(token, files);
		return files;
	});
	const { onOutput, end } = nulTexts((record) => parser.token(record));
	await store.run(["diff-tree", "--stdin", "-z", "-r", "--root", ...filesFormat, "--", ...paths.map(displayPath)], {
		...optionsOf({ timeoutMs }),
		input: pairs.join(""),
		...(isLimited ? { maxDataBytes } : {}),
		onOutput,
	});
	end();
	return found;
}
