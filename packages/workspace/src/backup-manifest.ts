import { type Dirent, readdirSync } from "node:fs";
import path from "node:path";
import * as z from "zod/mini";
import { writeAtomicSync } from "./atomic-write.ts";
import { type MonotonicClock, monotonicClock } from "./monotonic-clock.ts";
import type { WorkspacePaths } from "./paths.ts";
import { readState } from "./read-state.ts";
import { parseCompactTimestamp, timestamp } from "./timestamps.ts";
import { innerGitPath, objectId, workspaceGitPath } from "./trusted-text.ts";

const replacedFileSchema = z.object({
	/** One character a byte: names need not be UTF-8. */
	path: workspaceGitPath,
	/** Below the backup's directory, in the same form. */
	file: innerGitPath,
	/** Blob that the kept file had, and the blob that took its place (null: deleted). */
	before: objectId,
	after: z.nullable(objectId),
	/** Whether `after`, or what became of it, is in a commit. */
	committed: z.boolean(),
	/** What the kept file looked like when it was last looked at: a later write shows by these. */
	size: z.number(),
	mtime_ms: z.number(),
});
const backupManifestSchema = z.object({
	schema: z.literal(1),
	replaced_at: z.string(),
	/** The same moment by the monotonic clock, milliseconds, and the boot that it belongs to: whoever sets the other clock does not change its age. */
	boot_id: z.optional(z.string()),
	monotonic_ms: z.optional(z.number()),
	files: z.array(replacedFileSchema),
});

/** One file that a checkout replaced and that is kept. */
export type ReplacedFile = z.infer<typeof replacedFileSchema>;
/** `sync/backups/<time>/manifest.json` */
export type BackupManifest = z.infer<typeof backupManifestSchema>;

export interface Backup {
	/** `<YYYYMMDDTHHMMSS.mmmZ>` */
	readonly name: string;
	readonly directory: string;
	readonly takenAt: number;
	/** null: none was written (a copy that was set aside by hand, or a move that is not complete). */
	readonly manifest: BackupManifest | null;
}

/** Names of all backups, newest first. */
export function listBackupNames(paths: WorkspacePaths): string[] {
	let entries: Dirent[];
	try {
		entries = readdirSync(paths.backups, { withFileTypes: true });
	} catch {
		return [];
	}
	return entries
		.filter((entry) => entry.isDirectory() && parseCompactTimestamp(entry.name) !== null)
		.map((entry) => entry.name)
		.sort()
		.reverse();
}

/** One backup with its manifest. */
export function readBackup(paths: WorkspacePaths, name: string): Backup {
	const directory = path.join(paths.backups, name);
	const read = readState(path.join(directory, "manifest.json"), backupManifestSchema);
	return { name, directory, takenAt: parseCompactTimestamp(name) ?? 0, manifest: read.kind === "ok" ? read.state : null };
}

/** When a backup is complete, for its manifest. @param now milliseconds since the epoch */
export function replacedNow(now: number, clock: MonotonicClock = monotonicClock): Omit<BackupManifest, "files"> {
	return { schema: 1, replaced_at: timestamp(now), boot_id: clock.bootId, monotonic_ms: clock.now() };
}

/** Writes the manifest of a backup durably. */
export function writeBackupManifest(paths: WorkspacePaths, name: string, manifest: BackupManifest): void {
	writeAtomicSync(path.join(paths.backups, name, "manifest.json"), `${JSON.stringify(manifest)}\n`);
}
