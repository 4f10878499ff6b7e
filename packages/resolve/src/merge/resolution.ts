import type { GitPath, KnownContents, Oid, TreeEntry } from "@robust-sync/git";
import type { Manifest } from "@robust-sync/workspace";

/** How a path was settled: the names of the manifest (docs/contract.md, section 7). */
export type Strategy = Manifest["files"][number]["strategy"];

/** Sides by role, as this node sees them. */
export type Role = "ours" | "theirs" | "base";

/** What happened to one path that both sides changed. */
export interface ResolvedFile {
	/** Where it is in the result; for a deleted or renamed path, where the conflict was. */
	readonly path: GitPath;
	/** git's conflict type in short: content, add/add, modify/delete, rename/delete, rename/rename, file/directory, mode, symlink, submodule, distinct types; `clean` where git's own line merge had no conflict. */
	readonly type: string;
	readonly strategy: Strategy;
	readonly winner: "merged" | "ours" | "theirs" | "both";
	/** The whole sides; null: that side did not have the path. */
	readonly versions: Readonly<Record<Role, TreeEntry | null>>;
	/** git alone would have reported a conflict, or something of a side is not in the result. */
	readonly save: boolean;
	/** The paths in the result that come from it; none for a conflict inside a file that has another path in the result. */
	readonly results: readonly { readonly path: GitPath; readonly entry: TreeEntry }[];
}

/** Two commits merged into a third. */
export interface Resolution {
	/** Merge commit in the object database; no ref names it yet. */
	readonly commit: Oid;
	readonly tree: Oid;
	readonly ours: Oid;
	readonly theirs: Oid;
	/** null: the histories have nothing in common. With several merge bases, the first by id. */
	readonly base: Oid | null;
	readonly files: readonly ResolvedFile[];
	/** Contents that the merge read and made, if they are still in memory. */
	readonly contents?: KnownContents;
}
