import fs from "node:fs";

/** Codes of lstat(2) for a path at which nothing can be. */
export const absent: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP"]);

/**
 * The entry at a path, links not followed; null: there is none, also because something above it is no directory or the
 * name is longer than any can be.
 * @throws the file system's error for all else, such as EACCES
 */
export function lstatIfThere(file: string | Buffer): fs.Stats | null {
	try {
		// Without an error for what is missing: making one takes longer than the call.
		return fs.lstatSync(file, { throwIfNoEntry: false }) ?? null;
	} catch (error) {
		if (absent.has((error as NodeJS.ErrnoException).code ?? "")) return null;
		throw error;
	}
}
