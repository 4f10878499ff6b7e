import { closeSync, openSync, readSync } from "node:fs";
import path from "node:path";
import type { Repository } from "@robust-sync/git";

/** A loss is held if it has more than this many files and more than this share of the tracked files (percent). Null: none is ever held. */
export interface GuardLimits {
	readonly files: number;
	readonly percent: number;
}

/** Losing nearly the whole tree is never ordinary work, even with few files. The least number of files, and the share of them. */
export const wholeTreeFiles = 5;
export const wholeTreeShare = 0.9;

/** The number of entries in the index, from its header (gitformat-index(5)): reads 12 bytes. Null: unknown. */
export function indexEntries({ gitDirectory }: Pick<Repository, "gitDirectory">): number | null {
	let fd: number;
	try {
		fd = openSync(path.join(gitDirectory, "index"), "r");
	} catch {
		return null;
	}
	try {
		const header = Buffer.alloc(12);
		if (readSync(fd, header, 0, 12, 0) < 12 || header.toString("latin1", 0, 4) !== "DIRC") return null;
		return header.readUInt32BE(8);
	} catch {
		return null;
	} finally {
		closeSync(fd);
	}
}

/**
 * Whether a commit that changes this number of paths could be a loss at all. Costs nothing in the ordinary cycle, which changes a few.
 * @param changed paths that the commit adds, changes or deletes, and how many of them it deletes
 * @param tracked files after it; null: not known
 */
export function isPossibleLoss(limits: GuardLimits | null, changed: number, deleted: number, tracked: number | null): boolean {
	if (limits === null || changed === 0) return false;
	if (changed > limits.files) return true;
	return changed >= wholeTreeFiles && (tracked === null || changed >= wholeTreeShare * (tracked + deleted));
}
