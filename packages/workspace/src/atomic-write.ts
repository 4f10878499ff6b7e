import { closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import path from "node:path";
import writeFileAtomic from "write-file-atomic";
import { faultPoint } from "./fault-points.ts";

/** Makes the names in `directory` durable: after a rename, the rename itself (fsync(2), NOTES). */
export function fsyncDirectory(directory: string): void {
	const fd = openSync(directory, "r");
	try {
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
}

// One level only: a workspace that was taken away must not come back as an empty directory.
function ensureDirectory(directory: string): void {
	try {
		mkdirSync(directory);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
	}
}

/**
 * Writes `content` so that a reader, or a crash, sees the old file or the new one and nothing else: temporary file in the
 * same directory, fsync, rename, fsync of the directory. Concurrent writes of one process to one file are put in order.
 * @throws the file system's error (ENOSPC, EACCES, …); the old file is then untouched.
 */
export async function writeAtomic(file: string, content: string | Buffer, mode = 0o644): Promise<void> {
	ensureDirectory(path.dirname(file));
	faultPoint("write-before");
	await writeFileAtomic(file, content, { mode });
	faultPoint("write-renamed");
	fsyncDirectory(path.dirname(file));
}

/** The same, at once: for journals that must be on disk before the next statement. */
export function writeAtomicSync(file: string, content: string | Buffer, mode = 0o644): void {
	ensureDirectory(path.dirname(file));
	faultPoint("write-sync-before");
	writeFileAtomic.sync(file, content, { mode });
	faultPoint("write-sync-renamed");
	fsyncDirectory(path.dirname(file));
}
