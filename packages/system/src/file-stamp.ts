import { type BigIntStats, type lstatSync, statSync } from "node:fs";

/**
 * A file with the same stamp as before was neither written nor replaced. The inode counts because state files are replaced by rename; the time of
 * change (ctime) reveals a write whose own time was set back.
 * @param stat `lstatSync` where a link is not followed
 * @returns null: there is no file, even if its directory is a file (there `statSync` of Node 22 and newer returns undefined; the others throw ENOTDIR)
 * @throws any other error of the file system
 */
export function fileStamp(file: string | Buffer, stat: typeof statSync | typeof lstatSync = statSync): string | null {
	const stats = statsOf(file, stat);
	return stats ? `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}` : null;
}

function statsOf(file: string | Buffer, stat: typeof statSync | typeof lstatSync): BigIntStats | undefined {
	try {
		return stat(file, { bigint: true, throwIfNoEntry: false });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
		throw error;
	}
}
