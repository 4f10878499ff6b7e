import { type GitPath, type Oid, openMergeStore, type Repository, readableVersions } from "@robust-sync/git";
import { isOwnName } from "@robust-sync/workspace";
import { applyCommit, mergeCommits, mergeCommitsAt } from "./merge-commits.ts";
import type { SettledPath } from "./path-resolver.ts";
import type { Resolution, ResolvedFile } from "./resolution.ts";

/** How a path was resolved, with the sides by their role on this node. */
export function byRole(
	{ path, type, strategy, winner, first, second, base, lost, reported, results }: SettledPath,
	oursIsFirst: boolean,
): ResolvedFile {
	const roleOf = { first: oursIsFirst ? "ours" : "theirs", second: oursIsFirst ? "theirs" : "ours" } as const;
	return {
		path,
		type: lost || reported ? type : "clean",
		strategy,
		winner: winner === "first" || winner === "second" ? roleOf[winner] : winner,
		versions: { ours: oursIsFirst ? first : second, theirs: oursIsFirst ? second : first, base },
		save: lost || reported,
		results,
	};
}

/**
 * Merges two commits into a merge commit in the object database. A pure function of the two as a set: same commit id on every node,
 * whichever of them is "ours". Trees are read without refused paths (cleanCommits). Touches no ref of the repository's, no index and no working tree.
 * @returns the merge and what happened to each path that both sides changed
 * @throws GitError (CORRUPT_REPOSITORY for a missing object, DISK_FULL, PERMISSION_DENIED, …); nothing has changed then
 */
export async function resolveMerge(repository: Repository, ours: Oid, theirs: Oid): Promise<Resolution> {
	const store = openMergeStore(repository);
	const [own, their] = await readableVersions(repository, [ours, theirs] as const, isOwnName);
	const [first, second] = own < their ? [own, their] : [their, own];
	const { commit, tree, bases, settled, contents } = await mergeCommits(repository, store, first, second);
	return { commit, tree, ours, theirs, base: bases[0] ?? null, files: settled.map((file) => byRole(file, own === first)), contents };
}

/** The result of resolveMerge for one file that both sides changed. A merge driver gets one file at a time. */
export interface FileResolution extends Pick<ResolvedFile, "path" | "type" | "strategy" | "winner" | "versions"> {
	readonly content: Buffer;
	/** A side has something that is not in the content. */
	readonly lost: boolean;
}

/**
 * The part of resolveMerge that is about one file, by its name in the result. Writes no commit.
 * @returns null: not both sides changed it, or it is not a file in the result
 * @throws GitError
 */
export async function resolveFile(repository: Repository, ours: Oid, theirs: Oid, path: GitPath): Promise<FileResolution | null> {
	const store = openMergeStore(repository);
	const [own, their] = await readableVersions(repository, [ours, theirs] as const, isOwnName);
	const sides = own < their ? ([own, their] as const) : ([their, own] as const);
	const found = await mergeCommitsAt(repository, store, sides, path);
	return found && { ...byRole({ ...found.settled, results: [] }, own === sides[0]), content: found.content, lost: found.settled.lost };
}

/**
 * Several heads into one, as an octopus merge has them: two at a time, in the order of their ids, whichever of them is "ours".
 * @param commits at least two
 * @throws GitError
 */
export async function resolveOctopus(repository: Repository, commits: readonly Oid[]): Promise<Resolution> {
	const [first, second, ...others] = [...commits].sort() as [Oid, Oid, ...Oid[]];
	let resolution = await resolveMerge(repository, first, second);
	for (const other of others) {
		const next = await resolveMerge(repository, resolution.commit, other);
		resolution = { ...next, files: [...resolution.files, ...next.files] };
	}
	return resolution;
}

/**
 * Merges by the same rules what changed from `base` to `theirs` into `ours`, for a cherry-pick, a rebase or a revert: `theirs` is the later
 * side of every path. The resolution's commit holds the tree and nothing else.
 * @throws GitError
 */
export async function resolveApplied(repository: Repository, what: { base: Oid; ours: Oid; theirs: Oid }): Promise<Resolution> {
	const { commit, tree, settled } = await applyCommit(repository, openMergeStore(repository), what);
	return { commit, tree, ...what, files: settled.map((file) => byRole(file, true)) };
}
