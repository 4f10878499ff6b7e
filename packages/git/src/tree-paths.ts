import { displayPath, type GitPath, gitPathFromText, gitPathList, parseGitPathList } from "./git-path.ts";
import type { TreeEntry } from "./merge-tree.ts";
import type { Oid, Repository } from "./repository.ts";

/** Whether a path can be told to git as an argument: names need not be UTF-8, arguments are. */
export function isArgument(name: GitPath): boolean {
	return gitPathFromText(displayPath(name)) === name;
}

/**
 * What a commit has at some paths (a directory: mode 040000), by one process that reads no index and only the trees above them.
 * @param names such as `isArgument` says yes to
 * @throws GitError
 */
export async function readTreePaths(repository: Repository, commit: Oid, names: readonly GitPath[]): Promise<Map<GitPath, TreeEntry>> {
	if (names.length === 0) return new Map();
	const { stdout } = await repository.run(["ls-tree", "-z", "--full-tree", commit, "--", ...names.map(displayPath)], {
		env: { GIT_LITERAL_PATHSPECS: "1" },
	});
	// "<mode> <type> <oid>\t<path>"
	return new Map(
		parseGitPathList(stdout).map((record) => {
			const tab = record.indexOf("\t");
			const [mode = "", , oid = ""] = record.slice(0, tab).split(" ");
			return [record.slice(tab + 1) as GitPath, { mode, oid }];
		}),
	);
}

/** Those of some paths that an ignore rule covers, whether they are tracked or not (git-check-ignore(1)). Reads no index. @throws GitError */
export async function readIgnored(repository: Repository, names: readonly GitPath[]): Promise<Set<GitPath>> {
	if (names.length === 0) return new Set();
	// The only one of these commands that takes no GIT_LITERAL_PATHSPECS; what begins with "./" is a name, whatever is in it.
	const { stdout } = await repository.run(["check-ignore", "-z", "--stdin", "--no-index"], {
		input: gitPathList(names.map((name) => `./${name}` as GitPath)),
		accept: [0, 1],
	});
	return new Set(parseGitPathList(stdout).map((name) => name.slice("./".length) as GitPath));
}
