import { type GitPath, type Oid, openMergeStore, type Repository, type Stages, storeBlobs, withObjectReader } from "@robust-sync/git";
import { groupConflicts } from "./conflict-groups.ts";
import { PathResolver, settledPaths } from "./path-resolver.ts";
import type { ResolvedFile } from "./resolution.ts";
import { byRole } from "./resolve-merge.ts";

/** Paths that some git command left unmerged in the index. */
export interface UnmergedPaths {
	/** Stages 1, 2 and 3 of each: base, ours, theirs. */
	readonly stages: ReadonlyMap<GitPath, Stages>;
	/** The tree of the paths that are merged already: git attributes are read from it. */
	readonly tree: Oid;
	/** A directory of our own on the workspace's file system. */
	readonly staging: string;
}

/**
 * Settles paths by the same rules as a merge, from their stages alone: for a rebase, a cherry-pick, a revert, a stash, where the
 * applied commit ("theirs") is the later side of every path. Writes merged contents to the object database, and nothing else.
 * @throws GitError
 */
export async function resolveStages(repository: Repository, { stages, tree, staging }: UnmergedPaths): Promise<ResolvedFile[]> {
	const store = openMergeStore(repository);
	const conflicts = groupConflicts({ tree, conflicts: stages, notes: [] }, tree, tree);
	return await withObjectReader(store, async (reader) => {
		const outcomes = await new PathResolver(repository, store, reader, {
			first: tree,
			second: tree,
			base: null,
			tree,
			conflicts,
			later: "second",
		}).resolve();
		const merged = outcomes.flatMap(({ files, intermediateBlobs = [] }) => [
			...files.flatMap(({ made }) => ("content" in made ? [made.content] : [])),
			...intermediateBlobs,
		]);
		await storeBlobs(repository, staging, merged);
		return settledPaths(outcomes, repository.objectFormat).map((file) => byRole(file, true));
	});
}
