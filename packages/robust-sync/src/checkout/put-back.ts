import path from "node:path";
import {
	blobOid,
	type FileReplacement,
	type GitPath,
	type HeldChange,
	type LateWrite,
	type Oid,
	readHead,
	readObjectsWhole,
	replaceFiles,
	storeBlobs,
} from "@robust-sync/git";
import { type LateMergeContext, mergeLateWriteAside, replacedFile } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import { compactTimestamp, timestamp } from "@robust-sync/system/timestamps";
import { mountPointsBelow, type RescueJournal, readRescueJournal, removeRescueJournal, writeRescueJournal } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { savedText } from "../context/cycle-text.ts";

// Replaces single files with content that is in no commit, with a journal of its own.

/** What a merge leaves out is saved, and that is logged. */
function saving({ repository, paths, now, log }: CycleContext): LateMergeContext {
	return { repository, paths, now, onSaved: (name) => log.info(savedText(paths, name)) };
}

/** A write from the version `before`, as the merge takes it. */
export function lateWrite(path: GitPath, before: Buffer | null, written: Buffer, incoming: Buffer): LateWrite {
	return { path, before, written, writtenAt: null, appeared: false, incoming, exposed: [] };
}

/** Merges a write from a version that no commit has, as content. What the merge leaves out is saved on this node. */
export function mergeContent(context: CycleContext, name: GitPath, base: Buffer | null, written: Buffer, current: Buffer): Promise<Buffer> {
	return mergeLateWriteAside(saving(context), lateWrite(name, base, written, current));
}

/**
 * Puts merged content into the working tree, keeping what it replaces, and notes that in a manifest of its own. In a journal first.
 * @returns files that could not be replaced, and are as they were
 */
export async function putBack(context: CycleContext, files: readonly FileReplacement[]): Promise<readonly HeldChange[]> {
	if (files.length === 0) return [];
	const { repository, paths, now } = context;
	context.lock.assertHeld();
	const { branch } = await readHead(repository);
	const contents = files.flatMap(({ content, replaces }) => (replaces ? [content, replaces] : [content]));
	await storeBlobs(repository, paths.staging, contents);
	const oidOf = (content: Buffer) => blobOid(content, repository.objectFormat);
	const journal: RescueJournal = {
		schema: 1,
		ref: `refs/heads/${branch}`,
		backup: compactTimestamp(now()),
		files: files.map(({ path: name, mode, content, replaces }) => ({
			path: name,
			mode,
			content: oidOf(content),
			replaces: replaces && oidOf(replaces),
		})),
		started_at: timestamp(now()),
	};
	writeRescueJournal(paths, journal);
	faultPoint("rescue-journalled");
	return await replaceAsJournalled(context, journal, files, false);
}

async function replaceAsJournalled(
	context: CycleContext,
	{ backup }: RescueJournal,
	files: readonly FileReplacement[],
	resume: boolean,
): Promise<readonly HeldChange[]> {
	const { repository, paths, config, lock, now, memory } = context;
	const merging = saving(context);
	const options = {
		staging: paths.staging,
		backup: path.join(paths.backups, backup),
		mounts: mountPointsBelow(repository.root),
		versions: paths.versions,
		keepsVersions: config.syncAtime === "auto",
		resume,
		mergeLate: (late: LateWrite) => mergeLateWriteAside(merging, late),
		checkpoint(step: string) {
			lock.assertHeld();
			if (step === "swap") faultPoint("rescue-swap");
			if (step === "swapped") faultPoint("rescue-swapped");
		},
	};
	// HEAD does not have what is put back: git must look at it, to commit it.
	const { kept, held } = await replaceFiles(repository, options, files);
	faultPoint("rescue-replaced");
	memory.replaced.write(backup, kept.map(replacedFile), now());
	faultPoint("rescue-recorded");
	removeRescueJournal(paths);
	return held;
}

/** Goes on with files that were being put back when the process was killed. @returns how many; null: there was nothing */
export async function finishPutBack(context: CycleContext): Promise<number | null> {
	const { repository, paths } = context;
	const journal = readRescueJournal(paths);
	// A person has another branch checked out: their files are not touched. It goes on when they are back.
	if (!journal || `refs/heads/${(await readHead(repository)).branch}` !== journal.ref) return null;
	const contents = await readKnown(
		context,
		journal.files.flatMap(({ content, replaces }) => (replaces ? [content, replaces] : [content])),
	);
	const files = journal.files.flatMap(({ path: name, mode, content: oid, replaces }) => {
		const content = contents.get(oid);
		return content ? [{ path: name, mode, content, replaces: contents.get(replaces ?? "") ?? null }] : [];
	});
	await replaceAsJournalled(context, journal, files, true);
	return files.length;
}

/** Blobs that are still there; a base that garbage collection took is no reason to fail. */
export async function readKnown({ repository }: CycleContext, oids: readonly Oid[]): Promise<Map<Oid, Buffer>> {
	try {
		return await readObjectsWhole(repository, oids);
	} catch {
		return new Map();
	}
}
