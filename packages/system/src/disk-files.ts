import { spawn } from "node:child_process";
import fs from "node:fs";
import { type ExactStats, type FileName, type FileStats, Files, type WriteOptions } from "./files.ts";
import { lstatIfThere } from "./lstat.ts";
import { makeChangesDurable, makeDurable } from "./make-durable.ts";

let descriptors: string | null | undefined;

/** Where this process's descriptors are; null: there is no /proc. */
function descriptorDirectory(): string | null {
	if (descriptors === undefined) {
		try {
			// Not "self": a child process has other descriptors. Not process.pid: /proc may be that of another namespace.
			descriptors = `/proc/${fs.readlinkSync("/proc/self")}/fd`;
		} catch {
			descriptors = null;
		}
	}
	return descriptors;
}

/**
 * Unlinks the files of a directory one by one: fs.rmSync has a list of all their names and paths in memory, and there may be a million.
 * A link to a directory is not followed. What remains, for any reason, is left to fs.rmSync, which reports why.
 */
function unlinkFiles(directory: FileName): void {
	const descriptors = descriptorDirectory();
	if (descriptors === null) return;
	let descriptor: number | null = null;
	let open: fs.Dir | null = null;
	try {
		descriptor = fs.openSync(directory, fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW);
		const held = `${descriptors}/${descriptor}/`;
		open = fs.opendirSync(held, { encoding: "latin1", bufferSize: 1_024 });
		for (let entry = open.readSync(); entry !== null; entry = open.readSync())
			if (!entry.isDirectory()) fs.unlinkSync(Buffer.from(held + entry.name, "latin1"));
	} catch {
		// It is missing or no directory, or something in it cannot be removed.
	} finally {
		open?.closeSync();
		if (descriptor !== null) fs.closeSync(descriptor);
	}
}

/** The files of this machine, by node:fs. What Node does in one function is not made from several here. */
class DiskFiles extends Files {
	lstat(file: FileName): FileStats {
		return fs.lstatSync(file);
	}

	lstatExactly(file: FileName): ExactStats {
		return fs.lstatSync(file, { bigint: true });
	}

	stat(file: FileName): FileStats {
		return fs.statSync(file);
	}

	fstat(descriptor: number): FileStats {
		return fs.fstatSync(descriptor);
	}

	checkReadable(file: FileName): void {
		fs.accessSync(file, fs.constants.R_OK);
	}

	open(file: FileName, flags: number, mode?: number): number {
		return fs.openSync(file, flags, mode);
	}

	close(descriptor: number): void {
		fs.closeSync(descriptor);
	}

	read(descriptor: number, into: Buffer): number {
		return fs.readSync(descriptor, into);
	}

	write(descriptor: number, bytes: Uint8Array): number {
		return fs.writeSync(descriptor, bytes);
	}

	fsync(descriptor: number): void {
		fs.fsyncSync(descriptor);
	}

	readlink(file: FileName): Buffer {
		return fs.readlinkSync(file, { encoding: "buffer" });
	}

	symlink(target: Buffer, file: FileName): void {
		fs.symlinkSync(target, file);
	}

	link(file: FileName, other: FileName): void {
		fs.linkSync(file, other);
	}

	rename(from: FileName, to: FileName): void {
		fs.renameSync(from, to);
	}

	unlink(file: FileName): void {
		fs.unlinkSync(file);
	}

	mkdir(directory: FileName, mode = 0o777): void {
		fs.mkdirSync(directory, mode);
	}

	rmdir(directory: FileName): void {
		fs.rmdirSync(directory);
	}

	readdir(directory: FileName): Buffer[] {
		return fs.readdirSync(directory, "buffer");
	}

	chmod(file: FileName, mode: number): void {
		fs.chmodSync(file, mode);
	}

	lchown(file: FileName, uid: number, gid: number): void {
		fs.lchownSync(file, uid, gid);
	}

	utimes(file: FileName, atime: number, mtime: number): void {
		fs.utimesSync(file, atime, mtime);
	}

	realpath(file: FileName): Buffer {
		return fs.realpathSync.native(file, "buffer");
	}

	nameOfOpen(descriptor: number): string | null {
		const directory = descriptorDirectory();
		return directory === null ? null : `${directory}/${descriptor}`;
	}

	copy(from: FileName, to: FileName, isNew: boolean): void {
		fs.copyFileSync(from, to, isNew ? fs.constants.COPYFILE_EXCL : fs.constants.COPYFILE_FICLONE);
	}

	clone(from: FileName, to: FileName): void {
		fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE_FORCE);
	}

	async makeDurable(files: readonly FileName[], directory: string): Promise<void> {
		await makeDurable(files, directory);
	}

	async makeChangesDurable(names: readonly FileName[], directory: string): Promise<void> {
		await makeChangesDurable(names, directory);
	}

	/** As ls(1) marks them; none where it does not. */
	async withAccessLists(directories: readonly string[]): Promise<ReadonlySet<string>> {
		const text = await new Promise<string>((resolve) => {
			const child = spawn("ls", ["-ldnU", "--quoting-style=c", "--", ...directories], { stdio: ["ignore", "pipe", "ignore"] });
			const chunks: Buffer[] = [];
			child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
			child.on("error", () => resolve(""));
			child.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
		});
		const lines = text.split("\n").filter((line) => line !== "");
		if (lines.length !== directories.length) return new Set();
		return new Set(directories.filter((_, index) => lines[index]?.[10] === "+"));
	}

	override lstatIfThere(file: FileName): FileStats | null {
		return lstatIfThere(file);
	}

	override exists(file: FileName): boolean {
		return fs.existsSync(file);
	}

	override readAll(descriptor: number): Buffer {
		return fs.readFileSync(descriptor);
	}

	override writeAll(descriptor: number, content: Uint8Array): void {
		fs.writeFileSync(descriptor, content);
	}

	override readFile(file: FileName): Buffer {
		return fs.readFileSync(file);
	}

	override writeFile(file: FileName, content: Uint8Array, { mode = 0o666, isNew = false, isDurable = false }: WriteOptions = {}): void {
		fs.writeFileSync(file, content, { mode, flag: isNew ? "wx" : "w", flush: isDurable });
	}

	override makeTree(directory: string, mode = 0o777): void {
		fs.mkdirSync(directory, { recursive: true, mode });
	}

	override removeTree(directory: FileName): void {
		unlinkFiles(directory);
		fs.rmSync(directory, { recursive: true, force: true });
	}
}

export const diskFiles: Files = new DiskFiles();
