import { displayPath, type GitPath, openMergeStore, type Repository, readableVersions } from "@robust-sync/git";
import { isOwnName } from "@robust-sync/workspace";
import type { HistoryEntry } from "./log.ts";
import { cutOffCommits } from "./shallow.ts";

/** A path for git's command line. Bytes that an argument cannot hold become `?`, so the result may include other files. */
function pathspec(name: GitPath): string {
	const shown = displayPath(name);
	if (!shown.includes("\ufffd")) return `:(top,literal)${shown}`;
	return `:(top,glob)${name.replace(/[*?[\\]/g, "\\$&").replace(/[\x80-\xff]/g, "?")}`;
}

/** The changes of a commit as a patch for people; empty for a merge. @param paths only these; none: all @throws GitError */
export async function patchOf(
	repository: Repository,
	{ commit, parents, files }: HistoryEntry,
	paths: readonly GitPath[],
): Promise<string> {
	if (parents.length > 1 || cutOffCommits(repository).has(commit)) return "";
	// A followed file had other names.
	const names = paths.length === 0 ? [] : files.flatMap(({ path, from }) => (from === null ? [path] : [from, path]));
	// A peer's own tree may be endless for git, or make it fail.
	const [before, after] = await readableVersions(repository, [parents[0] ?? repository.emptyTree, commit] as const, isOwnName);
	const { stdout } = await openMergeStore(repository).run([
		"diff-tree",
		"-r",
		"-p",
		"-M",
		"--no-color",
		"--no-ext-diff",
		"--no-textconv",
		"--end-of-options",
		before,
		after,
		"--",
		...names.map(pathspec),
	]);
	return stdout.toString("utf8").trimEnd();
}
