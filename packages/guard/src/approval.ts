import {
	type GitPath,
	type IsOwnName,
	isGitPath,
	type Oid,
	openMergeStore,
	type Repository,
	readableVersions,
	readTreeWhole,
	type TreeEntry,
} from "@robust-sync/git";

/** The trailer with which a person approves a held commit, for every node: its value is the commit. */
export const approveTrailer = "Robust-Sync-Approve";
/** The trailer of the commit that restores the files that a held commit removed. */
export const rejectTrailer = "Robust-Sync-Reject";

/** The commits that `to` has and `from` lacks, and that approve another one. The trailer is not secret: everyone who may push may approve. @throws GitError */
export async function approvalsBetween(repository: Repository, from: Oid, to: Oid): Promise<Oid[]> {
	if (from === to) return [];
	const { stdout } = await openMergeStore(repository).run([
		"log",
		"-z",
		`--format=%H %(trailers:key=${approveTrailer},valueonly,separator=%x20)`,
		"--end-of-options",
		to,
		`^${from}`,
		"--",
	]);
	return stdout
		.toString("latin1")
		.split("\0")
		.flatMap((record) => {
			const [commit = "", ...values] = record.trim().split(/\s+/);
			return values.some((value) => /^[0-9a-f]{40,64}$/.test(value)) ? [commit] : [];
		});
}

const isSame = (a: TreeEntry | null, b: TreeEntry | null) => a?.oid === b?.oid && a?.mode === b?.mode;

/**
 * The paths of `wanted` whose present state a person has approved: an approved commit has them in exactly this state.
 * @param wanted by path the state in `to`; null: deleted
 * @param isOwn whether a name at the top of the tree is not part of the workspace
 * @throws GitError
 */
export async function approvedPaths(
	repository: Repository,
	approvals: readonly Oid[],
	wanted: ReadonlyMap<GitPath, TreeEntry | null>,
	isOwn: IsOwnName,
): Promise<Set<GitPath>> {
	const approved = new Set<GitPath>();
	for (const approval of approvals) {
		if (approved.size === wanted.size) break;
		const tree = await readTreeWhole(repository, ...(await readableVersions(repository, [approval] as const, isOwn)));
		for (const [name, entry] of wanted) if (isGitPath(name) && isSame(tree.get(name) ?? null, entry)) approved.add(name);
	}
	return approved;
}
