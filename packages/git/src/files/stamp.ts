import type { FileStats } from "@robust-sync/system/files";
import { fileSystemPath, type GitPath } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";

/** Identifies a file on disk by lstat, so that a later write shows. "absent": there is none. */
export function statStamp(stats: FileStats | null): string {
	return stats === null ? "absent" : `${stats.mode.toString(8)} ${stats.ino} ${stats.size} ${stats.mtimeMs}`;
}

/** The stamp of a path in a working tree (`statStamp`); null: the file system does not report it. */
export function stampOf({ root, files }: Pick<Repository, "root" | "files">, name: GitPath): string | null {
	try {
		return statStamp(files.lstatIfThere(fileSystemPath(root, name)));
	} catch {
		return null;
	}
}
