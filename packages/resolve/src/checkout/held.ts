import {
	addLocalExcludes,
	type GitPath,
	type HeldChange,
	type IndexFlags,
	isSameEntry,
	type KnownContents,
	type Oid,
	type Repository,
	type TreeChange,
} from "@robust-sync/git";
import { findLoss, type GuardLimits, indexEntries, isPossibleLoss, type Loss } from "@robust-sync/guard";
import { faultPoint } from "@robust-sync/system/fault-points";
import type { Items } from "@robust-sync/system/items";
import { timestamp } from "@robust-sync/system/timestamps";
import {
	type HeldPath,
	type HeldState,
	readGuardNotes,
	readHeld,
	type WorkspacePaths,
	writeGuardNotes,
	writeHeld,
} from "@robust-sync/workspace";
import { filtersApply } from "./filters-apply.ts";
import {
	allIgnored,
	changesRules,
	findLocalOnly,
	inPlaceOf,
	isBelow,
	isDirectory,
	type LocalOnly,
	missingMounts,
	stillIgnored,
} from "./local-only.ts";
import { isOwnPath } from "./own-files.ts";

/** The environment of the records of held paths. */
export interface HolderContext {
	readonly repository: Repository;
	readonly paths: WorkspacePaths;
	readonly guard?: GuardLimits | null;
	readonly now: () => number;
}

/** Whether a path waits for a person's decision. */
const isGuarded = (held: HeldPath | undefined) => held?.reason === "guard" && held.approved !== true;

const ruleHeld = (name: GitPath, covered: boolean): HeldPath => ({
	path: name,
	reason: "ignored-here",
	base: null,
	target: null,
	seen: null,
	covered,
});

/**
 * The records of held paths around one checkout. They are on disk before a file is touched (paths that must stay local) and before the index
 * moves on (paths that could not be placed): a snapshot after a crash never commits a held path as the user's change.
 */
export class Holder {
	readonly #context: HolderContext;
	readonly #repository: Repository;
	readonly #paths: WorkspacePaths;
	/** The commits of the checkout; null: nothing moves. */
	readonly #move: { readonly from: Oid | null; readonly to: Oid } | null;
	readonly #before: HeldState;
	#local: Map<GitPath, LocalOnly> = new Map();
	/** The paths that were ignored before the rules changed. */
	#ignored: readonly GitPath[] = [];
	#rulesChange = false;
	readonly #contents: KnownContents | undefined;

	/** @param contents the contents of changed files that are in memory */
	constructor(
		context: HolderContext,
		move: { readonly from: Oid | null; readonly to: Oid } | null = null,
		contents: KnownContents | undefined = undefined,
	) {
		this.#contents = contents;
		this.#context = context;
		this.#repository = context.repository;
		this.#paths = context.paths;
		this.#move = move;
		this.#before = readHeld(context.paths);
	}

	/** Whether any held path can be placed now. */
	get hasRetries(): boolean {
		return this.toRetry().some((change) => !isGuarded(this.#before.paths.get(change.path)));
	}

	/** The paths that the checkout leaves unchanged. */
	get untouched(): ReadonlySet<GitPath> {
		return new Set(this.#local.keys());
	}

	/** The paths to try again: held paths as changes from the version that their writers have read to that of HEAD. */
	toRetry(): TreeChange[] {
		const missing = missingMounts(this.#repository, this.#before);
		return [...this.#before.paths.values()].flatMap((held) => {
			const name = held.path;
			if (missing.some((mount) => isBelow(name, mount))) return [];
			// A path that must stay local is retried only when nothing is left of it on disk.
			if (held.reason === "ignored-here" && (held.target === null || held.flag || inPlaceOf(this.#repository.root, name) !== null))
				return [];
			return [{ path: name, before: held.base, after: held.target }];
		});
	}

	/** Paths whose index bits are ours: they are cleared when a path is placed. */
	get ownBits(): ReadonlySet<GitPath> {
		return new Set([...this.#before.paths.values()].filter(({ flag }) => !flag).map((held) => held.path));
	}

	/** Called before any change. @returns the paths that stay untouched, with their future index bits */
	readonly keepLocal = async (
		changes: Items<TreeChange>,
		flags: ReadonlyMap<GitPath, IndexFlags>,
	): Promise<ReadonlyMap<GitPath, IndexFlags | null>> => {
		const repository = this.#repository;
		this.#local = await findLocalOnly(repository, this.#before, changes, flags, await filtersApply(repository));
		await this.#guardAgainstLoss(changes, flags);
		this.#rulesChange = changesRules(repository, changes);
		this.#ignored = this.#rulesChange ? await allIgnored(repository) : [];
		const paths = new Map(this.#before.paths);
		for (const name of this.#ignored) if (!paths.has(name)) paths.set(name, ruleHeld(name, true));
		for (const change of changes) this.#noteLocal(paths, change);
		writeHeld(this.#paths, { ...this.#before, paths });
		faultPoint("held-local");
		return new Map([...this.#local].map(([name, { bits }]) => [name, bits]));
	};

	/** Paths that wait for a person's decision stay, and so do files that a commit removes together with too many others. */
	async #guardAgainstLoss(changes: Items<TreeChange>, flags: ReadonlyMap<GitPath, IndexFlags>): Promise<void> {
		const guarded = (name: GitPath): LocalOnly => ({ reason: "guard", covered: false, bits: flags.get(name) ?? null });
		for (const { path: name, after } of changes) {
			const held = this.#before.paths.get(name);
			if (held && isGuarded(held) && (after === null || isSameEntry(after, held.target))) this.#local.set(name, guarded(name));
		}
		const loss = await this.#lossBy(changes);
		if (loss === null) return;
		for (const { path: name } of loss.files) if (!this.#local.has(name)) this.#local.set(name, guarded(name));
		const since = timestamp(this.#context.now());
		const incoming = { commit: this.#move?.to ?? "", since, tracked: loss.tracked };
		writeGuardNotes(this.#paths, { ...readGuardNotes(this.#paths), incoming });
	}

	async #lossBy(changes: Items<TreeChange>): Promise<Loss | null> {
		const { guard: limits = null } = this.#context;
		const { from = null, to = null } = this.#move ?? {};
		if (limits === null || from === null || to === null) return null;
		const deleted = changes.filter(({ after }) => after === null).length;
		const entries = indexEntries(this.#repository);
		if (!isPossibleLoss(limits, changes.length, deleted, entries === null ? null : entries - deleted)) return null;
		// The removal of an excluded path removes no file here.
		const own = changes.filter(({ path: name }) => this.#local.get(name)?.reason !== "excluded");
		// The change of a held path is not that between the commits.
		const isDifference = this.#before.paths.size === 0;
		return await findLoss(this.#repository, {
			from,
			to,
			limits,
			isOwn: isOwnPath,
			...(this.#contents ? { contents: this.#contents } : {}),
			...(own.length < changes.length || isDifference ? { changes: own } : {}),
		});
	}

	#noteLocal(paths: Map<string, HeldPath>, { path: name, before, after }: TreeChange): void {
		const local = this.#local.get(name);
		if (!local) return;
		if (local.reason === "excluded") {
			paths.delete(name);
			return;
		}
		const earlier = this.#before.paths.get(name);
		paths.set(name, {
			path: name,
			reason: local.reason,
			base: local.reason === "ignored-here" ? null : earlier ? earlier.base : before,
			target: after,
			seen: null,
			...(local.reason === "ignored-here" ? { covered: local.covered } : {}),
			...(local.flag ? { flag: local.flag } : {}),
		});
	}

	/** Called before the index moves on. */
	readonly onHeld = async (held: readonly HeldChange[], changes: Items<TreeChange>): Promise<void> => {
		const paths = new Map(this.#before.paths);
		for (const change of changes) {
			paths.delete(change.path);
			this.#noteLocal(paths, change);
		}
		for (const { path: name, before, after, obstacle, seen } of held)
			paths.set(name, { path: name, reason: obstacle, base: before, target: after, seen });
		// The others are not asked for: a commit may change a million.
		const isIgnored = new Set<GitPath>(this.#ignored);
		// For a file that another node removed, if a directory of ignored files is in its place: rules of its own cover that directory's content.
		const changed = new Set<GitPath>();
		for (const { path: name } of changes) if (paths.has(name) || isIgnored.has(name)) changed.add(name);
		const isReplaced = (name: GitPath) => changed.has(name) && isDirectory(this.#repository.root, name);
		await this.#keepExcluded(paths, changed, isReplaced);
		for (const { path: name, reason, target, covered, excluded } of [...paths.values()])
			if (reason === "ignored-here" && target === null && !excluded && (covered === true || isReplaced(name))) paths.delete(name);
		writeHeld(this.#paths, { ...this.#before, paths });
		faultPoint("held-noted");
	};

	/** Local files that no rule covers any more, because another node changed the rules or the index, stay ignored by lines of our own. */
	async #keepExcluded(paths: Map<string, HeldPath>, changed: ReadonlySet<GitPath>, isReplaced: (name: GitPath) => boolean): Promise<void> {
		if (this.#rulesChange)
			for (const name of this.#ignored) if (!paths.has(name) && !changed.has(name)) paths.set(name, ruleHeld(name, true));
		const local = [...paths.values()].filter(({ reason, target }) => reason === "ignored-here" && (this.#rulesChange || target === null));
		if (local.length === 0) return;
		const names = local.map((held) => held.path);
		const covered = await stillIgnored(this.#repository, names);
		const exposed = local.filter(
			({ path: name, target, excluded }) => target === null && !excluded && !covered.has(name) && !isReplaced(name),
		);
		addLocalExcludes(
			this.#repository,
			exposed.map((held) => held.path),
		);
		const excluded = new Set(exposed.map((held) => held.path));
		const now = exposed.length > 0 ? await stillIgnored(this.#repository, names) : covered;
		for (const held of local)
			paths.set(held.path, {
				...held,
				covered: now.has(held.path),
				...(excluded.has(held.path) ? { excluded: true } : {}),
			});
	}
}
