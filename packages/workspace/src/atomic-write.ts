import { closeSync, fsyncSync, lstatSync, openSync, unlinkSync } from "node:fs";
import path from "node:path";
import writeFileAtomic from "write-file-atomic";
import { faultPoint } from "./fault-points.ts";
import { makeOwnDirectory } from "./own-directory.ts";

/** Makes the names in `directory` durable: after a rename, the rename itself (fsync(2), NOTES). */
export function fsyncDirectory(directory: string): void {
	const fd = openSync(directory, "r");
	try {
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
}

/** A directory of ours, and no link in the file's place: write-file-atomic would replace the file that the link names. */
function preparePlace(file: string): void {
	makeOwnDirectory(path.dirname(file));
	if (lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink()) unlinkSync(file);
}

/**
 * Writes `content` so that a reader, or a crash, sees the old file or the new one and nothing else: temporary file in the
 * same directory, fsync, rename, fsync of the directory. Concurrent writes of one process to one file are put in order.
 * @throws the file system's error (ENOSPC, EACCES, …); the old file is then untouched.
 */
export async function writeAtomic(file: string, content: string | Buffer, mode = 0o600): Promise<void> {
	preparePlace(file);
	faultPoint("write-before");
	await writeFileAtomic(file, content, { mode });
	faultPoint("write-renamed");
	fsyncDirectory(path.dirname(file));
}

/** The same, at once: for journals that must be on disk before the next statement. */
export function writeAtomicSync(file: string, content: string | Buffer, mode = 0o600): void {
	preparePlace(file);
	faultPoint("write-sync-before");
	writeFileAtomic.sync(file, content, { mode });
	faultPoint("write-sync-renamed");
	fsyncDirectory(path.dirname(file));
}
