import { GitError, readHead, readTreeFiles, writeIndexEntries } from "@robust-sync/git";
import { faultPoint } from "@robust-sync/system/fault-points";
import { fileStamp } from "@robust-sync/system/file-stamp";
import type { CycleContext } from "../context/cycle-context.ts";
import type { Baseline } from "./dirty-set.ts";

// A snapshot commits without the index. The index follows while the commit is pushed. Until then `git status` shows its paths as staged
// in reverse.

/** The present baseline; null: the dirty set is unusable, so nothing is read. */
export async function readBaseline({ repository, memory }: CycleContext): Promise<Baseline | null> {
	if (!memory.dirty.isUsable) return null;
	const indexStamp = fileStamp(`${repository.gitDirectory}/index`);
	if (indexStamp === null) return null;
	const { oid: head, branch } = await readHead(repository);
	return { head, branch, indexStamp };
}

/**
 * If a person has staged or committed something since we last wrote index and HEAD, the next scan is a full one. Otherwise our record
 * would include that state.
 */
export async function noticeOthers(context: CycleContext): Promise<void> {
	const now = await readBaseline(context);
	if (now !== null && !context.memory.dirty.isBaseline(now)) context.memory.dirty.invalidate();
}

/** Records index and HEAD after our last write. */
export async function recordBaseline(context: CycleContext): Promise<void> {
	const baseline = await readBaseline(context);
	if (baseline !== null) context.memory.dirty.setBaseline(baseline);
}

/** Writes committed entries of snapshots into the index. If that fails, the next scan is a full one, and repairs it. @throws LockLostError */
export async function refreshIndex({ repository, memory, lock, log }: CycleContext): Promise<void> {
	const { dirty } = memory;
	const names = [...dirty.indexBehind];
	if (names.length === 0) return;
	dirty.indexBehind.clear();
	try {
		const { oid } = await readHead(repository);
		if (oid === null) return;
		const entries = await readTreeFiles(repository, oid, names);
		lock.assertHeld();
		await writeIndexEntries(
			repository,
			names.map((name) => ({ path: name, entry: entries.get(name) ?? null })),
		);
		faultPoint("snapshot-indexed");
	} catch (error) {
		dirty.invalidate();
		if (!(error instanceof GitError)) throw error;
		log.debug(`the index could not follow: ${error.message}`);
	}
}

/**
 * Lets the index follow a commit of ours, and records both. Call it only while nothing else of ours writes them.
 * @throws GitError if HEAD cannot be read, LockLostError
 */
export async function followHead(context: CycleContext): Promise<void> {
	if (context.memory.dirty.indexBehind.size === 0) return;
	await noticeOthers(context);
	await refreshIndex(context);
	await recordBaseline(context);
}
