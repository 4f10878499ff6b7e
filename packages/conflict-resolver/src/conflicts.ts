import {
	displayPath,
	type GitPath,
	lastTouches,
	type Oid,
	openMergeStore,
	readHead,
	readUnmerged,
	type Stages,
	type TreeEntry,
	withObjectReader,
} from "@robust-sync/git";
import { kindOf, maxMergedBytes } from "@robust-sync/merge";
import { type Timestamp, timestamp } from "@robust-sync/system/timestamps";
import { isOwnName } from "@robust-sync/workspace";
import { type OperationState, readOperation } from "./operation-state.ts";
import type { ResolverContext } from "./resolver-context.ts";

/** One side of a conflict. */
export interface ConflictSide {
	/** Bytes. */
	readonly size: number;
	/** When the side last changed the path (committer date); null: not in any commit. */
	readonly at: Timestamp | null;
}

/** One unresolved path. */
export interface Conflict {
	readonly path: string;
	/** content, add/add, modify/delete, deleted, symlink, submodule. */
	readonly type: string;
	/** The kind of merge: json keyed records append prose code later, or kept-modified. */
	readonly kind: string;
	readonly ours: ConflictSide | null;
	readonly theirs: ConflictSide | null;
	readonly base: { readonly size: number } | null;
}

export interface UnresolvedConflicts {
	readonly operation: OperationState["name"];
	readonly ours: Oid | null;
	readonly theirs: Oid | null;
	readonly conflicts: readonly Conflict[];
}

/** git's conflict type in short, from the stages alone. */
export function conflictType({ base, first, second }: Stages): string {
	const modes = [base, first, second].flatMap((entry) => (entry ? [entry.mode] : []));
	if (modes.includes("160000")) return "submodule";
	if (!first && !second) return "deleted";
	if (!first || !second) return base ? "modify/delete" : "file/directory";
	if (modes.includes("120000")) return "symlink";
	return base ? "content" : "add/add";
}

const isRegular = (entry: TreeEntry | null) => entry?.mode === "100644" || entry?.mode === "100755";

function kindOfContents(name: GitPath, { base, first, second }: Stages, contents: ReadonlyMap<Oid, Buffer | null>): string {
	if (!first || !second) return "kept-modified";
	if (!isRegular(first) || !isRegular(second)) return "later";
	const [a, b] = [contents.get(first.oid), contents.get(second.oid)];
	const common = isRegular(base) ? contents.get(base?.oid ?? "") : null;
	return a && b && common !== undefined ? kindOf(name, common, a, b) : "later";
}

/** The unmerged paths of the index, with both sides' sizes and times. Changes nothing. @throws GitError */
export async function listConflicts({ repository }: ResolverContext): Promise<UnresolvedConflicts> {
	const operation = readOperation(repository);
	const [unmerged, { oid: ours }] = await Promise.all([readUnmerged(repository), readHead(repository)]);
	const { name, theirs } = operation;
	if (unmerged.size === 0) return { operation: name, ours, theirs, conflicts: [] };
	const store = openMergeStore(repository);
	const sizes = new Map<Oid, number>();
	const kinds = new Map<GitPath, string>();
	// Only the versions of one path at a time are in memory.
	const wanted = [...unmerged].flatMap(([path, { base, first, second }]) => {
		const oids = new Set([base, first, second].flatMap((entry) => (entry && entry.mode !== "160000" ? [entry.oid] : [])));
		return [...oids].map((oid, index) => ({ path, oid, last: index === oids.size - 1 }));
	});
	let held = new Map<Oid, Buffer | null>();
	const [touches] = await Promise.all([
		ours && theirs
			? lastTouches({ store, isOwn: isOwnName }, ours, theirs, {
					paths: new Set(unmerged.keys()),
					blobs: new Set(wanted.map(({ oid }) => oid)),
				})
			: null,
		withObjectReader(store, (reader) =>
			reader.each(
				wanted.map(({ oid }) => oid),
				(info, content, index) => {
					const { path, oid, last } = wanted[index] as (typeof wanted)[number];
					held.set(oid, content && Buffer.from(content));
					sizes.set(oid, info?.size ?? 0);
					if (!last) return;
					kinds.set(path, kindOfContents(path, unmerged.get(path) as Stages, held));
					held = new Map();
				},
				maxMergedBytes,
			),
		),
	]);
	const side = (path: GitPath, entry: TreeEntry | null, which: "first" | "second"): ConflictSide | null => {
		if (!entry) return null;
		const seconds = touches?.[which].paths.get(path) ?? touches?.[which].blobs.get(entry.oid);
		return { size: sizes.get(entry.oid) ?? 0, at: seconds === undefined ? null : timestamp(seconds * 1000) };
	};
	const conflicts = [...unmerged].map(([path, stages]) => ({
		path: displayPath(path),
		type: conflictType(stages),
		kind: kinds.get(path) ?? "later",
		ours: side(path, stages.first, "first"),
		theirs: side(path, stages.second, "second"),
		base: stages.base ? { size: sizes.get(stages.base.oid) ?? 0 } : null,
	}));
	return { operation: name, ours, theirs, conflicts };
}
