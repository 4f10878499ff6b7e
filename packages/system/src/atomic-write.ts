import { lstatSync, rmSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import path from "node:path";
import writeFileAtomic from "write-file-atomic";
import { diskFiles } from "./disk-files.ts";
import { faultPoint } from "./fault-points.ts";
import type { Files } from "./files.ts";
import { makeOwnDirectory } from "./own-directory.ts";

/** Makes the names in `directory` durable: after a rename, the rename itself (fsync(2), NOTES). */
export function fsyncDirectory(directory: string): void {
	diskFiles.syncDirectory(directory);
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

/** Refuses a directory that is not ours, and a link in the file's place: write-file-atomic would replace the target of the link. */
function preparePlace(file: string, files: Files): void {
	makeOwnDirectory(path.dirname(file), files);
	if (files.lstatIfThere(file)?.isSymbolicLink()) files.unlink(file);
}

/** Numbers the temporary files of this process. Maintenance removes those that a crash leaves, by their ending. */
let written = 0;
const nextName = (file: string) => `${file}.${process.pid}-${++written}.tmp`;

/**
 * Detects a short write. write-file-atomic calls write(2) once; on a nearly full disk that writes only a part and reports no error.
 * @throws ENOSPC
 */
function assertWhole(next: string, content: string | Buffer): void {
	if (lstatSync(next).size === Buffer.byteLength(content)) return;
	throw Object.assign(new Error(`ENOSPC: no space left on device, write '${next}'`), { code: "ENOSPC", syscall: "write", path: next });
}

/** The last write of each file, so that a later one waits for it. */
const queues = new Map<string, Promise<void>>();

/**
 * Writes `content` so that a reader, or a crash, sees the old file or the new one and nothing else: temporary file in the
 * same directory, fsync, rename, fsync of the directory. Concurrent writes of one process to one file are put in order.
 * @throws the file system's error (ENOSPC, EACCES, …); the old file is then untouched.
 */
export async function writeAtomic(file: string, content: string | Buffer, mode = 0o600): Promise<void> {
	const write = async () => {
		preparePlace(file, diskFiles);
		faultPoint("write-before");
		const next = nextName(file);
		try {
			await writeFileAtomic(next, content, { mode });
			assertWhole(next, content);
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

/**
 * The same, synchronously: for journals that must be on disk before the next statement.
 * @param files the file system to write to; this machine's by default
 */
export function writeAtomicSync(file: string, content: string | Buffer, mode = 0o600, files: Files = diskFiles): void {
	preparePlace(file, files);
	faultPoint("write-sync-before");
	const next = nextName(file);
	try {
		// An earlier process with the same id may have been killed right here.
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
