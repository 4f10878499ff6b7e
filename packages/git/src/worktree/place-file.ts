import type { FileStats, Files } from "@robust-sync/system/files";
import { isFileMode } from "../files/disk-file.ts";
import { hasModes } from "../files/file-modes.ts";
import { ObstacleError } from "../files/obstacle.ts";
import { type Found, isGone, isSame, isSpecial, modeOnDisk, peek } from "../files/on-disk.ts";
import { OpenDatabases } from "../files/open-files.ts";
import { hasOtherName } from "../files/other-name.ts";
import { carryBits, keepPermissions, mergedMode, newFileBits } from "../files/permissions.ts";
import type { TreeChange } from "../objects/diff.ts";
import { isSameEntry, type TreeEntry } from "../objects/merge-tree.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import { parentOf } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";
import type { CheckoutOptions } from "./checkout-options.ts";
import type { DurableChanges } from "./durable-changes.ts";
import type { ExpectedVersions, Versions } from "./expected-versions.ts";
import type { InheritingDirectories } from "./inheriting-directories.ts";
import type { WayMaker } from "./make-way.ts";
import type { Sites } from "./sites.ts";
import type { Staged } from "./staged-files.ts";
import type { Swapper } from "./swap-files.ts";
import type { TakenFiles } from "./taken-files.ts";

/** The number of tries at a path where files keep appearing. */
const maxAttempts = 100;
/** A larger file is compared by its size first: it is never merged. */
const hugeBytes = 100_000_000;

/** A staged file, and what is known of its path right before it is placed. */
interface PlacingStep {
	readonly change: TreeChange;
	readonly staged: string;
	/** Gets the old file. */
	readonly destination: Buffer;
	readonly versions: Versions | null;
	readonly there: Found | null;
	/** Called with whether the staged file's permission bits were changed. */
	readonly noteMode: (isChanged: boolean) => void;
	/** A program made a file while the path was empty. */
	readonly appeared: boolean;
	/** No file was removed at this path before. */
	readonly isFirst: boolean;
	readonly attempt: number;
}

/** The checkout of one path: stage, compare, swap, keep. */
export class Placer {
	readonly #inheriting: InheritingDirectories;
	readonly #repository: Repository;
	readonly #objects: ObjectStore;
	readonly #options: CheckoutOptions;
	readonly #sites: Sites;
	readonly #expected: ExpectedVersions;
	readonly #taken: TakenFiles;
	readonly #swapper: Swapper;
	readonly #way: WayMaker;
	readonly #durable: DurableChanges;
	readonly #databases: OpenDatabases;

	constructor(
		repository: Repository,
		objects: ObjectStore,
		options: CheckoutOptions,
		parts: {
			readonly sites: Sites;
			readonly expected: ExpectedVersions;
			readonly taken: TakenFiles;
			readonly swapper: Swapper;
			readonly way: WayMaker;
			readonly durable: DurableChanges;
			readonly inheriting: InheritingDirectories;
		},
	) {
		this.#repository = repository;
		this.#databases = new OpenDatabases(repository.files);
		this.#objects = objects;
		this.#options = options;
		this.#sites = parts.sites;
		this.#expected = parts.expected;
		this.#taken = parts.taken;
		this.#swapper = parts.swapper;
		this.#way = parts.way;
		this.#durable = parts.durable;
		this.#inheriting = parts.inheriting;
	}

	get #files(): Files {
		return this.#repository.files;
	}

	#isEmptyDirectory(directory: Buffer): boolean {
		try {
			return this.#files.readdir(directory).length === 0;
		} catch (error) {
			if (!isGone(error)) throw error;
			return false;
		}
	}

	/** Removes a file. @param expected a file with the old version in its form on disk; null: filters do not apply @throws ObstacleError; file system errors */
	async remove(change: TreeChange, expected: string | null): Promise<void> {
		// A commit's files in a store of ours were never placed.
		if (this.#sites.stores.isInside(change.path)) return;
		if (change.before?.mode === "160000") return;
		const { backup } = this.#sites.of(change.path);
		const versions = this.#expected.of(expected, null);
		const before = this.#options.resume === true ? backup.takenBefore(change.path) : [];
		const taken = before.filter(({ file }) => !this.#taken.finishReturn(change.path, file));
		if (taken.length === 0) {
			if (this.#sites.hasOtherName(change.path)) return;
			const live = this.#sites.live(change.path);
			const there = peek(this.#files, live);
			this.#refuseDatabase(live, there);
			// Changed here, deleted there: the changed version stays.
			if (there && !this.#expected.isExpected(change, there.content, there.stats, versions)) {
				this.#taken.rescued.push(change.path);
				return;
			}
			const destination = backup.first(change.path);
			if (this.#taken.take(change.path, destination)) taken.push({ file: destination, isOurs: false });
		}
		for (const { file } of taken)
			await this.#taken.orUnread(change, file, versions, null, () => this.#leaveRemoved(change, file, versions));
		for (let parent = parentOf(change.path); parent !== null; parent = parentOf(parent)) {
			try {
				this.#files.rmdir(this.#sites.live(parent));
			} catch {
				break;
			}
		}
	}

	/** A removed file stays in the backup. If a program wrote to it at that moment, it returns to its place, unless there is a newer one. */
	#leaveRemoved(change: TreeChange, file: Buffer, versions: Versions | null): void {
		const found = peek(this.#files, file);
		if (found && !this.#expected.isExpected(change, found.content, found.stats, versions) && this.#taken.relink(change.path, file))
			this.#taken.rescued.push(change.path);
		else this.#taken.note(change, file, versions);
	}

	/**
	 * Puts the incoming file at its path.
	 * @param file the incoming version, staged @param expected as for remove @throws ObstacleError; file system errors; GitError
	 */
	async place(change: TreeChange, file: Staged | undefined, expected: string | null): Promise<void> {
		if (typeof file !== "string") throw file ?? new ObstacleError("impossible-link");
		if (this.#sites.stores.isInside(change.path)) throw new ObstacleError("in-the-way");
		this.#way.clearParents(change.path);
		const near = this.#sites.stagedFor(change.path, file);
		const staged = this.#inheriting.apply(change, near);
		const site = this.#sites.of(change.path);
		const versions = this.#expected.of(expected, staged);
		const before = this.#options.resume === true ? await this.#placedBefore(change, staged, versions) : null;
		if (before?.isPlaced) return;
		// A program made a file while the path was empty.
		let appeared = false;
		for (let attempt = 0; ; attempt++) {
			const live = this.#sites.live(change.path);
			if (hasOtherName(this.#files, live)) throw new ObstacleError("in-the-way");
			const first = site.backup.first(change.path);
			const destination = this.#files.lstatIfThere(first) === null ? first : site.backup.nextLate(change.path, staged);
			// No wait between the check and the swap.
			await this.#swapper.exchanger?.ready;
			await this.#refuseHuge(change, live);
			await this.#swapper.attributes?.finish(live, staged);
			const there = peek(this.#files, live);
			this.#refuseDatabase(live, there);
			// The path was held, and the newer commit has the content that is on disk.
			if (there && isSameEntry(change.before, change.after) && this.#expected.isExpected(change, there.content, there.stats, versions))
				return;
			// A program wrote the incoming version itself.
			const isUnexpected = there !== null && !this.#expected.isExpected(change, there.content, there.stats, versions);
			if (isUnexpected && isSame(this.#files, live, staged) && this.#hasMode(change, live)) return;
			if (isUnexpected && this.#expected.isUnstorable(change.path)) throw new ObstacleError("filter-failed");
			const noteMode = (isChanged: boolean) => {
				if (isChanged) this.#durable.noteMode(site.top, staged);
			};
			// An interrupted checkout may have left the path empty.
			const replaced = there?.stats ?? before?.taken;
			if (replaced) noteMode(keepPermissions(this.#files, staged, replaced, this.#modeFor(change, replaced)));
			const step: PlacingStep = {
				change,
				staged,
				destination,
				versions,
				there,
				noteMode,
				appeared,
				isFirst: destination === first,
				attempt,
			};
			const outcome = await this.#taken.orUnread(change, destination, versions, staged, async () => {
				try {
					return await this.#placeStaged(step);
				} catch (error) {
					this.#carryAfterFault(step);
					throw error;
				}
			});
			if (outcome === "placed") return;
			appeared ||= outcome === "appeared";
		}
	}

	/**
	 * The one step that changes the path.
	 * @returns "placed"; "appeared": a program made a file there at that moment; "again": a program removed the directory
	 */
	async #placeStaged(step: PlacingStep): Promise<"placed" | "appeared" | "again"> {
		const { change, staged, destination, versions, there, noteMode, appeared, isFirst, attempt } = step;
		const live = this.#sites.live(change.path);
		const { mode, oid } = change.after as TreeEntry;
		const replaced = await this.#swapper.exchange(change.path, mode, staged, destination, there);
		if (typeof replaced === "object") {
			const { content, stats, version } = replaced;
			if (this.#expected.isExpected(change, content, stats, versions)) this.#taken.noteExpected(change, destination, replaced, versions);
			else this.#taken.observe(change, destination, versions, await this.#isAddition(change, content, appeared, versions));
			this.#swapper.notePlaced(change.path, mode, oid, version);
			this.#taken.kept.placedAs(change.path, this.#taken.incomingId(change, versions), version);
			return "placed";
		}
		if (replaced === "taken") this.#way.clearParentsAgain(change.path);
		if (replaced === "taken" || this.#taken.take(change.path, destination)) {
			const taken = peek(this.#files, destination);
			const isAddition = taken !== null && (await this.#isAddition(change, taken.content, appeared, versions));
			this.#taken.note(change, destination, versions, isAddition);
			if (taken && there) noteMode(carryBits(this.#files, staged, there.stats, taken.stats));
			// It was made after the look at the path.
			else if (taken) noteMode(keepPermissions(this.#files, staged, taken.stats, this.#modeFor(change, taken.stats)));
		} else if (isSpecial(this.#files, live)) {
			// A program may have it open, and find it by its name.
			throw new ObstacleError("in-the-way");
		} else if (this.#files.lstatIfThere(live) === null) {
			if (isFirst) await this.#noteMissing(change, destination, staged, versions);
		} else if (this.#files.lstatIfThere(live)?.isDirectory() && !this.#way.removeEmptyTree(live)) {
			// A mount point: an empty directory that cannot be removed.
			if (this.#isEmptyDirectory(live)) throw new ObstacleError("mount-point");
			if (this.#way.placeConflictCopy(change, staged)) return "placed";
			// A program has removed the directories since.
			if (attempt > maxAttempts) throw new ObstacleError("in-the-way");
			this.#way.clearParentsAgain(change.path);
			return "again";
		}
		try {
			const version = this.#swapper.linkInto(change.path, mode, oid, staged);
			this.#taken.kept.placedAs(change.path, this.#taken.incomingId(change, versions), version);
			return "placed";
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			if ((code !== "EEXIST" && code !== "ENOENT") || attempt > maxAttempts) throw error;
			// A program made a file there at this moment: it is treated like the one before. Or it removed the directory.
			if (code === "EEXIST") return "appeared";
			this.#way.clearParentsAgain(change.path);
			return "again";
		}
	}

	/** The checkout of a path failed, perhaps between a swap and the look at what came out: a program may have changed its mode a moment before. */
	#carryAfterFault({ change, staged, destination, there, noteMode }: PlacingStep): void {
		try {
			const taken = this.#files.lstatIfThere(destination);
			if (!taken?.isFile() || taken.ino === this.#files.lstat(staged).ino) return;
			if (there) noteMode(carryBits(this.#files, staged, there.stats, taken));
			else noteMode(keepPermissions(this.#files, staged, taken, this.#modeFor(change, taken)));
		} catch {
			// The fault is still there.
		}
	}

	/**
	 * The old file is missing: a program may have removed it in order to write it again, from the old version. That version goes to the
	 * backup like a file that was replaced.
	 */
	async #noteMissing(change: TreeChange, destination: Buffer, staged: string, versions: Versions | null): Promise<void> {
		const { before, after } = change;
		if (before === null || before.mode === "120000" || !isFileMode(before.mode) || isSameEntry(before, after)) return;
		if (this.#files.lstat(staged).size > hugeBytes) return;
		const content = await this.#contentBefore(before, versions);
		if (content === null) return;
		const { backup, staging } = this.#sites.of(change.path);
		// With the bits of a checkout: after a kill or a fault, others would count as set by a program.
		const file = staging.nextFile();
		this.#files.writeFile(file, content, { mode: newFileBits(before.mode), isDurable: true });
		// Whole or not at all: after a kill, part of it would be a program's write.
		backup.makeParents(destination);
		this.#files.rename(file, destination);
		this.#taken.noteExpected(change, destination, { content, stats: this.#files.lstat(destination) }, versions);
	}

	/** The old version in its form on disk; null: it is not known. */
	async #contentBefore({ oid }: TreeEntry, versions: Versions | null): Promise<Buffer | null> {
		return versions ? versions.before : await this.#objects.content(oid);
	}

	/** Records the files that an interrupted checkout removed at a path. @returns whether it placed the incoming file, and the last file that it removed */
	async #placedBefore(
		change: TreeChange,
		staged: string,
		versions: Versions | null,
	): Promise<{ readonly isPlaced: boolean; readonly taken: FileStats | null }> {
		let isTaken = false;
		let taken: FileStats | null = null;
		for (const { file, isOurs } of this.#sites.of(change.path).backup.takenBefore(change.path)) {
			const note = async () => {
				const found = peek(this.#files, file);
				const isExpected = found !== null && this.#expected.isExpected(change, found.content, found.stats, versions);
				// A swap that was prepared, but not made.
				if (!isExpected && isSame(this.#files, file, staged)) {
					this.#files.unlink(file);
					return;
				}
				const isAddition = found !== null && (await this.#isAddition(change, found.content, isTaken, versions));
				this.#taken.note(change, file, versions, isAddition);
				isTaken = true;
				if (found?.stats.isFile()) taken = found.stats;
			};
			if (isOurs) this.#files.unlink(file);
			else if (!this.#taken.finishReturn(change.path, file)) await this.#taken.orUnread(change, file, versions, null, note);
		}
		const live = this.#sites.live(change.path);
		const isThere = isSame(this.#files, live, staged);
		if (isThere && taken !== null) this.#keepModeOf(change, taken, live);
		// Only the mode changes: the content is no evidence.
		if (change.before?.oid === change.after?.oid) return { isPlaced: isThere && this.#hasMode(change, live), taken };
		// The file in its place was written over it.
		return { isPlaced: isThere || (isTaken && this.#files.lstatIfThere(live) !== null), taken };
	}

	/** The process may have ended before the new file got the mode that a program gave to the old one right before the swap. */
	#keepModeOf(change: TreeChange, taken: FileStats, live: Buffer): void {
		const mode = this.#modeFor(change, taken);
		// A later change of the new file's mode stays.
		if (mode === change.after?.mode || modeOnDisk(this.#files, live) !== change.after?.mode) return;
		if (keepPermissions(this.#files, live, taken, mode)) this.#files.makeDurableNow(live);
	}

	#hasMode({ path: name, after }: TreeChange, live: Buffer): boolean {
		return modeOnDisk(this.#files, live) === after?.mode || !hasModes(this.#repository, name);
	}

	/** Whether a file that appeared while the path was empty adds to the removed version. */
	async #isAddition(change: TreeChange, written: Buffer, appeared: boolean, versions: Versions | null): Promise<boolean> {
		if (!appeared || !isFileMode(change.before?.mode)) return false;
		const before = await this.#contentBefore(change.before as TreeEntry, versions);
		return before !== null && (this.#options.isAddition?.(change.path, before, written) ?? false);
	}

	#modeFor({ path: name, before, after }: TreeChange, onDisk: FileStats): string | undefined {
		const merged = mergedMode(before?.mode, onDisk, after?.mode);
		return merged === after?.mode || hasModes(this.#repository, name) ? merged : after?.mode;
	}

	/** A database that a program has open stays: SQLite writes into its open file, and finds the files beside it by name. */
	#refuseDatabase(live: Buffer, there: Found | null): void {
		if (there && this.#databases.isOpen(live, there)) throw new ObstacleError("live-database");
	}

	/** A huge file that has changed is not read: it stays. */
	async #refuseHuge({ before }: TreeChange, live: Buffer): Promise<void> {
		const stats = this.#files.lstatIfThere(live);
		if (!stats?.isFile() || stats.size <= hugeBytes) return;
		const oid = isFileMode(before?.mode) ? before?.oid : undefined;
		const size = oid === undefined ? null : await this.#objects.size(oid);
		if (size !== stats.size) throw new ObstacleError("too-large");
	}
}
