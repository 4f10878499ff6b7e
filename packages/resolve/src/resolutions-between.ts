import { type Oid, openMergeStore, type Repository, walkCommits } from "@robust-sync/git";
import { saysResolved } from "./merge-message.ts";

/** A merge that another node made, to be computed again: it gives the same commit, and the versions that it chose from. */
export interface EarlierResolution {
	/** The parent that is this node's own history; where neither is, the first. */
	readonly ours: Oid;
	readonly theirs: Oid;
	readonly commit: Oid;
}

/**
 * The merges among what `to` has and `from` lacks that resolved something, oldest first. A node that fast-forwards over them saves the same
 * versions as the node that made them, by resolveMerge of their parents.
 * @throws GitError
 */
export async function resolutionsBetween(repository: Repository, from: Oid, to: Oid): Promise<EarlierResolution[]> {
	return (await walkBetween(repository, from, to)).resolutions;
}

/** The same, with the number of commits that `to` has and `from` lacks: one walk tells both. @throws GitError */
export async function walkBetween(
	repository: Repository,
	from: Oid,
	to: Oid,
): Promise<{ readonly commits: number; readonly resolutions: EarlierResolution[] }> {
	if (from === to) return { commits: 0, resolutions: [] };
	const found: EarlierResolution[] = [];
	// Parents come before children, so that one pass tells which commits have `from` in their history.
	const ownHistory = new Set<Oid>([from]);
	const commits = await walkCommits(openMergeStore(repository), from, to);
	// What the walk leaves out, `from` has.
	const walked = new Set(commits.map(({ commit }) => commit));
	const isOwn = (parent: Oid) => ownHistory.has(parent) || !walked.has(parent);
	for (const { commit, parents, authorEmail, message } of commits) {
		if (parents.some((parent) => ownHistory.has(parent))) ownHistory.add(commit);
		const [first, second] = parents;
		if (parents.length !== 2 || !first || !second || authorEmail !== "robust-sync@localhost" || !saysResolved(message)) continue;
		const secondIsOurs = !isOwn(first) && isOwn(second);
		found.push(secondIsOurs ? { ours: second, theirs: first, commit } : { ours: first, theirs: second, commit });
	}
	return { commits: commits.length, resolutions: found };
}
