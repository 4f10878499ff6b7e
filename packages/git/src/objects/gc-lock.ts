import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Repository } from "../process/repository.ts";

/** git takes an older one for one of a process that is gone (git-gc(1)). */
const staleMs = 12 * 3_600_000;
/** git holds the lock file of `gc.pid` for milliseconds: an older one is of a process that was killed. */
const leftMs = 60_000;

/** The files that this process holds, and how often. */
const held = new Map<string, number>();

/** Keeps `git gc` out of a repository. */
export interface GcLock {
	/** Never throws. */
	release(): void;
}

function isRunning(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === "EPERM";
	}
}

/** Whether a process, perhaps of another machine, holds the file. */
function isTaken(file: string): boolean {
	try {
		const [, pid = "", host = ""] = /^(\d+) (\S+)/.exec(fs.readFileSync(file, "utf8")) ?? [];
		if (pid === "" || Date.now() - fs.statSync(file).mtimeMs > staleMs) return false;
		// One of this process is in the table.
		return host !== os.hostname() || (Number(pid) !== process.pid && isRunning(Number(pid)));
	} catch {
		return false;
	}
}

function makeLockFile(file: string): number | null {
	for (const isLast of [false, true]) {
		try {
			return fs.openSync(file, "wx", 0o644);
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
			const stats = fs.statSync(file, { throwIfNoEntry: false });
			if (isLast || (stats !== undefined && Date.now() - stats.mtimeMs < leftMs)) return null;
			fs.rmSync(file, { force: true });
		}
	}
	return null;
}

/**
 * Takes git's own lock of a garbage collection, `gc.pid`, by the same steps as git: two that remove objects never run at once. One of a
 * killed process is taken over. The same process can take it repeatedly.
 * @returns null: another process has it @throws the file system's error
 */
export function lockGc({ commonDirectory }: Pick<Repository, "commonDirectory">): GcLock | null {
	const file = path.join(commonDirectory, "gc.pid");
	const count = held.get(file) ?? 0;
	if (count === 0) {
		const descriptor = makeLockFile(`${file}.lock`);
		if (descriptor === null) return null;
		try {
			if (isTaken(file)) {
				fs.rmSync(`${file}.lock`, { force: true });
				return null;
			}
			fs.writeSync(descriptor, `${process.pid} ${os.hostname()}`);
			fs.renameSync(`${file}.lock`, file);
		} finally {
			fs.closeSync(descriptor);
		}
	}
	held.set(file, count + 1);
	let isReleased = false;
	return {
		release: () => {
			if (isReleased) return;
			isReleased = true;
			const left = (held.get(file) ?? 1) - 1;
			if (left > 0) held.set(file, left);
			else {
				held.delete(file);
				try {
					if (fs.readFileSync(file, "utf8") === `${process.pid} ${os.hostname()}`) fs.rmSync(file);
				} catch {
					// It is gone.
				}
			}
		},
	};
}
