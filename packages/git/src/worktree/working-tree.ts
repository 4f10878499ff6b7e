// Above 400 lines: the steps of one checkout share what they hold, expect and have put aside; they are judged as a whole by the explorer.
import fs from "node:fs";
import path from "node:path";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { markUnread, readUnseen } from "@robust-sync/system/read-unseen";
import { isFileMode } from "../files/disk-file.ts";
import { FileExchanger } from "../files/exchange-files.ts";
import { canLink, type Obstacle, ObstacleError, obstacleOf, statStamp } from "../files/obstacle.ts";
import { type Found, isContent, isGone, isSame, isSpecial, modeOnDisk, peek, readContent } from "../files/on-disk.ts";
import { OpenDatabases } from "../files/open-files.ts";
import { carryBits, inheritingDirectories, keepPermissions, makeInheritingFile, mergedMode } from "../files/permissions.ts";
import { cleanEntries } from "../index/clean-entries.ts";
import { writeFlaggedIndexEntries } from "../index/index-file.ts";
import { type IndexFlags, readIndexFlags } from "../index/index-flags.ts";
import { diffTrees, type TreeChange } from "../objects/diff.ts";
import type { KnownContents } from "../objects/known-contents.ts";
import { isSameEntry, type TreeEntry } from "../objects/merge-tree.ts";
import { blobOid, readObjectsWhole, storeBlobs } from "../objects/objects.ts";
import { readRef, updateRef } from "../objects/refs.ts";
import { isArgument } from "../objects/tree-paths.ts";
import { beneath, type HeldPlace, openBeneath } from "../paths/beneath.ts";
import { besidePath } from "../paths/beside-path.ts";
import { directoriesAbove, displayPath, fileSystemPath, type GitPath, parentOf } from "../paths/git-path.ts";
import { GitError } from "../process/errors.ts";
import { WorkCounter } from "../process/progress.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { AttributesAhead, coarseClockMs } from "./attributes-ahead.ts";
import { BackupDirectory } from "./backup-directory.ts";
import { type KeptFile, KeptFiles } from "./kept-files.ts";
import { MountStores } from "./mount-store.ts";
import { hasContentOf, type PlacedVersion, PlacedVersions } from "./placed-versions.ts";
import type { Staged, StagedFiles } from "./staged-files.ts";
import { Staging } from "./staging.ts";

// The checkout: the working tree goes from one commit to another, such that no byte that a program wrote is ever destroyed. The incoming file
// is exchanged for the one at its path (or that one is renamed into the backup, and the new one linked into its place: link(2) fails where a file
// has appeared meanwhile). Only then is what was taken away compared with what was expected there: if it differs, it is a foreign write, and
// stays in the backup as such. git's own checkout looks first and overwrites later.

/** A file that git calls unchanged although its content is not that of the commit, because a filter keeps something local in it. */
export interface FilteredFile {
	readonly path: GitPath;
	readonly before: Buffer;
	readonly onDisk: Buffer;
	readonly incoming: Buffer;
}

export interface MoveOptions {
	/** Where HEAD is; null: no commit yet. */
	from: Oid | null;
	to: Oid;
	/** The branch to move, as a full ref name; null: no branch moves, only files and index. */
	ref: string | null;
	/** Where the branch is, when that is not `from`. */
	branchAt?: Oid | null;
	/** A directory of our own on the workspace's file system, emptied afterwards. */
	staging: string;
	/** Takes the files that are replaced, under their paths below `files/`. Made when needed; kept. */
	backup: string;
	/** Mount points below the workspace: their files are staged and kept on its own file system (mount-store.ts). */
	mounts?: Iterable<GitPath>;
	/** A directory of our own for second links to what is put in place (placed-versions.ts). */
	versions?: string;
	/** Keeps such links; else it is unknown later what was read. */
	keepsVersions?: boolean;
	/** Paths that are no part of the working tree, whatever the commits say: they are left as they are. */
	isOwn?(name: GitPath): boolean;
	/** Contents that need not be read from the repository. */
	contents?: KnownContents;
	/** A move that was interrupted is taken up again: the backup may hold files already. */
	resume?: boolean;
	/** Merges what a filter keeps local in a file into its incoming content; without it, the incoming content is placed as it is. */
	mergeFiltered?(file: FilteredFile): Promise<Buffer>;
	/** Whether a file that appeared while the path was empty is an addition to `before`, and not all that should be left. */
	isAddition?(path: GitPath, before: Buffer, written: Buffer): boolean;
	/** These changes, and not those between two commits: index and branch stay. */
	changes?: TreeChange[];
	/** Paths that earlier moves held, as changes from what their writers have read to what HEAD has. */
	held?: readonly TreeChange[];
	/** Held paths whose index bits a move has set, not the user. */
	ownBits?: ReadonlySet<GitPath>;
	/** Tries the held paths again, also where nothing comes in for them. */
	retryHeld?: boolean;
	/**
	 * Decides before anything is touched which paths stay untouched, because their local content must not leave this node or their file
	 * system is missing. @param flags index bits of the changed paths
	 */
	keepLocal?(changes: readonly TreeChange[], flags: ReadonlyMap<GitPath, IndexFlags>): Promise<ReadonlyMap<GitPath, IndexFlags | null>>;
	/** Called before the index moves on, with the paths that could not be placed or removed, for the caller to note them durably. */
	onHeld?(held: readonly HeldChange[], changes: readonly TreeChange[]): Promise<void>;
	/** Called before each durable step with its name, and after each swap; throws to stop there. */
	checkpoint?(step: "staged" | "file" | "swap" | "swapped" | "files" | "index" | "ref"): void;
	/** Swaps files; one of its own by default. */
	exchanger?(): FileExchanger;
}

/** A path that was left as it is, and why. Index and branch have moved on all the same. */
export interface HeldChange extends TreeChange {
	readonly obstacle: Obstacle;
	/** The file on disk, where it is known to be as `before` (`statStamp`); null: it has to be compared. */
	readonly seen: string | null;
}

export interface MoveReport {
	readonly changes: readonly TreeChange[];
	readonly kept: readonly KeptFile[];
	/** Paths that a program wrote to meanwhile: the next snapshot and the next check of the kept files find what it wrote. */
	readonly rescued: readonly GitPath[];
	/** Paths that could not be placed or removed. */
	readonly held: readonly HeldChange[];
	/** Files that were put in place and lie there. */
	readonly placed: readonly PlacedFile[];
}

/** A file of ours in the working tree, as it was when all was done. */
export interface PlacedFile {
	readonly path: GitPath;
	readonly mode: string;
	/** The blob that git would store for it. */
	readonly oid: Oid;
	readonly version: PlacedVersion;
	readonly stats: fs.BigIntStats;
	/** Whether it has the content and mode that it was put there with; else a program has written into it since. */
	readonly isIntact: boolean;
}

/** No file has this time: a kept file that is noted with it is checked once. */
const unseenMs = 0;

/** How often a path that is written to without pause is looked at again. */
const maxAttempts = 100;
/** A file above this is compared by its size first: no merge takes it. */
const hugeBytes = 100_000_000;

/** For more files than this, what a filter keeps local in them is only kept in the backup: each costs a process. */
const maxFilteredMerges = 200;

/** What a path looks like on disk, on either side of the move. */
interface Versions {
	readonly before: Buffer | null;
	readonly incoming: Buffer | null;
}

/** A path at which there is never anything. */
const nowhere = Buffer.from("/proc/self/nowhere/at/all");

/** What a staged file holds: what comes in, as it is to lie on disk. */
const contentOf = (staged: string) => readContent(staged, fs.lstatSync(staged)) ?? Buffer.alloc(0);

/** Where the files of one file system are staged and kept. */
interface Site {
	/** The directory at its top; null: the workspace's own. */
	readonly top: GitPath | null;
	readonly staging: Staging;
	readonly backup: BackupDirectory;
}

class Move {
	readonly #repository: Repository;
	readonly #options: MoveOptions;
	readonly #staging: Staging;
	readonly #backup: BackupDirectory;
	readonly #stores: MountStores;
	readonly #sites = new Map<GitPath | null, Site>();
	readonly #kept: KeptFiles;
	#filters: boolean;
	readonly #rescued: GitPath[] = [];
	readonly #held: HeldChange[] = [];
	/** Of the working tree, as far as they are known to be there. */
	readonly #directories = new Set<GitPath>();
	#exchanger: FileExchanger | null = null;
	#attributes: AttributesAhead | null = null;
	/** The path that is worked at, its directory held open. */
	#open: { readonly name: GitPath; readonly place: HeldPlace } | null = null;
	readonly #databases = new OpenDatabases();
	readonly #placedVersions: PlacedVersions | null;
	#keepsVersions = false;
	readonly #placed = new Map<GitPath, Pick<PlacedFile, "mode" | "oid" | "version">>();
	/** Directories that hand something down to new files. */
	#inheriting: ReadonlySet<GitPath | null> = new Set();

	constructor(repository: Repository, options: MoveOptions, filters: boolean) {
		this.#repository = repository;
		this.#options = options;
		this.#staging = new Staging(repository, path.join(options.staging, String(process.pid)), options.contents);
		this.#backup = new BackupDirectory(options.backup);
		this.#stores = new MountStores(repository.root, options.mounts ?? [], path.dirname(options.backup));
		this.#sites.set(null, { top: null, staging: this.#staging, backup: this.#backup });
		this.#kept = new KeptFiles((name) => this.#siteOf(name), repository.objectFormat);
		this.#filters = filters;
		this.#placedVersions = options.versions === undefined ? null : new PlacedVersions(options.versions);
	}

	/** Where a path's files are staged and kept. @throws ObstacleError other-file-system; the file system's error */
	#siteOf(name: GitPath): Site {
		const top = this.#stores.topOf(name);
		const known = this.#sites.get(top);
		if (known !== undefined || top === null) return known as Site;
		const store = this.#stores.open(top);
		const staging = new Staging(this.#repository, path.join(store, "staging", String(process.pid)));
		staging.clear();
		const backup = new BackupDirectory(path.join(store, "backups", path.basename(this.#options.backup)));
		const site = { top, staging, backup };
		this.#sites.set(top, site);
		return site;
	}

	/** What was staged, on the file system of the path that it is for. */
	#stagedFor(name: GitPath, file: string): string {
		const { top, staging } = this.#siteOf(name);
		return top === null ? file : staging.copyOf(file);
	}

	#closeStores(): void {
		for (const { top, backup } of this.#sites.values()) if (top !== null) backup.removeEmpty();
		this.#stores.close();
	}

	/**
	 * Names the file at a path by its open directory: what a commit or another user puts above it meanwhile does not lead us elsewhere.
	 * Where a link or a file is above it, or nothing, there is nothing at the path.
	 */
	#live(name: GitPath): Buffer {
		if (this.#open?.name === name) return this.#open.place.file;
		this.#closePlace();
		try {
			const place = openBeneath(this.#repository.root, name);
			this.#open = { name, place };
			return place.file;
		} catch (error) {
			if (!isGone(error) && !["ELOOP", "ENAMETOOLONG"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
			return nowhere;
		}
	}

	/** The directories above a path may be other ones by now. */
	#closePlace(): void {
		this.#open?.place.close();
		this.#open = null;
	}

	#startExchanger(): void {
		this.#exchanger = this.#options.exchanger?.() ?? new FileExchanger();
		this.#attributes = new AttributesAhead(this.#repository.root, this.#exchanger);
	}

	/** The changes of this checkout. Only one list of them is in memory, because a commit may have a million files. */
	async #findChanges(): Promise<TreeChange[]> {
		const { from, to, held = [], isOwn, retryHeld } = this.#options;
		if (this.#options.changes) return this.#options.changes;
		const all = await diffTrees(this.#repository, from ?? this.#repository.emptyTree, to);
		const toHold = new Map(held.map((change) => [change.path, change]));
		const changes = all.flatMap((change) => {
			if (isOwn?.(change.path) === true) return [];
			// A held path still has what its writers have read, not what `from` has.
			const before = toHold.get(change.path);
			toHold.delete(change.path);
			return before === undefined ? change : { ...change, before: before.before };
		});
		if (retryHeld === true) changes.push(...toHold.values());
		return changes;
	}

	async run(): Promise<MoveReport> {
		const { from, to, ref, checkpoint } = this.#options;
		this.#staging.clear();
		const changes = await this.#findChanges();
		// Attributes that come in apply to what comes in with them.
		this.#filters ||= changes.some(
			({ path: name, after }) => after !== null && (name === ".gitattributes" || name.endsWith("/.gitattributes")),
		);
		// Started early: by the time the files are staged it is there.
		if (changes.some(({ before, after }) => before !== null && isFileMode(after?.mode))) this.#startExchanger();
		this.#keepsVersions = this.#options.keepsVersions === true && this.#placedVersions?.prepare(changes.length) === true;
		try {
			const flags = await readIndexFlags(
				this.#repository,
				changes.map((change) => change.path),
			);
			const local = (await this.#options.keepLocal?.(changes, flags)) ?? new Map<GitPath, IndexFlags | null>();
			const added = changes.filter(({ path: name, before, after }) => before === null && isFileMode(after?.mode) && !local.has(name));
			const inheriting = inheritingDirectories(
				this.#repository.root,
				added.map((change) => parentOf(change.path)),
			);
			const staged = await this.#staging.write(changes, "after", this.#filters);
			const expected = this.#filters ? await this.#versionsOnDisk(changes, staged) : null;
			this.#inheriting = await inheriting;
			checkpoint?.("staged");
			for (let index = changes.length - 1; index >= 0; index--) {
				const change = changes[index] as TreeChange;
				if (isFileMode(change.after?.mode) || local.has(change.path)) continue;
				checkpoint?.("file");
				await this.#orHold(change, () => this.#remove(change, expected?.[index] ?? null));
			}
			const counter = new WorkCounter(this.#repository.onProgress, "checking out", changes.length);
			for (const [index, change] of changes.entries()) {
				counter.add();
				this.#attributes?.begin(index, changes, staged);
				if (change.after === null || local.has(change.path)) continue;
				checkpoint?.("file");
				await this.#orHold(change, async () => {
					if (isFileMode(change.after?.mode)) await this.#place(change, staged.at(index), expected?.[index] ?? null);
					else this.#placeSubmodule(change.path);
				});
			}
			counter.end();
			await storeBlobs(this.#repository, this.#staging.directory, this.#kept.toStore);
			checkpoint?.("files");
			if (this.#options.changes) return this.#report(changes);
			await this.#options.onHeld?.(this.#held, changes);
			await this.#updateIndex(changes, this.#bitsAfter(flags, local));
			checkpoint?.("index");
			// A move that is taken up again may have come this far before.
			if (ref !== null && (this.#options.resume !== true || (await readRef(this.#repository, ref)) !== to)) {
				await updateRef(this.#repository, ref, to, this.#options.branchAt ?? from, "robust-sync: integrate");
			}
			if (this.#repository.isSparse && changes.length > 0) await this.#keepSparse();
			checkpoint?.("ref");
			// What could not be placed has left directories that it was to be kept in.
			if (this.#held.length > 0) this.#backup.removeEmpty();
		} finally {
			this.#closePlace();
			this.#exchanger?.close();
			this.#staging.remove();
			this.#closeStores();
		}
		return this.#report(changes);
	}

	#report(changes: readonly TreeChange[]): MoveReport {
		return { changes, kept: this.#kept.all, rescued: this.#rescued, held: this.#held, placed: this.#placedFiles(changes) };
	}

	/** Files with the commit's content that are where they were put. One that was merged with a late write is a change for the next snapshot. */
	#placedFiles(changes: readonly TreeChange[]): PlacedFile[] {
		const wanted = new Map(changes.map(({ path: name, after }) => [name, after?.oid]));
		return [...this.#placed].flatMap(([name, file]) => {
			if (file.oid !== wanted.get(name)) return [];
			try {
				const stats = fs.lstatSync(fileSystemPath(this.#repository.root, name), { bigint: true });
				const isIntact = hasContentOf(file.version, stats) && this.#hasMode(file.mode, stats);
				return String(stats.ino) === file.version.ino ? [{ path: name, ...file, stats, isIntact }] : [];
			} catch {
				return [];
			}
		});
	}

	/** Links a staged file to its place, which must be empty. @throws EEXIST */
	#linkInto(name: GitPath, mode: string | undefined, oid: Oid, staged: string): PlacedVersion | null {
		const version = this.#keepVersion(mode, staged);
		try {
			fs.linkSync(staged, this.#live(name));
		} catch (error) {
			if (version) this.#placedVersions?.drop(version.ino);
			throw error;
		}
		this.#notePlaced(name, mode, oid, version);
		return version;
	}

	#keepVersion(mode: string | undefined, staged: string): PlacedVersion | null {
		return mode === "120000" || !this.#keepsVersions ? null : (this.#placedVersions?.keep(staged) ?? null);
	}

	#notePlaced(name: GitPath, mode: string | undefined, oid: Oid, version: PlacedVersion | null): void {
		if (version && mode !== undefined) this.#placed.set(name, { mode, oid, version });
		else this.#placed.delete(name);
	}

	get #hasModes(): boolean {
		return this.#repository.config.get("core.filemode") !== "false";
	}

	#hasMode(mode: string, stats: fs.BigIntStats): boolean {
		return !this.#hasModes || ((stats.mode & 0o100n) !== 0n) === (mode === "100755");
	}

	#modeFor({ before, after }: TreeChange, onDisk: fs.Stats): string | undefined {
		return this.#hasModes ? mergedMode(before?.mode, onDisk, after?.mode) : after?.mode;
	}

	/** The index bits of changed paths: the user's stay, and a local or a huge file gets one by which git leaves it alone, too. */
	#bitsAfter(flags: ReadonlyMap<GitPath, IndexFlags>, local: ReadonlyMap<GitPath, IndexFlags | null>): Map<GitPath, IndexFlags> {
		const bits = new Map([...flags].filter(([name]) => this.#options.ownBits?.has(name) !== true));
		for (const [name, own] of local) if (own) bits.set(name, own);
		// git would read all of it each time.
		for (const { path: name, obstacle } of this.#held)
			if (obstacle === "too-large" && !bits.has(name)) bits.set(name, { skipWorktree: true, assumeUnchanged: false });
		return bits;
	}

	/** Does the work at one path. Where this machine does not allow it, that path is held: what was there has its place again, and all else goes on. */
	async #orHold(change: TreeChange, work: () => void | Promise<void>): Promise<void> {
		try {
			await work();
		} catch (error) {
			this.#hold(change, error);
		}
	}

	#hold(change: TreeChange, error: unknown): void {
		let obstacle = obstacleOf(error, this.#stores.topOf(change.path) !== null);
		if (obstacle === null) throw error;
		const { path: failed = "", syscall } = error as NodeJS.ErrnoException;
		const own = this.#options.backup;
		// Our own directory cannot be written: that concerns every path.
		if (syscall === "mkdir" && failed.startsWith(own) && obstacle !== "name-too-long") throw error;
		if (syscall === "link" && obstacle === "not-permitted" && !this.#canLink(change.path)) obstacle = "no-hard-links";
		this.#held.push({ ...change, obstacle, seen: this.#giveBack(change) });
	}

	#canLink(name: GitPath): boolean {
		const { staging } = this.#siteOf(name);
		const file = staging.nextFile();
		fs.writeFileSync(file, "");
		return canLink(file, staging.nextFile());
	}

	/** A held path has what was taken away from it again. @returns its stamp, where it is known to be as `before` */
	#giveBack(change: TreeChange): string | null {
		try {
			const first = this.#siteOf(change.path).backup.first(change.path);
			const live = this.#live(change.path);
			if (lstatIfThere(live) === null && lstatIfThere(first) !== null) this.#putBack(change.path, first);
			const stats = lstatIfThere(live);
			if (stats === null) return change.before === null ? statStamp(null) : null;
			const there = peek(live);
			if (there === null) return null;
			return this.#isExpected(change, there.content, there.stats, null) ? statStamp(there.stats) : null;
		} catch {
			return null;
		}
	}

	/** A submodule is an empty directory until a person fills it. */
	#placeSubmodule(name: GitPath): void {
		this.#clearParents(name);
		const live = this.#live(name);
		const stats = lstatIfThere(live);
		if (stats !== null && !stats.isDirectory()) throw new ObstacleError("in-the-way");
		if (stats === null) fs.mkdirSync(live);
	}

	/**
	 * What the old versions look like on disk. Where git calls a file unchanged, because its clean filter gives the old blob, it is the
	 * file itself, whatever the smudge filter would give. What a filter keeps local in it is merged into the staged file, unless that
	 * would be stored as something else than what comes in.
	 */
	async #versionsOnDisk(changes: readonly TreeChange[], staged: StagedFiles): Promise<(string | null)[]> {
		const before = await this.#staging.write(changes, "before", true);
		const expected = Array.from(changes, (_, index) => {
			const file = before.at(index);
			return typeof file === "string" ? file : null;
		});
		const differing = changes.flatMap((change, index) => {
			if (change.before?.mode !== "100644" && change.before?.mode !== "100755") return [];
			const first = this.#options.resume === true ? this.#peekTaken(change.path) : null;
			const smudged = expected[index] ? contentOf(expected[index]) : null;
			return [
				{ change, index, content: first, smudged, isTaken: true },
				{ change, index, content: this.#peekFile(this.#live(change.path)), smudged, isTaken: false },
			].filter(({ content }) => content !== null && !(smudged !== null && content.equals(smudged)));
		});
		const live = differing.filter(({ isTaken }) => !isTaken).map(({ change }) => change.path);
		const clean = await cleanEntries(this.#repository, live, true);
		let merges = 0;
		for (const { change, index, content: found, smudged, isTaken } of differing) {
			const content = found as Buffer;
			const oid = isTaken ? await this.#cleanOid(change.path, content) : clean.get(change.path)?.oid;
			if (oid !== change.before?.oid) continue;
			// It was read before git read it: it is the same still.
			if (!isTaken && this.#peekFile(this.#live(change.path))?.equals(content) !== true) continue;
			const file = this.#staging.nextFile();
			fs.writeFileSync(file, content);
			expected[index] = file;
			const incoming = staged.at(index);
			const { mergeFiltered } = this.#options;
			if (!mergeFiltered || smudged === null || typeof incoming !== "string" || change.after?.mode === "120000") continue;
			if (++merges > maxFilteredMerges) continue;
			const merged = await mergeFiltered({ path: change.path, before: smudged, onDisk: content, incoming: contentOf(incoming) });
			if ((await this.#cleanOid(change.path, merged)) === change.after?.oid)
				staged.set(index, await this.#staging.writeOne(merged, change.after?.mode));
		}
		return expected;
	}

	#peekTaken(name: GitPath): Buffer | null {
		try {
			return this.#peekFile(this.#siteOf(name).backup.first(name));
		} catch {
			// What cannot be kept there was never taken away.
			return null;
		}
	}

	#peekFile(file: Buffer): Buffer | null {
		try {
			const found = peek(file);
			return found?.stats.isFile() ? found.content : null;
		} catch {
			return null;
		}
	}

	/** What git would store for content at a path; null: its filter fails, or git cannot be told the path. */
	async #cleanOid(name: GitPath, content: Buffer): Promise<Oid | null> {
		if (!isArgument(name)) return null;
		try {
			const { stdout } = await this.#repository.run(["hash-object", `--path=${displayPath(name)}`, "--stdin"], { input: content });
			return stdout.toString("latin1").trim();
		} catch (error) {
			if (error instanceof GitError && error.code !== "GIT_TIMEOUT") return null;
			throw error;
		}
	}

	/** What lies outside of a sparse checkout goes out of sight again, unless someone wrote to it (git-sparse-checkout(1), reapply). */
	async #keepSparse(): Promise<void> {
		await this.#repository.run(["update-index", "-q", "--refresh"], { accept: [0, 1] });
		await this.#repository.run(["sparse-checkout", "reapply"], { accept: [0, 1, 128] });
	}

	/** Renames what lies at `name` into the backup. False: there is nothing, or a directory, pipe, socket or device, which stays. */
	#grab(name: GitPath, destination: Buffer): boolean {
		const live = this.#live(name);
		const stats = lstatIfThere(live);
		if (!isContent(stats)) return false;
		this.#siteOf(name).backup.makeParents(destination);
		try {
			fs.renameSync(live, destination);
			return true;
		} catch (error) {
			if (isGone(error)) return false;
			throw error;
		}
	}

	/** Notes a file that was taken away: as expected, or as a foreign write. @returns whether it was as expected */
	#noteTaken(change: TreeChange, file: Buffer, versions: Versions | null, isAddition = false): boolean {
		const stats = lstatIfThere(file);
		if (stats?.isDirectory()) this.#putDirectoryBeside(change.path, file);
		const content = stats ? readContent(file, stats) : null;
		if (!stats || content === null) return true;
		if (this.#isExpected(change, content, stats, versions)) {
			this.#noteExpected(change, file, content, versions);
			return true;
		}
		this.#observe(change, file, versions, isAddition);
		return false;
	}

	/**
	 * A file that came out of a swap is not the one that was expected there: a program wrote it a moment before, from the expected version. It
	 * stays in the backup, where the next check of the kept files finds it and commits it on its base.
	 */
	#observe(change: TreeChange, file: Buffer, versions: Versions | null, isAddition: boolean): void {
		const { path: name, before } = change;
		const stats = this.#cutHardLinks(name, file);
		const expected = versions?.before ? this.#kept.idOf(versions.before) : isFileMode(before?.mode) ? (before as TreeEntry).oid : null;
		// A program that opens, appends and closes has made a new file while the path was empty.
		const base = isAddition || expected === null ? this.#kept.idOf(Buffer.alloc(0)) : expected;
		this.#kept.note(name, file, base, this.#incomingId(change, versions), { stats }).mtimeMs = unseenMs;
		this.#rescued.push(name);
	}

	/** Filters make what lies on disk differ from the blobs: then the versions are what they look like on disk. */
	#versions(expected: string | null | undefined, staged: string | null): Versions | null {
		const read = (version: string | null | undefined) => (version ? readContent(version, fs.lstatSync(version)) : null);
		return this.#filters ? { before: read(expected), incoming: read(staged) } : null;
	}

	#isExpected({ before }: TreeChange, content: Buffer, stats: fs.Stats, versions: Versions | null): boolean {
		return (
			isFileMode(before?.mode) &&
			stats.isSymbolicLink() === (before?.mode === "120000") &&
			(versions ? content.equals(versions.before ?? Buffer.alloc(0)) : blobOid(content, this.#repository.objectFormat) === before?.oid)
		);
	}

	#incomingId({ after }: TreeChange, versions: Versions | null): Oid | null {
		if (versions?.incoming) return this.#kept.idOf(versions.incoming);
		return isFileMode(after?.mode) ? (after?.oid ?? null) : null;
	}

	#noteExpected(change: TreeChange, file: Buffer, content: Buffer, versions: Versions | null): void {
		const { path: name, before } = change;
		const stats = this.#cutHardLinks(name, file);
		const oid = versions ? this.#kept.idOf(content) : (before?.oid ?? "");
		const note = this.#kept.note(name, file, oid, this.#incomingId(change, versions), { stats });
		// What a process that had it open has appended since it was read is a late write.
		note.size = content.length;
	}

	/** Copies a file that has other hard links: later writes through those names do not concern this path. @returns the stats of the file in the backup */
	#cutHardLinks(name: GitPath, file: Buffer): fs.Stats {
		const stats = fs.lstatSync(file);
		if (!stats.isFile() || stats.nlink === 1 || (stats.nlink === 2 && this.#placedVersions?.has(file) === true)) return stats;
		const { backup } = this.#siteOf(name);
		const copy = backup.nextLate(name);
		backup.makeParents(copy);
		fs.copyFileSync(file, copy, fs.constants.COPYFILE_FICLONE);
		fs.utimesSync(copy, stats.atimeMs / 1000, stats.mtimeMs / 1000);
		fs.renameSync(copy, file);
		return fs.lstatSync(file);
	}

	/**
	 * Puts `staged` in the place of a file, without a moment in which a reader finds nothing there.
	 * @param destination takes what was there
	 * @param found what is there, as far as is known
	 * @returns what was there, and the second link to what is there now; "impossible": it cannot be done this way; "taken": what is no file was
	 * put there, and `destination` has it
	 */
	async #exchange(
		name: GitPath,
		mode: string | undefined,
		staged: string,
		destination: Buffer,
		found: Found | null,
	): Promise<(Found & { readonly version: PlacedVersion | null }) | "impossible" | "taken"> {
		const version = found === null ? null : this.#keepVersion(mode, staged);
		const done = await this.#swap(name, staged, destination, found);
		if (typeof done === "object") return { ...done, version };
		if (version) this.#placedVersions?.drop(version.ino);
		return done;
	}

	async #swap(name: GitPath, staged: string, destination: Buffer, found: Found | null): Promise<Found | "impossible" | "taken"> {
		const live = this.#live(name);
		const swap = async () => {
			this.#options.checkpoint?.("swap");
			const { ino } = fs.lstatSync(destination);
			const said = (await this.#exchanger?.exchange(destination, live)) === true;
			this.#options.checkpoint?.("swapped");
			// The program that swapped them may have been killed before it reported that.
			return said || fs.lstatSync(destination).ino !== ino;
		};
		if (!found || !(await this.#exchanger?.ready)) return "impossible";
		this.#siteOf(name).backup.makeParents(destination);
		fs.linkSync(staged, destination);
		if (!(await swap())) {
			fs.rmSync(destination);
			return "impossible";
		}
		const out = fs.lstatSync(destination);
		if (!isContent(out)) return await this.#returnOther(name, destination, swap, fs.lstatSync(staged).ino);
		const untouched = out.ino === found.stats.ino && out.size === found.stats.size && out.mtimeMs === found.stats.mtimeMs;
		carryBits(staged, found.stats, out);
		// The kernel's clock is coarse: two writes in one tick look alike.
		if (untouched && Math.abs(Date.now() - out.mtimeMs) > coarseClockMs) return { content: found.content, stats: out };
		return peek(destination) ?? "taken";
	}

	/**
	 * A directory (pipe, socket, device) that was made at the path a moment before a swap has its place back, with all that is in it.
	 * @param inode of our own file @returns "impossible": nothing was replaced; "taken": `hand` has what a program put in the place of ours
	 */
	async #returnOther(name: GitPath, hand: Buffer, swap: () => Promise<boolean>, inode: number): Promise<"impossible" | "taken"> {
		for (let attempt = 0; !isContent(fs.lstatSync(hand)); attempt++) {
			if (attempt === maxAttempts) throw this.#writtenTooFast(name);
			if ((await swap()) || lstatIfThere(this.#live(name)) !== null) continue;
			fs.renameSync(hand, this.#live(name));
			return "impossible";
		}
		if (fs.lstatSync(hand).ino !== inode) return "taken";
		fs.rmSync(hand);
		return "impossible";
	}

	#writtenTooFast(name: GitPath): Error {
		return new Error(`${displayPath(name)} is written too fast to be replaced; its versions are in ${this.#options.backup}`);
	}

	/** Gives a file that was taken away its place again. False: there is a newer one by now. */
	#putBack(name: GitPath, file: Buffer): boolean {
		try {
			fs.linkSync(file, this.#live(name));
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
			// A process that was killed had put it back already, and not yet removed this link.
			if (lstatIfThere(this.#live(name))?.ino !== lstatIfThere(file)?.ino) return false;
		}
		fs.rmSync(file);
		return true;
	}

	#remove(change: TreeChange, expected: string | null | undefined): void {
		// What a commit has in a store of ours was never placed.
		if (this.#stores.isInside(change.path)) return;
		if (change.before?.mode === "160000") return;
		const { backup } = this.#siteOf(change.path);
		const versions = this.#versions(expected, null);
		const taken = this.#options.resume === true ? backup.takenBefore(change.path) : [];
		if (taken.length === 0) {
			const live = this.#live(change.path);
			const there = peek(live);
			this.#refuseDatabase(live, there);
			// Changed here, deleted there: the changed version stays.
			if (there && !this.#isExpected(change, there.content, there.stats, versions)) {
				this.#rescued.push(change.path);
				return;
			}
			const destination = backup.first(change.path);
			if (this.#grab(change.path, destination)) taken.push({ file: destination, isOurs: false });
		}
		for (const { file } of taken) this.#leaveRemoved(change, file, versions);
		for (let parent = parentOf(change.path); parent !== null; parent = parentOf(parent)) {
			try {
				fs.rmdirSync(this.#live(parent));
			} catch {
				break;
			}
		}
	}

	/** A removed file stays in the backup. One that a program wrote to at that moment has its place back, unless there is a newer one. */
	#leaveRemoved(change: TreeChange, file: Buffer, versions: Versions | null): void {
		const found = peek(file);
		if (found && !this.#isExpected(change, found.content, found.stats, versions) && this.#putBack(change.path, file))
			this.#rescued.push(change.path);
		else this.#noteTaken(change, file, versions);
	}

	async #place(change: TreeChange, file: Staged | undefined, expected: string | null | undefined): Promise<void> {
		if (typeof file !== "string") throw file ?? new ObstacleError("impossible-link");
		if (this.#stores.isInside(change.path)) throw new ObstacleError("in-the-way");
		this.#clearParents(change.path);
		const near = this.#stagedFor(change.path, file);
		const staged = this.#inheriting.has(parentOf(change.path)) ? this.#followDirectory(change, near) : near;
		const site = this.#siteOf(change.path);
		const live = this.#live(change.path);
		const versions = this.#versions(expected, staged);
		if (this.#options.resume === true && (await this.#isPlacedBefore(change, staged, versions))) return;
		// Since the path was empty for a moment.
		let appeared = false;
		for (let attempt = 0; ; attempt++) {
			const first = site.backup.first(change.path);
			const destination = lstatIfThere(first) === null ? first : site.backup.nextLate(change.path, staged);
			// No wait between the look and the swap.
			await this.#exchanger?.ready;
			await this.#refuseHuge(change, live);
			await this.#attributes?.finish(live, staged);
			const there = peek(live);
			this.#refuseDatabase(live, there);
			// The path was held, and the newer commit has the content that is on disk.
			if (there && isSameEntry(change.before, change.after) && this.#isExpected(change, there.content, there.stats, versions)) return;
			// A program wrote just what comes in.
			if (there && !this.#isExpected(change, there.content, there.stats, versions) && isSame(live, staged)) return;
			if (there) keepPermissions(staged, there.stats, this.#modeFor(change, there.stats));
			const { mode, oid } = change.after as TreeEntry;
			const replaced = await this.#exchange(change.path, mode, staged, destination, there);
			if (typeof replaced === "object") {
				const { content, stats, version } = replaced;
				if (this.#isExpected(change, content, stats, versions)) this.#noteExpected(change, destination, content, versions);
				else this.#observe(change, destination, versions, await this.#isAddition(change, content, appeared, versions));
				this.#notePlaced(change.path, mode, oid, version);
				this.#kept.placedAs(change.path, this.#incomingId(change, versions), version);
				return;
			}
			if (replaced === "taken" || this.#grab(change.path, destination)) {
				const taken = peek(destination);
				const isAddition = taken !== null && (await this.#isAddition(change, taken.content, appeared, versions));
				this.#noteTaken(change, destination, versions, isAddition);
				if (there && taken) carryBits(staged, there.stats, taken.stats);
			} else if (isSpecial(live)) {
				// A program may have it open, and finds it by its name.
				throw new ObstacleError("in-the-way");
			} else if (lstatIfThere(live)?.isDirectory() && !this.#giveWay(live)) {
				// An empty directory that stays is a mount point.
				if (fs.readdirSync(live).length === 0) throw new ObstacleError("mount-point");
				this.#placeBeside(change, staged);
				return;
			}
			try {
				const version = this.#linkInto(change.path, mode, oid, staged);
				this.#kept.placedAs(change.path, this.#incomingId(change, versions), version);
				return;
			} catch (error) {
				// A program made a file there at this moment: it is handled like the one before.
				if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt > maxAttempts) throw error;
				appeared = true;
			}
		}
	}

	/** Notes what an interrupted checkout took away at a path. @returns whether it put the incoming file there */
	async #isPlacedBefore(change: TreeChange, staged: string, versions: Versions | null): Promise<boolean> {
		let isTaken = false;
		for (const { file, isOurs } of this.#siteOf(change.path).backup.takenBefore(change.path)) {
			const found = peek(file);
			const isExpected = found !== null && this.#isExpected(change, found.content, found.stats, versions);
			// A swap that was prepared and not made.
			if (isOurs || (!isExpected && isSame(file, staged))) fs.rmSync(file);
			else {
				const isAddition = found !== null && (await this.#isAddition(change, found.content, isTaken, versions));
				this.#noteTaken(change, file, versions, isAddition);
				isTaken = true;
			}
		}
		const live = this.#live(change.path);
		const isThere = isSame(live, staged);
		// Only the mode changes: the content shows nothing.
		if (change.before?.oid === change.after?.oid) return isThere && (!this.#hasModes || modeOnDisk(live) === change.after?.mode);
		// What is there instead was written over it.
		return isThere || (isTaken && lstatIfThere(live) !== null);
	}

	/** Whether a file that appeared while the path was empty adds to the version that was taken away. */
	async #isAddition(change: TreeChange, written: Buffer, appeared: boolean, versions: Versions | null): Promise<boolean> {
		if (!appeared || !isFileMode(change.before?.mode)) return false;
		const { oid } = change.before as TreeEntry;
		const before = versions ? versions.before : (await readObjectsWhole(this.#repository, [oid])).get(oid);
		return before != null && (this.#options.isAddition?.(change.path, before, written) ?? false);
	}

	/** A database that a program has open stays: SQLite writes into the file that it opened, and reads what lies beside it by its name. */
	#refuseDatabase(live: Buffer, there: Found | null): void {
		if (there && this.#databases.isOpen(live, there)) throw new ObstacleError("live-database");
	}

	/** A huge file that is not as it was is not read: it stays. */
	async #refuseHuge({ before }: TreeChange, live: Buffer): Promise<void> {
		const stats = lstatIfThere(live);
		if (!stats?.isFile() || stats.size <= hugeBytes) return;
		const oid = isFileMode(before?.mode) ? before?.oid : undefined;
		const size = oid === undefined ? null : Number((await this.#repository.run(["cat-file", "-s", oid])).stdout.toString("latin1"));
		if (size !== stats.size) throw new ObstacleError("too-large");
	}

	/** A new file gets what its directory hands down. @returns the staged file that has it, with the same content */
	#followDirectory({ path: name, after }: TreeChange, staged: string): string {
		if (after?.mode === "120000" || lstatIfThere(this.#live(name)) !== null) return staged;
		const file = this.#siteOf(name).staging.nextFile();
		const beside = Buffer.concat([
			this.#live(name).subarray(0, this.#live(name).lastIndexOf(0x2f)),
			Buffer.from(`/.robust-sync-new-${process.pid}`),
		]);
		if (!makeInheritingFile(beside, file, after?.mode)) return staged;
		const descriptor = fs.openSync(file, "r+");
		try {
			fs.writeFileSync(descriptor, readUnseen(staged));
			markUnread(file);
			fs.fsyncSync(descriptor);
		} finally {
			fs.closeSync(descriptor);
		}
		return file;
	}

	/** A directory in the way of a file: gone when it is empty, all the way down. */
	#giveWay(directory: Buffer): boolean {
		try {
			for (const name of fs.readdirSync(directory, { encoding: "buffer" })) {
				const below = Buffer.concat([directory, Buffer.from("/"), name]);
				if (!lstatIfThere(below)?.isDirectory() || !this.#giveWay(below)) return false;
			}
			fs.rmdirSync(directory);
			return true;
		} catch {
			return false;
		}
	}

	/** The directory keeps the name; the incoming file lives beside it, and the next snapshot says so in history. */
	#placeBeside(change: TreeChange, staged: string): void {
		const beside = this.#live(besidePath(change.path, change.after?.oid ?? ""));
		if (!lstatIfThere(beside)) fs.linkSync(staged, beside);
		this.#rescued.push(change.path);
	}

	/** A process was killed while it had a directory in its hand: that lives beside the file now. */
	#putDirectoryBeside(name: GitPath, directory: Buffer): void {
		const { ino } = fs.lstatSync(directory);
		fs.renameSync(directory, this.#live(besidePath(name, blobOid(Buffer.from(String(ino)), this.#repository.objectFormat))));
		this.#rescued.push(name);
	}

	/** Makes the directories above `name`; a file or link that lies where one must be goes beside. */
	#clearParents(name: GitPath): void {
		const parent = parentOf(name);
		if (parent === null) return;
		const { root, objectFormat } = this.#repository;
		for (const directory of directoriesAbove(name)) {
			if (this.#directories.has(directory)) continue;
			this.#closePlace();
			beneath(root, directory, (live) => {
				const stats = lstatIfThere(live);
				if (isSpecial(live)) throw new ObstacleError("in-the-way");
				if (stats && !stats.isDirectory()) {
					const content = readContent(live, stats) ?? Buffer.alloc(0);
					beneath(root, besidePath(directory, blobOid(content, objectFormat)), (beside) => fs.renameSync(live, beside));
					this.#rescued.push(directory);
				}
				if (!stats?.isDirectory()) fs.mkdirSync(live);
			});
			this.#directories.add(directory);
		}
	}

	async #updateIndex(changes: readonly TreeChange[], flags: ReadonlyMap<GitPath, IndexFlags>): Promise<void> {
		if (changes.length === 0) return;
		await writeFlaggedIndexEntries(
			this.#repository,
			changes.map(({ path: name, after }) => ({ path: name, entry: after })),
			flags,
		);
	}
}

/**
 * Moves working tree, index and branch from one commit to another. No byte is destroyed: replaced files are kept in `backup`, also those that a
 * program wrote a moment before. After a crash at any point the same call with `resume` goes on where it stopped.
 * @throws GitError, and the file system's errors; what was not done yet is then done by the next call with `resume`
 */
export async function moveWorkingTree(repository: Repository, options: MoveOptions, filters: boolean): Promise<MoveReport> {
	return await new Move(repository, options, filters).run();
}

/** Replaces single files as moveWorkingTree does; index and branch stay as they are. @param changes each to a version that is stored already */
export async function replaceFiles(
	repository: Repository,
	options: Omit<MoveOptions, "from" | "to" | "ref" | "changes">,
	changes: TreeChange[],
	filters: boolean,
): Promise<MoveReport> {
	return await moveWorkingTree(repository, { from: null, to: "", ref: null, ...options, changes }, filters);
}
