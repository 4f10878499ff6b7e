import { besidePath, blobOid, fileSystemPath, type GitPath, type Repository } from "@robust-sync/git";
import { lstatIfThere } from "@robust-sync/system/lstat";
import type { ReplacedFile } from "@robust-sync/workspace";

/**
 * The path for what a program wrote to a replaced file through a descriptor from before the checkout: the file's own; or one beside it, where
 * that one is a directory by now, a link (which is no text), a pipe, socket or device. All that comes through one descriptor goes to one file.
 * @param backup the name of the backup that has the file
 */
export function lateWritePlace({ root, objectFormat }: Repository, backup: string, { path: name, file }: ReplacedFile): GitPath {
	let stats: ReturnType<typeof lstatIfThere> = null;
	try {
		stats = lstatIfThere(fileSystemPath(root, name));
	} catch {
		// It cannot be told: putting it there says why.
	}
	if (stats === null || stats.isFile()) return name;
	return besidePath(name, blobOid(Buffer.from(`${backup}/${file}`), objectFormat));
}
