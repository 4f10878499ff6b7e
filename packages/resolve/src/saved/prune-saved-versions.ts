import { type Dirent, readdirSync, rmdirSync, rmSync } from "node:fs";
import path from "node:path";
import { kernelProcessTable } from "@robust-sync/system/process-table";
import { parseCompactTimestamp } from "@robust-sync/system/timestamps";
import type { WorkspacePaths } from "@robust-sync/workspace";

/** How a directory is named while it is being written: `.unfinished-<pid>-<random>`. */
export const unfinishedPrefix = ".unfinished-";

/** Removes a directory tree that contains no file. */
function removeIfEmpty(directory: string): boolean {
	let entries: Dirent[];
	try {
		entries = readdirSync(directory, { withFileTypes: true });
	} catch {
		return false;
	}
	const kept = entries.filter((entry) => !entry.isDirectory() || !removeIfEmpty(path.join(directory, entry.name)));
	if (kept.length > 0) return false;
	try {
		rmdirSync(directory);
		return true;
	} catch {
		return false;
	}
}

/**
 * Tidies `sync/conflicts/` after a person's `find sync/conflicts -mtime +30 -delete`, and after a crash: directories without a file, and
 * directories that were being written by a process that is gone. Never a saved version.
 */
export function pruneSavedVersions(paths: WorkspacePaths): void {
	let names: string[];
	try {
		names = readdirSync(paths.conflicts);
	} catch {
		return;
	}
	for (const name of names) {
		const directory = path.join(paths.conflicts, name);
		if (parseCompactTimestamp(name) !== null) removeIfEmpty(directory);
		else if (name.startsWith(unfinishedPrefix)) {
			const pid = Number(name.slice(unfinishedPrefix.length).split("-")[0]);
			if (pid !== process.pid && kernelProcessTable.startTicks(pid) === null) rmSync(directory, { recursive: true, force: true });
		}
	}
}
