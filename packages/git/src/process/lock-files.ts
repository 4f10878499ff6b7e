import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import type { Repository } from "./repository.ts";

/** A lock file of git's that was found in a repository. */
export interface GitLockFile {
	readonly file: string;
	/** A live process that has the file open, or a git that works in this repository; null: there is none. */
	readonly holder: { readonly pid: number; readonly command: string } | null;
}

function lockFilesBelow(directory: string, depth: number): string[] {
	const found: string[] = [];
	let entries: ReturnType<typeof readEntries>;
	try {
		entries = readEntries(directory);
	} catch {
		return found;
	}
	for (const entry of entries) {
		const file = path.join(directory, entry.name);
		if (entry.isDirectory()) {
			if (depth > 0) found.push(...lockFilesBelow(file, depth - 1));
		} else if (entry.name.endsWith(".lock")) found.push(file);
	}
	return found;
}

function readEntries(directory: string) {
	return readdirSync(directory, { withFileTypes: true });
}

/** Deeper branch names than this are not searched for leftover locks. */
const maxRefDepth = 8;

/** Every lock file in the git directory itself and below refs/. */
export function findLockFiles(repository: Repository): string[] {
	const directories = new Set([repository.gitDirectory, repository.commonDirectory]);
	return [...directories].flatMap((directory) => [
		...lockFilesBelow(directory, 0),
		...lockFilesBelow(path.join(directory, "refs"), maxRefDepth),
	]);
}

function read(file: string): string {
	try {
		return readFileSync(file, "latin1");
	} catch {
		return "";
	}
}

function link(file: string): string {
	try {
		return readlinkSync(file);
	} catch {
		return "";
	}
}

function inside(directory: string, parent: string): boolean {
	return directory === parent || directory.startsWith(parent + path.sep);
}

/**
 * The holder of a lock file: a process that has it open, else a git that works in this repository (git closes its lock while a
 * hook or an editor runs). Searches /proc (proc(5)); a process that we may not read counts only if it is a git in the same directory.
 */
export function lockHolder(repository: Repository, file: string): GitLockFile["holder"] {
	const target = statSync(file, { throwIfNoEntry: false });
	if (!target) return null;
	for (const name of readdirSync("/proc")) {
		const pid = Number(name);
		if (!Number.isInteger(pid) || pid === process.pid) continue;
		const command = read(`/proc/${name}/comm`).trim();
		if (command === "") continue;
		if (/^git\b/.test(command)) {
			const cwd = link(`/proc/${name}/cwd`);
			const words = read(`/proc/${name}/cmdline`);
			if (
				[repository.root, repository.gitDirectory, repository.commonDirectory].some(
					(directory) => inside(cwd, directory) || words.includes(directory),
				)
			)
				return { pid, command };
		}
		let descriptors: string[] = [];
		try {
			descriptors = readdirSync(`/proc/${name}/fd`);
		} catch {
			continue;
		}
		for (const descriptor of descriptors) if (link(`/proc/${name}/fd/${descriptor}`) === file) return { pid, command };
	}
	return null;
}

/**
 * Moves a lock file that no process holds to `<git directory>/robust-sync/stale-locks/`, where a person can read it.
 * @returns where it is now; null: it was removed or replaced before
 */
export function setAsideLockFile(repository: Repository, file: string, inode: number, label: string): string | null {
	const directory = path.join(repository.commonDirectory, "robust-sync/stale-locks");
	mkdirSync(directory, { recursive: true });
	const stats = statSync(file, { throwIfNoEntry: false });
	if (!stats || stats.ino !== inode) return null;
	const plain = path.join(directory, `${path.basename(file)}-${label}`);
	let destination = plain;
	for (let number = 1; existsSync(destination); number++) destination = `${plain}-${number}`;
	renameSync(file, destination);
	return destination;
}

/**
 * Replaces a file of a repository as git does: under its lock file, which then takes its place.
 * @param mode of the new file @param write receives the descriptor of the new file; false: the old file stays
 * @returns whether it was replaced; not if another git holds the lock, or the directory is missing @throws what `write` throws; the file system's error
 */
export function replaceLocked(file: string, mode: number, write: (descriptor: number) => boolean): boolean {
	const lock = `${file}.lock`;
	let descriptor: number;
	try {
		descriptor = openSync(lock, "wx", mode);
	} catch (error) {
		if (["EEXIST", "ENOENT"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
		throw error;
	}
	let isReplaced = false;
	try {
		if (write(descriptor)) {
			renameSync(lock, file);
			isReplaced = true;
		}
	} finally {
		closeSync(descriptor);
		if (!isReplaced) rmSync(lock, { force: true });
	}
	return isReplaced;
}
