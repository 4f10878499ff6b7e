import type fs from "node:fs";
import { fileSystemPath, type GitPath, parentOf } from "@robust-sync/git";
import type { Items } from "@robust-sync/system/items";
import { lstatIfThere } from "@robust-sync/system/lstat";

/** A name that returns within this time was never deleted: some programs save by removing the file and writing it again. */
export const confirmDeletionMs = 500;

/** The start of each path's wait for a second scan, milliseconds since the epoch. */
export type VanishedFiles = Map<GitPath, number>;

/**
 * Splits `paths` into those to commit and those to scan a second time: names that have just vanished, and new files that
 * appeared meanwhile, so that a file under its new name is committed together with the removal of the old one. None waits longer than half a
 * second.
 * @param isNew whether HEAD lacks a path
 * @returns `missing`: the confirmed paths without a file; names that vanish after this scan are not among them
 */
export function separateVanished(
	root: string,
	paths: Items<GitPath>,
	waitingSince: VanishedFiles,
	now: number,
	isNew: (name: GitPath) => boolean,
): { confirmed: Items<GitPath>; unconfirmed: GitPath[]; missing: ReadonlySet<GitPath> } {
	const isRecent = (at: number) => Math.abs(now - at) < confirmDeletionMs;
	const waiting = new Set<GitPath>();
	const wait = (name: GitPath) => {
		const since = waitingSince.get(name) ?? now;
		waitingSince.set(name, since);
		if (isRecent(since)) waiting.add(name);
	};
	// No state is kept for a path that is there: a tree may have a million new files.
	const gone = new Set<GitPath>();
	for (const name of paths) if (statOf(root, name) === null) gone.add(name);
	for (const name of gone) if (isRecent(nearestAbove(root, name)?.mtimeMs ?? 0)) wait(name);
	if (waiting.size > 0) {
		for (const name of paths) {
			const stats = gone.has(name) || !isNew(name) ? null : statOf(root, name);
			if (stats && isRecent(placedAt(root, name, stats))) wait(name);
		}
	}
	if (waitingSince.size > 0) {
		const known = new Set(paths);
		for (const name of waitingSince.keys())
			if (!known.has(name) || (!gone.has(name) && !isNew(name) && statOf(root, name))) waitingSince.delete(name);
	}
	const confirmed = waiting.size === 0 ? paths : paths.filter((name) => !waiting.has(name));
	return {
		confirmed,
		unconfirmed: [...waiting],
		missing: waiting.size === 0 ? gone : new Set([...gone].filter((name) => !waiting.has(name))),
	};
}

/** The nearest existing directory above a missing path. It changed when the name vanished, or later. */
function nearestAbove(root: string, name: GitPath): fs.Stats | null {
	for (let parent = parentOf(name); parent !== null; parent = parentOf(parent)) {
		const stats = statOf(root, parent);
		if (stats) return stats;
	}
	return lstatIfThere(root);
}

/** When a file got its name: a rename changes its ctime, or that of a directory above it. */
function placedAt(root: string, name: GitPath, stats: fs.Stats): number {
	let latest = stats.ctimeMs;
	for (let parent = parentOf(name); parent !== null; parent = parentOf(parent))
		latest = Math.max(latest, statOf(root, parent)?.ctimeMs ?? 0);
	return latest;
}

/** Null: it does not exist. Undefined: it cannot be read. */
function statOf(root: string, name: GitPath): fs.Stats | null | undefined {
	try {
		return lstatIfThere(fileSystemPath(root, name));
	} catch {
		return undefined;
	}
}
