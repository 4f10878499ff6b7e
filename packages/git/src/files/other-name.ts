import fs from "node:fs";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { directoriesAbove, fileSystemPath, type GitPath } from "../paths/git-path.ts";

const slash = 0x2f;

/** Another form of a name: on a file system that ignores case or the normalization of letters, it finds the same file. Null: there is none. */
function otherForm(name: Buffer): Buffer | null {
	const text = name.toString();
	if (!Buffer.from(text).equals(name)) return null;
	const other = [text.toLowerCase(), text.toUpperCase(), text.normalize("NFC"), text.normalize("NFD")].find((form) => form !== text);
	return other === undefined ? null : Buffer.from(other);
}

/**
 * Whether the file at a path has another name there: a file system that ignores case finds `f.md` for `F.md`. Such a path has no file of its own.
 * Lists the directory only where another form of the name finds the same file.
 * @param file of a directory that is named exactly
 * @throws the file system's error
 */
export function hasOtherName(file: Buffer): boolean {
	const at = file.lastIndexOf(slash) + 1;
	const name = file.subarray(at);
	const other = otherForm(name);
	if (other === null) return false;
	const stats = lstatIfThere(file);
	if (stats === null) return false;
	const same = lstatIfThere(Buffer.concat([file.subarray(0, at), other]));
	if (same === null || same.ino !== stats.ino || same.dev !== stats.dev) return false;
	return !fs.readdirSync(file.subarray(0, at), { encoding: "buffer" }).some((entry) => entry.equals(name));
}

/** As `hasOtherName`, for a path in a working tree and each directory above it. False: the file system does not report it. */
export function hasOtherNameBelow(root: string, path: GitPath): boolean {
	try {
		return [...directoriesAbove(path), path].some((name) => hasOtherName(Buffer.from(fileSystemPath(root, name))));
	} catch {
		return false;
	}
}
