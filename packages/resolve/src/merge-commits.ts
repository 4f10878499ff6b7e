import {
	type FileChange,
	type GitPath,
	mergeBases,
	mergeTree,
	type ObjectReader,
	type Oid,
	type Repository,
	withObjectReader,
	withParent,
	writeCommit,
} from "@robust-sync/git";
import { groupConflicts } from "./conflict-groups.ts";
import { mergeMessage } from "./merge-message.ts";
import { type Outcome, PathSettler, type SettledPath, settledPaths } from "./path-settler.ts";

/** Author and committer of every merge that this computes. */
export const mergeIdentity = "robust-sync <robust-sync@localhost>";

export interface MergedCommits {
	readonly commit: Oid;
	readonly tree: Oid;
	readonly bases: readonly Oid[];
	readonly settled: readonly SettledPath[];
}

/** Merges commits, and the merge bases of criss-cross histories, each pair once. */
class CommitMerger {
	readonly #repository: Repository;
	readonly #store: Repository;
	readonly #reader: ObjectReader;
	readonly #done = new Map<string, Promise<MergedCommits>>();

	constructor(repository: Repository, store: Repository, reader: ObjectReader) {
		this.#repository = repository;
		this.#store = store;
		this.#reader = reader;
	}

	merge(first: Oid, second: Oid): Promise<MergedCommits> {
		const key = `${first} ${second}`;
		const merge = this.#done.get(key) ?? this.#merge(first, second);
		this.#done.set(key, merge);
		return merge;
	}

	async #merge(first: Oid, second: Oid): Promise<MergedCommits> {
		const plain = mergeTree(this.#store, first, second);
		// Not awaited where the other throws first.
		plain.catch(() => undefined);
		const bases = await mergeBases(this.#store, first, second);
		let [base, mergedAs, merged] = [bases[0] ?? null, [first, second] as const, await plain];
		if (bases.length > 1) {
			// Criss-cross: what is common to both sides is the merge of all their bases, made as this one is (as git's own recursive strategy does).
			base = await this.#virtualBase(bases);
			mergedAs = [await withParent(this.#store, first, base), await withParent(this.#store, second, base)];
			merged = await mergeTree(this.#store, mergedAs[0], mergedAs[1]);
		}
		const conflicts = groupConflicts(merged, mergedAs[0], mergedAs[1]);
		const date = await this.#laterDate(first, second);
		const settler = new PathSettler(this.#repository, this.#store, this.#reader, { first, second, base, tree: merged.tree, conflicts });
		const outcomes = await settler.settle();
		const settled = settledPaths(outcomes, this.#store.objectFormat);
		const written = await writeCommit(this.#store, {
			parents: [first, second],
			identity: mergeIdentity,
			date,
			message: mergeMessage(first, second, settled),
			tree: merged.tree,
			changes: changes(merged.conflicts.keys(), outcomes),
			blobs: outcomes.flatMap(({ madeOnTheWay }) => madeOnTheWay ?? []),
		});
		return { ...written, bases, settled };
	}

	async #virtualBase(bases: readonly Oid[]): Promise<Oid> {
		let [base, ...others] = bases as [Oid, ...Oid[]];
		for (const other of others) base = (await this.merge(...(base < other ? ([base, other] as const) : ([other, base] as const)))).commit;
		return base;
	}

	async #laterDate(first: Oid, second: Oid): Promise<number> {
		const dates = (await this.#reader.contents([first, second])).map(
			(content) => /^committer .* (\d+) [+-]\d{4}$/m.exec(content.toString("latin1"))?.[1],
		);
		return Math.max(...dates.map((date) => Number(date ?? 0)));
	}
}

function* changes(stagePaths: Iterable<GitPath>, outcomes: readonly Outcome[]): Generator<FileChange> {
	for (const path of stagePaths) yield { path, delete: true };
	for (const { files } of outcomes) for (const { path, made } of files) yield { path, ...made };
}

/**
 * Merges two commits as docs/merge-semantics.md says.
 * @param repository for what is outside the object database: submodules
 * @param store from openMergeStore
 * @param first the commit with the smaller id
 */
export async function mergeCommits(repository: Repository, store: Repository, first: Oid, second: Oid): Promise<MergedCommits> {
	return await withObjectReader(store, (reader) => new CommitMerger(repository, store, reader).merge(first, second));
}
