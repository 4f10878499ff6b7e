import { type Oid, openMergeStore, type Repository } from "@robust-sync/git";
import { mergeCommits } from "./merge-commits.ts";
import type { SettledPath } from "./path-settler.ts";
import type { Resolution, ResolvedFile } from "./resolution.ts";

/** What happened to a path, with the sides by the role that they have on this node. */
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
 * whichever of them is "ours". Touches no ref of the repository's, no index and no working tree.
 * @returns the merge and what happened to each path that both sides changed
 * @throws GitError (CORRUPT_REPOSITORY for a missing object, DISK_FULL, PERMISSION_DENIED, …); nothing has changed then
 */
export async function resolveMerge(repository: Repository, ours: Oid, theirs: Oid): Promise<Resolution> {
	const [first, second] = ours < theirs ? [ours, theirs] : [theirs, ours];
	const { commit, tree, bases, settled } = await mergeCommits(repository, openMergeStore(repository), first, second);
	return { commit, tree, ours, theirs, base: bases[0] ?? null, files: settled.map((file) => byRole(file, ours === first)) };
}
