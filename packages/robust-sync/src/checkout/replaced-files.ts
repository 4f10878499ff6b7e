import path from "node:path";
import { type GitPath, openFilesBelow, type PlacedVersion } from "@robust-sync/git";
import type { Files } from "@robust-sync/system/files";
import { type MonotonicClock, monotonicClock } from "@robust-sync/system/monotonic-clock";
import { parseCompactTimestamp } from "@robust-sync/system/timestamps";
import {
	type Backup,
	backupsOnMount,
	keptFilePath,
	listBackupNames,
	manifestStamp,
	mountPointsBelow,
	type ReplacedFile,
	readBackup,
	replacedNow,
	type WorkspacePaths,
	writeBackupManifest,
} from "@robust-sync/workspace";

/** A process with an open replaced file may still write into it. For this time the file is checked even if no process has it open. */
const lateWriteWindowMs = 60 * 60_000;
/** A file that is rewritten this soon after a checkout may have been read before it. */
export const staleWriteWindowMs = 10_000;
/** For this long after the checkout, a file that was rewritten from a stale version is watched for a further rewrite. */
export const replacementsWindowMs = 2 * staleWriteWindowMs + 60_000;
/** The longest time of an agent between reading a file and writing it back. */
export const unreadWindowMs = 60 * 60_000;
/** Access times are no evidence if the clock was set by more than this since. */
const largestStepMs = 24 * 60 * 60_000;
/** A backup is named by the start of its move. */
const longestMoveMs = 10 * 60_000;
/** The interval of the check which older files are still open. */
const openIntervalMs = 30_000;
/** This many of the newest backups are checked when a process starts, of any age: about 40 ms. */
const lookedAtFirst = 200;
/** Backups are removed after a week, except the newest ten. */
const keepForMs = 7 * 24 * 60 * 60_000;
const keepAtLeast = 10;

/** One replacement of one path, as the search for stale writes needs it. */
export interface Replacement {
	readonly before: string;
	readonly after: string;
	/** Its age, independent of changes of the clock. */
	readonly ageMs: number;
	/** The file with `after`, if it can be known whether it was read since. */
	readonly placed?: PlacedVersion;
}

/** The replacements of our checkouts: the manifests below sync/backups/, read once and kept current. */
export class ReplacedFiles {
	readonly #paths: WorkspacePaths;
	readonly #files: Files;
	readonly #clock: MonotonicClock;
	readonly #backups = new Map<string, Backup>();
	/** The state of each manifest on disk when it was read: another process that holds the cycle lock may write it. */
	readonly #stamps = new Map<string, string | null>();
	/** The completion of each, by the monotonic clock: names and dates are wrong as soon as a person sets the clock. */
	readonly #completeAt = new Map<string, number>();
	/** Backups that other processes made since the versions in them were last taken; null: they never were. */
	#byOthers: Set<string> | null = null;
	#lookedAt: number | null = null;
	#askedAt = Number.NEGATIVE_INFINITY;
	/** Older backups to check: they had open files at the last check, or files that changed since. */
	#open: ReadonlySet<string> = new Set();

	constructor(paths: WorkspacePaths, files: Files, clock: MonotonicClock = monotonicClock) {
		this.#paths = paths;
		this.#files = files;
		this.#clock = clock;
	}

	/** A manifest of this boot has the time; else the settable clock counts, which is never assumed to be behind. */
	#whenComplete({ name, manifest }: Backup, now: number, at: number): number {
		const { boot_id, monotonic_ms, replaced_at = "" } = manifest ?? {};
		if (monotonic_ms !== undefined && boot_id === this.#clock.bootId && monotonic_ms <= at) return monotonic_ms;
		const ageMs = Math.max(0, now - (Date.parse(replaced_at) || (parseCompactTimestamp(name) ?? 0)));
		// A backup that appeared after the last check was made since then, whatever time is in its name.
		return at - (this.#lookedAt === null ? ageMs : Math.min(ageMs, at - this.#lookedAt));
	}

	/** Searches new backups, and manifests of those that had none. @returns the names of all, newest first by name */
	#check(now: number, at: number): string[] {
		const names = listBackupNames(this.#paths);
		const listed = new Set(names);
		for (const [name, when] of this.#completeAt) {
			if (!listed.has(name)) this.#completeAt.delete(name);
			if (listed.has(name) && at - when <= lateWriteWindowMs) continue;
			this.#backups.delete(name);
			this.#stamps.delete(name);
		}
		for (const name of names) {
			const when = this.#completeAt.get(name);
			if (when !== undefined && (this.#backups.get(name)?.manifest || at - when > lateWriteWindowMs)) continue;
			// The start does not read a week of old ones to confirm the date in their name.
			const isOld = this.#lookedAt === null && now - (parseCompactTimestamp(name) ?? 0) > lateWriteWindowMs + longestMoveMs;
			// Before it is read: a later change differs from it.
			const stamp = isOld ? null : manifestStamp(this.#files, this.#paths, name);
			const backup = isOld ? null : readBackup(this.#files, this.#paths, name);
			if (backup) {
				this.#backups.set(name, backup);
				this.#stamps.set(name, stamp);
				if (backup.manifest) this.#byOthers?.add(name);
			}
			if (when === undefined || backup?.manifest)
				this.#completeAt.set(name, backup ? this.#whenComplete(backup, now, at) : Number.NEGATIVE_INFINITY);
		}
		this.#lookedAt = at;
		return names;
	}

	/** Backups of the last `ageMs`, newest first. */
	recent(now: number, ageMs: number): Backup[] {
		const at = this.#clock.now();
		// The sort is stable: equally old ones stay in the order of their names.
		return this.#check(now, at)
			.map((name) => ({ when: this.#completeAt.get(name) ?? 0, backup: this.#backups.get(name) }))
			.sort((a, b) => b.when - a.when)
			.flatMap(({ when, backup }) => (backup && at - when <= ageMs ? [backup] : []));
	}

	/** Backups whose files may still be written to: those of the last hour, newest first, and older ones with a file that a process has open. */
	watched(now: number): Backup[] {
		this.reread();
		const recent = this.recent(now, lateWriteWindowMs);
		const at = this.#clock.now();
		let open = this.#open;
		// A write while this process did not run.
		if (this.#askedAt === Number.NEGATIVE_INFINITY)
			this.#open = new Set([...open, ...listBackupNames(this.#paths).slice(0, lookedAtFirst)].filter((name) => this.#hasNews(name)));
		if (at - this.#askedAt >= openIntervalMs) {
			this.#askedAt = at;
			open = this.#openNow();
		}
		const names = new Set(recent.map(({ name }) => name));
		// A file that was closed since the last check is checked once more.
		const older = [...new Set([...open, ...this.#open])].filter((name) => !names.has(name));
		this.#open = open;
		return [...recent, ...older.map((name) => readBackup(this.#files, this.#paths, name))];
	}

	#openNow(): Set<string> {
		const { root, backups } = this.#paths;
		const mounts = new Set(mountPointsBelow(root));
		for (const { manifest } of this.#backups.values())
			for (const { mount } of manifest?.files ?? []) if (mount !== undefined) mounts.add(mount);
		const directories = [Buffer.from(backups), ...[...mounts].map((mount) => backupsOnMount(root, mount))];
		return new Set(openFilesBelow(this.#files, directories).map((file) => file.slice(0, file.indexOf("/"))));
	}

	/**
	 * The replacements of each path within the time in which a stale write is possible, oldest first.
	 * @param only these paths; null: all @param windowMs age of the oldest
	 * @param until only those before this backup was made; null: all @param among only those of these backups; null: all
	 */
	replacements(
		now: number,
		only: ReadonlySet<GitPath> | null = null,
		windowMs = replacementsWindowMs,
		until: string | null = null,
		among: ReadonlySet<string> | null = null,
	): Map<GitPath, Replacement[]> {
		const found = new Map<GitPath, Replacement[]>();
		for (const { name: backup, manifest } of this.recent(now, windowMs).reverse()) {
			if (backup === until) break;
			if (among?.has(backup) === false) continue;
			const ageMs = this.#clock.now() - (this.#completeAt.get(backup) ?? 0);
			const isComparable = this.#isClockSame(manifest, now);
			for (const { path: name, before, after, placed, merged } of manifest?.files ?? []) {
				if (after === null || only?.has(name) === false) continue;
				const list = found.get(name) ?? [];
				const version = placed && isComparable ? { placed: { ino: placed.ino, atimeMs: placed.atime_ms, mtimeMs: placed.mtime_ms } } : {};
				list.push({ before: merged?.from ?? before, after, ageMs, ...version });
				if (merged) list.push({ before, after: merged.to, ageMs });
				found.set(name, list);
			}
		}
		return found;
	}

	/**
	 * The newest versions that checkouts placed, the newest last: at the first call all of the last hour, then those of other processes' checkouts,
	 * as far as {@link watched} has found them.
	 */
	takePlaced(now: number): (readonly [GitPath, PlacedVersion])[] {
		if (this.#byOthers?.size === 0) return [];
		const found = this.replacements(now, null, unreadWindowMs, null, this.#byOthers);
		this.#byOthers = new Set();
		return [...found].flatMap(([name, replacements]) => {
			const placed = replacements.at(-1)?.placed;
			return placed ? [[name, placed] as const] : [];
		});
	}

	/** Whether access times show what was read since a checkout: without a reboot, and without a step of the clock. */
	#isClockSame(manifest: Backup["manifest"], now: number): boolean {
		const { boot_id, monotonic_ms, replaced_at = "" } = manifest ?? {};
		if (boot_id !== this.#clock.bootId || monotonic_ms === undefined) return false;
		return Math.abs(now - Date.parse(replaced_at) - (this.#clock.now() - monotonic_ms)) < largestStepMs;
	}

	/** The files of a backup, from its present manifest. */
	filesOf(name: string): readonly ReplacedFile[] {
		return (this.#backups.get(name)?.manifest ?? readBackup(this.#files, this.#paths, name).manifest)?.files ?? [];
	}

	/** Reads the manifests again that this or another process changed on disk. Each backup keeps its age. */
	reread(): void {
		for (const name of this.#backups.keys()) {
			const stamp = manifestStamp(this.#files, this.#paths, name);
			if (stamp === this.#stamps.get(name)) continue;
			this.#stamps.set(name, stamp);
			this.#backups.set(name, readBackup(this.#files, this.#paths, name));
		}
	}

	/** Rewrites a manifest, and remembers it. A known backup keeps its age. */
	write(name: string, files: readonly ReplacedFile[], now: number): void {
		if (files.length === 0) return;
		const isOld = this.#completeAt.has(name) && !this.#backups.get(name)?.manifest;
		const known = this.#backups.get(name)?.manifest ?? (isOld ? readBackup(this.#files, this.#paths, name).manifest : null);
		const manifest = { ...(known ?? replacedNow(now, this.#clock)), files: [...files] };
		writeBackupManifest(this.#files, this.#paths, name, manifest);
		if (isOld && known) return;
		const backup = {
			name,
			directory: path.join(this.#paths.backups, name),
			takenAt: parseCompactTimestamp(name) ?? now,
			manifest,
		};
		this.#backups.set(name, backup);
		this.#stamps.set(name, manifestStamp(this.#files, this.#paths, name));
		if (!known) this.#completeAt.set(name, this.#clock.now());
	}

	/**
	 * Removes backups older than a week, never the newest ten, and none with a file that a process has open or that changed since its
	 * last check: that one is checked next.
	 * @returns their number
	 */
	prune(now: number): number {
		const open = this.#openNow();
		const old = listBackupNames(this.#paths)
			.slice(keepAtLeast)
			.filter((name) => now - (parseCompactTimestamp(name) ?? now) > keepForMs && !open.has(name));
		const news = new Set(old.filter((name) => this.#hasNews(name)));
		this.#open = new Set([...this.#open, ...news]);
		const removed = old.filter((name) => !news.has(name));
		for (const name of removed) this.#files.removeTree(path.join(this.#paths.backups, name));
		return removed.length;
	}

	/** Whether a kept file differs from its last recorded state. */
	#hasNews(name: string): boolean {
		return (readBackup(this.#files, this.#paths, name).manifest?.files ?? []).some((kept) => {
			const { size, mtime_ms } = kept;
			const file = keptFilePath(this.#paths, name, kept);
			const stats = file === null ? null : this.#files.lstatIfThere(file);
			return stats?.isFile() === true && (stats.size !== size || stats.mtimeMs !== mtime_ms);
		});
	}
}
