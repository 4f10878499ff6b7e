import { type Oid, openMergeStore, type Repository, type WalkedCommit, walkCommits } from "@robust-sync/git";
import { mergeIdentity } from "../merge/merge-commits.ts";
import { startsLikeResolved } from "../merge/merge-message.ts";

/** A merge that another node made, to be computed again: it gives the same commit, and the versions that it chose from. */
export interface EarlierResolution {
	/** The parent that is this node's own history; where neither is, the first. */
	readonly ours: Oid;
	readonly theirs: Oid;
	readonly commit: Oid;
}

/** What resolveMerge writes is recognized without computing it: parents by id, one identity, one date, the message of these two parents. */
function looksResolved({ parents, author, committer, message }: WalkedCommit): boolean {
	const [first = "", second = ""] = parents;
	return (
		parents.length === 2 &&
		first < second &&
		author === committer &&
		author.startsWith(`${mergeIdentity} `) &&
		startsLikeResolved(message, first, second)
	);
}

/**
 * The number of commits that `to` has and `from` lacks, and the merges among them that look as if robust-sync had resolved something in them,
 * oldest first. A node that fast-forwards over them saves the same versions as the node that made them, by resolveMerge of their parents. Any
 * program can write such a commit: only if resolveMerge gives the same id is it one of ours.
 * @throws GitError
 */
export async function walkBetween(
	repository: Repository,
	from: Oid,
	to: Oid,
): Promise<{ readonly commits: number; readonly resolutions: EarlierResolution[] }> {
	if (from === to) return { commits: 0, resolutions: [] };
	const found: EarlierResolution[] = [];
	// Parents come before children, so that one pass finds the commits with `from` in their history.
	const ownHistory = new Set<Oid>([from]);
	const commits = await walkCommits(openMergeStore(repository), from, to);
	// A commit that the walk leaves out is in the history of `from`.
	const walked = new Set(commits.map(({ commit }) => commit));
	const isOwn = (parent: Oid) => ownHistory.has(parent) || !walked.has(parent);
	for (const commit of commits) {
		const { commit: oid, parents } = commit;
		if (parents.some((parent) => ownHistory.has(parent))) ownHistory.add(oid);
		if (!looksResolved(commit)) continue;
		const [first, second] = parents as [Oid, Oid];
		const secondIsOurs = !isOwn(first) && isOwn(second);
		found.push(secondIsOurs ? { ours: second, theirs: first, commit: oid } : { ours: first, theirs: second, commit: oid });
	}
	return { commits: commits.length, resolutions: found };
}
