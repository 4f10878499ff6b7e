import { blobOid, conflictCopyPath, fileSystemPath, type GitPath, type Repository } from "@robust-sync/git";
import type { FileStats } from "@robust-sync/system/files";
import type { ReplacedFile } from "@robust-sync/workspace";

/**
 * The path for a late write into a replaced file: the file's own path, or one beside it if something other than a regular file is there by now
 * (a directory, link, pipe, socket or device). All writes through one descriptor go to one file.
 * @param backup the name of the backup that has the file
 */
export function lateWritePlace({ root, objectFormat, files }: Repository, backup: string, { path: name, file }: ReplacedFile): GitPath {
	let stats: FileStats | null = null;
	try {
		stats = files.lstatIfThere(fileSystemPath(root, name));
	} catch {
		// Unknown: the write to the path will report the reason.
	}
	if (stats === null || stats.isFile()) return name;
	return conflictCopyPath(name, blobOid(Buffer.from(`${backup}/${file}`), objectFormat));
}
