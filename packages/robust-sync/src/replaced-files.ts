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
	readonly at: number;
	/** Whether HEAD has `after`, or something newer. */
	readonly committed: boolean;
}

/** What our checkouts have replaced: the manifests below sync/backups/, read once and kept up to date. */
export class ReplacedFiles {
	readonly #paths: WorkspacePaths;
	readonly #backups = new Map<string, Backup>();

	constructor(paths: WorkspacePaths) {
		this.#paths = paths;
	}

	/** Backups of the last `ageMs`, newest first. */
	recent(now: number, ageMs: number): Backup[] {
		const names = listBackupNames(this.#paths).filter((name) => now - (parseCompactTimestamp(name) ?? 0) <= ageMs);
		for (const name of this.#backups.keys()) if (!names.includes(name)) this.#backups.delete(name);
		return names.map((name) => {
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
		for (const { manifest } of this.recent(now, replacementsWindowMs).reverse()) {
			for (const { path: name, before, after, committed } of manifest?.files ?? []) {
				if (after === null) continue;
				const list = found.get(name as GitPath) ?? [];
				list.push({ before, after, at: Date.parse(manifest?.replaced_at ?? ""), committed });
				found.set(name as GitPath, list);
			}
		}
		return found;
	}

	/** Writes a manifest anew, and remembers it. */
	write(name: string, files: readonly ReplacedFile[], now: number): void {
		if (files.length === 0) return;
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
