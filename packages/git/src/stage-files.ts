import { readFileSync, readlinkSync } from "node:fs";
import { GitError } from "./errors.ts";
import { displayPath, fileSystemPath, type GitPath, gitPathBytes, gitPathFromText } from "./git-path.ts";
import { lstatIfThere } from "./lstat.ts";
import type { TreeEntry } from "./merge-tree.ts";
import type { Repository } from "./repository.ts";
import { writeIndexEntries } from "./working-tree.ts";

/** A file that was written this recently may be what git stumbled over. */
const restlessMs = 1_000;
const attempts = 5;

/**
 * Takes files into the index as they are on disk; what is gone there is gone from the index. A file that is being written all
 * the time, over which git stumbles ("short read while indexing"), is read by us, and is what it was at that moment.
 * @param options more options for update-index
 * @throws GitError
 */
export async function stageFiles(repository: Repository, paths: readonly GitPath[], options: readonly string[] = []): Promise<void> {
	let rest = paths;
	for (let attempt = 1; rest.length > 0; attempt++) {
		try {
			await repository.run(["update-index", "-z", "--add", "--remove", "--replace", ...options, "--stdin"], {
				input: Buffer.concat(rest.flatMap((name) => [gitPathBytes(name), Buffer.of(0)])),
			});
			return;
		} catch (error) {
			if (!(error instanceof GitError) || error.code !== "INTERNAL" || attempt === attempts) throw error;
			const restless = new Set(rest.filter((name) => isRestless(repository.root, name)));
			for (const name of restless) await stageCopy(repository, name);
			rest = rest.filter((name) => !restless.has(name));
		}
	}
}

function isRestless(root: string, name: GitPath): boolean {
	const stats = lstatIfThere(fileSystemPath(root, name));
	return stats !== null && (stats.isFile() || stats.isSymbolicLink()) && Math.abs(Date.now() - stats.mtimeMs) < restlessMs;
}

async function stageCopy(repository: Repository, name: GitPath): Promise<void> {
	const entry = await storeCopy(repository, name);
	await writeIndexEntries(repository, [{ path: name, entry }]);
}

/** The file as a blob, through its filters; null when it is gone by now. A name that is not UTF-8 cannot be told to git: no filters. */
async function storeCopy(repository: Repository, name: GitPath): Promise<TreeEntry | null> {
	const file = fileSystemPath(repository.root, name);
	const stats = lstatIfThere(file);
	if (!stats?.isFile() && !stats?.isSymbolicLink()) return null;
	const link = stats.isSymbolicLink();
	const filters = link || gitPathFromText(displayPath(name)) !== name ? ["--no-filters"] : [`--path=${displayPath(name)}`];
	const { stdout } = await repository.run(["hash-object", "-w", "--stdin", ...filters], {
		input: link ? readlinkSync(file, "buffer") : readFileSync(file),
	});
	return { mode: link ? "120000" : (stats.mode & 0o100) !== 0 ? "100755" : "100644", oid: stdout.toString("latin1").trim() };
}
