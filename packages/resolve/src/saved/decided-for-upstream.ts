import { diffTrees, gitPathBytes, mergeBases, type Oid, type Repository, withObjectReader } from "@robust-sync/git";
import type { WorkspacePaths } from "@robust-sync/workspace";
import { saveVersionsOf, type VersionsToSave } from "./save-versions.ts";

/** A commit of what lay in the working tree. */
export interface DecidingCommit {
	/** null: it is the first. */
	readonly head: Oid | null;
	readonly commit: Oid;
	/** What was fetched last. */
	readonly tip: Oid;
}

async function decisions(repository: Repository, { commit, tip }: DecidingCommit, head: Oid, base: Oid | null): Promise<VersionsToSave[]> {
	const changes = (await diffTrees(repository, head, commit)).filter(({ before }) => before !== null);
	if (changes.length === 0) return [];
	const at = (tree: Oid) => changes.map(({ path }) => Buffer.concat([Buffer.from(`${tree}:`), gitPathBytes(path)]));
	return await withObjectReader(repository, async (reader) => {
		const [theirs, common] = [await reader.infos(at(tip)), base ? await reader.infos(at(base)) : []];
		return changes.flatMap(({ path, before, after }, index) => {
			const [their, shared] = [theirs[index] ?? null, common[index] ?? null];
			if (their?.type !== "blob" || after?.oid !== their.oid || before?.oid === shared?.oid) return [];
			const versions = { ours: before, theirs: after, base: shared ? { mode: "100644", oid: shared.oid } : null };
			return [{ path, type: shared ? "content" : "add/add", strategy: "by-hand", winner: "theirs", save: true, versions } as const];
		});
	});
}

/**
 * Finds where a person has put the upstream's version in the place of their own (`git checkout origin/main -- file`): that is decided,
 * and both versions are saved.
 * @param now milliseconds since the epoch
 * @returns the files, and the name of the directory below sync/conflicts/; null: there was nothing to save
 * @throws GitError, the file system's errors
 */
export async function saveDecidedForUpstream(
	repository: Repository,
	paths: WorkspacePaths,
	what: DecidingCommit,
	now: number,
): Promise<{ readonly files: readonly VersionsToSave[]; readonly saved: string | null }> {
	const { head, commit, tip } = what;
	if (head === null) return { files: [], saved: null };
	const [base = null] = await mergeBases(repository, head, tip);
	const files = await decisions(repository, what, head, base);
	return { files, saved: await saveVersionsOf(repository, paths, { commit, ours: head, theirs: tip, base, files }, now) };
}
