import {
	CommitWriter,
	cleanCommits,
	diffTrees,
	type FileChange,
	type GitPath,
	KnownContents,
	type MergeTreeResult,
	mergeBases,
	mergeTree,
	type NewCommit,
	type ObjectReader,
	type Oid,
	type Repository,
	usableDate,
	withObjectReader,
	withParent,
	writeCommit,
} from "@robust-sync/git";
import { isOwnName } from "@robust-sync/workspace";
import { type ConflictGroup, type Conflicts, crissCross, groupConflicts } from "./conflict-groups.ts";
import { isAttributesFile } from "./kind-attributes.ts";
import { mergeMessage } from "./merge-message.ts";
import { mergeTrailers } from "./node-trailer.ts";
import { type Outcome, PathResolver, type SettledPath, type StoreBlob, settledPaths } from "./path-resolver.ts";

/** Author and committer of every merge that this computes. */
export const mergeIdentity = "robust-sync <robust-sync@localhost>";

/** One merged file, and how it was resolved. */
export interface PathResult {
	readonly content: Buffer;
	readonly settled: Outcome["settled"];
}

export interface MergedCommits {
	readonly commit: Oid;
	readonly tree: Oid;
	readonly bases: readonly Oid[];
	readonly settled: readonly SettledPath[];
	/** Contents of the merged versions and of their results. */
	readonly contents: KnownContents;
}

/** Merge bases of merge bases are merged to this depth; below it the first by id is used. A hostile history may cross at every step. */
const maxDepth = 20;

/** git's merge of two commits, and its conflicts. */
interface OpenedMerge {
	readonly first: Oid;
	readonly second: Oid;
	readonly base: Oid | null;
	readonly bases: readonly Oid[];
	readonly merged: MergeTreeResult;
	readonly conflicts: Conflicts;
	readonly later?: "first" | "second";
	/** Paths resolved without a conflict in `merged`. */
	readonly noted: readonly Outcome[];
}

/** Merges commits, and the merge bases of criss-cross histories, each pair once. */
class CommitMerger {
	readonly #repository: Repository;
	readonly #store: Repository;
	readonly #reader: ObjectReader;
	readonly #contents: KnownContents;
	readonly #done = new Map<string, Promise<MergedCommits>>();

	constructor(repository: Repository, store: Repository, reader: ObjectReader) {
		this.#repository = repository;
		this.#store = store;
		this.#reader = reader;
		this.#contents = reader.known ?? new KnownContents();
	}

	merge(first: Oid, second: Oid, depth = 0): Promise<MergedCommits> {
		const key = `${first} ${second}`;
		const merge = this.#done.get(key) ?? this.#merge(first, second, depth);
		this.#done.set(key, merge);
		return merge;
	}

	async #merge(first: Oid, second: Oid, depth: number): Promise<MergedCommits> {
		const opened = await this.#open(first, second, depth);
		const parents = (await this.#reader.contents([first, second])).map((content) => content.toString("latin1"));
		return await this.#write(opened, [first, second], Math.max(...parents.map(usableDate)), mergeTrailers(parents));
	}

	/** Merges what changed from `base` to `theirs` into `ours`; `theirs` is the later side. The result has no parents. */
	async apply(base: Oid, ours: Oid, theirs: Oid): Promise<MergedCommits> {
		const cleaned = await cleanCommits(this.#store, [base, ours, theirs], isOwnName, this.#reader);
		const opened = await this.#openWith(...(cleaned.map(({ clean }) => clean) as [Oid, Oid, Oid]));
		return await this.#write({ ...opened, later: "second" }, [], 0);
	}

	/** The result of a merge at one path; other paths are resolved only as far as it depends on them. */
	async mergePath(first: Oid, second: Oid, path: GitPath): Promise<PathResult | null> {
		const opened = await this.#open(first, second, 0);
		const { groups, splits } = opened.conflicts;
		const [split] = splits.filter((candidate) => [candidate.first, candidate.second].includes(path));
		const wanted = new Set(split ? [split.from, split.first, split.second] : [path]);
		const conflicts = {
			groups: groups.filter((group) => isAttributesFile(group.path) || wanted.has(group.path)),
			splits: split ? [split] : [],
		};
		const outcomes = await this.#resolve({ ...opened, conflicts });
		for (const { settled, files } of outcomes) {
			const file = files.find((candidate) => candidate.path === path);
			if (!file) continue;
			const content = "content" in file.made ? file.made.content : ((await this.#reader.contents([file.made.oid]))[0] ?? null);
			return content && { content, settled };
		}
		return null;
	}

	async #resolve({ first, second, base, merged, conflicts, later }: OpenedMerge, storeBlob?: StoreBlob): Promise<Outcome[]> {
		const open = { first, second, base, tree: merged.tree, conflicts, ...(later ? { later } : {}) };
		return await new PathResolver(this.#repository, this.#store, this.#reader, open, storeBlob).resolve();
	}

	async #write(opened: OpenedMerge, parents: readonly Oid[], date: number, trailers: readonly string[] = []): Promise<MergedCommits> {
		const { first, second, bases, merged, noted } = opened;
		const writer = new CommitWriter(this.#store);
		try {
			const outcomes = [...(await this.#resolve(opened, (content) => writer.add(content))), ...noted];
			const settled = settledPaths(outcomes, this.#store.objectFormat, this.#contents);
			const commit: NewCommit = {
				parents,
				identity: mergeIdentity,
				date,
				message: mergeMessage(first, second, settled, trailers),
				tree: merged.tree,
				changes: changes(merged.conflicts.keys(), outcomes),
				blobs: outcomes.flatMap(({ intermediateBlobs }) => intermediateBlobs ?? []),
			};
			const written = writer.isUsed ? await writer.write(commit) : await writeCommit(this.#store, commit);
			return { ...written, bases, settled, contents: this.#contents };
		} finally {
			await writer.close();
		}
	}

	async #open(first: Oid, second: Oid, depth: number): Promise<OpenedMerge> {
		const found = await mergeBases(this.#store, first, second);
		// Without a named base git finds the bases itself. A base with refused paths is replaced by its clean version.
		const bases = (await cleanCommits(this.#store, found, isOwnName, this.#reader)).map(({ clean }) => clean);
		if (bases.length <= 1 || depth >= maxDepth) {
			const base = bases[0] ?? null;
			if (base !== null && (bases.length > 1 || base !== found[0])) return { ...(await this.#openWith(base, first, second)), bases };
			const merged = await mergeTree(this.#store, first, second);
			return { first, second, base, bases, merged, conflicts: groupConflicts(merged, first, second), noted: [] };
		}
		// Criss-cross: the base is the merge of all bases, made by the same rules, as in git's recursive strategy.
		const { base, contested } = await this.#virtualBase(bases, depth);
		const opened = await this.#openWith(base, first, second);
		return { ...opened, bases, ...(await this.#contest(opened, base, contested)) };
	}

	async #openWith(base: Oid, first: Oid, second: Oid): Promise<OpenedMerge> {
		const [one, two] = [await withParent(this.#store, first, base), await withParent(this.#store, second, base)];
		const merged = await mergeTree(this.#store, one, two);
		return { first, second, base, bases: [base], merged, conflicts: groupConflicts(merged, one, two), noted: [] };
	}

	/** The merge of several bases, and the paths in which one of them lost something. */
	async #virtualBase(bases: readonly Oid[], depth: number): Promise<{ base: Oid; contested: Set<GitPath> }> {
		let [base, ...others] = bases as [Oid, ...Oid[]];
		const contested = new Set<GitPath>();
		for (const other of others) {
			const merged = await this.merge(...(base < other ? ([base, other] as const) : ([other, base] as const)), depth + 1);
			for (const { path, lost, reported } of merged.settled) if (lost || reported) contested.add(path);
			base = merged.commit;
		}
		return { base, contested };
	}

	/**
	 * Where the bases were in conflict, one of their versions became the virtual base, and a side with exactly that version looks as if it had changed
	 * nothing. Both sides made a choice there: their difference is a conflict, and is saved.
	 */
	async #contest({ conflicts, first, second }: OpenedMerge, base: Oid, contested: ReadonlySet<GitPath>) {
		if (contested.size === 0) return { conflicts, noted: [] };
		const known = new Set(conflicts.groups.map(({ path }) => path));
		const groups: ConflictGroup[] = conflicts.groups.map((group) =>
			contested.has(group.path) ? { ...group, notes: new Set([...group.notes, crissCross]) } : group,
		);
		const noted: Outcome[] = [];
		const [ofFirst, ofSecond] = await Promise.all([diffTrees(this.#store, base, first), diffTrees(this.#store, base, second)]);
		const inSecond = new Set(ofSecond.map(({ path }) => path));
		const changedBoth = new Set(ofFirst.flatMap(({ path }) => (inSecond.has(path) ? [path] : [])));
		for (const [side, changes] of [["first", ofFirst] as const, ["second", ofSecond] as const]) {
			for (const { path, before, after } of changes) {
				if (!contested.has(path) || known.has(path) || changedBoth.has(path) || before === null) continue;
				const versions = side === "first" ? { first: after, second: before } : { first: before, second: after };
				if (after !== null) groups.push({ path, stagePaths: [path], base: before, ...versions, notes: new Set([crissCross]) });
				else
					noted.push({
						settled: {
							path,
							type: "modify/delete",
							strategy: "later",
							winner: side,
							...versions,
							base: before,
							lost: true,
							reported: true,
						},
						files: [],
					});
			}
		}
		return { conflicts: { ...conflicts, groups }, noted };
	}
}

function changes(stagePaths: Iterable<GitPath>, outcomes: readonly Outcome[]): FileChange[] {
	const removed = [...stagePaths].map((path): FileChange => ({ path, delete: true }));
	return [...removed, ...outcomes.flatMap(({ files }) => files.map(({ path, made }): FileChange => ({ path, ...made })))];
}

/**
 * Merges two commits by the rules of docs/merge-semantics.md.
 * @param repository for what is outside the object database: submodules
 * @param store from openMergeStore
 * @param first the commit with the smaller id
 */
export async function mergeCommits(repository: Repository, store: Repository, first: Oid, second: Oid): Promise<MergedCommits> {
	return await withObjectReader(store, (reader) => new CommitMerger(repository, store, reader).merge(first, second), new KnownContents());
}

/** What mergeCommits makes of one path; null: it is none that both sides changed. */
export async function mergeCommitsAt(
	repository: Repository,
	store: Repository,
	[first, second]: readonly [Oid, Oid],
	path: GitPath,
): Promise<PathResult | null> {
	return await withObjectReader(store, (reader) => new CommitMerger(repository, store, reader).mergePath(first, second, path));
}

/** Applies the changes between two commits to a third, as a cherry-pick does. The applied changes are the later side. */
export async function applyCommit(
	repository: Repository,
	store: Repository,
	what: { base: Oid; ours: Oid; theirs: Oid },
): Promise<MergedCommits> {
	return await withObjectReader(store, (reader) => new CommitMerger(repository, store, reader).apply(what.base, what.ours, what.theirs));
}
