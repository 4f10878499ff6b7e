import { setTimeout as sleep } from "node:timers/promises";
import {
	blobOid,
	entriesWithoutStats,
	fileMode,
	fileSystemPath,
	type GitPath,
	hasContentOf,
	hasModes,
	isArgument,
	isUnreadFile,
	type PlacedFile,
	type PlacedVersion,
	PlacedVersions,
	type Repository,
	writeIndexStats,
} from "@robust-sync/git";
import type { ExactStats, Files } from "@robust-sync/system/files";
import type { WorkspacePaths } from "@robust-sync/workspace";

/** The number of newest files that each cycle checks. */
const mostLookedAt = 2_000;
/** Above this number, git reads the files itself. */
const maxUntouched = 500;

/**
 * The files that checkouts placed: whether a program has read a version since, and which files git need not read. The access times show the
 * first (packages/git, placed-versions.ts), and a read by git would look like one of a program.
 */
export class PlacedFiles {
	readonly #versions: PlacedVersions;
	/** Files without stat data in the index. */
	#unsettled: PlacedFile[] = [];
	/** The newest versions of paths, the newest last; null: before the first check. */
	#newest: Map<GitPath, PlacedVersion> | null = null;
	/**
	 * Files that had changed before git read the working tree, and whether their newest version had been read by then. A change that waits
	 * keeps what was found first: git has read the file since.
	 */
	#changed = new Map<GitPath, { readonly ino: string; readonly isUnread: boolean }>();
	/** The inodes of the unchanged files that were unread at that time: a program may write into one before git reads it. */
	readonly #unread = new Set<string>();

	/** @param files of the workspace */
	constructor(paths: WorkspacePaths, files: Files) {
		this.#versions = new PlacedVersions(files, paths.versions);
	}

	/** Adds files of ours that are in the working tree now. */
	add(files: readonly PlacedFile[]): void {
		const names = new Set(files.map((file) => file.path));
		// A file with a later write is for git to read.
		this.#unsettled = [...this.#unsettled.filter((file) => !names.has(file.path)), ...files.filter((file) => file.isIntact)];
		for (const { path: name, version } of files) this.#remember(name, version);
	}

	#remember(name: GitPath, version: PlacedVersion): void {
		if (this.#newest === null) return;
		this.#newest.delete(name);
		this.#newest.set(name, version);
		for (const oldest of this.#newest.keys()) {
			if (this.#newest.size <= mostLookedAt) break;
			this.#newest.delete(oldest);
		}
	}

	/**
	 * Writes the stat data of files that were placed in an earlier second into the index. Those of this second must wait: git does not trust
	 * an entry that is as young as the index.
	 */
	settle(repository: Repository, now: number = Date.now()): void {
		const isOlder = (file: PlacedFile) => secondOf(file) < BigInt(Math.floor(now / 1000));
		const older = this.#unsettled.filter(isOlder).filter((file) => isAsPlaced(repository, file));
		this.#unsettled = this.#unsettled.filter((file) => !isOlder(file));
		if (older.length > 0) writeIndexStats(repository, older);
	}

	/**
	 * The same before git reads the working tree. Files of this second that are too many to be named to git ({@link untouched}) wait for the
	 * next one: git would read them all, and each would count as read by a program.
	 */
	async settleBeforeScan(repository: Repository): Promise<void> {
		this.settle(repository);
		const now = Date.now();
		const second = BigInt(Math.floor(now / 1000));
		if (this.#unsettled.filter((file) => secondOf(file) === second).length <= maxUntouched) return;
		await sleep(1_001 - (now % 1_000));
		this.settle(repository);
	}

	/** Paths that git need not read, because they are unchanged since a checkout of this second. */
	untouched(repository: Repository): GitPath[] {
		if (this.#unsettled.length > maxUntouched) return [];
		return this.#unsettled.filter((file) => isArgument(file.path) && isAsPlaced(repository, file)).map((file) => file.path);
	}

	/**
	 * Records which of the newest versions of changed files were read, before git reads these files.
	 * @param byOthers the newest versions that earlier or other processes have placed since the last call, the newest last
	 */
	check(repository: Repository, byOthers: readonly (readonly [GitPath, PlacedVersion])[]): void {
		this.#newest ??= new Map();
		for (const [name, version] of byOthers) this.#remember(name, version);
		this.#adopt(repository, byOthers.slice(-mostLookedAt));
		const earlier = this.#changed;
		this.#changed = new Map();
		this.#unread.clear();
		for (const [name, version] of this.#newest) {
			const stats = lstatOf(repository, name);
			if (stats !== null && String(stats.ino) === version.ino && Number(stats.mtimeMs) === Math.floor(version.mtimeMs)) {
				if (isUnreadFile(version, stats)) this.#unread.add(version.ino);
				continue;
			}
			const known = earlier.get(name);
			this.#changed.set(name, known?.ino === version.ino ? known : { ino: version.ino, isUnread: this.#versions.isUnread(version) });
		}
	}

	/** Takes over files that another process placed, if it ended before it wrote their stat data into the index: else git reads them. */
	#adopt(repository: Repository, newest: readonly (readonly [GitPath, PlacedVersion])[]): void {
		if (newest.length === 0) return;
		const entries = entriesWithoutStats(repository);
		for (const [name, version] of newest) {
			const entry = entries.get(name);
			const stats = entry ? lstatOf(repository, name) : null;
			if (!entry || !stats || !hasContentOf(version, stats) || !isUnreadFile(version, stats)) continue;
			if (hasModes(repository, name) && fileMode(stats) !== entry.mode) continue;
			const file = { path: name, mode: entry.mode, oid: entry.oid, version, stats, isIntact: true };
			if (hasBlob(repository, file) && isAsPlaced(repository, file)) this.#unsettled.push(file);
		}
	}

	/** Whether no program has read a version since it was placed. False: one has, or it is unknown. */
	isUnread(repository: Repository, name: GitPath, version: PlacedVersion): boolean {
		const changed = this.#changed.get(name);
		if (changed?.ino === version.ino) return changed.isUnread;
		return this.#versions.isUnread(version) || this.#wasUnread(repository, name, version);
	}

	/** Whether a file was unread before git read the working tree, and is still the same one: git itself may have read it since. */
	#wasUnread(repository: Repository, name: GitPath, { ino }: PlacedVersion): boolean {
		return this.#unread.has(ino) && String(lstatOf(repository, name)?.ino) === ino;
	}

	/**
	 * Forgets committed changes. A version that another file has replaced is no evidence any more: a reader of that file does not
	 * read this one. @param busy paths that wait for the next snapshot
	 */
	retire(repository: Repository, busy: readonly GitPath[]): void {
		const waiting = new Map<GitPath, { readonly ino: string; readonly isUnread: boolean }>();
		for (const name of busy) {
			const [changed, version] = [this.#changed.get(name), this.#newest?.get(name)];
			if (changed) waiting.set(name, changed);
			else if (version && this.#wasUnread(repository, name, version)) waiting.set(name, { ino: version.ino, isUnread: true });
		}
		for (const [name, { ino }] of this.#changed) {
			if (waiting.has(name)) continue;
			const stats = lstatOf(repository, name);
			// Our file may be there again, after a merge with the write.
			if (stats !== null && (String(stats.ino) === ino || this.#versions.has(fileSystemPath(repository.root, name)))) continue;
			this.#versions.drop(ino);
			if (this.#newest?.get(name)?.ino === ino) this.#newest.delete(name);
		}
		this.#changed = waiting;
		this.#unread.clear();
	}

	/** Removes obsolete links. */
	prune(now: number): void {
		this.#versions.prune(now);
	}
}

/** The second in which a file was staged, since the epoch. */
function secondOf({ stats }: PlacedFile): bigint {
	return stats.mtimeNs / 1_000_000_000n;
}

function lstatOf({ root, files }: Repository, name: GitPath): ExactStats | null {
	try {
		return files.lstatExactly(fileSystemPath(root, name));
	} catch {
		return null;
	}
}

function hasBlob({ root, objectFormat, files }: Repository, { path: name, oid }: PlacedFile): boolean {
	try {
		return blobOid(files.readUnseen(fileSystemPath(root, name)), objectFormat) === oid;
	} catch {
		return false;
	}
}

function isAsPlaced(repository: Repository, { path: name, stats: placed }: PlacedFile): boolean {
	const stats = lstatOf(repository, name);
	return (
		stats !== null &&
		stats.ino === placed.ino &&
		stats.size === placed.size &&
		stats.mtimeNs === placed.mtimeNs &&
		stats.ctimeNs === placed.ctimeNs
	);
}
