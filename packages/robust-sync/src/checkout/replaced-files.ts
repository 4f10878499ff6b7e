import fs from "node:fs";
import path from "node:path";
import { type GitPath, openFilesBelow, type PlacedVersion } from "@robust-sync/git";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { type MonotonicClock, monotonicClock } from "@robust-sync/system/monotonic-clock";
import { parseCompactTimestamp } from "@robust-sync/system/timestamps";
import {
	type Backup,
	backupsOnMount,
	keptFilePath,
	listBackupNames,
	mountPointsBelow,
	type ReplacedFile,
	readBackup,
	replacedNow,
	type WorkspacePaths,
	writeBackupManifest,
} from "@robust-sync/workspace";

/** A process that kept a replaced file open may go on writing into it. For this time the file is checked even if no process has it open. */
export const lateWriteWindowMs = 60 * 60_000;
/** A file that is rewritten this soon after a checkout may have been read before it. */
export const staleWriteWindowMs = 10_000;
/** For this long after the checkout, a file that was rewritten from a stale version is watched for another writer that rewrites it in turn. */
export const replacementsWindowMs = 2 * staleWriteWindowMs + 60_000;
/** How long an agent may take between reading a file and writing it back. */
export const unreadWindowMs = 60 * 60_000;
/** Access times say nothing where the clock was set by more than this since. */
const largestStepMs = 24 * 60 * 60_000;
/** A backup is named by the start of its move. */
const longestMoveMs = 10 * 60_000;
/** Which older files are still open is asked this often. */
const openIntervalMs = 30_000;
/** This many of the newest backups are looked at when a program starts, however old they are: about 40 ms. */
const lookedAtFirst = 200;
/** Backups go after a week, but the newest ten stay. */
const keepForMs = 7 * 24 * 60 * 60_000;
const keepAtLeast = 10;

/** One replacement of one path, as the search for stale writes needs it. */
export interface Replacement {
	readonly before: string;
	readonly after: string;
	/** How long ago it was, whatever the clock was set to meanwhile. */
	readonly ageMs: number;
	/** The file with `after`, where it can be known whether it was read since. */
	readonly placed?: PlacedVersion;
}

/** What our checkouts have replaced: the manifests below sync/backups/, read once and kept up to date. */
export class ReplacedFiles {
	readonly #paths: WorkspacePaths;
	readonly #clock: MonotonicClock;
	readonly #backups = new Map<string, Backup>();
	/** When each was complete, by the monotonic clock: names and dates are wrong as soon as someone sets the other one. */
	readonly #completeAt = new Map<string, number>();
	#lookedAt: number | null = null;
	#askedAt = Number.NEGATIVE_INFINITY;
	/** Older backups to look at: files of theirs were open when that was last asked, or are not as they were last seen. */
	#open: ReadonlySet<string> = new Set();

	constructor(paths: WorkspacePaths, clock: MonotonicClock = monotonicClock) {
		this.#paths = paths;
		this.#clock = clock;
	}

	/** A manifest of this boot knows; else the clock that can be set is asked, which is never believed to be behind. */
	#whenComplete({ name, manifest }: Backup, now: number, at: number): number {
		const { boot_id, monotonic_ms, replaced_at = "" } = manifest ?? {};
		if (monotonic_ms !== undefined && boot_id === this.#clock.bootId && monotonic_ms <= at) return monotonic_ms;
		const ageMs = Math.max(0, now - (Date.parse(replaced_at) || (parseCompactTimestamp(name) ?? 0)));
		// What became known since the last look was taken since then, whatever its name says.
		return at - (this.#lookedAt === null ? ageMs : Math.min(ageMs, at - this.#lookedAt));
	}

	/** Looks for new backups, and for manifests of those that had none. @returns the names of all, newest first by name */
	#look(now: number, at: number): string[] {
		const names = listBackupNames(this.#paths);
		const listed = new Set(names);
		for (const [name, when] of this.#completeAt) {
			if (!listed.has(name)) this.#completeAt.delete(name);
			if (!listed.has(name) || at - when > lateWriteWindowMs) this.#backups.delete(name);
		}
		for (const name of names) {
			const when = this.#completeAt.get(name);
			if (when !== undefined && (this.#backups.get(name)?.manifest || at - when > lateWriteWindowMs)) continue;
			// A week of old ones is not read at the start for the date in their name to be confirmed.
			const isOld = this.#lookedAt === null && now - (parseCompactTimestamp(name) ?? 0) > lateWriteWindowMs + longestMoveMs;
			const backup = isOld ? null : readBackup(this.#paths, name);
			if (backup) this.#backups.set(name, backup);
			if (when === undefined || backup?.manifest)
				this.#completeAt.set(name, backup ? this.#whenComplete(backup, now, at) : Number.NEGATIVE_INFINITY);
		}
		this.#lookedAt = at;
		return names;
	}

	/** Backups of the last `ageMs`, newest first. */
	recent(now: number, ageMs: number): Backup[] {
		const at = this.#clock.now();
		// The sort is stable: what is equally old stays in the order of its names.
		return this.#look(now, at)
			.map((name) => ({ when: this.#completeAt.get(name) ?? 0, backup: this.#backups.get(name) }))
			.sort((a, b) => b.when - a.when)
			.flatMap(({ when, backup }) => (backup && at - when <= ageMs ? [backup] : []));
	}

	/** Backups whose files may still be written to: those of the last hour, newest first, and older ones with a file that a process has open. */
	watched(now: number): Backup[] {
		const recent = this.recent(now, lateWriteWindowMs);
		const at = this.#clock.now();
		let open = this.#open;
		// What was written while this program did not run.
		if (this.#askedAt === Number.NEGATIVE_INFINITY)
			this.#open = new Set([...open, ...listBackupNames(this.#paths).slice(0, lookedAtFirst)].filter((name) => this.#hasNews(name)));
		if (at - this.#askedAt >= openIntervalMs) {
			this.#askedAt = at;
			open = this.#openNow();
		}
		const names = new Set(recent.map(({ name }) => name));
		// One that was closed since that was last asked is looked at once more.
		const older = [...new Set([...open, ...this.#open])].filter((name) => !names.has(name));
		this.#open = open;
		return [...recent, ...older.map((name) => readBackup(this.#paths, name))];
	}

	#openNow(): Set<string> {
		const { root, backups } = this.#paths;
		const mounts = new Set(mountPointsBelow(root));
		for (const { manifest } of this.#backups.values())
			for (const { mount } of manifest?.files ?? []) if (mount !== undefined) mounts.add(mount);
		const directories = [Buffer.from(backups), ...[...mounts].map((mount) => backupsOnMount(root, mount))];
		return new Set(openFilesBelow(directories).map((file) => file.slice(0, file.indexOf("/"))));
	}

	/**
	 * The replacements of each path within the time in which a stale write is possible, oldest first.
	 * @param only these paths; null: all @param windowMs from how long ago on
	 */
	replacements(now: number, only: ReadonlySet<GitPath> | null = null, windowMs = replacementsWindowMs): Map<GitPath, Replacement[]> {
		const found = new Map<GitPath, Replacement[]>();
		for (const { name: backup, manifest } of this.recent(now, windowMs).reverse()) {
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

	/** Whether what was read since a checkout shows by access times: no reboot may have lost them, no step of the clock made new ones older. */
	#isClockSame(manifest: Backup["manifest"], now: number): boolean {
		const { boot_id, monotonic_ms, replaced_at = "" } = manifest ?? {};
		if (boot_id !== this.#clock.bootId || monotonic_ms === undefined) return false;
		return Math.abs(now - Date.parse(replaced_at) - (this.#clock.now() - monotonic_ms)) < largestStepMs;
	}

	/** The files of a backup, from its present manifest. */
	filesOf(name: string): readonly ReplacedFile[] {
		return (this.#backups.get(name)?.manifest ?? readBackup(this.#paths, name).manifest)?.files ?? [];
	}

	/** Manifests were changed on disk: they are read again. */
	reread(): void {
		this.#backups.clear();
	}

	/** Writes a manifest again, and remembers it. A backup that is known stays as old as it is. */
	write(name: string, files: readonly ReplacedFile[], now: number): void {
		if (files.length === 0) return;
		const isOld = this.#completeAt.has(name) && !this.#backups.get(name)?.manifest;
		const known = this.#backups.get(name)?.manifest ?? (isOld ? readBackup(this.#paths, name).manifest : null);
		const manifest = { ...(known ?? replacedNow(now, this.#clock)), files: [...files] };
		writeBackupManifest(this.#paths, name, manifest);
		if (isOld && known) return;
		const backup = {
			name,
			directory: path.join(this.#paths.backups, name),
			takenAt: parseCompactTimestamp(name) ?? now,
			manifest,
		};
		this.#backups.set(name, backup);
		if (!known) this.#completeAt.set(name, this.#clock.now());
	}

	/**
	 * Removes backups older than a week, never the newest ten, and none with a file that a process has open or that was written to since it
	 * was last looked at: that one is looked at next.
	 * @returns how many
	 */
	prune(now: number): number {
		const open = this.#openNow();
		const old = listBackupNames(this.#paths)
			.slice(keepAtLeast)
			.filter((name) => now - (parseCompactTimestamp(name) ?? now) > keepForMs && !open.has(name));
		const news = new Set(old.filter((name) => this.#hasNews(name)));
		this.#open = new Set([...this.#open, ...news]);
		const removed = old.filter((name) => !news.has(name));
		for (const name of removed) fs.rmSync(path.join(this.#paths.backups, name), { recursive: true, force: true });
		return removed.length;
	}

	/** Whether a kept file is not as it was last seen. */
	#hasNews(name: string): boolean {
		return (readBackup(this.#paths, name).manifest?.files ?? []).some((kept) => {
			const { size, mtime_ms } = kept;
			const file = keptFilePath(this.#paths, name, kept);
			const stats = file === null ? null : lstatIfThere(file);
			return stats?.isFile() === true && (stats.size !== size || stats.mtimeMs !== mtime_ms);
		});
	}
}
