import { timestamp } from "@robust-sync/system/timestamps";
import { listSavedVersions, type Manifest } from "@robust-sync/workspace";
import { listConflicts, type UnresolvedConflicts } from "./conflicts.ts";
import type { ResolverContext } from "./resolver-context.ts";

/** One resolution with saved versions. */
export interface SavedResolution {
	/** Name below sync/conflicts/: the argument of --restore. */
	readonly name: string;
	readonly resolved_at: string;
	readonly merge_commit: string | null;
	/** null: the manifest is missing (a cleanup by age may remove files one by one). */
	readonly files: Manifest["files"] | null;
}

export interface Report {
	readonly unresolved: UnresolvedConflicts;
	/** Newest first. */
	readonly saved: readonly SavedResolution[];
}

/** The unresolved paths, and all versions that --restore can restore. Changes nothing. @throws GitError */
export async function makeReport(context: ResolverContext): Promise<Report> {
	const saved = listSavedVersions(context.paths).map(({ name, savedAt, manifest }) => ({
		name,
		resolved_at: manifest?.resolved_at ?? timestamp(savedAt),
		merge_commit: manifest?.merge_commit ?? null,
		files: manifest?.files ?? null,
	}));
	return { unresolved: await listConflicts(context), saved };
}
