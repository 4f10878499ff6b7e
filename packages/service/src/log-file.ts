import {
	closeSync,
	constants,
	fstatSync,
	lstatSync,
	mkdirSync,
	openSync,
	readFileSync,
	renameSync,
	type Stats,
	statSync,
	unlinkSync,
	writeSync,
} from "node:fs";
import path from "node:path";
import { isProcessAlive } from "@robust-sync/system/process-alive";

/** The place and the limits of a log file. */
export interface LogFileOptions {
	path: string;
	/** A record that would make the file larger than this many bytes goes to a new file. */
	maxBytes: number;
	/** How many older files are kept beside it: `<path>.1` (the youngest) to `<path>.<keep>`. */
	keep: number;
}

// A rotation is a handful of renames; a process that holds the rotation lock longer than this is gone, or its pid is reused.
const rotationLockStaleMs = 60_000;

/**
 * A log file that several processes append to. Each record is one write(2) with O_APPEND, so it is in the
 * file even if the process dies right after, and whole between the records of other processes. Before each write
 * the path is compared with the open file: a file that logrotate moved, that someone deleted, or that another
 * process rotated is opened again.
 */
export class LogFile {
	readonly #options: LogFileOptions;
	#fd: number | undefined;
	#opened: Stats | undefined;
	#torn = false;

	constructor(options: LogFileOptions) {
		this.#options = options;
	}

	/**
	 * Appends one record.
	 *
	 * @param line the record with its line feed
	 * @throws the error of the file system when it could not be written; the next call tries again
	 */
	write(line: string): void {
		const bytes = Buffer.from(this.#torn ? `\n${line}` : line);
		try {
			let stat = lstatSync(this.#options.path, { throwIfNoEntry: false });
			if (stat?.isFile() && stat.size > 0 && stat.size + bytes.length > this.#options.maxBytes && this.#rotate(bytes.length))
				stat = undefined;
			if (this.#fd === undefined || !stat || stat.ino !== this.#opened?.ino || stat.dev !== this.#opened.dev) this.#open();
			this.#append(bytes);
		} catch (error) {
			this.close();
			throw error;
		}
	}

	/** Closes the file; a later write opens it again. */
	close(): void {
		const fd = this.#fd;
		this.#fd = undefined;
		this.#opened = undefined;
		if (fd === undefined) return;
		try {
			closeSync(fd);
		} catch {
			// nothing is buffered here, so nothing is lost
		}
	}

	#open(): void {
		this.close();
		const { path: file } = this.#options;
		// O_NONBLOCK: a fifo without a reader must be an error, not a hang. It has no effect on files.
		// O_NOFOLLOW: root must not write through another user's link in the workspace.
		const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOFOLLOW;
		const directory = path.dirname(file);
		assertOurDirectory(directory);
		try {
			this.#fd = openSync(file, flags, 0o600);
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === "ELOOP") throw new Error(`${file} is a symbolic link: remove it`, { cause: error });
			if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
			// Creates only the last directory: if the whole workspace is gone, no part of it must reappear.
			assertOurDirectory(path.dirname(directory));
			mkdirSync(directory, { mode: 0o700 });
			this.#fd = openSync(file, flags, 0o600);
		}
		this.#opened = fstatSync(this.#fd);
	}

	#append(bytes: Buffer): void {
		let done = 0;
		try {
			while (done < bytes.length) done += writeSync(this.#fd!, bytes, done);
			this.#torn = false;
		} catch (error) {
			// The disk became full in the middle of a record: the next one starts on a line of its own.
			if (done > 0) this.#torn = true;
			throw error;
		}
	}

	/** Shifts the rotated files by one, unless another process does so or just did. Returns whether the path was vacated. */
	#rotate(incoming: number): boolean {
		const { path: file, keep, maxBytes } = this.#options;
		const lock = `${file}.rotating`;
		if (!takeRotationLock(lock)) return false;
		try {
			const size = lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
			if (size === 0 || size + incoming <= maxBytes) return true;
			for (let i = keep - 1; i >= 1; i--) renameIfThere(`${file}.${i}`, `${file}.${i + 1}`);
			if (keep > 0) renameIfThere(file, `${file}.1`);
			else unlinkSync(file);
			return true;
		} catch {
			// The directory is not writable: the file grows, which loses nothing.
			return false;
		} finally {
			unlinkIfThere(lock);
		}
	}
}

/** The directory of a log file must not be a symbolic link; and root writes into no directory of another user, who could put any link there. */
function assertOurDirectory(directory: string): void {
	const stats = lstatSync(directory, { throwIfNoEntry: false });
	if (stats?.isSymbolicLink()) throw new Error(`${directory} is a symbolic link: put a directory in its place`);
	if (stats && process.geteuid?.() === 0 && stats.uid !== 0)
		throw new Error(`${directory} belongs to user ${stats.uid}, and root writes nothing into it: run this as that user`);
}

function takeRotationLock(lock: string): boolean {
	try {
		const fd = openSync(lock, "wx", 0o600);
		writeSync(fd, String(process.pid));
		closeSync(fd);
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "EEXIST" && isStale(lock)) unlinkIfThere(lock);
		// Rotation is never urgent: the next record tries again.
		return false;
	}
}

function isStale(lock: string): boolean {
	try {
		const pid = Number(readFileSync(lock, "utf8"));
		if (pid > 0 && !isProcessAlive(pid)) return true;
		return Math.abs(Date.now() - statSync(lock).mtimeMs) > rotationLockStaleMs;
	} catch {
		return false;
	}
}

function renameIfThere(from: string, to: string): void {
	try {
		renameSync(from, to);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
	}
}

function unlinkIfThere(file: string): void {
	try {
		unlinkSync(file);
	} catch {
		// gone already
	}
}
