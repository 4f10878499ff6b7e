import type fs from "node:fs";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { fileSystemPath, type GitPath } from "../paths/git-path.ts";

/** Identifies a file on disk by lstat, so that a later write shows. "absent": there is none. */
export function statStamp(stats: fs.Stats | null): string {
	return stats === null ? "absent" : `${stats.mode.toString(8)} ${stats.ino} ${stats.size} ${stats.mtimeMs}`;
}

/** The stamp of a path in a working tree (`statStamp`); null: the file system does not report it. */
export function stampOf(root: string, name: GitPath): string | null {
	try {
		return statStamp(lstatIfThere(fileSystemPath(root, name)));
	} catch {
		return null;
	}
}
