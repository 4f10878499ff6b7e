import { rmSync } from "node:fs";
import path from "node:path";
import { fsyncDirectory, writeAtomicSync } from "@robust-sync/system/atomic-write";
import * as z from "zod/mini";
import type { WorkspacePaths } from "./paths.ts";
import { readState } from "./read-state.ts";
import { branchRef, objectId, timestampName, workspaceGitPath } from "./trusted-text.ts";

export const rescueJournalSchema = z.object({
	schema: z.literal(1),
	/** Full name of the branch that was checked out. */
	ref: branchRef,
	/** Name of the directory below sync/backups/ for the replaced files. */
	backup: timestampName,
	files: z.array(
		z.object({
			/** One character a byte. */
			path: workspaceGitPath,
			mode: z.enum(["100644", "100755"]),
			/** Blob on disk when `content` was made; null: none. */
			replaces: z.nullable(objectId),
			/** Blob that is written. */
			content: objectId,
		}),
	),
	started_at: z.string(),
});

/** Files that are being replaced outside of a checkout: written before the first is touched, removed when all are on record. */
export type RescueJournal = z.infer<typeof rescueJournalSchema>;

/** Writes the journal durably. @throws the file system's error */
export function writeRescueJournal(paths: WorkspacePaths, journal: RescueJournal): void {
	writeAtomicSync(paths.rescueJournal, `${JSON.stringify(journal)}\n`);
}

/** The interrupted work, or null. A journal that does not parse belongs to work that had not begun: no file was touched yet. */
export function readRescueJournal(paths: WorkspacePaths): RescueJournal | null {
	const read = readState(paths.rescueJournal, rescueJournalSchema);
	return read.kind === "ok" ? read.state : null;
}

/** Removes the journal: the work is complete. */
export function removeRescueJournal(paths: WorkspacePaths): void {
	rmSync(paths.rescueJournal, { force: true });
	fsyncDirectory(path.dirname(paths.rescueJournal));
}
