// Above 400 lines: one file system, whose calls share its inodes, names and descriptors.
import fs from "node:fs";
import {
	type ExactStats,
	type FileName,
	type FileStats,
	Files,
	isUnsyncable,
	O_CREAT,
	O_DIRECTORY,
	O_EXCL,
	O_NOATIME,
	O_NOFOLLOW,
	O_RDONLY,
	O_RDWR,
	O_TRUNC,
	O_WRONLY,
} from "../files.ts";
import { absent } from "../lstat.ts";
import { ModelDisk, type NameChange } from "./model-disk.ts";
import { exactStatsOf, type Inode, isReadShown, statsOf } from "./model-inodes.ts";

const { O_APPEND } = fs.constants;
/** open(2): a descriptor that only names its file. */
const O_PATH = 0o10000000;

const longestName = 255;
const longestPath = 4_095;
const mostLinks = 40;
/** Where descriptors are named. */
const descriptorNames = "/proc/model/fd/";

interface Descriptor {
	readonly inode: Inode;
	readonly flags: number;
	/** A program's; else the checkout's. */
	readonly isProgram: boolean;
	at: number;
}

/** The directory of a name, and what is there. */
interface Place {
	readonly directory: Inode;
	/** One character a byte; null: the name ends in `.` or `..`, or is the top. */
	readonly name: string | null;
	readonly inode: Inode | null;
}

interface NamedPlace extends Place {
	readonly name: string;
}

/** A call of the checkout, before it is made. */
export interface ModelCall {
	/** The method of Files, or `exchange`. */
	readonly name: string;
	/** One character a byte. */
	readonly paths: readonly string[];
}

/** An error of the file system, like those of node:fs. */
export function fileError(code: string, syscall: string, file = ""): Error {
	const { stackTraceLimit } = Error;
	// A stack takes longer than the call, and a checkout expects most of these errors.
	Error.stackTraceLimit = 0;
	const error = Object.assign(new Error(`${code}: ${syscall} '${file}'`), { code, syscall, path: file });
	Error.stackTraceLimit = stackTraceLimit;
	return error;
}

const textOf = (file: FileName) => (typeof file === "string" ? Buffer.from(file) : file).toString("latin1");

/**
 * A file system in memory: inodes with hard links, open descriptors, links, access times as with relatime, exchange, mounted file systems, and the
 * errors of Linux for root. `before` runs before each system call: it can act as another program on the same files, or throw an error of
 * the file system. A power cut leaves what was made durable.
 */
export class ModelFiles extends Files {
	before: ((call: ModelCall) => void) | null = null;
	/** Milliseconds since the epoch. */
	nowMs: () => number = Date.now;
	readonly #top: Inode;
	readonly #disk = new ModelDisk();
	/** What programs have changed since the last time that they made it durable. */
	readonly #byPrograms = new Set<Inode>();
	readonly #descriptors = new Map<number, Descriptor>();
	#isInside = false;
	#inodes = 1;
	#lastDescriptor = 2;

	constructor() {
		super();
		this.#top = this.#newInode("directory", 1, 0o755);
		this.#top.parent = this.#top;
	}

	/** The process of the checkout has ended: its descriptors are closed. */
	endProcess(): void {
		for (const [number, { isProgram }] of this.#descriptors) if (!isProgram) this.#descriptors.delete(number);
	}

	/** Makes everything durable, as sync(2). */
	syncAll(): void {
		this.#disk.syncAll();
		this.#byPrograms.clear();
	}

	/** Programs make durable what they have changed: the files, the directories with the names, and some more where their files are. */
	syncPrograms(directories: readonly string[]): void {
		if (this.#byPrograms.size === 0) return;
		for (const inode of this.#byPrograms) this.#disk.sync(inode);
		this.#byPrograms.clear();
		for (const directory of directories) {
			const { inode } = this.#place("fsync", directory);
			if (inode !== null) this.#disk.sync(inode);
		}
	}

	/** Calls `work` as a program, as during `before`. */
	asProgram<T>(work: () => T): T {
		const was = this.#isInside;
		this.#isInside = true;
		try {
			return work();
		} finally {
			this.#isInside = was;
		}
	}

	/** The power fails: no program is left. @param possibility as for ModelDisk @returns false: there is none with this number, and nothing happened */
	cutPower(possibility: number): boolean {
		if (!this.#disk.cut(this.#top, possibility)) return false;
		for (const [number, { isProgram }] of this.#descriptors) if (isProgram) this.#descriptors.delete(number);
		return true;
	}

	/** Makes a directory the top of a file system of its own, which is empty. */
	mount(directory: FileName): void {
		const place = this.#place("mount", textOf(directory));
		if (place.name === null || place.inode?.kind !== "directory") throw fileError("ENOTDIR", "mount", textOf(directory));
		const parts = { parent: place.directory, isMountPoint: true };
		const top = Object.assign(this.#newInode("directory", place.directory.dev + 1, 0o755), parts);
		place.directory.entries.set(place.name, top);
	}

	/** The numbers of open descriptors. */
	get openDescriptors(): number {
		return this.#descriptors.size;
	}

	lstat(file: FileName): FileStats {
		return statsOf(this.#existing("lstat", file));
	}

	lstatExactly(file: FileName): ExactStats {
		return exactStatsOf(this.#existing("lstat", file));
	}

	/** Without an error for what is missing: making one takes longer than the call. */
	override lstatIfThere(file: FileName): FileStats | null {
		const name = textOf(file);
		this.#meet("lstat", name);
		try {
			const { inode } = this.#place("lstat", name);
			return inode ? statsOf(inode) : null;
		} catch (error) {
			if (absent.has((error as NodeJS.ErrnoException).code ?? "")) return null;
			throw error;
		}
	}

	stat(file: FileName): FileStats {
		return statsOf(this.#existing("stat", file, true));
	}

	fstat(descriptor: number): FileStats {
		this.#meet("fstat");
		return statsOf(this.#opened("fstat", descriptor).inode);
	}

	checkReadable(file: FileName): void {
		this.#existing("access", file, true);
	}

	open(file: FileName, flags: number, mode = 0o666): number {
		const name = textOf(file);
		this.#meet("open", name);
		const [isNew, isMade] = [(flags & O_EXCL) !== 0 && (flags & O_CREAT) !== 0, (flags & O_CREAT) !== 0];
		const follows = (flags & O_NOFOLLOW) === 0 && !isNew;
		const place = this.#place("open", name, follows, isMade);
		let { inode } = place;
		const writes = (flags & (O_WRONLY | O_RDWR)) !== 0;
		if (inode === null) {
			if (!isMade) throw fileError("ENOENT", "open", name);
			inode = this.#add(place, this.#newInode("file", place.directory.dev, mode & ~0o022));
		} else {
			if (isNew) throw fileError("EEXIST", "open", name);
			if (inode.kind === "link" && (flags & O_DIRECTORY) === 0 && (flags & O_PATH) === 0) throw fileError("ELOOP", "open", name);
			if (inode.kind !== "directory" && (flags & O_DIRECTORY) !== 0) throw fileError("ENOTDIR", "open", name);
			if (inode.kind === "directory" && (writes || isMade)) throw fileError("EISDIR", "open", name);
			if ((flags & O_TRUNC) !== 0 && writes) this.#setContent(inode, Buffer.alloc(0));
		}
		const number = ++this.#lastDescriptor;
		this.#descriptors.set(number, { inode, flags, at: 0, isProgram: this.#isInside });
		return number;
	}

	close(descriptor: number): void {
		this.#meet("close");
		this.#opened("close", descriptor);
		this.#descriptors.delete(descriptor);
	}

	read(descriptor: number, into: Buffer): number {
		this.#meet("read");
		const open = this.#opened("read", descriptor);
		const { inode, flags } = open;
		if ((flags & O_PATH) !== 0 || (flags & O_WRONLY) !== 0) throw fileError("EBADF", "read");
		if (inode.kind === "directory") throw fileError("EISDIR", "read");
		const length = inode.content.subarray(open.at, open.at + into.length).copy(into);
		open.at += length;
		if ((flags & O_NOATIME) === 0 && isReadShown(inode, this.nowMs())) inode.atimeMs = this.nowMs();
		return length;
	}

	write(descriptor: number, bytes: Uint8Array): number {
		this.#meet("write");
		const open = this.#opened("write", descriptor);
		const { inode, flags } = open;
		if ((flags & (O_WRONLY | O_RDWR)) === 0) throw fileError("EBADF", "write");
		if (bytes.length === 0) return 0;
		if ((flags & O_APPEND) !== 0) open.at = inode.content.length;
		const next = Buffer.alloc(Math.max(inode.content.length, open.at + bytes.length));
		inode.content.copy(next);
		next.set(bytes, open.at);
		open.at += bytes.length;
		this.#setContent(inode, next);
		return bytes.length;
	}

	fsync(descriptor: number): void {
		this.#meet("fsync");
		const { inode, flags } = this.#opened("fsync", descriptor);
		if ((flags & O_PATH) !== 0) throw fileError("EBADF", "fsync");
		this.#disk.sync(inode);
	}

	readlink(file: FileName): Buffer {
		const inode = this.#existing("readlink", file);
		if (inode.kind !== "link") throw fileError("EINVAL", "readlink", textOf(file));
		return Buffer.from(inode.content);
	}

	symlink(target: Buffer, file: FileName): void {
		const name = textOf(file);
		if (target.includes(0)) throw Object.assign(new TypeError("a NUL in a target"), { code: "ERR_INVALID_ARG_VALUE" });
		this.#meet("symlink", name);
		if (target.length === 0) throw fileError("ENOENT", "symlink", name);
		if (target.length > longestPath) throw fileError("ENAMETOOLONG", "symlink", name);
		const place = this.#free("symlink", name);
		this.#add(place, Object.assign(this.#newInode("link", place.directory.dev, 0o777), { content: Buffer.from(target) }));
	}

	link(file: FileName, other: FileName): void {
		const [from, to] = [textOf(file), textOf(other)];
		this.#meet("link", from, to);
		const inode = this.#there("link", from);
		const place = this.#free("link", to);
		if (inode.dev !== place.directory.dev) throw fileError("EXDEV", "link", from);
		if (inode.kind === "directory") throw fileError("EPERM", "link", from);
		this.#add(place, inode);
		inode.links++;
		inode.ctimeMs = this.nowMs();
	}

	rename(file: FileName, other: FileName): void {
		const [from, to] = [textOf(file), textOf(other)];
		this.#meet("rename", from, to);
		const [source, target] = this.#twoPlaces(from, to);
		const [inode, old] = [source.inode, target.inode];
		if (isWithin(target.directory, inode)) throw fileError("EINVAL", "rename", from);
		if (old !== null && isWithin(source.directory, old)) throw fileError("ENOTEMPTY", "rename", from);
		if (inode === old) return;
		if (old !== null) {
			if (inode.kind === "directory" && old.kind !== "directory") throw fileError("ENOTDIR", "rename", from);
			if (inode.kind !== "directory" && old.kind === "directory") throw fileError("EISDIR", "rename", from);
			if (inode.isMountPoint || old.isMountPoint) throw fileError("EBUSY", "rename", from);
			if (old.entries.size > 0) throw fileError("ENOTEMPTY", "rename", from);
			this.#drop(old);
		}
		if (inode.isMountPoint) throw fileError("EBUSY", "rename", from);
		source.directory.entries.delete(source.name);
		this.#put(target, inode);
		this.#record({ ...source, before: inode, after: null }, { ...target, before: old, after: inode });
		source.directory.mtimeMs = this.nowMs();
		inode.ctimeMs = this.nowMs();
	}

	/** As renameat2(2) with RENAME_EXCHANGE. */
	exchange(file: FileName, other: FileName): void {
		const [from, to] = [textOf(file), textOf(other)];
		this.#meet("exchange", from, to);
		const [source, target] = this.#twoPlaces(from, to);
		if (target.inode === null) throw fileError("ENOENT", "rename", from);
		if (isWithin(target.directory, source.inode) || isWithin(source.directory, target.inode)) throw fileError("EINVAL", "rename", from);
		if (source.inode === target.inode) return;
		if (source.inode.isMountPoint || target.inode.isMountPoint) throw fileError("EBUSY", "rename", from);
		this.#put(source, target.inode);
		this.#put(target, source.inode);
		this.#record({ ...source, before: source.inode, after: target.inode }, { ...target, before: target.inode, after: source.inode });
		for (const inode of [source.inode, target.inode]) inode.ctimeMs = this.nowMs();
	}

	unlink(file: FileName): void {
		const name = textOf(file);
		this.#meet("unlink", name);
		const place = this.#place("unlink", name);
		if (place.inode?.kind === "directory") throw fileError("EISDIR", "unlink", name);
		this.#remove("unlink", name, place);
	}

	mkdir(directory: FileName, mode = 0o777): void {
		const name = textOf(directory);
		this.#meet("mkdir", name);
		const place = this.#free("mkdir", name);
		this.#add(place, this.#newInode("directory", place.directory.dev, mode & ~0o022));
	}

	rmdir(directory: FileName): void {
		const name = textOf(directory);
		this.#meet("rmdir", name);
		const place = this.#place("rmdir", name);
		const { inode } = place;
		if (inode !== null && inode.kind !== "directory") throw fileError("ENOTDIR", "rmdir", name);
		if (inode !== null && place.name === null) throw fileError(name.endsWith("..") ? "ENOTEMPTY" : "EINVAL", "rmdir", name);
		if (inode?.isMountPoint) throw fileError("EBUSY", "rmdir", name);
		if ((inode?.entries.size ?? 0) > 0) throw fileError("ENOTEMPTY", "rmdir", name);
		this.#remove("rmdir", name, place);
	}

	readdir(directory: FileName): Buffer[] {
		const inode = this.#existing("readdir", directory, true);
		if (inode.kind !== "directory") throw fileError("ENOTDIR", "scandir", textOf(directory));
		return [...inode.entries.keys()].map((name) => Buffer.from(name, "latin1"));
	}

	chmod(file: FileName, mode: number): void {
		const inode = this.#existing("chmod", file, true);
		inode.mode = mode;
		if (this.#isInside) this.#byPrograms.add(inode);
		inode.ctimeMs = this.nowMs();
	}

	lchown(file: FileName, uid: number, gid: number): void {
		const inode = this.#existing("lchown", file);
		[inode.uid, inode.gid, inode.ctimeMs] = [uid, gid, this.nowMs()];
	}

	utimes(file: FileName, atime: number, mtime: number): void {
		const inode = this.#existing("utimes", file, true);
		[inode.atimeMs, inode.mtimeMs, inode.ctimeMs] = [atime * 1000, mtime * 1000, this.nowMs()];
	}

	realpath(file: FileName): Buffer {
		const inode = this.#existing("realpath", file, true);
		const names: string[] = [];
		for (let at = inode; at !== this.#top; ) {
			const { parent } = at;
			if (parent === null) throw new Error("realpath is for directories here");
			names.unshift([...parent.entries].find(([, entry]) => entry === at)?.[0] ?? "");
			at = parent;
		}
		return Buffer.from(`/${names.join("/")}`, "latin1");
	}

	nameOfOpen(descriptor: number): string {
		return `${descriptorNames}${descriptor}`;
	}

	copy(from: FileName, to: FileName, isNew: boolean): void {
		const source = this.open(from, O_RDONLY);
		const { inode } = this.#opened("copyfile", source);
		const target = this.open(to, O_WRONLY | O_CREAT | (isNew ? O_EXCL : 0), inode.mode);
		const copied = this.#opened("copyfile", target).inode;
		if (copied !== inode) {
			this.#setContent(copied, Buffer.alloc(0));
			copied.mode = inode.mode;
			if (inode.content.length > 0) this.writeAll(target, this.readAll(source));
		}
		this.close(target);
		this.close(source);
	}

	clone(from: FileName): void {
		throw fileError("ENOTSUP", "copyfile", textOf(from));
	}

	async makeDurable(files: readonly FileName[]): Promise<void> {
		for (const file of files) this.#disk.sync(this.#existing("makeDurable", file, true));
	}

	async makeChangesDurable(names: readonly FileName[]): Promise<void> {
		for (const name of names)
			try {
				this.#disk.sync(this.#existing("makeChangesDurable", name, true));
			} catch (error) {
				if (!isUnsyncable(error)) throw error;
			}
	}

	async withAccessLists(): Promise<ReadonlySet<string>> {
		return new Set();
	}

	#meet(name: string, ...paths: string[]): void {
		for (const path of paths)
			if (path.includes("\0")) throw Object.assign(new TypeError("a NUL in a name"), { code: "ERR_INVALID_ARG_VALUE" });
		if (this.before === null || this.#isInside) return;
		this.#isInside = true;
		try {
			this.before({ name, paths });
		} finally {
			this.#isInside = false;
		}
	}

	#newInode(kind: Inode["kind"], dev: number, mode: number): Inode {
		const now = this.nowMs();
		const times = { atimeMs: now, mtimeMs: now, ctimeMs: now };
		const owner = { uid: 0, gid: 0, links: 1 };
		const content = Buffer.alloc(0);
		const parts = { content, entries: new Map(), parent: null, isMountPoint: false };
		const inode: Inode = { ino: ++this.#inodes, dev, kind, mode, ...owner, ...times, ...parts };
		this.#disk.add(inode);
		return inode;
	}

	#setContent(inode: Inode, content: Buffer): void {
		inode.content = content;
		if (this.#isInside) this.#byPrograms.add(inode);
		inode.mtimeMs = inode.ctimeMs = this.nowMs();
	}

	#opened(syscall: string, descriptor: number): Descriptor {
		const open = this.#descriptors.get(descriptor);
		if (open === undefined) throw fileError("EBADF", syscall);
		return open;
	}

	/** Begins a call on something that exists. */
	#existing(syscall: string, file: FileName, follows = false): Inode {
		const name = textOf(file);
		this.#meet(syscall, name);
		return this.#there(syscall, name, follows);
	}

	#there(syscall: string, name: string, follows = false): Inode {
		const { inode } = this.#place(syscall, name, follows);
		if (inode === null) throw fileError("ENOENT", syscall, name);
		return inode;
	}

	/** The place of something that is made. */
	#free(syscall: string, name: string): Place {
		const place = this.#place(syscall, name);
		if (place.inode !== null) throw fileError("EEXIST", syscall, name);
		return place;
	}

	/** The two places of a rename: the directories of both are found before either name is looked up. */
	#twoPlaces(from: string, to: string): readonly [NamedPlace & { readonly inode: Inode }, NamedPlace] {
		const [above, other] = [from, to].map((name) => {
			const directory = this.#there("rename", name.slice(0, name.lastIndexOf("/")) || "/", true);
			if (directory.kind !== "directory") throw fileError("ENOTDIR", "rename", from);
			return directory;
		}) as [Inode, Inode];
		if (above.dev !== other.dev) throw fileError("EXDEV", "rename", from);
		const [name, otherName] = [from, to].map((path) => path.slice(path.lastIndexOf("/") + 1)) as [string, string];
		for (const last of [name, otherName]) if (last === "." || last === "..") throw fileError("EBUSY", "rename", from);
		const source = this.#place("rename", from);
		if (source.inode === null) throw fileError("ENOENT", "rename", from);
		const target = this.#place("rename", to);
		if (other.parent === null) throw fileError("ENOENT", "rename", from);
		return [
			{ directory: above, name, inode: source.inode },
			{ directory: other, name: otherName, inode: target.inode },
		];
	}

	#record(...changes: readonly NameChange[]): void {
		this.#disk.record(...changes);
		if (this.#isInside) for (const { directory } of changes) this.#byPrograms.add(directory);
	}

	/** Gives a new name. */
	#add(place: Place, inode: Inode): Inode {
		this.#put(place, inode);
		this.#record({ ...place, name: place.name as string, before: null, after: inode });
		return inode;
	}

	#put({ directory, name }: Place, inode: Inode): Inode {
		if (directory.parent === null) throw fileError("ENOENT", "open", name ?? "");
		directory.entries.set(name as string, inode);
		directory.mtimeMs = directory.ctimeMs = this.nowMs();
		if (inode.kind === "directory") inode.parent = directory;
		return inode;
	}

	#remove(syscall: string, name: string, place: Place): void {
		if (place.inode === null || place.name === null) throw fileError("ENOENT", syscall, name);
		place.directory.entries.delete(place.name);
		this.#record({ ...place, name: place.name, before: place.inode, after: null });
		place.directory.mtimeMs = place.directory.ctimeMs = this.nowMs();
		this.#drop(place.inode);
	}

	#drop(inode: Inode): void {
		if (inode.kind === "directory") inode.parent = null;
		else inode.links--;
		inode.ctimeMs = this.nowMs();
	}

	/** Resolves a name. @param follows whether the last component may be a link that is followed @param mayMake the end of a followed link need not exist */
	#place(syscall: string, name: string, follows = false, mayMake = false): Place {
		if (name.length > longestPath) throw fileError("ENAMETOOLONG", syscall, name);
		if (name === "") throw fileError("ENOENT", syscall, name);
		let followed = 0;
		const walk = (start: Inode, path: string, isLast: boolean): Place => {
			const components = path.split("/").filter((component) => component !== "");
			let place: Place = { directory: start, name: null, inode: start };
			for (const [index, component] of components.entries()) {
				const directory = place.inode;
				if (directory === null) throw fileError("ENOENT", syscall, name);
				if (directory.kind !== "directory") throw fileError("ENOTDIR", syscall, name);
				if (component.length > longestName) throw fileError("ENAMETOOLONG", syscall, name);
				const isEnd = index === components.length - 1 && isLast;
				if (component === "." || component === "..") {
					place = { directory, name: null, inode: component === "." ? directory : directory.parent };
					continue;
				}
				const inode = directory.entries.get(component) ?? null;
				place = { directory, name: component, inode };
				if (inode?.kind !== "link" || (isEnd && !follows && !path.endsWith("/"))) continue;
				if (++followed > mostLinks) throw fileError("ELOOP", syscall, name);
				const target = inode.content.toString("latin1");
				place = walk(target.startsWith("/") ? this.#top : directory, target, isEnd);
				if (place.inode === null && !(isEnd && mayMake)) throw fileError("ENOENT", syscall, name);
			}
			if (path.endsWith("/") && place.inode !== null && place.inode.kind !== "directory") throw fileError("ENOTDIR", syscall, name);
			return place;
		};
		if (!name.startsWith(descriptorNames)) return walk(this.#top, name, true);
		const slash = name.indexOf("/", descriptorNames.length);
		const open = this.#descriptors.get(Number(name.slice(descriptorNames.length, slash < 0 ? undefined : slash)));
		if (open === undefined) throw fileError("ENOENT", syscall, name);
		return walk(open.inode, slash < 0 ? "" : name.slice(slash), true);
	}
}

/** Whether a directory is this inode, or below it. */
function isWithin(directory: Inode, inode: Inode): boolean {
	for (let at: Inode | null = directory; at !== null; at = at.parent === at ? null : at.parent) if (at === inode) return true;
	return false;
}
