import fs from "node:fs";
import path from "node:path";
import type { Items } from "@robust-sync/system/items";
import { withSettings } from "../objects/merge-store.ts";
import { readIgnored } from "../objects/tree-paths.ts";
import { type GitPath, gitPathIfAllowed, splitRecords } from "../paths/git-path.ts";
import { Repository } from "../process/repository.ts";
import type { IndexFlags } from "./index-flags.ts";

// Paths that this node neither sends nor checks out (SYNC_EXCLUDE). The patterns that are in effect belong to the index, whose
// skip-worktree bits have the same meaning: they are in the git directory, in a repository of their own without any object, so that git
// itself decides what they cover, and no other ignore rule counts.

/** Files with rules for ignoring, merging or allowing are never excluded: without them this node would publish what other nodes keep local. */
const alwaysIncluded = ["!.gitignore", "!.gitattributes", "!/.secretsallow"];

type Place = Pick<Repository, "gitDirectory">;

const directoryOf = ({ gitDirectory }: Place) => path.join(gitDirectory, "robust-sync/excluded");
/** For patterns that are not in effect. */
const askedDirectoryOf = ({ gitDirectory }: Place) => path.join(gitDirectory, "robust-sync/excluded-asked");
const patternsIn = (directory: string) => path.join(directory, "info/exclude");
const patternFile = (repository: Place) => patternsIn(directoryOf(repository));
const leavingFile = (repository: Place) => path.join(directoryOf(repository), "leaving");

/** The patterns that are in effect, in their order; none: nothing is excluded. @throws the file system's error */
export function excludePatterns(repository: Place): readonly string[] {
	try {
		const lines = fs.readFileSync(patternFile(repository), "utf8").split("\n").filter(Boolean);
		return lines.slice(0, Math.max(0, lines.length - alwaysIncluded.length));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
		throw error;
	}
}

/** Puts patterns into effect, in one step. @throws the file system's error */
export function setExcludePatterns(repository: Place, patterns: readonly string[]): void {
	if (patterns.length === 0) fs.rmSync(patternFile(repository), { force: true });
	else writePatterns(directoryOf(repository), patterns);
}

/** A repository without anything but ignore rules. */
function writePatterns(directory: string, patterns: readonly string[]): void {
	const file = patternsIn(directory);
	for (const name of ["info", "objects", "refs", "tree"]) fs.mkdirSync(path.join(directory, name), { recursive: true });
	fs.writeFileSync(path.join(directory, "HEAD"), "ref: refs/heads/none\n");
	const fresh = `${file}.new`;
	fs.writeFileSync(fresh, `${[...patterns, ...alwaysIncluded].join("\n")}\n`, { flush: true });
	fs.renameSync(fresh, file);
}

/** Whether files of newly excluded paths are being removed; it outlives a crash. */
export const isLeaving = (repository: Place): boolean => fs.existsSync(leavingFile(repository));

/** Records that this removal begins, or is done. @throws the file system's error */
export function setLeaving(repository: Place, leaving: boolean): void {
	if (leaving) fs.writeFileSync(leavingFile(repository), "", { flush: true });
	else fs.rmSync(leavingFile(repository), { force: true });
}

/** Those of some paths that the patterns in effect exclude. @throws GitError, the file system's error */
export async function excludedAmong(repository: Repository, names: Items<GitPath>): Promise<Set<GitPath>> {
	if (names.length === 0 || !fs.existsSync(patternFile(repository))) return new Set();
	return await ask(repository, directoryOf(repository), names);
}

/** Those of some paths that patterns would exclude, were they in effect. @throws GitError, the file system's error */
export async function wouldExclude(repository: Repository, patterns: readonly string[], names: readonly GitPath[]): Promise<Set<GitPath>> {
	if (names.length === 0 || patterns.length === 0) return new Set();
	const directory = askedDirectoryOf(repository);
	writePatterns(directory, patterns);
	return await ask(repository, directory, names);
}

async function ask(repository: Repository, directory: string, names: Items<GitPath>): Promise<Set<GitPath>> {
	const root = path.join(directory, "tree");
	const env = {
		...withSettings(repository.env, [["core.excludesFile", "/dev/null"]]),
		GIT_DIR: directory,
		GIT_WORK_TREE: root,
	};
	return await readIgnored(new Repository({ ...repository, root, gitDirectory: directory, commonDirectory: directory, env }), names);
}

/** The tracked paths that the patterns in effect exclude, with their index bits. @throws GitError */
export async function trackedExcluded(repository: Repository): Promise<Map<GitPath, IndexFlags>> {
	const found = new Map<GitPath, IndexFlags>();
	const file = patternFile(repository);
	if (!fs.existsSync(file)) return found;
	const { stdout } = await repository.run(["ls-files", "-v", "-z", "--cached", "--ignored", `--exclude-from=${file}`]);
	// "<tag> <path>": S is skip-worktree; a small letter is assume-unchanged.
	for (const record of splitRecords(stdout)) {
		const tag = record[0] ?? "H";
		const name = gitPathIfAllowed(record.slice(2));
		if (name !== null) found.set(name, { skipWorktree: tag === "S" || tag === "s", assumeUnchanged: tag >= "a" && tag <= "z" });
	}
	return found;
}

/** The lines of `.git/info/exclude` between which git's own commands find the patterns. */
const [begins, ends] = ["# robust-sync: SYNC_EXCLUDE begins", "# robust-sync: SYNC_EXCLUDE ends"];

/**
 * Makes git's own commands ignore untracked files that are excluded, by lines in `.git/info/exclude`; lines of others stay as they are.
 * @throws the file system's error
 */
export function writeExcludeLines({ commonDirectory }: Pick<Repository, "commonDirectory">, patterns: readonly string[]): void {
	let file = path.join(commonDirectory, "info/exclude");
	let text = "";
	try {
		// A person may keep it elsewhere, behind a link.
		file = fs.realpathSync(file);
		text = fs.readFileSync(file, "latin1");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		if (patterns.length === 0) return;
		fs.mkdirSync(path.dirname(file), { recursive: true });
	}
	const from = text.indexOf(`${begins}\n`);
	const to = from < 0 ? -1 : text.indexOf(`${ends}\n`, from);
	const rest = from < 0 ? text : text.slice(0, from) + (to < 0 ? text.slice(from + begins.length + 1) : text.slice(to + ends.length + 1));
	const glue = rest === "" || rest.endsWith("\n") ? "" : "\n";
	const block = patterns.length === 0 ? "" : `${glue}${[begins, ...patterns.map(latin1), ends].join("\n")}\n`;
	if (rest + block === text) return;
	const fresh = `${file}.robust-sync`;
	fs.writeFileSync(fresh, rest + block, { encoding: "latin1", flush: true });
	fs.renameSync(fresh, file);
}

const latin1 = (text: string) => Buffer.from(text).toString("latin1");
