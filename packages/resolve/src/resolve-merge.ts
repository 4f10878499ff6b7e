import { mergeTree, type Oid, openMergeStore, type Repository } from "@robust-sync/git";
import { groupConflicts } from "./conflict-groups.ts";
import { mergeCommits, type SettledPath } from "./merge-commits.ts";
import type { Resolution, ResolvedFile } from "./resolution.ts";

/** Conflicts about names and types: git reports each of them, whatever is in the files. */
const lineMerged = new Set(["content", "add/add"]);

function byRole(
	{ path, type, strategy, winner, first, second, base, lost }: SettledPath,
	oursIsFirst: boolean,
	reported: boolean,
): ResolvedFile {
	const role = { first: oursIsFirst ? "ours" : "theirs", second: oursIsFirst ? "theirs" : "ours" } as const;
	return {
		path,
		type: reported ? type : "clean",
		strategy,
		winner: winner === "first" || winner === "second" ? role[winner] : winner,
		versions: { ours: oursIsFirst ? first : second, theirs: oursIsFirst ? second : first, base },
		save: reported || lost,
	};
}

/**
 * Merges two commits into a merge commit in the object database. A pure function of the two as a set: same commit id on every node,
 * whichever of them is "ours". Touches no ref of the repository's, no index and no working tree.
 * @returns the merge and what happened to each path that both sides changed
 * @throws GitError (CORRUPT_REPOSITORY for a missing object, DISK_FULL, PERMISSION_DENIED, …); nothing has changed then
 */
export async function resolveMerge(repository: Repository, ours: Oid, theirs: Oid): Promise<Resolution> {
	const store = openMergeStore(repository);
	const [first, second] = ours < theirs ? [ours, theirs] : [theirs, ours];
	const merge = await mergeCommits(repository, store, first, second);
	// What git alone would have reported: the same merge with its line merge.
	let reported: ReadonlySet<string> = new Set();
	if (merge.settled.some(({ type, lost }) => lineMerged.has(type) && !lost)) {
		const [one, two] = merge.mergedAs;
		reported = new Set(groupConflicts(await mergeTree(store, one, two, false), one, two).groups.map(({ path }) => path));
	}
	return {
		commit: merge.commit,
		tree: merge.tree,
		ours,
		theirs,
		base: merge.bases[0] ?? null,
		files: merge.settled.map((file) => byRole(file, ours === first, file.lost || !lineMerged.has(file.type) || reported.has(file.path))),
	};
}
