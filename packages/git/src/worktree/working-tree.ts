import { type Items, joined, viewOf } from "@robust-sync/system/items";
import { isFileMode } from "../files/disk-file.ts";
import { inheritingDirectories } from "../files/permissions.ts";
import { writeFlaggedIndexEntries } from "../index/index-file.ts";
import { type IndexFlags, readIndexFlags } from "../index/index-flags.ts";
import { diffTrees, type TreeChange } from "../objects/diff.ts";
import { GitObjects, type ObjectStore } from "../objects/object-store.ts";
import { readRef, updateRef } from "../objects/refs.ts";
import { type GitPath, parentOf } from "../paths/git-path.ts";
import { WorkCounter } from "../process/progress.ts";
import type { Repository } from "../process/repository.ts";
import type { CheckoutOptions, CheckoutReport } from "./checkout-options.ts";
import { DurableChanges } from "./durable-changes.ts";
import { ExpectedVersions } from "./expected-versions.ts";
import { HeldPaths } from "./hold-paths.ts";
import { InheritingDirectories } from "./inheriting-directories.ts";
import { WayMaker } from "./make-way.ts";
import { Placer } from "./place-file.ts";
import { PlacedVersions } from "./placed-versions.ts";
import { Sites } from "./sites.ts";
import { Swapper } from "./swap-files.ts";
import { TakenFiles } from "./taken-files.ts";

export type { CheckoutOptions, CheckoutReport, FilteredFile, HeldChange, PlacedFile } from "./checkout-options.ts";

// The checkout: the working tree goes from one commit to another, such that no byte that a program wrote is ever destroyed. The incoming file
// is exchanged for the one at its path (or that one is renamed into the backup, and the new one linked into its place: link(2) fails where a file
// has appeared meanwhile). Only then is the removed file compared with the expected one: if it differs, it is a foreign write, and
// stays in the backup. git's own checkout compares first and overwrites later.

class Checkout {
	readonly #repository: Repository;
	readonly #objects: ObjectStore;
	readonly #options: CheckoutOptions;
	readonly #placedVersions: PlacedVersions | null;
	readonly #sites: Sites;
	readonly #expected: ExpectedVersions;
	readonly #taken: TakenFiles;
	readonly #swapper: Swapper;
	readonly #way: WayMaker;
	readonly #placer: Placer;
	readonly #inheriting: InheritingDirectories;
	readonly #held: HeldPaths;
	readonly #durable: DurableChanges;

	constructor(repository: Repository, options: CheckoutOptions, filters: boolean) {
		this.#repository = repository;
		this.#options = options;
		this.#objects = options.objects ?? new GitObjects(repository, options.contents);
		this.#placedVersions = options.versions === undefined ? null : new PlacedVersions(repository.files, options.versions);
		this.#sites = new Sites(repository, options, this.#objects);
		this.#expected = new ExpectedVersions(repository, options, this.#sites, filters);
		this.#taken = new TakenFiles(repository, this.#sites, this.#expected, this.#placedVersions);
		this.#durable = new DurableChanges(repository, this.#sites);
		this.#swapper = new Swapper(repository, options, this.#sites, this.#durable, this.#placedVersions);
		this.#way = new WayMaker(repository, this.#sites, this.#taken);
		const durable = this.#durable;
		this.#inheriting = new InheritingDirectories(repository.files, this.#sites);
		this.#placer = new Placer(repository, this.#objects, options, {
			sites: this.#sites,
			durable,
			expected: this.#expected,
			taken: this.#taken,
			swapper: this.#swapper,
			way: this.#way,
			inheriting: this.#inheriting,
		});
		this.#held = new HeldPaths(repository.files, this.#sites, this.#taken, this.#expected);
	}

	/** The changes of this checkout, in columns: a commit may have a million files. */
	async #findChanges(): Promise<Items<TreeChange>> {
		const { from, to, held = [], isOwn, retryHeld } = this.#options;
		if (this.#options.changes) return this.#options.changes;
		const all = await diffTrees(this.#repository, from ?? this.#repository.emptyTree, to);
		const wanted = all.filter((change) => isOwn?.(change.path) !== true);
		if (held.length === 0) return wanted;
		const toHold = new Map(held.map((change) => [change.path, change]));
		const left = retryHeld === true ? new Map(toHold) : new Map<GitPath, TreeChange>();
		if (left.size > 0) for (const { path: name } of wanted) left.delete(name);
		// A held path still has the version that its writers have read, not that of `from`.
		const changes = viewOf(wanted, (change) => {
			const before = toHold.get(change.path);
			return before === undefined ? change : { ...change, before: before.before };
		});
		return joined(changes, [...left.values()]);
	}

	/** Without a use for them, the index is not read. */
	async #flagsOf(changes: Items<TreeChange>): Promise<ReadonlyMap<GitPath, IndexFlags>> {
		if (this.#options.changes && !this.#options.keepLocal) return new Map();
		return await readIndexFlags(
			this.#repository,
			viewOf(changes, (change) => change.path),
		);
	}

	async run(): Promise<CheckoutReport> {
		const { from, to, ref, checkpoint } = this.#options;
		this.#sites.staging.clear();
		const changes = await this.#findChanges();
		// Incoming attributes apply to the incoming files.
		this.#expected.filters ||= changes.some(
			({ path: name, after }) => after !== null && (name === ".gitattributes" || name.endsWith("/.gitattributes")),
		);
		// Started early: it is ready when the files are staged.
		if (changes.some(({ before, after }) => before !== null && isFileMode(after?.mode))) this.#swapper.start();
		this.#swapper.keepsVersions = this.#options.keepsVersions === true && this.#placedVersions?.prepare(changes.length) === true;
		try {
			const flags = await this.#flagsOf(changes);
			const local = (await this.#options.keepLocal?.(changes, flags)) ?? new Map<GitPath, IndexFlags | null>();
			const added = changes.filter(({ path: name, before, after }) => before === null && isFileMode(after?.mode) && !local.has(name));
			const inheriting = inheritingDirectories(
				this.#repository,
				viewOf(added, (change) => parentOf(change.path)),
			);
			const staged = await this.#sites.staging.write(changes, "after", this.#expected.filters);
			const expected = this.#expected.filters ? await this.#expected.prepare(changes, staged) : null;
			this.#inheriting.set(await inheriting, changes, staged);
			checkpoint?.("staged");
			const prepared = await this.#durable.prepare(changes, (name) => local.has(name));
			for (let index = changes.length - 1; index >= 0; index--) {
				const change = changes.at(index) as TreeChange;
				if (isFileMode(change.after?.mode) || local.has(change.path)) continue;
				checkpoint?.("file");
				await this.#held.orHold(change, () => this.#placer.remove(change, expected?.[index] ?? null));
			}
			const counter = new WorkCounter(this.#repository.onProgress, "checking out", changes.length);
			for (const [index, change] of changes.entries()) {
				counter.add();
				this.#swapper.attributes?.begin(index, changes, staged);
				if (change.after === null || local.has(change.path)) continue;
				checkpoint?.("file");
				await this.#held.orHold(change, async () => {
					if (isFileMode(change.after?.mode)) await this.#placer.place(change, staged.at(index), expected?.[index] ?? null);
					else this.#way.placeSubmodule(change.path);
				});
			}
			counter.end();
			await this.#durable.complete(changes);
			await this.#objects.store(this.#taken.kept.toStore, this.#sites.staging.directory);
			checkpoint?.("files");
			// Files that could not be placed, or were not there, have left directories that were made for their backups.
			const tidy = () => {
				const count = this.#taken.kept.all.length;
				// All kept files may be on other file systems: they need the directory of the backup, as `makeDurably`.
				if (this.#held.all.length > 0 || count < prepared) this.#sites.backup.removeEmpty(count === 0);
			};
			if (this.#options.changes) {
				tidy();
				return this.#report(changes);
			}
			await this.#options.onHeld?.(this.#held.all, changes);
			await this.#updateIndex(changes, this.#bitsAfter(flags, local));
			checkpoint?.("index");
			// A resumed checkout may have come this far before.
			if (ref !== null && (this.#options.resume !== true || (await readRef(this.#repository, ref)) !== to)) {
				await updateRef(this.#repository, ref, to, this.#options.branchAt ?? from, "robust-sync: integrate");
			}
			if (this.#repository.isSparse && changes.length > 0) await this.#keepSparse();
			checkpoint?.("ref");
			tidy();
		} finally {
			this.#swapper.end();
			this.#sites.close();
		}
		return this.#report(changes);
	}

	#report(changes: Items<TreeChange>): CheckoutReport {
		return {
			changes,
			kept: this.#taken.kept.all,
			rescued: this.#taken.rescued,
			held: this.#held.all,
			placed: this.#swapper.placedFiles(changes),
		};
	}

	/** The index bits of changed paths: the user's stay, and a local or a huge file gets one that hides it from git, too. */
	#bitsAfter(flags: ReadonlyMap<GitPath, IndexFlags>, local: ReadonlyMap<GitPath, IndexFlags | null>): Map<GitPath, IndexFlags> {
		const bits = new Map([...flags].filter(([name]) => this.#options.ownBits?.has(name) !== true));
		for (const [name, own] of local) if (own) bits.set(name, own);
		// git would read all of it each time.
		for (const { path: name, obstacle } of this.#held.all)
			if (obstacle === "too-large" && !bits.has(name)) bits.set(name, { skipWorktree: true, assumeUnchanged: false });
		return bits;
	}

	/** Hides files outside of a sparse checkout again, unless someone wrote to them (git-sparse-checkout(1), reapply). */
	async #keepSparse(): Promise<void> {
		await this.#repository.run(["update-index", "-q", "--refresh"], { accept: [0, 1] });
		await this.#repository.run(["sparse-checkout", "reapply"], { accept: [0, 1, 128] });
	}

	async #updateIndex(changes: Items<TreeChange>, flags: ReadonlyMap<GitPath, IndexFlags>): Promise<void> {
		if (changes.length === 0) return;
		await writeFlaggedIndexEntries(
			this.#repository,
			viewOf(changes, ({ path: name, after }) => ({ path: name, entry: after })),
			flags,
		);
	}
}

/**
 * Checks out: working tree, index and branch go from one commit to another. No byte is destroyed: replaced files are kept in `backup`, also those that a
 * program wrote a moment before. After a crash at any point the same call with `resume` continues.
 * @throws GitError, and the file system's errors; the next call with `resume` then does the rest
 */
export async function checkOutTree(repository: Repository, options: CheckoutOptions, filters: boolean): Promise<CheckoutReport> {
	return await new Checkout(repository, options, filters).run();
}

/** Replaces single files like checkOutTree; index and branch stay. @param changes each to a stored version */
export async function replaceFiles(
	repository: Repository,
	options: Omit<CheckoutOptions, "from" | "to" | "ref" | "changes">,
	changes: TreeChange[],
	filters: boolean,
): Promise<CheckoutReport> {
	return await checkOutTree(repository, { from: null, to: "", ref: null, ...options, changes }, filters);
}
