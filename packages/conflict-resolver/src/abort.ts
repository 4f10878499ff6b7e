import { gitPathList, readHead, readStatus, readUnmerged } from "@robust-sync/git";
import { Backup } from "./backup.ts";
import { type Operation, readOperation } from "./operation-state.ts";
import { type ResolverContext, withCycleLock } from "./resolver-context.ts";

export interface AbortReport {
	/** The operation that was aborted; null: a stash or the like, which leaves no mark. */
	readonly operation: Operation;
	/** false: nothing was in progress. */
	readonly aborted: boolean;
	/** Name below sync/backups/ of the files before the abort; null: none differed. */
	readonly setAside: string | null;
}

/**
 * Returns to the state before the merge (or rebase, cherry-pick, revert) in progress. Every file that was changed since is backed up first;
 * untracked files stay.
 * @throws GitError, the file system's errors
 */
export async function abortOperation(context: ResolverContext): Promise<AbortReport> {
	const { repository, paths, now } = context;
	return await withCycleLock(context, "conflict-resolver --abort", async (lock) => {
		const { name } = readOperation(repository);
		const unmerged = await readUnmerged(repository);
		if (name === null && unmerged.size === 0) return { operation: null, aborted: false, setAside: null };
		const [status, { oid: head }] = await Promise.all([readStatus(repository), readHead(repository)]);
		const backup = new Backup(repository, paths, now());
		const changed = status.entries.filter(({ kind, submodule }) => kind !== "untracked" && !submodule).map(({ path }) => path);
		for (const path of changed) backup.copy(path);
		lock.assertHeld();
		// git refuses to reset a file that was edited after it was staged. The backup has it already.
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
		return { operation: name, aborted: true, setAside: backup.name };
	});
}
