import { type GitPath, type Oid, readHead, readTreeFiles, updateRef, writeIndexEntries } from "@robust-sync/git";
import { compactTimestamp } from "@robust-sync/system/timestamps";
import type { CycleContext } from "../context/cycle-context.ts";
import { syncedBranch } from "./upstream.ts";

/** Replaced commits stay reachable under these names, which are never pushed. */
export const replacedRefs = "refs/robust-sync/refused/";
const keptMs = 30 * 24 * 3_600_000;

/**
 * Moves the branch from unpublished commits to their rewritten form. The replaced ones stay reachable for 30 days.
 * @param content what the new commits leave out, in words
 * @param names the paths whose index entries follow
 * @param whenKept called before the branch moves
 * @throws GitError, LockLostError
 */
export async function moveToRewritten(
	context: CycleContext,
	head: Oid,
	newHead: Oid,
	{ content, names, whenKept }: { readonly content: string; readonly names: readonly GitPath[]; readonly whenKept: () => void },
): Promise<void> {
	const { repository, memory, lock, now } = context;
	lock.assertHeld();
	await updateRef(repository, `${replacedRefs}${compactTimestamp(now())}`, head, null, `robust-sync: keep ${content}`);
	whenKept();
	await updateRef(repository, `refs/heads/${syncedBranch(context)}`, newHead, head, `robust-sync: leave out ${content}`);
	memory.dirty.invalidate();
	const entries = await readTreeFiles(repository, newHead, names);
	await writeIndexEntries(
		repository,
		names.map((name) => ({ path: name, entry: entries.get(name) ?? null })),
	);
}

/** Removes names of replaced commits after 30 days, and at once where HEAD contains the commit: it is not replaced then. @throws GitError */
export async function pruneReplaced({ repository, now }: CycleContext): Promise<void> {
	const list = async (...options: string[]) =>
		(await repository.run(["for-each-ref", "--format=%(refname)", ...options, replacedRefs])).stdout
			.toString("utf8")
			.split("\n")
			.filter(Boolean);
	const refs = await list();
	if (refs.length === 0) return;
	const contained = new Set((await readHead(repository)).oid === null ? [] : await list("--merged=HEAD"));
	const oldest = compactTimestamp(now() - keptMs);
	for (const ref of refs)
		if (contained.has(ref) || ref.slice(replacedRefs.length) < oldest) await repository.run(["update-ref", "-d", ref]);
}
