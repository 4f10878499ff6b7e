import path from "node:path";
import { type GitPath, gitPath, gitPathOf, isGitPath } from "../paths/git-path.ts";
import { classify } from "../process/errors.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { noLineMerge, withSettings } from "./merge-store.ts";

export interface TreeEntry {
	/** As git writes it: 100644 100755 120000 160000. */
	readonly mode: string;
	readonly oid: Oid;
}

/** Whether two versions of a path are the same one; both may be none. */
export const isSameEntry = (a: TreeEntry | null | undefined, b: TreeEntry | null | undefined): boolean =>
	a?.oid === b?.oid && a?.mode === b?.mode;

/** The up to three versions that git leaves at a path that it did not merge (git-merge-tree(1), Conflicted file info). */
export interface Stages {
	readonly base: TreeEntry | null;
	readonly first: TreeEntry | null;
	readonly second: TreeEntry | null;
}

export interface MergeTreeResult {
	readonly tree: Oid;
	readonly conflicts: ReadonlyMap<GitPath, Stages>;
	/** git's messages with the paths they are about; each begins with git's stable short type ("CONFLICT (rename/rename)"). */
	readonly notes: readonly { readonly type: string; readonly paths: readonly GitPath[] }[];
}

/** Parses `git merge-tree --write-tree -z --messages` (git-merge-tree(1), OUTPUT). */
export function parseMergeTree(output: Buffer): MergeTreeResult {
	let at = 0;
	const token = (): Buffer => {
		const end = output.indexOf(0, at);
		const bytes = output.subarray(at, end < 0 ? output.length : end);
		at = end < 0 ? output.length : end + 1;
		return bytes;
	};
	const tree = token().toString("latin1");
	const conflicts = new Map<GitPath, { base: TreeEntry | null; first: TreeEntry | null; second: TreeEntry | null }>();
	while (at < output.length) {
		const line = token();
		if (line.length === 0) break;
		const tab = line.indexOf(9);
		const [mode = "", oid = "", stage = ""] = line.toString("latin1", 0, tab).split(" ");
		const name = gitPath(line.subarray(tab + 1));
		const stages = conflicts.get(name) ?? { base: null, first: null, second: null };
		stages[stage === "1" ? "base" : stage === "2" ? "first" : "second"] = { mode, oid };
		conflicts.set(name, stages);
	}
	const notes: { type: string; paths: GitPath[] }[] = [];
	while (at < output.length) {
		const count = Number(token().toString("latin1"));
		const paths = Array.from({ length: count }, () => token().toString("latin1")).filter(isGitPath);
		const type = token().toString("latin1");
		token();
		if (type.startsWith("CONFLICT")) notes.push({ type, paths });
	}
	return { tree, conflicts, notes };
}

/**
 * Merges two commits in the object database with git's own strategy (renames, several merge bases, unrelated histories). Every path that
 * both sides changed is left to the caller with its stages, also where git's line merge would be clean.
 * @param store from openMergeStore
 * @throws GitError
 */
export async function mergeTree(store: Repository, first: Oid, second: Oid): Promise<MergeTreeResult> {
	const { stdout, stderr, exitCode } = await store.run(
		["merge-tree", "--write-tree", "-z", "--messages", "--allow-unrelated-histories", first, second],
		{
			accept: [0, 1],
			env: withSettings(store.env, [["core.attributesFile", path.join(store.root, noLineMerge)]]),
		},
	);
	// Of a tree that cannot be read git only complains, and merges as if it were empty.
	if (/^(?:error|fatal): /m.test(stderr)) throw classify("merge-tree", stderr, exitCode);
	return parseMergeTree(stdout);
}

/**
 * The tree that `git merge` leaves, the way it merges by itself: line by line, with conflict markers. Several heads are taken one by one.
 * @param store from openMergeStore
 * @throws GitError
 */
export async function mergeByLines(store: Repository, commits: readonly Oid[]): Promise<Oid> {
	let [merged = "", ...others] = commits;
	let tree = merged;
	for (const [index, other] of others.entries()) {
		const { stdout } = await store.run(
			["merge-tree", "--write-tree", "-z", "--no-messages", "--allow-unrelated-histories", merged, other],
			{
				accept: [0, 1],
			},
		);
		tree = stdout.toString("latin1", 0, stdout.indexOf(0));
		if (index + 1 < others.length) merged = await commitOf(store, tree, [merged, other]);
	}
	return tree;
}

/** The best common ancestors of two commits: none, one, or several for criss-cross histories; in order of their ids. */
export async function mergeBases(repository: Repository, first: Oid, second: Oid): Promise<Oid[]> {
	const { stdout } = await repository.run(["merge-base", "--all", first, second], { accept: [0, 1] });
	return stdout.toString("latin1").split("\n").filter(Boolean).sort();
}

/** What one side made of another version of the tree, renames found. */
export interface SideChanges {
	/** By the new name. */
	readonly renames: ReadonlyMap<GitPath, { readonly from: GitPath; readonly before: TreeEntry; readonly after: TreeEntry }>;
	/** By the name, for everything that kept its name and is still there. */
	readonly changed: ReadonlyMap<GitPath, TreeEntry>;
	/** By the name, for everything that is gone or elsewhere. */
	readonly gone: ReadonlySet<GitPath>;
}

/** One path that differs between two trees; `from` is its name in the first, another one where it was renamed. */
export interface RenamedChange {
	readonly from: GitPath;
	readonly to: GitPath;
	readonly before: TreeEntry | null;
	readonly after: TreeEntry | null;
}

/** What differs between two trees that may be read, with renames as a merge would find them (gitdiffcore(7)). @throws GitError */
export async function diffWithRenames(store: Repository, before: Oid, after: Oid): Promise<RenamedChange[]> {
	const { stdout } = await store.run([
		"diff-tree",
		"-r",
		"-z",
		"--raw",
		"--no-abbrev",
		"-M",
		"-l2000",
		"--ignore-submodules=none",
		"--end-of-options",
		before,
		after,
	]);
	const changes: RenamedChange[] = [];
	const tokens = stdout.toString("latin1").split("\0");
	const entry = (mode: string, oid: string) => (mode === "000000" ? null : { mode, oid });
	for (let at = 0; at + 1 < tokens.length; ) {
		const [mode1 = "", mode2 = "", oid1 = "", oid2 = "", status = ""] = (tokens[at++] ?? "").slice(1).split(" ");
		const from = gitPathOf(tokens[at++] ?? "");
		const to = status.startsWith("R") ? gitPathOf(tokens[at++] ?? "") : from;
		changes.push({ from, to, before: entry(mode1, oid1), after: entry(mode2, oid2) });
	}
	return changes;
}

/** What changed from commit `before` to `after`, with renames as a merge would find them. */
export async function changesWithRenames(store: Repository, before: Oid, after: Oid): Promise<SideChanges> {
	const renames = new Map<GitPath, { from: GitPath; before: TreeEntry; after: TreeEntry }>();
	const changed = new Map<GitPath, TreeEntry>();
	const gone = new Set<GitPath>();
	for (const { from, to, before: old, after: now } of await diffWithRenames(store, before, after)) {
		if (now === null) gone.add(from);
		else if (from === to || old === null) changed.set(to, now);
		else {
			renames.set(to, { from, before: old, after: now });
			gone.add(from);
		}
	}
	return { renames, changed, gone };
}

/** A commit with the tree of `commit` and one parent. For merging against a base that is in no history. */
export async function withParent(store: Repository, commit: Oid, parent: Oid): Promise<Oid> {
	return await commitOf(store, `${commit}^{tree}`, [parent]);
}

async function commitOf(store: Repository, tree: string, parents: readonly Oid[]): Promise<Oid> {
	const identity = { name: "robust-sync", email: "robust-sync@localhost", date: "@0 +0000" };
	const env = Object.fromEntries(
		["AUTHOR", "COMMITTER"].flatMap((role) =>
			Object.entries(identity).map(([field, value]) => [`GIT_${role}_${field.toUpperCase()}`, value]),
		),
	);
	const args = ["commit-tree", tree, ...parents.flatMap((parent) => ["-p", parent]), "-m", "side of a merge"];
	const { stdout } = await store.run(args, { env });
	return stdout.toString("latin1").trim();
}
