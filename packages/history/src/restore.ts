import {
	directoriesAbove,
	type FileChange,
	type GitPath,
	type Oid,
	type Repository,
	readableVersions,
	readTreeWhole,
	type TreeEntry,
	topOf,
} from "@robust-sync/git";
import { isOwnName } from "@robust-sync/workspace";
import { isSelected } from "./selected-paths.ts";

/** The change that restores one path. */
export interface RestoredPath {
	readonly path: GitPath;
	/** `restore`: the path is gone; `replace`: it has other content; `remove`: it did not exist then. */
	readonly action: "restore" | "replace" | "remove";
	/** The entry to restore; null: none. */
	readonly entry: TreeEntry | null;
}

export interface RestoreQuestion {
	/** The commit to restore from. */
	readonly from: Oid;
	/** The present tree. */
	readonly head: Oid;
	/** Files and directories to restore. */
	readonly paths: readonly GitPath[];
	/** Restores only deleted files. */
	readonly deletedOnly?: boolean;
}

const isSame = (a: TreeEntry | undefined, b: TreeEntry | undefined) => a?.oid === b?.oid && a?.mode === b?.mode;

/**
 * The changes that restore some files and directories.
 * @returns in the order of the paths; `unknown`: named paths that are in neither tree; `blocked`: paths that cannot be restored, because
 * a path that was not named is in the way
 * @throws GitError
 */
export async function planRestore(
	repository: Repository,
	{ from, head, paths, deletedOnly = false }: RestoreQuestion,
): Promise<{ readonly changes: readonly RestoredPath[]; readonly unknown: readonly GitPath[]; readonly blocked: readonly GitPath[] }> {
	const versions = await readableVersions(repository, [from, head] as const, isOwnName);
	const [then, now] = await Promise.all([readTreeWhole(repository, versions[0]), readTreeWhole(repository, versions[1])]);
	const changes: RestoredPath[] = [];
	const seen = new Set<GitPath>();
	for (const name of [...new Set([...then.keys(), ...now.keys()])].sort()) {
		const named = paths.filter((one) => isSelected(name, [one]));
		if (named.length === 0 || isOwnName(topOf(name))) continue;
		for (const one of named) seen.add(one);
		const [was, is] = [then.get(name), now.get(name)];
		if (isSame(was, is) || (deletedOnly && is !== undefined)) continue;
		if (was === undefined) changes.push({ path: name, action: "remove", entry: null });
		else changes.push({ path: name, action: is === undefined ? "restore" : "replace", entry: was });
	}
	const removed = new Set(changes.flatMap(({ path: name, entry }) => (entry === null ? [name] : [])));
	const directories = new Set([...now.keys()].filter((name) => !removed.has(name)).flatMap(directoriesAbove));
	const isInTheWay = (name: GitPath) => now.has(name) && !removed.has(name);
	const isBlocked = ({ path: name, entry }: RestoredPath) =>
		entry !== null && (directories.has(name) || directoriesAbove(name).some(isInTheWay));
	return {
		changes: changes.filter((change) => !isBlocked(change)),
		unknown: paths.filter((one) => !seen.has(one)),
		blocked: changes.filter(isBlocked).map((change) => change.path),
	};
}

/** The same as changes of a tree, deletions first. */
export function restoreChanges(changes: readonly RestoredPath[]): FileChange[] {
	return [
		...changes.flatMap(({ path, entry }): FileChange[] => (entry === null ? [{ path, delete: true }] : [])),
		...changes.flatMap(({ path, entry }): FileChange[] => (entry === null ? [] : [{ path, ...entry }])),
	];
}
