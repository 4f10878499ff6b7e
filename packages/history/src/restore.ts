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

/** What becomes of one path for it to be as it was. */
export interface RestoredPath {
	readonly path: GitPath;
	/** `restore`: it is gone; `replace`: it is another one; `remove`: it was not there. */
	readonly action: "restore" | "replace" | "remove";
	/** What it is to be; null: nothing. */
	readonly entry: TreeEntry | null;
}

export interface RestoreQuestion {
	/** The tree as it was: a commit. */
	readonly from: Oid;
	/** The tree as it is. */
	readonly head: Oid;
	/** Files and directories; nothing else is touched. */
	readonly paths: readonly GitPath[];
	/** Only what is gone comes back. */
	readonly deletedOnly?: boolean;
}

const isSame = (a: TreeEntry | undefined, b: TreeEntry | undefined) => a?.oid === b?.oid && a?.mode === b?.mode;

/**
 * Which paths change for some files and directories to be as they were.
 * @returns in the order of the paths; `unknown`: what was named, and is in neither tree; `blocked`: what cannot come back, because something
 * that was not named has its place
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
