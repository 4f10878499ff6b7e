import {
	type CleanCommit,
	cleanCommits,
	commitTree,
	fileSystemPath,
	type GitPath,
	hasOtherName,
	type Oid,
	openMergeStore,
	parentOf,
	type Repository,
	readIgnored,
	readTreeIntoIndex,
	readTreeWhole,
	type TreeEntry,
	withScratchIndex,
	writeIndexEntries,
	writeTree,
} from "@robust-sync/git";
import { diskFiles } from "@robust-sync/system/disk-files";
import { faultPoint } from "@robust-sync/system/fault-points";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { isOwnName, writeJournal } from "@robust-sync/workspace";
import { carryOut, type IntegrateContext, type Integration, newJournal } from "./integrate.ts";

/** Whether each directory is one, and not a link to one. */
class Directories {
	readonly #root: string;
	readonly #known = new Map<GitPath, boolean>();

	constructor(root: string) {
		this.#root = root;
	}

	isDirectory(name: GitPath): boolean {
		const known = this.#known.get(name);
		if (known !== undefined) return known;
		const parent = parentOf(name);
		const is = (parent === null || this.isDirectory(parent)) && this.#stats(name)?.isDirectory() === true;
		this.#known.set(name, is);
		return is;
	}

	/** Whether any entry is in the place of a tree's entry at a path. */
	isThere(name: GitPath, { mode }: TreeEntry): boolean {
		const parent = parentOf(name);
		if (parent !== null && !this.isDirectory(parent)) return false;
		const stats = this.#stats(name);
		return stats !== null && stats.isDirectory() === (mode === "160000");
	}

	#stats(name: GitPath) {
		try {
			const file = fileSystemPath(this.#root, name);
			return hasOtherName(diskFiles, file) ? null : lstatIfThere(file);
		} catch {
			return null;
		}
	}
}

/** The files that a commit has and the working tree lacks; ignored files count as missing, so that the checkout decides about them. */
async function missingPaths(repository: Repository, commit: Oid): Promise<GitPath[]> {
	const entries = await readTreeWhole(repository, commit);
	const directories = new Directories(repository.root);
	const present: GitPath[] = [];
	const missing: GitPath[] = [];
	for (const [name, entry] of entries) (directories.isThere(name, entry) ? present : missing).push(name);
	return [...missing, ...(await readIgnored(repository, present))];
}

/** A commit like `commit` without some paths, on top of `head`, on no ref. @throws GitError */
export async function commitWithout(
	{ repository, paths }: Pick<IntegrateContext, "repository" | "paths">,
	{ commit, head, without }: { commit: Oid; head: Oid; without: readonly GitPath[] },
): Promise<Oid> {
	const tree = await withScratchIndex(repository, paths.staging, async (scratch) => {
		await readTreeIntoIndex(scratch, commit);
		await writeIndexEntries(
			scratch,
			without.map((name) => ({ path: name, entry: null })),
		);
		return await writeTree(scratch);
	});
	return await commitTree(repository, tree, [head], "robust-sync: what was there before a checkout\n");
}

/**
 * Checks HEAD out in a workspace without an index: git refused to (a clone of a commit with paths that no working tree may have),
 * had the option not to (`git clone --no-checkout`), or was killed. Missing files are placed; files that exist stay and count as
 * changed if they differ. Without this every file would look deleted.
 * @param ref full name of the checked-out branch @param head its commit
 * @returns null: no file was missing, and the index exists now
 * @throws GitError, the file system's errors, LockLostError; `resumeIntegration` then continues
 */
export async function checkOutFirst(context: IntegrateContext, ref: string, head: Oid): Promise<Integration | null> {
	const { repository, paths } = context;
	const [{ clean }] = (await cleanCommits(openMergeStore(repository), [head], isOwnName)) as [CleanCommit];
	const missing = await missingPaths(repository, clean);
	if (missing.length === 0 && clean === head) {
		context.lock.assertHeld();
		await readTreeIntoIndex(repository, head);
		return null;
	}
	const from = await commitWithout(context, { commit: clean, head, without: missing });
	const journal = newJournal(context, { from, to: clean, ref, theirs: null, branch_at: head });
	context.lock.assertHeld();
	writeJournal(paths, journal);
	faultPoint("first-checkout-journalled");
	// The whole tree: a commit by a person meanwhile deletes nothing.
	await readTreeIntoIndex(repository, clean);
	faultPoint("first-checkout-indexed");
	return await carryOut(context, journal, false, null);
}
