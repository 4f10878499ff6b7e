import fs from "node:fs";
import path from "node:path";
import type { GitPath, KeptFile } from "@robust-sync/git";
import {
	type Backup,
	listBackupNames,
	parseCompactTimestamp,
	type ReplacedFile,
	readBackup,
	timestamp,
	type WorkspacePaths,
	writeBackupManifest,
} from "@robust-sync/workspace";

/** A process that kept a replaced file open may go on writing into it; for so long it is looked at. */
export const lateWriteWindowMs = 60 * 60_000;
/** A file that is rewritten this soon after a checkout may have been read before it. */
export const staleWriteWindowMs = 10_000;
/** A backup is named by the start of its move, which may take a minute. */
const replacementsWindowMs = 2 * staleWriteWindowMs + 60_000;
/** Backups go after a week, but the newest ten stay. */
const keepForMs = 7 * 24 * 60 * 60_000;
const keepAtLeast = 10;

/** One replacement of one path, as the search for stale writes needs it. */
export interface Replacement {
	readonly before: string;
	readonly after: string;
	/** How long ago it was, whatever the clock was set to meanwhile. */
	readonly ageMs: number;
	/** Whether HEAD has `after`, or something newer. */
	readonly committed: boolean;
}

/** What our checkouts have replaced: the manifests below sync/backups/, read once and kept up to date. */
export class ReplacedFiles {
	readonly #paths: WorkspacePaths;
	readonly #monotonic: () => number;
	readonly #backups = new Map<string, Backup>();
	/** When each was taken, by the monotonic clock: names and dates are wrong as soon as somebody sets the other one. */
	readonly #takenAt = new Map<string, number>();
	#lookedAt: number | null = null;

	/** @param monotonic milliseconds since some fixed moment */
	constructor(paths: WorkspacePaths, monotonic: () => number = () => performance.now()) {
		this.#paths = paths;
		this.#monotonic = monotonic;
	}

	/** What became known since the last look was taken since then, whatever its name says. */
	#ageMs(name: string, now: number, replacedAt = parseCompactTimestamp(name) ?? 0): number {
		const at = this.#monotonic();
		const known = this.#takenAt.get(name);
		if (known !== undefined) return at - known;
		const age = Math.max(0, now - replacedAt);
		return this.#lookedAt === null ? age : Math.min(age, at - this.#lookedAt);
	}

	/** Backups of the last `ageMs`, newest first. */
	recent(now: number, ageMs: number): Backup[] {
		const there = listBackupNames(this.#paths);
		const listed = new Set(there);
		for (const name of this.#takenAt.keys()) {
			if (listed.has(name) && this.#ageMs(name, now) <= lateWriteWindowMs) continue;
			this.#backups.delete(name);
			if (!listed.has(name)) this.#takenAt.delete(name);
		}
		for (const name of there) {
			if (this.#takenAt.has(name)) continue;
			const taken = this.#monotonic() - this.#ageMs(name, now);
			this.#takenAt.set(name, taken);
		}
		this.#lookedAt = this.#monotonic();
		const order = new Map(there.map((name, index) => [name, index]));
		return there
			.filter((name) => this.#ageMs(name, now) <= ageMs)
			.sort((a, b) => (this.#takenAt.get(b) ?? 0) - (this.#takenAt.get(a) ?? 0) || (order.get(a) ?? 0) - (order.get(b) ?? 0))
			.map((name) => {
				const known = this.#backups.get(name);
				if (known?.manifest) return known;
				const backup = readBackup(this.#paths, name);
				this.#backups.set(name, backup);
				return backup;
			});
	}

	/** The replacements of each path within the time in which a stale write is possible, oldest first. */
	replacements(now: number): Map<GitPath, Replacement[]> {
		const found = new Map<GitPath, Replacement[]>();
		for (const { name: backup, manifest } of this.recent(now, replacementsWindowMs).reverse()) {
			// A move ends later than it began, by which it is named; as long as the clock can be believed.
			const longMs = Date.parse(manifest?.replaced_at ?? "") - (parseCompactTimestamp(backup) ?? 0);
			const ageMs = this.#ageMs(backup, now) - (longMs > 0 && longMs < replacementsWindowMs ? longMs : 0);
			for (const { path: name, before, after, committed } of manifest?.files ?? []) {
				if (after === null) continue;
				const list = found.get(name as GitPath) ?? [];
				list.push({ before, after, ageMs, committed });
				found.set(name as GitPath, list);
			}
		}
		return found;
	}

	/** Writes a manifest anew, and remembers it. */
	write(name: string, files: readonly ReplacedFile[], now: number): void {
		if (files.length === 0) return;
		if (!this.#takenAt.has(name)) this.#takenAt.set(name, this.#monotonic() - this.#ageMs(name, now));
		const manifest = {
			schema: 1 as const,
			replaced_at: this.#backups.get(name)?.manifest?.replaced_at ?? timestamp(now),
			files: [...files],
		};
		writeBackupManifest(this.#paths, name, manifest);
		this.#backups.set(name, {
			name,
			directory: path.join(this.#paths.backups, name),
			takenAt: parseCompactTimestamp(name) ?? now,
			manifest,
		});
	}

	/** These paths were committed as they are: nothing that lies there waits for a commit any more. */
	markCommitted(names: ReadonlySet<GitPath>, now: number): void {
		for (const { name, manifest } of this.recent(now, replacementsWindowMs)) {
			if (!manifest?.files.some((file) => !file.committed && names.has(file.path as GitPath))) continue;
			this.write(
				name,
				manifest.files.map((file) => (names.has(file.path as GitPath) ? { ...file, committed: true } : file)),
				now,
			);
		}
	}

	/** Removes backups older than a week, never the newest ten. */
	prune(now: number): number {
		const names = listBackupNames(this.#paths).slice(keepAtLeast);
		const old = names.filter((name) => now - (parseCompactTimestamp(name) ?? now) > keepForMs);
		for (const name of old) fs.rmSync(path.join(this.#paths.backups, name), { recursive: true, force: true });
		return old.length;
	}
}

/** A kept file as the manifest has it. */
export function replacedFile({ mtimeMs, ...file }: KeptFile): ReplacedFile {
	return { ...file, mtime_ms: mtimeMs };
}
