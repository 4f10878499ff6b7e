// Above 400 lines: one decision a path; the cases read each other's results (a rename of one is an addition of the other).
import {
	blobOid,
	changesWithRenames,
	conflictCopyPath,
	type GitPath,
	gitPathBytes,
	gitPathOf,
	isSameEntry,
	type KnownContents,
	lastTouches,
	type ObjectReader,
	type Oid,
	present,
	type Repository,
	type SideChanges,
	type SideHistory,
	type TreeEntry,
} from "@robust-sync/git";
import { type AttributeKind, maxMergedBytes } from "@robust-sync/merge";
import { isOwnName } from "@robust-sync/workspace";
import { type ConflictGroup, type Conflicts, crissCross } from "./conflict-groups.ts";
import { isAttributesFile, kindAttributes } from "./kind-attributes.ts";
import type { MergeAnswer, MergeJob } from "./merge-jobs.ts";
import { mergeThread } from "./merge-thread.ts";
import type { Strategy } from "./resolution.ts";
import { submoduleDescendant } from "./submodule.ts";

/** How one path was resolved, with the sides in the order of their commit ids. */
export interface SettledPath {
	readonly path: GitPath;
	readonly type: string;
	readonly strategy: Strategy;
	readonly winner: "merged" | "first" | "second" | "both";
	readonly first: TreeEntry | null;
	readonly second: TreeEntry | null;
	readonly base: TreeEntry | null;
	/** Something that a side added or changed is not in the result. */
	readonly lost: boolean;
	/** git alone would have reported a conflict. */
	readonly reported: boolean;
	readonly results: readonly { readonly path: GitPath; readonly entry: TreeEntry }[];
}

/** A file of the result: bytes if it was merged, else an existing blob. */
export type ResultFile = { readonly mode: string; readonly content: Buffer } | TreeEntry;

/** The result for one path. */
export interface Outcome {
	readonly settled: Omit<SettledPath, "results">;
	readonly files: readonly { readonly path: GitPath; readonly made: ResultFile; readonly beside?: boolean }[];
	/** Contents of versions that no commit has: made on the way, and to be stored so that they can be saved. */
	readonly intermediateBlobs?: readonly Buffer[];
}

const isRegular = (entry: TreeEntry | null): entry is TreeEntry => entry?.mode === "100644" || entry?.mode === "100755";

/** Merges the mode of a regular file: the side that changed it wins. Both can change it only without a base: then executable wins. */
function mergeModes(base: TreeEntry | null, first: TreeEntry, second: TreeEntry): string {
	if (first.mode === second.mode) return first.mode;
	if (isRegular(base)) return first.mode === base.mode ? second.mode : first.mode;
	return "100755";
}

function contentsOf(...versions: readonly (ResultFile | undefined)[]): Buffer[] {
	return versions.flatMap((made) => (made && "content" in made ? [made.content] : []));
}

/** The mode and blob id of a file, also of one that is not stored yet. */
function entryOf(made: ResultFile, format: Repository["objectFormat"]): TreeEntry {
	return "content" in made ? { mode: made.mode, oid: blobOid(made.content, format) } : made;
}

/** The outcomes in reported form, in the order of their paths. @param known receives the contents that were made */
export function settledPaths(outcomes: readonly Outcome[], format: Repository["objectFormat"], known?: KnownContents): SettledPath[] {
	const result = ({ path, made }: Outcome["files"][number]) => {
		const entry = entryOf(made, format);
		if ("content" in made) known?.add(entry.oid, made.content);
		return { path, entry };
	};
	return outcomes
		.map(({ settled, files }) => ({ ...settled, results: files.map(result) }))
		.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** A merge in which git left conflicted paths. */
export interface OpenMerge {
	readonly first: Oid;
	readonly second: Oid;
	/** The commit that git took as base. */
	readonly base: Oid | null;
	/** The tree that git computed; correct at every path without a conflict. */
	readonly tree: Oid;
	readonly conflicts: Conflicts;
	/** The later side of every path, where that is known; else commit dates decide for each path. */
	readonly later?: "first" | "second";
}

/** Files of one batch. At this size the cost of the message to the merging thread is negligible. */
const groupsAtATime = 512;
const bytesAtATime = 8 * 1024 * 1024;

/** Stores a content as a blob. @returns its id; the blob cannot be read yet */
export type StoreBlob = (content: Buffer) => Oid;

/** A side of one file. */
interface SideVersion {
	readonly entry: TreeEntry;
	/** null: over the size that is merged. */
	readonly content: Uint8Array | null;
	/** Its name on that side, where it is not the file's. */
	readonly path?: GitPath;
}

/** A group with its contents; a base of `undefined`: no base is usable. */
interface LoadedGroup {
	readonly group: ConflictGroup;
	readonly base: Uint8Array | null | undefined;
	readonly first: Uint8Array | null;
	readonly second: Uint8Array | null;
}

/** The result of merging one file by its kind. */
interface MergedVersions {
	readonly made: ResultFile;
	readonly strategy: Strategy;
	readonly winner: "merged" | "first" | "second";
	readonly lost: boolean;
	readonly reported: boolean;
}

interface MergeToRun {
	readonly job: MergeJob;
	readonly complete: (answer: MergeAnswer) => MergedVersions;
}

const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Settles every path that git left open. */
export class PathResolver {
	readonly #repository: Repository;
	readonly #store: Repository;
	readonly #reader: ObjectReader;
	readonly #merge: OpenMerge;
	readonly #storeBlob: StoreBlob | null;
	#history: { first: SideHistory; second: SideHistory } | null = null;
	#kinds: ReadonlyMap<GitPath, AttributeKind> = new Map();

	/** @param storeBlob receives the content of files of a large merge, while the others are still being merged; null: contents are in the outcomes */
	constructor(repository: Repository, store: Repository, reader: ObjectReader, merge: OpenMerge, storeBlob: StoreBlob | null = null) {
		this.#repository = repository;
		this.#store = store;
		this.#reader = reader;
		this.#merge = merge;
		this.#storeBlob = storeBlob;
	}

	async resolve(): Promise<Outcome[]> {
		const { groups, splits } = this.#merge.conflicts;
		if (groups.length === 0) return [];
		const [history, sides] = await Promise.all([this.#merge.later ? null : this.#readHistory(), this.#readSides()]);
		this.#history = history;
		// Attributes first: the other files are merged by them.
		const attributeGroups = groups.filter(({ path }) => isAttributesFile(path));
		const inSplit = new Set(splits.flatMap(({ from, first, second }) => [from, first, second]));
		const others = groups.filter(({ path }) => !isAttributesFile(path) && !inSplit.has(path));
		const outcomes = await this.#resolveGroups(
			attributeGroups.filter(({ path }) => !inSplit.has(path)),
			sides,
		);
		this.#kinds = await this.#readKinds(attributeGroups, outcomes);
		outcomes.push(...(await this.#resolveGroups(others, sides)));
		for (const split of splits) outcomes.push(...(await this.#resolveSplit(split, sides)));
		return await this.#nameBesides(outcomes);
	}

	async #readHistory(): Promise<{ first: SideHistory; second: SideHistory }> {
		const { first, second, conflicts } = this.#merge;
		const decided = conflicts.groups.filter((group) => group.first || group.second);
		return await lastTouches({ store: this.#store, isOwn: isOwnName, reader: this.#reader }, first, second, {
			paths: new Set(decided.map(({ path }) => path)),
			blobs: new Set(decided.flatMap((group) => [group.first?.oid, group.second?.oid]).filter((oid) => oid !== undefined)),
		});
	}

	/** Where both sides seem to have added a path, one or both may have renamed a file to it: only a diff with renames can decide. */
	async #readSides(): Promise<{ first: SideChanges; second: SideChanges } | null> {
		const { first, second, base, conflicts } = this.#merge;
		const collided = conflicts.groups.some((group) => !group.base && isRegular(group.first) && isRegular(group.second));
		if (base === null || !collided) return null;
		const [one, two] = await Promise.all([changesWithRenames(this.#store, base, first), changesWithRenames(this.#store, base, second)]);
		return { first: one, second: two };
	}

	async #readKinds(attributeGroups: readonly ConflictGroup[], outcomes: readonly Outcome[]): Promise<Map<GitPath, AttributeKind>> {
		const resolved = new Map<GitPath, Buffer | null>(attributeGroups.map(({ path }) => [path, null]));
		for (const { path, made } of outcomes.flatMap(({ files }) => files)) {
			if (!resolved.has(path)) continue;
			const [content] = "content" in made ? [made.content] : isRegular(made) ? await this.#reader.contents([made.oid]) : [];
			resolved.set(path, content ?? null);
		}
		const { groups, splits } = this.#merge.conflicts;
		const paths = new Set([...groups.map(({ path }) => path), ...splits.map(({ from }) => from)]);
		return await kindAttributes(this.#store, this.#reader, this.#merge.tree, resolved, [...paths]);
	}

	/** The side whose last commit that touched the path has the later date; equal: the greater blob id. */
	#later(first: { path: GitPath; entry: TreeEntry }, second: { path: GitPath; entry: TreeEntry }): "first" | "second" {
		if (this.#merge.later) return this.#merge.later;
		const date = (history: SideHistory | undefined, side: { path: GitPath; entry: TreeEntry }) =>
			history?.paths.get(side.path) ?? history?.blobs.get(side.entry.oid) ?? 0;
		const [one, two] = [date(this.#history?.first, first), date(this.#history?.second, second)];
		if (one !== two) return one > two ? "first" : "second";
		return first.entry.oid > second.entry.oid ? "first" : "second";
	}

	async #resolveGroups(groups: readonly ConflictGroup[], sides: { first: SideChanges; second: SideChanges } | null): Promise<Outcome[]> {
		const outcomes: Outcome[] = [];
		const plain: ConflictGroup[] = [];
		for (const group of groups) {
			if (isRegular(group.first) && isRegular(group.second)) {
				if (sides && !group.base) outcomes.push(...(await this.#resolveCollision(group, group.first, group.second, sides)));
				else plain.push(group);
			} else {
				const outcome = await this.#resolveWhole(group);
				if (outcome) outcomes.push(outcome);
			}
		}
		outcomes.push(...(await this.#mergeAll(plain)));
		return outcomes;
	}

	/** Merges many files by their kinds, a batch at a time: while one is merged the next is read, and no more than that is in memory. */
	async #mergeAll(groups: readonly ConflictGroup[]): Promise<Outcome[]> {
		const outcomes: Outcome[] = [];
		// A small merge ends before a process has started. A merged attributes file is read again when the other paths are merged.
		const store = groups.length > groupsAtATime && !groups.some(({ path }) => isAttributesFile(path)) ? this.#storeBlob : null;
		let running: Promise<Outcome[]> | null = null;
		for await (const batch of this.#batches(groups)) {
			const before: Promise<Outcome[]> | null = running;
			running = this.#mergeBatch(batch, store);
			// Awaited below, or in the next round: a failure of the one before comes first.
			running.catch(() => undefined);
			if (before) outcomes.push(...(await before));
		}
		if (running) outcomes.push(...(await running));
		return outcomes;
	}

	/** The groups with the contents of their versions. */
	async *#batches(groups: readonly ConflictGroup[]): AsyncGenerator<readonly LoadedGroup[]> {
		const oidsOf = (group: ConflictGroup) =>
			[group.base, group.first, group.second].flatMap((entry) => (isRegular(entry) ? [entry.oid] : []));
		const infos = await this.#reader.infos(groups.flatMap(oidsOf));
		let info = 0;
		for (let at = 0; at < groups.length; ) {
			const batch: ConflictGroup[] = [];
			let bytes = 0;
			do {
				const group = groups[at++] as ConflictGroup;
				batch.push(group);
				for (const oid of oidsOf(group)) {
					const found = infos[info++];
					if (!found) present(null, oid);
					bytes += found && found.size <= maxMergedBytes ? found.size : 0;
				}
			} while (at < groups.length && batch.length < groupsAtATime && bytes < bytesAtATime);
			const contents: (Uint8Array | null)[] = [];
			const oids = batch.flatMap(oidsOf);
			await this.#reader.each(
				oids,
				(_info, content, index) => {
					// A copy with its own buffer, which can be transferred to another thread.
					const copy = content && new Uint8Array(content);
					if (copy) this.#reader.known?.add(oids[index] as Oid, copy);
					contents.push(copy);
				},
				maxMergedBytes,
			);
			let content = 0;
			yield batch.map((group) => ({
				group,
				base: isRegular(group.base) ? (contents[content++] ?? null) : undefined,
				first: contents[content++] ?? null,
				second: contents[content++] ?? null,
			}));
		}
	}

	async #mergeBatch(batch: readonly LoadedGroup[], store: StoreBlob | null): Promise<Outcome[]> {
		const versions = batch.map(({ group, base, first, second }) =>
			this.#prepare(
				group.path,
				{ entry: group.base, content: base },
				{ entry: group.first as TreeEntry, content: first },
				{ entry: group.second as TreeEntry, content: second },
			),
		);
		const merged = await this.#finish(versions);
		return batch.map(({ group }, index) => {
			const { made, ...rest } = merged[index] as MergedVersions;
			return this.#groupOutcome(group, { ...rest, made: store === null ? made : this.#stored(made, store) });
		});
	}

	#stored(made: ResultFile, store: StoreBlob): TreeEntry {
		if (!("content" in made)) return made;
		const oid = store(made.content);
		this.#reader.known?.add(oid, made.content);
		return { mode: made.mode, oid };
	}

	#groupOutcome(group: ConflictGroup, merged: MergedVersions): Outcome {
		const [one, two] = [group.first as TreeEntry, group.second as TreeEntry];
		const aside = group.notes.has("CONFLICT (file/directory)");
		return {
			settled: {
				path: group.path,
				type: aside ? "file/directory" : one.oid === two.oid ? "mode" : group.base ? "content" : "add/add",
				strategy: aside ? "both-names" : one.oid === two.oid ? "kept-modified" : merged.strategy,
				winner: aside ? "both" : merged.winner,
				first: one,
				second: two,
				base: group.base,
				lost: merged.lost,
				reported: aside || merged.reported || group.notes.has(crissCross),
			},
			files: [{ path: group.path, made: merged.made, beside: aside }],
		};
	}

	/** Merges one file. A content of null is over the size that is merged: the later side as it is. */
	async #mergeVersions(
		path: GitPath,
		base: { entry: TreeEntry | null; content: Uint8Array | null | undefined },
		first: SideVersion,
		second: SideVersion,
	): Promise<MergedVersions> {
		const [merged] = await this.#finish([this.#prepare(path, base, first, second)]);
		return merged as MergedVersions;
	}

	/** The result, if the entries alone decide it; else the job for the contents, and the function that makes the result from its answer. */
	#prepare(
		path: GitPath,
		base: { entry: TreeEntry | null; content: Uint8Array | null | undefined },
		first: SideVersion,
		second: SideVersion,
	): MergedVersions | MergeToRun {
		const mode = mergeModes(base.entry, first.entry, second.entry);
		const later = this.#later({ path: first.path ?? path, entry: first.entry }, { path: second.path ?? path, entry: second.entry });
		const whole = { first: { mode, oid: first.entry.oid }, second: { mode, oid: second.entry.oid } };
		if (first.entry.oid === second.entry.oid) {
			const winner = first.entry.mode === mode ? "first" : "second";
			const differ = first.entry.mode !== second.entry.mode;
			return { made: whole.first, strategy: "kept-modified", winner, lost: differ, reported: differ };
		}
		if (base.content === null || first.content === null || second.content === null)
			return { made: whole[later], strategy: "later", winner: later, lost: true, reported: true };
		return {
			job: {
				path,
				base: base.content ?? null,
				a: first.content,
				b: second.content,
				later: later === "first" ? "a" : "b",
				attribute: this.#kinds.get(path),
			},
			complete: ({ content, strategy, winner: side, lost, reported }) => {
				const winner = side === "a" ? "first" : side === "b" ? "second" : "merged";
				// A side's own bytes are in the object database already.
				const made = winner === "merged" ? { mode, content: asBuffer(content ?? new Uint8Array()) } : whole[winner];
				return { made, strategy, winner, lost, reported };
			},
		};
	}

	async #finish(prepared: readonly (MergedVersions | MergeToRun)[]): Promise<MergedVersions[]> {
		const answers = await mergeThread.run(prepared.flatMap((merge) => ("job" in merge ? [merge.job] : [])));
		let at = 0;
		return prepared.map((merge) => ("job" in merge ? merge.complete(answers[at++] as MergeAnswer) : merge));
	}

	/** Paths of which a side is kept whole: deleted by the other, links, submodules, files of different types. */
	async #resolveWhole(group: ConflictGroup): Promise<Outcome | null> {
		const { path, base, first, second, notes } = group;
		const settled = { path, first, second, base };
		if (!first || !second) {
			const entry = first ?? second;
			if (!entry) return null;
			const winner = first ? "first" : "second";
			if (notes.has("CONFLICT (file/directory)"))
				return {
					settled: { ...settled, type: "file/directory", strategy: "both-names", winner: "both", lost: false, reported: true },
					files: [{ path, made: entry, beside: true }],
				};
			const type = notes.has("CONFLICT (rename/delete)") ? "rename/delete" : "modify/delete";
			return {
				settled: { ...settled, type, strategy: "kept-modified", winner, lost: false, reported: true },
				files: [{ path, made: entry }],
			};
		}
		const modes = [first.mode, second.mode];
		let winner = this.#later({ path, entry: first }, { path, entry: second });
		if (modes.every((mode) => mode === "160000"))
			winner = (await submoduleDescendant(this.#repository, path, first.oid, second.oid)) ?? winner;
		const type = modes.includes("160000") ? "submodule" : modes.every((mode) => mode === "120000") ? "symlink" : "distinct types";
		return {
			settled: { ...settled, type, strategy: "later", winner, lost: true, reported: true },
			files: [{ path, made: winner === "first" ? first : second, beside: notes.has("CONFLICT (file/directory)") }],
		};
	}

	async #load(made: ResultFile | null): Promise<Buffer | null> {
		if (!made) return null;
		if ("content" in made) return made.content;
		let found: Buffer | null = null;
		await this.#reader.each(
			[made.oid],
			(info, content) => {
				if (!info) present(null, made.oid);
				found = content && Buffer.from(content);
			},
			maxMergedBytes,
		);
		return found;
	}

	#entryOf(made: ResultFile): TreeEntry {
		return entryOf(made, this.#store.objectFormat);
	}

	/** The result for a file that one side renamed to `to`: the merged content, under the new name. */
	async #followRename(
		to: GitPath,
		side: "first" | "second",
		sides: { first: SideChanges; second: SideChanges },
	): Promise<{ made: ResultFile; settled: Outcome["settled"] | null; from: GitPath } | null> {
		const rename = sides[side].renames.get(to);
		if (!rename) return null;
		const { from, before, after } = rename;
		const opposite = sides[side === "first" ? "second" : "first"];
		const [otherPath, other] = [...opposite.renames]
			.map(([name, { from: source, after: entry }]) => [name, source === from ? entry : null] as const)
			.find(([, entry]) => entry) ?? [from, opposite.changed.get(from) ?? null];
		if (!other || !isRegular(other) || !isRegular(after) || isSameEntry(other, before)) return { made: after, settled: null, from };
		const [mine, its] = [
			{ entry: after, content: await this.#load(after), path: to },
			{ entry: other, content: await this.#load(other), path: otherPath },
		];
		const [first, second] = side === "first" ? [mine, its] : [its, mine];
		const merged = await this.#mergeVersions(from, { entry: before, content: await this.#load(before) }, first, second);
		const settled: Outcome["settled"] = {
			path: from,
			type: "rename/rename",
			strategy: merged.strategy,
			winner: merged.winner,
			first: first.entry,
			second: second.entry,
			base: before,
			lost: merged.lost,
			reported: merged.reported,
		};
		return { made: merged.made, settled, from };
	}

	/** Both sides put something at a path that the base does not have. Renamed to it by both: two files, two names; else one file that both added. */
	async #resolveCollision(
		group: ConflictGroup,
		first: TreeEntry,
		second: TreeEntry,
		sides: { first: SideChanges; second: SideChanges },
	): Promise<Outcome[]> {
		const { path } = group;
		const [one, two] = [await this.#followRename(path, "first", sides), await this.#followRename(path, "second", sides)];
		const extra = [one, two].flatMap((side) => (side?.settled?.lost ? [{ settled: side.settled, files: [] }] : []));
		const [ours, theirs] = [this.#entryOf(one?.made ?? first), this.#entryOf(two?.made ?? second)];
		if (one && two) {
			const later = this.#later(
				{ path, entry: sides.first.renames.get(path)?.after ?? first },
				{ path, entry: sides.second.renames.get(path)?.after ?? second },
			);
			const [stays, goes] = later === "first" ? [one.made, two.made] : [two.made, one.made];
			const entries = { first: sides.first.renames.get(path)?.after ?? first, second: sides.second.renames.get(path)?.after ?? second };
			return [
				{
					settled: {
						path,
						...entries,
						base: null,
						type: "rename/rename",
						strategy: "both-names",
						winner: "both",
						lost: false,
						reported: true,
					},
					files: isSameEntry(ours, theirs)
						? [{ path, made: stays }]
						: [
								{ path, made: stays },
								{ path, made: goes, beside: true },
							],
				},
				...extra,
			];
		}
		const merged = await this.#mergeVersions(
			path,
			{ entry: null, content: undefined },
			{ entry: ours, content: await this.#load(one?.made ?? first) },
			{ entry: theirs, content: await this.#load(two?.made ?? second) },
		);
		const type = ours.oid === theirs.oid ? "mode" : "add/add";
		const beside = group.notes.has("CONFLICT (file/directory)");
		return [
			{
				settled: {
					path,
					first: ours,
					second: theirs,
					base: null,
					type,
					strategy: merged.strategy,
					winner: merged.winner,
					lost: merged.lost,
					reported: merged.reported,
				},
				files: [{ path, made: merged.made, beside }],
				intermediateBlobs: contentsOf(one?.made, two?.made),
			},
			...extra,
		];
	}

	/** Renamed to two names: both names, each with the merged content; where the other side added something under one of them, merged with that. */
	async #resolveSplit(
		split: { from: GitPath; first: GitPath; second: GitPath },
		sides: { first: SideChanges; second: SideChanges } | null,
	): Promise<Outcome[]> {
		const group = (path: GitPath) => this.#merge.conflicts.groups.find((candidate) => candidate.path === path);
		const [source, atFirst, atSecond] = [group(split.from), group(split.first), group(split.second)];
		const first = sides?.first.renames.get(split.first)?.after ?? atFirst?.first ?? null;
		const second = sides?.second.renames.get(split.second)?.after ?? atSecond?.second ?? null;
		if (!first || !second) return [];
		const base = source?.base ?? null;
		const [one, two] = [
			{ entry: first, content: await this.#load(first), path: split.first },
			{ entry: second, content: await this.#load(second), path: split.second },
		];
		let made: ResultFile;
		let lost = false;
		if (isRegular(first) && isRegular(second)) {
			const merged = await this.#mergeVersions(
				split.from,
				{ entry: base, content: isRegular(base) ? await this.#load(base) : undefined },
				one,
				two,
			);
			({ made, lost } = merged);
		} else made = this.#later({ path: split.first, entry: first }, { path: split.second, entry: second }) === "first" ? first : second;
		const added: [GitPath, TreeEntry | null | undefined, "first" | "second"][] = [
			[split.first, atFirst?.second, "second"],
			[split.second, atSecond?.first, "first"],
		];
		const outcomes: Outcome[] = [];
		for (const [path, other, side] of added) {
			const settled: Outcome["settled"] = {
				path,
				type: "rename/rename",
				strategy: "both-names",
				winner: "both",
				first,
				second,
				base,
				lost,
				reported: true,
			};
			const beside = group(path)?.notes.has("CONFLICT (file/directory)") ?? false;
			if (!isRegular(other ?? null) || !other) {
				outcomes.push({ settled, files: [{ path, made, beside }] });
				continue;
			}
			const renamed = { entry: this.#entryOf(made), content: await this.#load(made) };
			const addition = { entry: other, content: await this.#load(other) };
			const [a, b] = side === "second" ? [renamed, addition] : [addition, renamed];
			const both = await this.#mergeVersions(path, { entry: null, content: undefined }, a, b);
			outcomes.push({
				settled: {
					path,
					type: "add/add",
					strategy: both.strategy,
					winner: both.winner,
					first: a.entry,
					second: b.entry,
					base: null,
					lost: both.lost || lost,
					reported: true,
				},
				files: [{ path, made: both.made, beside }],
				intermediateBlobs: contentsOf(made),
			});
		}
		return outcomes;
	}

	/** Names the conflict copies: with the shortest prefix of the blob's id that makes the name unique. */
	async #nameBesides(outcomes: readonly Outcome[]): Promise<Outcome[]> {
		const named: Outcome[] = [];
		for (const outcome of outcomes) {
			const files: { path: GitPath; made: ResultFile }[] = [];
			for (const { path, made, beside } of outcome.files)
				files.push({ path: beside ? await this.#nameBeside(path, this.#entryOf(made)) : path, made });
			named.push({ ...outcome, files });
		}
		return named;
	}

	async #nameBeside(path: GitPath, { oid }: TreeEntry): Promise<GitPath> {
		const short = conflictCopyPath(path, oid);
		const [there] = await this.#reader.infos([Buffer.concat([Buffer.from(`${this.#merge.tree}:`), gitPathBytes(short)])]);
		if (!there || there.oid === oid) return short;
		return gitPathOf(short.replace(`~${oid.slice(0, 8)}`, `~${oid}`));
	}
}
