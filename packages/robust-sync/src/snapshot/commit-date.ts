import { committerDate, fileSystemPath, type GitPath, type Oid, parentOf } from "@robust-sync/git";
import type { Items } from "@robust-sync/system/items";
import { lstatIfThere } from "@robust-sync/system/lstat";
import type { CycleContext } from "../context/cycle-context.ts";

/** A base that is dated further ahead than this (seconds) was made by a wrong clock. */
const believableAhead = 86_400;

/** When the file at a path was written, or at the latest removed, in seconds since the epoch. Null: unreadable. */
function writtenAt(root: string, name: GitPath, base: number): number | null {
	try {
		return timeOf(root, name, base);
	} catch {
		return null;
	}
}

function timeOf(root: string, name: GitPath, base: number): number {
	const stats = lstatIfThere(fileSystemPath(root, name));
	if (stats !== null) {
		// A time from before the base is not the write's: `mv` and `cp -p` keep the time of the content, and chmod leaves it.
		const mtime = Math.floor(stats.mtimeMs / 1000);
		return mtime >= base ? mtime : Math.floor(stats.ctimeMs / 1000);
	}
	for (let parent = parentOf(name); parent !== null; parent = parentOf(parent)) {
		const directory = lstatIfThere(fileSystemPath(root, parent));
		if (directory !== null) return Math.floor(directory.mtimeMs / 1000);
	}
	return Math.floor((lstatIfThere(root)?.mtimeMs ?? 0) / 1000);
}

/**
 * The date of a commit of these paths: the time of the newest write, not of the cycle. Never before the commit's
 * base, never in the future. "The later side wins" then means the later writer.
 * @param base null: it is the first commit
 * @returns seconds since the epoch
 * @throws GitError if the base cannot be read
 */
export async function commitDate({ repository, now }: CycleContext, base: Oid | null, names: Items<GitPath>): Promise<number> {
	const latest = Math.max(0, Math.floor(now() / 1000));
	const based = base === null ? 0 : await committerDate(repository, base);
	const earliest = based > latest + believableAhead ? 0 : based;
	let newest = names.length === 0 ? latest : 0;
	for (const name of names) {
		newest = Math.max(newest, writtenAt(repository.root, name, earliest) ?? latest);
		if (newest >= latest) break;
	}
	return Math.max(earliest, Math.min(newest, latest));
}
