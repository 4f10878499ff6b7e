import type { Items } from "@robust-sync/system/items";
import { displayPath, type GitPath, gitPathIfAllowed, isGitPath, splitRecords, withoutSlash } from "../paths/git-path.ts";
import { nulRecords } from "../process/nul-records.ts";
import type { Oid, Repository } from "../process/repository.ts";
import type { TreeEntry } from "./merge-tree.ts";

/** Whether a path can be an argument of git: arguments are UTF-8, names need not be. */
export function isArgument(name: GitPath): boolean {
	return Buffer.from(displayPath(name)).toString("latin1") === name;
}

/** All that a clean commit or tree has, files and submodules. @throws GitError */
export async function readTreeWhole(repository: Repository, tree: Oid): Promise<Map<GitPath, TreeEntry>> {
	return await listTree(repository, ["-r", "--end-of-options", tree]);
}

/** The second digit of a submodule's mode, 160000, and of no other. */
const submoduleDigit = 0x36;

/** The number of files that a clean commit or tree has, without submodules. Holds none of their names in memory. @throws GitError */
export async function countTreeFiles(repository: Repository, tree: Oid): Promise<number> {
	let count = 0;
	const { onOutput } = nulRecords((record) => {
		if (record[1] !== submoduleDigit) count++;
	});
	await repository.run(["ls-tree", "-r", "-z", "--full-tree", "--end-of-options", tree], { onOutput });
	return count;
}

async function listTree(repository: Repository, args: readonly string[]): Promise<Map<GitPath, TreeEntry>> {
	const { stdout } = await repository.run(["ls-tree", "-z", "--full-tree", ...args], {
		env: { GIT_LITERAL_PATHSPECS: "1" },
	});
	// "<mode> <type> <oid>\t<path>"
	return new Map(
		splitRecords(stdout).flatMap((record) => {
			const tab = record.indexOf("\t");
			const [mode = "", , oid = ""] = record.slice(0, tab).split(" ");
			const name = gitPathIfAllowed(record.slice(tab + 1));
			return name === null ? [] : [[name, { mode, oid }] as const];
		}),
	);
}

/** The input for git is written in pieces of this many names. */
const namesAPiece = 1_024;

/** The input of check-ignore. An argument that begins with "./" is always a name: this command ignores GIT_LITERAL_PATHSPECS. */
function* namesToCheck(names: Items<GitPath>): Generator<Buffer> {
	for (let start = 0; start < names.length; start += namesAPiece) {
		const some = names.slice(start, start + namesAPiece);
		yield Buffer.from(some.map((name) => `./${name}\0`).join(""), "latin1");
	}
}

/** Those of some paths that an ignore rule covers, whether they are tracked or not (git-check-ignore(1)). Reads no index. @throws GitError */
export async function readIgnored(repository: Repository, names: Items<GitPath>): Promise<Set<GitPath>> {
	if (names.length === 0) return new Set();
	const { stdout } = await repository.run(["check-ignore", "-z", "--stdin", "--no-index"], {
		input: { [Symbol.iterator]: () => namesToCheck(names) },
		accept: [0, 1],
	});
	return new Set(
		splitRecords(stdout)
			.map((name) => name.slice("./".length))
			.filter(isGitPath),
	);
}

/**
 * Untracked files on disk: those that ignore rules cover (a directory that is ignored as a whole is one entry, without a slash
 * at its end), and the others. @param directory of the working tree; null: all of it @throws GitError
 */
export async function listIgnored(
	repository: Repository,
	directory: GitPath | null,
): Promise<{ readonly ignored: readonly GitPath[]; readonly untracked: readonly GitPath[] }> {
	const { stdout } = await repository.run(
		[
			"status",
			"--porcelain=v1",
			"-z",
			"--ignored=matching",
			"--untracked-files=all",
			"--no-renames",
			"--ignore-submodules=all",
			...(directory !== null && isArgument(directory) ? ["--", displayPath(directory)] : []),
		],
		{ env: { GIT_LITERAL_PATHSPECS: "1" } },
	);
	// "XY <path>"
	const records = splitRecords(stdout);
	const isWithin = (name: GitPath, above: GitPath) => name === above || name.startsWith(`${above}/`);
	const of = (mark: string) =>
		records
			.filter((record) => record.startsWith(mark))
			.map((record) => record.slice(3))
			.filter(isGitPath)
			.map(withoutSlash)
			// git did not get a directory whose name cannot be an argument.
			.filter((name) => directory === null || isWithin(name, directory) || isWithin(directory, name));
	return { ignored: of("!! "), untracked: of("?? ") };
}
