import {
	commitTree,
	GitError,
	type GitPath,
	type GitResult,
	gitPathList,
	hookFailureText,
	type Oid,
	pathsInIndex,
	Repository,
	readTreePaths,
	type Status,
	storeBlobs,
	updateRef,
	writeIndexEntries,
	writeTree,
} from "@robust-sync/git";
import type { CheckedContent } from "../checkout/rescue.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { SyncError } from "../context/sync-error.ts";
import { hasLinkAbove } from "./scan.ts";

// How a commit of a snapshot is made: staged and committed by one git process, or by the index alone.

/** Takes paths back into the index, as HEAD has them, that are not in it. @returns these */
export async function restoreInIndex(repository: Repository, head: Oid, names: readonly GitPath[]): Promise<GitPath[]> {
	if (names.length === 0) return [];
	const listed = await pathsInIndex(repository, names);
	const vanished = names.filter((name) => !listed.has(name));
	if (vanished.length === 0) return [];
	const entries = await readTreePaths(repository, head, vanished);
	await writeIndexEntries(
		repository,
		[...entries].map(([name, entry]) => ({ path: name, entry })),
	);
	return vanished;
}

/** More files than this are staged by a command that is made for it. */
const maxStagedByCommit = 100;

/** Whether all that is to be committed are files that git knows, changed or gone: then the commit can stage them itself. Hooks would inherit how. */
export function isStagedByCommit({ repository, config }: CycleContext, { entries }: Status, paths: readonly GitPath[]): boolean {
	if (paths.length === 0 || paths.length > maxStagedByCommit || repository.isSparse || config.syncHooks) return false;
	const plain = new Set(
		entries
			.filter(({ kind, index, worktree, submodule }) => kind === "changed" && index === "." && "MD".includes(worktree) && !submodule)
			.map((entry) => entry.path),
	);
	return paths.every((name) => plain.has(name) && !hasLinkAbove(repository.root, name));
}

/** One process instead of two. Null: git stumbled over a file, and has staged nothing. */
export async function stageAndCommit(
	context: CycleContext,
	message: string,
	date: number,
	paths: readonly GitPath[],
): Promise<GitResult | null> {
	try {
		const options = ["-m", message, "--include", "--pathspec-from-file=-", "--pathspec-file-nul"];
		return await commit(context, date, options, gitPathList(paths), { GIT_LITERAL_PATHSPECS: "1" });
	} catch (error) {
		if (error instanceof GitError && error.code === "INTERNAL") return null;
		throw error;
	}
}

/** A hook of the user's gets as long as the network does: one that waits for an answer would hold us up for ever. @param date seconds since the epoch */
export async function commit(
	{ repository, config }: CycleContext,
	date: number,
	options: readonly string[],
	input: string | Buffer,
	env: Readonly<Record<string, string>> = {},
): Promise<GitResult> {
	const hooks = config.syncHooks;
	const dates = { GIT_AUTHOR_DATE: `@${date} +0000`, GIT_COMMITTER_DATE: `@${date} +0000` };
	try {
		return await repository.run(
			["commit", "--quiet", ...(hooks ? [] : ["--no-verify"]), "--cleanup=verbatim", "--no-status", "--allow-empty-message", ...options],
			{ input, env: { ...env, ...dates }, accept: [0, 1], ...(hooks ? { timeoutMs: repository.networkTimeoutMs } : {}) },
		);
	} catch (error) {
		if (!hooks || !(error instanceof GitError) || error.code !== "GIT_TIMEOUT") throw error;
		const what = `did not end within ${config.gitTimeoutSeconds} s (GIT_TIMEOUT) and was killed`;
		throw new SyncError("HOOK_FAILED", await hookFailureText(repository, "commit", what, ""), { cause: error });
	}
}

/** The same by the index alone. @returns exit code 1: there is nothing to commit */
export async function commitIndex(
	{ repository }: CycleContext,
	date: number,
	{ branch, head }: { branch: string; head: Oid },
	message: string,
): Promise<Pick<GitResult, "exitCode" | "stderr">> {
	const tree = await writeTree(repository);
	const before = (await repository.run(["rev-parse", "--verify", "--end-of-options", `${head}^{tree}`])).stdout.toString("latin1").trim();
	if (tree === before) return { exitCode: 1, stderr: "" };
	const dates = { GIT_AUTHOR_DATE: `@${date} +0000`, GIT_COMMITTER_DATE: `@${date} +0000` };
	const dated = new Repository({ ...repository, env: { ...repository.env, ...dates } });
	await updateRef(repository, `refs/heads/${branch}`, await commitTree(dated, tree, [head], message), head, "robust-sync: snapshot");
	return { exitCode: 0, stderr: "" };
}

export async function isStaged(repository: Repository): Promise<boolean> {
	return (await repository.run(["diff", "--cached", "--quiet"], { accept: [0, 1] })).exitCode === 1;
}

// Exactly the content that was looked at: a write in between is the next snapshot's, which looks again.
export async function stageChecked({ repository, paths }: CycleContext, checked: readonly CheckedContent[]): Promise<void> {
	if (checked.length === 0) return;
	const oids = await storeBlobs(
		repository,
		paths.staging,
		checked.map(({ content }) => content),
	);
	await writeIndexEntries(
		repository,
		checked.map(({ path: name, mode }, index) => ({ path: name, entry: { mode, oid: oids[index] ?? "" } })),
	);
}
