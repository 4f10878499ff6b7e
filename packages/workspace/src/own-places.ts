import { lstatSync, type Stats, statSync } from "node:fs";
import path from "node:path";

/** Something else is in the place of one of our own files or directories. Exit code 2. */
export class OwnPlaceError extends Error {
	readonly exitCode = 2;
	override readonly name = "OwnPlaceError";
}

/** The type of each of our own names at the top of a workspace, if it exists; those below `sync/` hold trusted state. */
const places: readonly (readonly [name: string, kind: "directory" | "file"])[] = [
	[".sync_env", "file"],
	["logs", "directory"],
	["sync", "directory"],
	["sync/pending", "directory"],
	["sync/conflicts", "directory"],
	["sync/backups", "directory"],
	["sync/staging", "directory"],
	["sync/versions", "directory"],
];

function problemOf(file: string, stats: Stats, kind: "directory" | "file", ownerOfWorkspace: number): string | null {
	if (stats.isSymbolicLink()) return `${file} is a symbolic link, and robust-sync keeps its own ${kind} there: remove the link`;
	if (kind === "directory" ? !stats.isDirectory() : !stats.isFile())
		return `${file} is no ${kind}, and robust-sync keeps its own there: rename what you have under that name`;
	const user = process.geteuid?.();
	if (kind === "file" || user === undefined || stats.uid === user) return null;
	// Root may work for the owner of the workspace.
	if (user === 0 && stats.uid === ownerOfWorkspace) return null;
	return `${file} belongs to another user (uid ${stats.uid}): run robust-sync as that user, or give it back with 'chown'`;
}

/**
 * Checks that `.sync_env`, `logs/`, `sync/` and the trusted names below it have their proper type: no symbolic links, no other type, no
 * other owner. No file there may be read or written before.
 * @param root the workspace
 * @throws OwnPlaceError with one line with the remedy
 */
export function checkOwnPlaces(root: string): void {
	const owner = statSync(root).uid;
	for (const [name, kind] of places) {
		const file = path.join(root, name);
		const stats = lstatSync(file, { throwIfNoEntry: false });
		const problem = stats && problemOf(file, stats, kind, owner);
		if (problem) throw new OwnPlaceError(problem);
	}
}
