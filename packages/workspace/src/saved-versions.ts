import { type Dirent, readdirSync } from "node:fs";
import path from "node:path";
import { parseCompactTimestamp } from "@robust-sync/system/timestamps";
import type { WorkspacePaths } from "./paths.ts";
import { readState } from "./read-state.ts";
import { type Manifest, manifestSchema } from "./state-schemas.ts";

/** One directory below `sync/conflicts/`. */
export interface SavedDirectory {
	/** `<YYYYMMDDTHHMMSS.mmmZ>` */
	readonly name: string;
	readonly directory: string;
	readonly savedAt: number;
	/** null: the manifest is missing or does not parse (a cleanup by age may remove files one by one). */
	readonly manifest: Manifest | null;
}

/** The saved versions of every resolution, newest first. */
export function listSavedVersions(paths: WorkspacePaths, limit = Number.POSITIVE_INFINITY): SavedDirectory[] {
	let entries: Dirent[];
	try {
		entries = readdirSync(paths.conflicts, { withFileTypes: true });
	} catch {
		return [];
	}
	const names = entries
		.filter((entry) => entry.isDirectory() && parseCompactTimestamp(entry.name) !== null)
		.map((entry) => entry.name)
		.sort()
		.reverse()
		.slice(0, limit);
	return names.map((name) => ({
		name,
		directory: path.join(paths.conflicts, name),
		savedAt: parseCompactTimestamp(name) ?? 0,
		manifest: readSavedVersions(paths, name),
	}));
}

/** The manifest of one directory in `sync/conflicts/`; null: missing, or it does not parse. */
export function readSavedVersions(paths: WorkspacePaths, name: string): Manifest | null {
	const read = readState(path.join(paths.conflicts, name, "manifest.json"), manifestSchema);
	return read.kind === "ok" ? read.state : null;
}
