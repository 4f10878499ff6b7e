import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import path from "node:path";
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

/** The same, while other work goes on. */
async function fsyncDirectoryAside(directory: string): Promise<void> {
	const handle = await open(directory, "r");
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}

/** Numbers the temporary files of this process. Maintenance removes those that a crash leaves, by their ending. */
let written = 0;

/** The name of a new temporary file, in a directory of ours. */
function nextName(file: string): string {
	makeOwnDirectory(path.dirname(file));
	const next = `${file}.${process.pid}-${++written}.tmp`;
	// A process that was killed had our id.
	rmSync(next, { force: true });
	return next;
}

/** What a state file has, and every file system gives. */
const ownMode = 0o600;

/** Node repeats a short write, so that a nearly full disk is an ENOSPC. */
async function writeDurably(next: string, content: string | Buffer, mode: number): Promise<void> {
	const handle = await open(next, "wx", mode);
	try {
		await handle.writeFile(content);
		if (mode !== ownMode) await handle.chmod(mode);
		await handle.sync();
	} finally {
		await handle.close();
	}
}

function writeDurablySync(next: string, content: string | Buffer, mode: number): void {
	const fd = openSync(next, "wx", mode);
	try {
		writeFileSync(fd, content);
		if (mode !== ownMode) fchmodSync(fd, mode);
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
}

/** The last write of each file, so that a later one waits for it. */
const queues = new Map<string, Promise<void>>();

/**
 * Writes `content` so that a reader, or a crash, sees the old file or the new one and nothing else: temporary file in the
 * same directory, fsync, rename, fsync of the directory. A link in the file's place is replaced, not followed. Concurrent writes of one process to one file are put in order.
 * @throws the file system's error (ENOSPC, EACCES, …); the old file is then untouched.
 */
export async function writeAtomic(file: string, content: string | Buffer, mode = ownMode): Promise<void> {
	const write = async () => {
		const next = nextName(file);
		faultPoint("write-before");
		try {
			await writeDurably(next, content, mode);
			await rename(next, file);
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

/** The same, synchronously: for journals that must be on disk before the next statement. */
export function writeAtomicSync(file: string, content: string | Buffer, mode = ownMode): void {
	const next = nextName(file);
	faultPoint("write-sync-before");
	try {
		writeDurablySync(next, content, mode);
		renameSync(next, file);
	} catch (error) {
		rmSync(next, { force: true });
		throw error;
	}
	faultPoint("write-sync-renamed");
	fsyncDirectory(path.dirname(file));
}
