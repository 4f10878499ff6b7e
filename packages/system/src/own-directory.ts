import { statSync } from "node:fs";
import path from "node:path";
import { diskFiles } from "./disk-files.ts";
import type { Files } from "./files.ts";

/** A directory that this process would write to is a link, not a directory, or another user's. Exit code 2. */
export class NotOursError extends Error {
	readonly exitCode = 2;
	override readonly name = "NotOursError";
}

const trusted = new Set<number>();

/** Allows this process, as root, to write into directories of this user from now on: root has consented in git's safe.directory. */
export function trustOwner(uid: number): void {
	trusted.add(uid);
}

/** The owner of a workspace, if this process is root and the owner is not; null otherwise. */
export function foreignOwner(root: string): number | null {
	if (process.geteuid?.() !== 0) return null;
	const owner = statSync(root, { throwIfNoEntry: false })?.uid ?? 0;
	return owner === 0 ? null : owner;
}

/**
 * Checks `directory` before this process writes into it: it must be a directory and no link, and root writes only into root's own. A user owns the
 * content of their workspace: any path that root opened there could be a link to a file of root by then, and the user could
 * neither change nor remove a file of root. A missing directory passes: the caller that creates it checks the one above.
 * @throws NotOursError
 */
export function assertOurs(directory: string, uid: number | undefined = process.geteuid?.(), files: Files = diskFiles): void {
	const stats = files.lstatIfThere(directory);
	if (stats === null) return;
	if (stats.isSymbolicLink())
		throw new NotOursError(`${directory} is a symbolic link: nothing is written through it; put a directory of your own in its place`);
	if (!stats.isDirectory()) throw new NotOursError(`${directory} is not a directory: move it away`);
	if (uid === 0 && stats.uid !== 0 && !trusted.has(stats.uid))
		throw new NotOursError(
			`${directory} belongs to user ${stats.uid}, and root writes nothing into it: run this as that user (sudo -u '#${stats.uid}' …)`,
		);
}

/**
 * The same for a workspace, which may be reached through a link: its target counts.
 * @throws NotOursError
 */
export function assertOurWorkspace(root: string, files: Files = diskFiles): void {
	try {
		assertOurs(files.realpath(root).toString(), process.geteuid?.(), files);
	} catch (error) {
		if (error instanceof NotOursError) throw error;
		// It is gone: the caller reports that.
	}
}

/**
 * Makes a directory of ours below a workspace, for the owner only; an existing one is kept. One level: a workspace that was
 * removed must not come back as an empty directory.
 * @param directory `sync/`, `logs/`, or one below
 * @throws NotOursError when it, or the directory above it, is not ours; the file system's error
 */
export function makeOwnDirectory(directory: string, files: Files = diskFiles): void {
	const parent = path.dirname(directory);
	const uid = process.geteuid?.();
	if (files.lstatIfThere(parent)?.isSymbolicLink()) assertOurWorkspace(parent, files);
	else assertOurs(parent, uid, files);
	try {
		files.mkdir(directory, 0o700);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
	}
	assertOurs(directory, uid, files);
}
