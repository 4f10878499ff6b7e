import fs from "node:fs";

/**
 * By what a file is known to be as it was: another one at its path, or another content, has another stamp.
 * @param stat `fs.lstatSync` where a link is not followed
 * @returns "": there is none
 */
export function fileStamp(file: string, stat: typeof fs.statSync = fs.statSync): string {
	const stats = stat(file, { throwIfNoEntry: false });
	return stats ? `${stats.ino} ${stats.mtimeMs} ${stats.size}` : "";
}
