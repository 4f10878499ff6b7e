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

/** The trailer by which a person lets a held commit pass, on every node: its value is the commit. */
export const approveTrailer = "Robust-Sync-Approve";
/** The trailer of the commit that puts back what a held commit took away. */
export const rejectTrailer = "Robust-Sync-Reject";

/** The commits that `to` has and `from` lacks, and that approve another one. Anybody can write such a trailer; who may push may approve. @throws GitError */
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
 * Which of some paths a person has approved to be as they are in `to`: those that a commit with an approval has just so.
 * @param wanted by path what `to` has there; null: nothing
 * @param isOwn names at the top of the tree that are no part of the workspace
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
