import path from "node:path";
import {
	cleanEntries,
	excludedAmong,
	fileSystemPath,
	GitError,
	type GitPath,
	gitPathOf,
	type IndexFlags,
	isFileMode,
	listIgnored,
	parentOf,
	type Repository,
	readIgnored,
	type TreeChange,
} from "@robust-sync/git";
import { type Items, viewOf } from "@robust-sync/system/items";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { type HeldState, heldAbove, mountPointsBelow, neverCommitted } from "@robust-sync/workspace";

// A file that this node ignores, or hides from git by an index bit, is local: no commit of another node touches it, merges it, or causes
// its publication. An incoming version under its name goes into history and the index, and the file on disk stays.

/** The reason why a checkout does not touch a path, decided before it begins. */
export interface LocalOnly {
	/** `excluded`: nothing is on disk, and nothing is placed there (SYNC_EXCLUDE); it is in no records. */
	readonly reason: "ignored-here" | "missing-mount" | "guard" | "excluded";
	/** An ignore rule covers the path. */
	readonly covered: boolean;
	/** The bit that the user set on it. */
	readonly flag?: "skip-worktree" | "assume-unchanged";
	/** Its index bits afterwards. */
	readonly bits: IndexFlags | null;
}

const ours: IndexFlags = { skipWorktree: true, assumeUnchanged: false };

function lstat(root: string, name: GitPath) {
	try {
		return lstatIfThere(fileSystemPath(root, name));
	} catch {
		return null;
	}
}

/** Whether a path is a directory on disk, and not a link to one. */
export const isDirectory = (root: string, name: GitPath): boolean => lstat(root, name)?.isDirectory() === true;

/** Whether a version of a path has no file: a submodule, or none at all. */
export const isNoFile = (entry: TreeChange["after"]): boolean => entry === null || entry.mode === "160000";

/** The first component of a path that is on disk and no directory, else the path itself if it is a directory; null: nothing is in its place. */
export function inPlaceOf(root: string, name: GitPath): GitPath | null {
	for (let slash = name.indexOf("/"); ; slash = name.indexOf("/", slash + 1)) {
		const component = slash < 0 ? name : gitPathOf(name.slice(0, slash));
		const stats = lstat(root, component);
		if (stats === null) return null;
		if (!stats.isDirectory() || slash < 0) return component;
	}
}

/** The paths that an ignore rule or SYNC_EXCLUDE covers; a path that git cannot decide about counts as covered. */
async function ignoredAmong(repository: Repository, names: readonly GitPath[]): Promise<Set<GitPath>> {
	const [ignored, excluded] = await Promise.all([coveredByRules(repository, names), excludedAmong(repository, names)]);
	return new Set([...ignored, ...excluded]);
}

async function coveredByRules(repository: Repository, names: readonly GitPath[]): Promise<Set<GitPath>> {
	try {
		return await readIgnored(repository, names);
	} catch (error) {
		if (!(error instanceof GitError) || error.code === "GIT_TIMEOUT") throw error;
		if (names.length <= 1) return new Set(names);
		const middle = names.length >> 1;
		const halves = [await coveredByRules(repository, names.slice(0, middle)), await coveredByRules(repository, names.slice(middle))];
		return new Set(halves.flatMap((half) => [...half]));
	}
}

/** Directories that were mount points at the last check, and are none now. */
export function missingMounts(repository: Repository, held: HeldState): GitPath[] {
	if (held.mounts.size === 0) return [];
	const mounted = mountPointsBelow(repository.root);
	return [...held.mounts].filter((mount) => !mounted.has(mount));
}

/** Whether a path is below a directory. */
export const isBelow = (name: string, directory: string) => name.startsWith(`${directory}/`);

/** Whether a path is a directory, or below it. */
export const isWithin = (name: string, directory: string) => name === directory || name.startsWith(`${directory}/`);

/**
 * The incoming changes that concern local files.
 * @param flags index bits of the changed paths
 * @param filters whether git's filters may apply
 * @throws GitError
 */
export async function findLocalOnly(
	repository: Repository,
	held: HeldState,
	changes: Items<TreeChange>,
	flags: ReadonlyMap<GitPath, IndexFlags>,
	filters: boolean,
): Promise<Map<GitPath, LocalOnly>> {
	const { root, isSparse } = repository;
	const result = new Map<GitPath, LocalOnly>();
	const missing = missingMounts(repository, held);
	const excluded = await excludedAmong(
		repository,
		viewOf(changes, (change) => change.path),
	);
	/** Paths whose file on disk is removed if it equals one of these versions. */
	const toCompare = new Map<GitPath, { readonly local: LocalOnly; readonly versions: TreeChange["before"][] }>();
	const inPlace: { readonly change: TreeChange; readonly at: GitPath }[] = [];
	for (const change of changes) {
		const { path: name, before, after } = change;
		if (missing.some((mount) => isBelow(name, mount))) {
			result.set(name, { reason: "missing-mount", covered: false, bits: flags.get(name) ?? null });
			continue;
		}
		if (excluded.has(name)) {
			// The file on disk is this node's own, with any content. A submodule's directory is a repository of its own: none of it is ours.
			const isEmpty = inPlaceOf(root, name) === null || ([before, after].every(isNoFile) && isDirectory(root, name));
			const bits = { skipWorktree: true, assumeUnchanged: flags.get(name)?.assumeUnchanged ?? false };
			result.set(name, isEmpty ? { reason: "excluded", covered: true, bits } : { reason: "ignored-here", covered: true, bits });
			continue;
		}
		const stays = held.paths.get(name);
		// A bit that we set on a held path is no wish of the user.
		const bits = stays && !stays.flag ? undefined : flags.get(name);
		if (stays?.reason === "ignored-here") {
			const local: LocalOnly = {
				reason: "ignored-here",
				covered: stays.covered ?? false,
				bits: bits ?? ours,
				...(stays.flag ? { flag: stays.flag } : {}),
			};
			if (inPlaceOf(root, name) === null && !stays.flag) continue;
			toCompare.set(name, { local, versions: [after] });
		} else if (bits) {
			const flag = bits.skipWorktree ? "skip-worktree" : "assume-unchanged";
			const stats = lstat(root, name);
			// A sparse checkout hides paths with the same bit; git clears it where a file exists.
			if (isSparse && bits.skipWorktree && stats === null) continue;
			const local: LocalOnly = { reason: "ignored-here", covered: false, flag, bits };
			if (stats === null) result.set(name, local);
			else toCompare.set(name, { local, versions: [before, after] });
		} else if (after !== null && before === null) {
			const at = inPlaceOf(root, name);
			if (at !== null) inPlace.push({ change, at });
		}
	}
	const places = new Set(inPlace.map(({ at }) => at));
	const removed = new Set<GitPath>();
	if (places.size > 0) for (const { path: name, before } of changes) if (before !== null && places.has(name)) removed.add(name);
	const untracked = inPlace.filter(({ at }) => !removed.has(at));
	const directories = untracked.filter(({ at }) => lstat(root, at)?.isDirectory());
	const files = untracked.filter((entry) => !directories.includes(entry));
	const names = [...new Set(files.map(({ at }) => at))];
	const ignored = await ignoredAmong(repository, names);
	for (const { change, at } of files) {
		const above = heldAbove(held, at);
		const covered = ignored.has(at);
		if (!covered && above?.reason !== "ignored-here") continue;
		const local: LocalOnly = { reason: "ignored-here", covered, bits: ours };
		if (at === change.path) toCompare.set(at, { local, versions: [change.after] });
		else result.set(change.path, local);
	}
	for (const { change } of directories) {
		if (isFileMode(change.after?.mode) && (await hasOnlyIgnored(repository, change.path)))
			result.set(change.path, { reason: "ignored-here", covered: false, bits: ours });
	}
	const onDisk = await cleanEntries(repository, [...toCompare.keys()], filters);
	for (const [name, { local, versions }] of toCompare) {
		const entry = onDisk.get(name);
		const isLink = (mode: string | undefined) => mode === "120000";
		if (!entry || !versions.some((version) => version?.oid === entry.oid && isLink(version.mode) === isLink(entry.mode)))
			result.set(name, local);
	}
	return result;
}

/** Whether a directory in the way of a file holds local files, and none that would be committed. */
async function hasOnlyIgnored(repository: Repository, directory: GitPath): Promise<boolean> {
	const { ignored, untracked } = await listIgnored(repository, directory);
	return ignored.length > 0 && untracked.length === 0;
}

/** Whether a checkout changes which files are ignored here. */
export function changesRules(repository: Repository, changes: Items<TreeChange>): boolean {
	const excludes = repository.config.get("core.excludesfile");
	const own = excludes === undefined ? null : path.relative(repository.root, path.resolve(repository.root, excludes));
	return changes.some(({ path: name }) => name === ".gitignore" || name.endsWith("/.gitignore") || name === own);
}

/** All ignored entries here: files, and directories that a rule covers wholly. Our own directories are left out. */
export async function allIgnored(repository: Repository): Promise<GitPath[]> {
	const { ignored } = await listIgnored(repository, null);
	return ignored.filter((name) => !neverCommitted.some((own) => isWithin(name, own)));
}

/** The local paths that an ignore rule still covers. */
export async function stillIgnored(repository: Repository, names: readonly GitPath[]): Promise<Set<GitPath>> {
	const there = names.filter((name) => {
		const parent = parentOf(name);
		return parent === null || lstat(repository.root, parent)?.isDirectory();
	});
	return await ignoredAmong(repository, there);
}
