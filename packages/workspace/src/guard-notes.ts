import { rmSync } from "node:fs";
import { type GitPath, isGitPath } from "@robust-sync/git/git-path";
import { writeAtomicSync } from "@robust-sync/system/atomic-write";
import * as z from "zod/mini";
import type { WorkspacePaths } from "./paths.ts";
import { readState } from "./read-state.ts";
import { objectId } from "./trusted-text.ts";

const mount = z.custom<GitPath>((value) => isGitPath(value), "not a path of the workspace");
export const guardNotesSchema = z.object({
	schema: z.literal(1),
	/** A commit of this node that is not published. */
	outgoing: z.nullable(z.object({ commit: objectId, since: z.string(), mounts: z.array(mount) })),
	/** An incoming commit whose deletions were not checked out: its files are in held.json. */
	incoming: z.nullable(z.object({ commit: objectId, since: z.string(), tracked: z.number() })),
});

/** The memory of held commits: their times, and the files of a mount point that is gone. */
export type GuardNotes = Omit<z.infer<typeof guardNotesSchema>, "schema">;

export const noGuardNotes: GuardNotes = { outgoing: null, incoming: null };

/** Reads the notes. Without them held commits are found again; only their times are lost. */
export function readGuardNotes(paths: WorkspacePaths): GuardNotes {
	const read = readState(paths.guardNotes, guardNotesSchema);
	return read.kind === "ok" ? { outgoing: read.state.outgoing, incoming: read.state.incoming } : noGuardNotes;
}

/** Writes the notes durably, if they changed; no held commit removes the file. @throws the file system's error */
export function writeGuardNotes(paths: WorkspacePaths, notes: GuardNotes): void {
	if (JSON.stringify(readGuardNotes(paths)) === JSON.stringify({ outgoing: notes.outgoing, incoming: notes.incoming })) return;
	if (notes.outgoing === null && notes.incoming === null) rmSync(paths.guardNotes, { force: true });
	else writeAtomicSync(paths.guardNotes, `${JSON.stringify({ schema: 1, ...notes })}\n`, 0o600);
}
