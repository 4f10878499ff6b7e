import { closeSync, fchmodSync, fstatSync, fsync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { diskFiles } from "./disk-files.ts";
import { faultPoint } from "./fault-points.ts";
import type { Files } from "./files.ts";
import { makeOwnDirectory } from "./own-directory.ts";

/** fsync(2) of an open file, while other work goes on. */
export const fsyncAside = promisify(fsync);

/** Makes the names in `directory` durable: after a rename, the rename itself (fsync(2), NOTES). */
export function fsyncDirectory(directory: string): void {
	diskFiles.syncDirectory(directory);
}

/** The same, while other work goes on. */
async function fsyncDirectoryAside(directory: string): Promise<void> {
	const fd = openSync(directory, "r");
	try {
		await fsyncAside(fd);
	} finally {
		closeSync(fd);
	}
}

/** Refuses a directory that is not ours, and removes a link in the file's place. */
function preparePlace(file: string, files: Files): void {
	makeOwnDirectory(path.dirname(file), files);
	if (files.lstatIfThere(file)?.isSymbolicLink()) files.unlink(file);
}

/** Numbers the temporary files of this process. Maintenance removes those that a crash leaves, by their ending. */
let written = 0;
const nextName = (file: string) => `${file}.${process.pid}-${++written}.tmp`;

/** Fills a new file, which is durable when this resolves. @throws the file system's error, also when only a part has room */
async function writeNew(file: string, content: Buffer, mode: number): Promise<void> {
	const fd = openSync(file, "wx", mode);
	try {
		writeFileSync(fd, content);
		// Of a new file's bits, the umask takes some away.
		if ((fstatSync(fd).mode & 0o777) !== mode) fchmodSync(fd, mode);
		await fsyncAside(fd);
	} finally {
		closeSync(fd);
	}
}

/** The last write of each file, so that a later one waits for it. */
const queues = new Map<string, Promise<void>>();

/**
 * Writes `content` so that a reader, or a crash, sees the old file or the new one and nothing else: temporary file in the
 * same directory, fsync, rename, fsync of the directory. Concurrent writes of one process to one file are put in order.
 * Only the waits for the disk go to the thread pool: a peer learns of a cycle's result after its state file is written.
 * @throws the file system's error (ENOSPC, EACCES, …); the old file is then untouched.
 */
export async function writeAtomic(file: string, content: string | Buffer, mode = 0o600): Promise<void> {
	const write = async () => {
		preparePlace(file, diskFiles);
		faultPoint("write-before");
		const next = nextName(file);
		try {
			// A process of before, with the same id, may have been killed right here.
			rmSync(next, { force: true });
			await writeNew(next, Buffer.from(content), mode);
			renameSync(next, file);
		} catch (error) {
			rmSync(next, { force: true });
			throw error;
		}
		faultPoint("write-renamed");
		await fsyncDirectoryAside(path.dirname(file));
	};
	const before = queues.get(file) ?? Promise.resolve();
	const result = before.then(write, write);
	// A failed write is reported to its caller, and must not stop the next one.
	const finished = result.catch(() => undefined);
	queues.set(file, finished);
	try {
		await result;
	} finally {
		if (queues.get(file) === finished) queues.delete(file);
	}
}

/**
 * The same, synchronously: for journals that must be on disk before the next statement.
 * @param files the file system to write to; this machine's by default
 */
export function writeAtomicSync(file: string, content: string | Buffer, mode = 0o600, files: Files = diskFiles): void {
	preparePlace(file, files);
	faultPoint("write-sync-before");
	const next = nextName(file);
	try {
		// A process of before, with the same id, may have been killed right here.
		files.unlinkIfThere(next);
		files.writeFile(next, typeof content === "string" ? Buffer.from(content) : content, { mode, isNew: true, isDurable: true });
		// Of a new file's bits, the umask takes some away.
		if ((files.lstat(next).mode & 0o777) !== mode) files.chmod(next, mode);
		files.rename(next, file);
	} catch (error) {
		files.unlinkIfThere(next);
		throw error;
	}
	faultPoint("write-sync-renamed");
	files.syncDirectory(path.dirname(file));
}
