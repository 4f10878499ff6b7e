import { rmSync } from "node:fs";
import path from "node:path";
import { fsyncDirectory, writeAtomicSync } from "@robust-sync/system/atomic-write";
import * as z from "zod/mini";
import type { WorkspacePaths } from "./paths.ts";
import { readState } from "./read-state.ts";
import { branchRef, objectId, timestampName } from "./trusted-text.ts";

export const journalSchema = z.object({
	schema: z.literal(1),
	/** The commit of HEAD before; null: none yet. */
	from: z.nullable(objectId),
	to: objectId,
	/** The commit of the branch, if a person has moved it beyond `from` meanwhile; null: `from`. */
	branch_at: z.nullable(objectId),
	/** Full name of the branch that is updated. */
	ref: branchRef,
	/** The other parent, if `to` is a merge of ours: its saved versions are written again if they are missing. */
	theirs: z.nullable(objectId),
	/** Name of the directory below sync/backups/ for the replaced files. */
	backup: timestampName,
	started_at: z.string(),
});

/** A checkout in progress: written before the first file is touched, removed after the last step. */
export type Journal = z.infer<typeof journalSchema>;

/** Writes the journal durably. @throws the file system's error */
export function writeJournal(paths: WorkspacePaths, journal: Journal): void {
	writeAtomicSync(paths.journal, `${JSON.stringify(journal)}\n`);
}

/** The interrupted checkout, or null. A journal that does not parse belongs to a checkout that had not begun: no file was touched yet. */
export function readJournal(paths: WorkspacePaths): Journal | null {
	const read = readState(paths.journal, journalSchema);
	return read.kind === "ok" ? read.state : null;
}

/** Removes the journal: the checkout is complete. */
export function removeJournal(paths: WorkspacePaths): void {
	rmSync(paths.journal, { force: true });
	fsyncDirectory(path.dirname(paths.journal));
}
