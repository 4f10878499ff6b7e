import { setTimeout as sleep } from "node:timers/promises";
import { fileSystemPath, type GitPath } from "@robust-sync/git";
import type { Items } from "@robust-sync/system/items";
import { lstatIfThere } from "@robust-sync/system/lstat";

/** A file that was written less than this ago may be half written. */
const quietMs = 20;
/** A file that keeps changing is committed anyway after this long. */
const settleTimeoutMs = 10_000;

/** The first observed change of each file, milliseconds since the epoch. */
export type HotFiles = Map<GitPath, number>;

/**
 * Splits `paths` into those at rest and those that are being written right now. A file that has been hot for 10 s counts as
 * at rest: it is committed, and again when it rests.
 */
export function separateHot(root: string, paths: Items<GitPath>, hot: HotFiles, now: number): { quiet: Items<GitPath>; busy: GitPath[] } {
	const busy: GitPath[] = [];
	const quiet = paths.filter((name) => {
		const stats = lstatIfThere(fileSystemPath(root, name));
		const age = stats ? now - stats.mtimeMs : quietMs;
		// A time in the future is no evidence.
		const isHot = age < quietMs && age > -quietMs;
		const since = hot.get(name) ?? now;
		if (isHot && now - since < settleTimeoutMs) {
			hot.set(name, since);
			busy.push(name);
			return false;
		}
		hot.delete(name);
		return true;
	});
	return { quiet, busy };
}

/**
 * Waits until none of `paths` is being written, at most 10 s since each was first seen so.
 * @param waitMs total limit; files that are still being written then count as at rest in the next scan
 */
export async function waitUntilQuiet(
	root: string,
	paths: readonly GitPath[],
	hot: HotFiles,
	now: () => number,
	waitMs = Number.POSITIVE_INFINITY,
): Promise<void> {
	const deadline = performance.now() + waitMs;
	let waiting: readonly GitPath[] = paths;
	while (waiting.length > 0 && performance.now() < deadline) {
		waiting = separateHot(root, waiting, hot, now()).busy;
		if (waiting.length > 0) await sleep(quietMs);
	}
	for (const name of waiting) hot.set(name, Number.NEGATIVE_INFINITY);
}
