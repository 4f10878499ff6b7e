import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { lockHolder, type Repository, setAsideLockFile } from "@robust-sync/git";
import { compactTimestamp } from "@robust-sync/system/timestamps";

/**
 * Keeps the repository small and fast, in place of git's own gc, which may prune unreferenced objects, runs at any time,
 * and detaches itself (it is off for our commands; a person's own commands run it as ever).
 *
 * - Loose objects and packs: combined at 2,000 loose ones or 30 packs (git-repack(1), --geometric: the rewritten
 *   part stays proportional to the new one). A lookup of a missing object, as in every fetch, searches every pack.
 * - Commit graph: without one, merge-base and counting walk through commits one by one. It is written as layers, so that a new
 *   layer costs what is new.
 * - Refs are packed with the objects.
 * - Nothing is ever pruned: an unreferenced object may be the base of a late write, or a person's last hope. git's
 *   own unfinished files (`tmp_*`) are removed after six hours without a write.
 *
 * A kill is safe in each step: git writes new files and renames them before it removes old ones.
 */
const looseLimit = 2_000;
const packLimit = 30;
/** One step takes seconds; a longer one waits for a disk, and is tried again next time. */
const stepTimeoutMs = 300_000;
const leftoverMs = 6 * 60 * 60_000;

function entries(directory: string, pattern: RegExp): string[] {
	try {
		return fs.readdirSync(directory).filter((name) => pattern.test(name));
	} catch {
		return [];
	}
}

/** Number of loose objects, estimated as git gc does from one of the 256 directories, and of packs. Two directory listings. */
export function countStorage(repository: Repository): { loose: number; packs: number } {
	const objects = path.join(repository.commonDirectory, "objects");
	return {
		loose: entries(path.join(objects, "17"), /^[0-9a-f]{38,62}$/).length * 256,
		packs: entries(path.join(objects, "pack"), /\.pack$/).length,
	};
}

/** Another git collects garbage here right now (git-gc(1) writes its pid there): two at once only slow each other down. */
function isCollecting(repository: Repository): boolean {
	try {
		const [, pid = "", host = ""] = /^(\d+) (\S+)/.exec(fs.readFileSync(path.join(repository.commonDirectory, "gc.pid"), "utf8")) ?? [];
		return host !== os.hostname() || fs.readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("git");
	} catch {
		return false;
	}
}

/**
 * Maintains the repository's objects and refs if it is due.
 * @param now milliseconds since the epoch
 * @returns the work done, in words; null: none
 * @throws GitError
 */
export async function maintainRepository(repository: Repository, now: number): Promise<string | null> {
	if (isCollecting(repository)) return null;
	removeLeftovers(repository, now);
	const before = countStorage(repository);
	const isDue = before.loose >= looseLimit || before.packs >= packLimit;
	if (isDue) {
		await repository.run(["repack", "-q", "-d", "-l", "--geometric=2"], { timeoutMs: stepTimeoutMs });
		await repository.run(["prune-packed", "-q"], { timeoutMs: stepTimeoutMs });
		await repository.run(["pack-refs", "--all"], { timeoutMs: stepTimeoutMs });
	}
	if (isDue || !hasCommitGraph(repository)) await writeCommitGraph(repository, now);
	if (!isDue) return null;
	const after = countStorage(repository);
	return `about ${before.loose} loose objects and ${before.packs} packs became ${after.loose} and ${after.packs}`;
}

function graphDirectory(repository: Repository): string {
	return path.join(repository.commonDirectory, "objects/info/commit-graphs");
}

function hasCommitGraph(repository: Repository): boolean {
	return (
		fs.existsSync(path.join(graphDirectory(repository), "commit-graph-chain")) ||
		fs.existsSync(path.join(repository.commonDirectory, "objects/info/commit-graph"))
	);
}

async function writeCommitGraph(repository: Repository, now: number): Promise<void> {
	// A killed run leaves its lock, which would stop every later one.
	const lock = path.join(graphDirectory(repository), "commit-graph-chain.lock");
	const inode = fs.statSync(lock, { throwIfNoEntry: false })?.ino;
	if (inode !== undefined) {
		if (lockHolder(repository, lock) !== null) return;
		setAsideLockFile(repository, lock, inode, compactTimestamp(now));
	}
	await repository.run(["commit-graph", "write", "--reachable", "--split", "--no-progress"], { timeoutMs: stepTimeoutMs });
}

/** Unfinished files of killed gits: without a write for hours. */
function removeLeftovers(repository: Repository, now: number): void {
	const objects = path.join(repository.commonDirectory, "objects");
	const left = [
		...entries(path.join(objects, "pack"), /^(tmp_|\.tmp-)/).map((name) => path.join(objects, "pack", name)),
		...entries(objects, /^(tmp_|incoming-|tmp_objdir-)/).map((name) => path.join(objects, name)),
		...entries(graphDirectory(repository), /^tmp_/).map((name) => path.join(graphDirectory(repository), name)),
		...entries(objects, /^[0-9a-f]{2}$/).flatMap((prefix) =>
			entries(path.join(objects, prefix), /^tmp_obj_/).map((name) => path.join(objects, prefix, name)),
		),
	];
	for (const file of left) {
		const stats = fs.lstatSync(file, { throwIfNoEntry: false });
		if (stats && now - stats.mtimeMs > leftoverMs) fs.rmSync(file, { recursive: true, force: true });
	}
}
