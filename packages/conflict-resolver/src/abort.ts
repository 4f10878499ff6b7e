import { gitPathList, readHead, readStatus, readUnmerged } from "@robust-sync/git";
import { type Operation, readOperation } from "./operation-state.ts";
import { type ResolverContext, withCycleLock } from "./resolver-context.ts";
import { SetAside } from "./set-aside.ts";

export interface AbortReport {
	/** What was given up; null: a stash or the like, which leaves no mark. */
	readonly operation: Operation;
	/** false: nothing was in progress. */
	readonly aborted: boolean;
	/** Name below sync/backups/ of the files as they were; null: none differed. */
	readonly setAside: string | null;
}

/**
 * Goes back to before the merge (or rebase, cherry-pick, revert) in progress. Every file that was changed since is set aside first; files
 * that git does not know stay where they are.
 * @throws GitError, the file system's errors
 */
export async function abortOperation(context: ResolverContext): Promise<AbortReport> {
	const { repository, paths, now } = context;
	return await withCycleLock(context, "conflict-resolver --abort", async (lock) => {
		const { name } = readOperation(repository);
		const unmerged = await readUnmerged(repository);
		if (name === null && unmerged.size === 0) return { operation: null, aborted: false, setAside: null };
		const [status, { oid: head }] = await Promise.all([readStatus(repository), readHead(repository)]);
		const aside = new SetAside(repository, paths, now());
		const changed = status.entries.filter(({ kind, submodule }) => kind !== "untracked" && !submodule).map(({ path }) => path);
		for (const path of changed) aside.copy(path);
		lock.assertHeld();
		// Edited after it was staged: git refuses to reset such a file. It is set aside by now.
		const edited = status.entries
			.filter(({ kind, index, worktree }) => kind === "changed" && index !== "." && worktree !== ".")
			.map(({ path }) => path);
		if (edited.length > 0) {
			await repository.run(["checkout-index", "-q", "-f", "-u", "-z", "--stdin"], {
				input: gitPathList(edited),
			});
		}
		if (name === null) await repository.run(["reset", "--quiet", "--merge", ...(head === null ? [] : [head])]);
		else await repository.run([name, "--abort"]);
		return { operation: name, aborted: true, setAside: aside.name };
	});
}
