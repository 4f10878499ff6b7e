import fs from "node:fs";
import { absent } from "./lstat.ts";

export type FileStats = fs.Stats;
/** Times in nanoseconds. */
export type ExactStats = fs.BigIntStats;

/** The bytes of a name, or a text. */
export type FileName = Buffer | string;

/** Flags of open(2). */
export const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = fs.constants;
const isLinux = process.platform === "linux";

/** open(2), the same numbers on every architecture on which Node runs; Node has no names for them. */
export const O_NOATIME = isLinux ? 0o1000000 : 0;
/** A directory that may be passed through need not be readable. */
const O_PATH = isLinux ? 0o10000000 : 0;

/** The access time of an unread file is so much older than its content: Linux sets it at the first read then (relatime, mount(8)). */
const unreadAgeSeconds = 2 * 24 * 60 * 60;

/** More files than this are made durable by one sync of their file system, instead of one fsync each. */
export const fsyncEachUpTo = 64;

/** Whether an error of open(2) or fsync(2) means that there is nothing that could be made durable: it is gone, or its file system has no fsync. */
export function isUnsyncable(error: unknown): boolean {
	return ["ENOENT", "ENOTDIR", "ELOOP", "EACCES", "EPERM", "EINVAL", "ENOTSUP", "ENOSYS", "EROFS", "ENXIO"].includes(codeOf(error));
}

/** Adds a name, once, to those that are made durable one by one, up to as many as mean that their whole file system is. */
export function addUpToAll<Name extends FileName>(names: Name[], name: Name): void {
	if (names.length <= fsyncEachUpTo && !names.some((known) => isSameName(known, name))) names.push(name);
}

const isSameName = (one: FileName, other: FileName) => (Buffer.isBuffer(one) && Buffer.isBuffer(other) ? one.equals(other) : one === other);

const readAtATime = 4_096;

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? "";

/** Options of `writeFile`. */
export interface WriteOptions {
	/** Permission bits of a new file, less the umask's. Default: 0666. */
	readonly mode?: number;
	/** Fails with EEXIST if the file exists. */
	readonly isNew?: boolean;
	/** Returns when the content is on disk. */
	readonly isDurable?: boolean;
}

/**
 * The file system as a checkout uses it. The abstract methods are one system call each, with the errors of Node; all others are made from them. A
 * name is relative to nothing: it is absolute.
 */
export abstract class Files {
	abstract lstat(file: FileName): FileStats;
	abstract lstatExactly(file: FileName): ExactStats;
	/** Follows links. */
	abstract stat(file: FileName): FileStats;
	/** Follows links. @throws if this process may not read the file */
	abstract checkReadable(file: FileName): void;
	/** Of an open file. */
	abstract fstat(descriptor: number): FileStats;
	/** @returns a descriptor */
	abstract open(file: FileName, flags: number, mode?: number): number;
	abstract close(descriptor: number): void;
	/** Reads from the descriptor's position on. @returns the number of bytes; 0: the end */
	abstract read(descriptor: number, into: Buffer): number;
	/** Writes at the descriptor's position. @returns the number of bytes */
	abstract write(descriptor: number, bytes: Uint8Array): number;
	abstract fsync(descriptor: number): void;
	abstract readlink(file: FileName): Buffer;
	abstract symlink(target: Buffer, file: FileName): void;
	abstract link(file: FileName, other: FileName): void;
	abstract rename(from: FileName, to: FileName): void;
	abstract unlink(file: FileName): void;
	/** @param mode permission bits, less the umask's. Default: 0777 */
	abstract mkdir(directory: FileName, mode?: number): void;
	abstract rmdir(directory: FileName): void;
	/** The names in a directory. */
	abstract readdir(directory: FileName): Buffer[];
	abstract chmod(file: FileName, mode: number): void;
	/** Of a link, the link's own. */
	abstract lchown(file: FileName, uid: number, gid: number): void;
	/** @param atime seconds since the epoch @param mtime the same */
	abstract utimes(file: FileName, atime: number, mtime: number): void;
	/** The absolute name without links. */
	abstract realpath(file: FileName): Buffer;
	/** A name of an open directory that stays right whatever becomes of the directories above it; null: it has none here. */
	abstract nameOfOpen(descriptor: number): string | null;
	/** Copies a file that other files may share blocks with. @param isNew fails with EEXIST if `to` exists */
	abstract copy(from: FileName, to: FileName, isNew: boolean): void;
	/** Copies a file by sharing its blocks. @throws if the file system cannot */
	abstract clone(from: FileName, to: FileName): void;
	/** Returns when the contents of files are on disk. @param directory any directory on their file system */
	abstract makeDurable(files: readonly FileName[], directory: string): Promise<void>;
	/**
	 * Returns when the names in directories, and the permission bits of files, are on disk. What is gone is left out.
	 * @param directory any directory on their file system
	 */
	abstract makeChangesDurable(names: readonly FileName[], directory: string): Promise<void>;
	/** Those of some directories that have an access control list. */
	abstract withAccessLists(directories: readonly string[]): Promise<ReadonlySet<string>>;

	/**
	 * The entry at a path, links not followed; null: there is none, also because something above it is no directory or the
	 * name is longer than any can be.
	 * @throws the file system's error for all else, such as EACCES
	 */
	lstatIfThere(file: FileName): FileStats | null {
		try {
			return this.lstat(file);
		} catch (error) {
			if (absent.has(codeOf(error))) return null;
			throw error;
		}
	}

	/**
	 * A text that changes whenever the entry at a path, links not followed, is written or replaced; null: there is none. The inode counts because
	 * state files are replaced by rename; the time of change (ctime) reveals a write whose own time was set back.
	 */
	stampIfThere(file: FileName): string | null {
		if (this.lstatIfThere(file) === null) return null;
		const { ino, size, mtimeNs, ctimeNs } = this.lstatExactly(file);
		return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
	}

	/** Whether something is at a path, links followed. */
	exists(file: FileName): boolean {
		try {
			this.stat(file);
			return true;
		} catch {
			return false;
		}
	}

	/** Opens a directory that need not be readable. @param followsLink whether it may be a link to one */
	openDirectory(directory: FileName, followsLink = false): number {
		return this.open(directory, O_DIRECTORY | O_PATH | (followsLink ? 0 : O_NOFOLLOW));
	}

	/**
	 * Opens a file to be read such that its access time stays, where the kernel allows it: to its owner and to root. Elsewhere the read leaves
	 * its trace, which only means that less is known of what others have read.
	 */
	openUnseen(file: FileName, flags: number = O_RDONLY): number {
		try {
			return this.open(file, flags | O_NOATIME);
		} catch (error) {
			if (!["EPERM", "EINVAL"].includes(codeOf(error))) throw error;
			return this.open(file, flags);
		}
	}

	/** From the descriptor's position to the end. */
	readAll(descriptor: number): Buffer {
		const parts: Buffer[] = [];
		for (;;) {
			const part = Buffer.allocUnsafe(readAtATime);
			const length = this.read(descriptor, part);
			if (length === 0) return Buffer.concat(parts);
			parts.push(part.subarray(0, length));
		}
	}

	writeAll(descriptor: number, content: Uint8Array): void {
		for (let at = 0; at < content.length; ) at += this.write(descriptor, content.subarray(at));
	}

	readFile(file: FileName): Buffer {
		return this.#withOpen(this.open(file, O_RDONLY), (descriptor) => this.readAll(descriptor));
	}

	/** The content of a file, read such that its access time stays, where the kernel allows it. */
	readUnseen(file: FileName): Buffer {
		return this.#withOpen(this.openUnseen(file), (descriptor) => this.readAll(descriptor));
	}

	/** Replaces a file's content in place. */
	writeFile(file: FileName, content: Uint8Array, { mode = 0o666, isNew = false, isDurable = false }: WriteOptions = {}): void {
		const flags = O_WRONLY | O_CREAT | (isNew ? O_EXCL : O_TRUNC);
		this.#withOpen(this.open(file, flags, mode), (descriptor) => {
			this.writeAll(descriptor, content);
			if (isDurable) this.fsync(descriptor);
		});
	}

	/** Gives a file of ours the access time of an unread file. Its other times stay, to a microsecond. */
	markUnread(file: FileName): void {
		const { mtimeNs } = this.lstatExactly(file);
		this.utimes(file, Number(mtimeNs / 1_000_000_000n) - unreadAgeSeconds, Number(mtimeNs / 1_000n) / 1e6);
	}

	/** Makes the content of a file, or the names in a directory, durable, where its file system can. @param name no link */
	makeDurableNow(name: FileName): void {
		try {
			this.#withOpen(this.open(name, O_RDONLY | O_NONBLOCK), (descriptor) => this.fsync(descriptor));
		} catch (error) {
			if (!isUnsyncable(error)) throw error;
		}
	}

	/** Makes the names in a directory durable. @throws the file system's error, also if it cannot */
	syncDirectory(directory: string): void {
		this.#withOpen(this.open(directory, O_RDONLY), (descriptor) => this.fsync(descriptor));
	}

	/** Removes a file, if there is one. */
	unlinkIfThere(file: FileName): void {
		try {
			this.unlink(file);
		} catch (error) {
			if (!["ENOENT", "ENOTDIR"].includes(codeOf(error))) throw error;
		}
	}

	/** Makes a directory of ours, and those above it. @param directory its name without links */
	makeTree(directory: string, mode = 0o777): void {
		try {
			this.mkdir(directory, mode);
		} catch (error) {
			if (codeOf(error) === "EEXIST") return;
			if (codeOf(error) !== "ENOENT") throw error;
			this.makeTree(directory.slice(0, directory.lastIndexOf("/")), mode);
			this.mkdir(directory, mode);
		}
	}

	/** Removes a directory of ours with all below, if there is one; or a file. */
	removeTree(directory: FileName): void {
		const stats = this.lstatIfThere(directory);
		if (stats === null) return;
		if (!stats.isDirectory()) {
			this.unlinkIfThere(directory);
			return;
		}
		for (const name of this.readdir(directory)) this.removeTree(Buffer.concat([Buffer.from(directory), Buffer.from("/"), name]));
		this.rmdir(directory);
	}

	#withOpen<T>(descriptor: number, use: (descriptor: number) => T): T {
		try {
			return use(descriptor);
		} finally {
			this.close(descriptor);
		}
	}
}
