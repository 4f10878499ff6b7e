import { type GitPath, gitPathIfAllowed, type MergeTreeResult, type Oid, type TreeEntry } from "@robust-sync/git";

/** Note on a path that the merge of several merge bases had a conflict in already, and that the sides differ in. */
export const crissCross = "CONFLICT (several merge bases)";

/** Everything that a merge left open about one original path, sides by order of commit id. */
export interface ConflictGroup {
	readonly path: GitPath;
	/** Where git left stages about it: the path itself, or `<path>~<commit>` when something was in the way. */
	readonly stagePaths: readonly GitPath[];
	readonly base: TreeEntry | null;
	readonly first: TreeEntry | null;
	readonly second: TreeEntry | null;
	/** git's own words about it: "CONFLICT (file/directory)". */
	readonly notes: ReadonlySet<string>;
}

/** A path that the sides renamed differently. */
interface SplitRename {
	readonly from: GitPath;
	readonly first: GitPath;
	readonly second: GitPath;
}

export interface Conflicts {
	readonly groups: readonly ConflictGroup[];
	readonly splits: readonly SplitRename[];
}

/**
 * Groups the conflicts of `git merge-tree` by path. Where a directory or another type of file is in the way, git moves one side to
 * `<path>~<branch>`, where the branch is the operand of merge-tree: the commit's id.
 */
export function groupConflicts(merged: MergeTreeResult, first: Oid, second: Oid): Conflicts {
	const aside = new RegExp(`^(.+)~(?:${first}|${second})(?:_\\d+)?$`, "s");
	const originalOf = (name: GitPath) => gitPathIfAllowed(aside.exec(name)?.[1] ?? name) ?? name;
	const groups = new Map<
		GitPath,
		{ stagePaths: GitPath[]; base: TreeEntry | null; first: TreeEntry | null; second: TreeEntry | null; notes: Set<string> }
	>();
	for (const [name, stages] of merged.conflicts) {
		const original = originalOf(name);
		const group = groups.get(original) ?? { stagePaths: [], base: null, first: null, second: null, notes: new Set<string>() };
		group.stagePaths.push(name);
		group.base ??= stages.base;
		group.first ??= stages.first;
		group.second ??= stages.second;
		groups.set(original, group);
	}
	const splits: SplitRename[] = [];
	for (const { type, paths } of merged.notes) {
		if (type === "CONFLICT (rename/rename)" && paths.length === 3) {
			const [from, one, two] = paths.map(originalOf) as [GitPath, GitPath, GitPath];
			splits.push({ from, first: one, second: two });
		}
		for (const name of paths) groups.get(originalOf(name))?.notes.add(type);
	}
	return { groups: [...groups].map(([path, group]) => ({ path, ...group })), splits };
}
