import { rmSync } from "node:fs";
import { writeAtomicSync } from "@robust-sync/system/atomic-write";
import * as z from "zod/mini";
import type { WorkspacePaths } from "./paths.ts";
import { readState } from "./read-state.ts";
import { objectId } from "./trusted-text.ts";

export const unsavedMergesSchema = z.object({
	schema: z.literal(1),
	merges: z.array(
		z.object({
			commit: objectId,
			/** The parent that was this node's own history, and the other one. */
			ours: objectId,
			theirs: objectId,
			/** How many times saving its versions has failed. */
			failures: z.number().check(z.nonnegative()),
		}),
	),
});

/** A merge of another node whose losing versions are still to be saved here. */
export type UnsavedMerge = z.infer<typeof unsavedMergesSchema>["merges"][number];

/** Merges whose losing versions a checkout had no time to save, oldest first. A file that does not parse counts as empty. */
export function readUnsavedMerges(paths: WorkspacePaths): UnsavedMerge[] {
	const read = readState(paths.unsavedMerges, unsavedMergesSchema);
	return read.kind === "ok" ? read.state.merges : [];
}

/** Writes the list durably; an empty one removes the file. @throws the file system's error */
export function writeUnsavedMerges(paths: WorkspacePaths, merges: readonly UnsavedMerge[]): void {
	if (merges.length === 0) rmSync(paths.unsavedMerges, { force: true });
	else writeAtomicSync(paths.unsavedMerges, `${JSON.stringify({ schema: 1, merges })}\n`);
}
