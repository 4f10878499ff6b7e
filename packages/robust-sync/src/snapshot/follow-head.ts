import fs from "node:fs";
import path from "node:path";
import { GitError, readHead, readTreePaths, writeIndexEntries } from "@robust-sync/git";
import { faultPoint } from "@robust-sync/system/fault-points";
import type { CycleContext } from "../context/cycle-context.ts";
import type { Left } from "./known-changes.ts";

// A snapshot commits without the index. The index follows while the commit is pushed. Until then `git status` shows its paths as staged
// in reverse.

/** How index and HEAD are, for KnownChanges; null where that is of no use to it: then nothing is read. */
export async function readLeft({ repository, memory }: CycleContext): Promise<Left | null> {
	const stats = fs.statSync(path.join(repository.gitDirectory, "index"), { throwIfNoEntry: false });
	if (!stats || !memory.known.isOfUse) return null;
	const { oid: head, branch } = await readHead(repository);
	return { head, branch, indexStamp: `${stats.ino} ${stats.mtimeMs} ${stats.size}` };
}

/**
 * If a person has staged or committed something since we last wrote index and HEAD, the next scan is a full one. Otherwise our record
 * would include that state.
 */
export async function noticeOthers(context: CycleContext): Promise<void> {
	const now = await readLeft(context);
	if (now !== null && !context.memory.known.isAsLeft(now)) context.memory.known.forget();
}

/** Records index and HEAD after our last write. */
export async function leave(context: CycleContext): Promise<void> {
	const left = await readLeft(context);
	if (left !== null) context.memory.known.leave(left);
}

/** Writes committed entries of snapshots into the index. If that fails, the next scan is a full one, and repairs it. @throws LockLostError */
export async function refreshIndex({ repository, memory, lock, log }: CycleContext): Promise<void> {
	const { known } = memory;
	const names = [...known.indexBehind];
	if (names.length === 0) return;
	known.indexBehind.clear();
	try {
		const { oid } = await readHead(repository);
		if (oid === null) return;
		const entries = await readTreePaths(repository, oid, names);
		lock.assertHeld();
		await writeIndexEntries(
			repository,
			names.map((name) => ({ path: name, entry: entries.get(name) ?? null })),
		);
		faultPoint("snapshot-indexed");
	} catch (error) {
		known.forget();
		if (!(error instanceof GitError)) throw error;
		log.debug(`the index could not follow: ${error.message}`);
	}
}

/**
 * Lets the index follow a commit of ours, and records both. Call it only while nothing else of ours writes them.
 * @throws GitError if HEAD cannot be read, LockLostError
 */
export async function followHead(context: CycleContext): Promise<void> {
	if (context.memory.known.indexBehind.size === 0) return;
	await noticeOthers(context);
	await refreshIndex(context);
	await leave(context);
}
