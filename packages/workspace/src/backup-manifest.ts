import path from "node:path";
import { writeAtomicSync } from "@robust-sync/system/atomic-write";
import type { Files } from "@robust-sync/system/files";
import { type MonotonicClock, monotonicClock } from "@robust-sync/system/monotonic-clock";
import { parseCompactTimestamp, timestamp } from "@robust-sync/system/timestamps";
import * as z from "zod/mini";
import type { WorkspacePaths } from "./paths.ts";
import { readState } from "./read-state.ts";
import { innerGitPath, objectId, workspaceGitPath } from "./trusted-text.ts";

/** A part is closed at this many bytes: a state file may be twice as large. */
const partBytes = 8 * 1024 * 1024;
/** Limit of parts: enough for a checkout of ten million files. */
const maxParts = 10_000;

const replacedFileSchema = z.object({
	/** One character a byte: names need not be UTF-8. */
	path: workspaceGitPath,
	/** Below the backup's directory, in the same form. */
	file: innerGitPath,
	/** If the file is kept on a file system below the workspace: the directory at its top. */
	mount: z.optional(workspaceGitPath),
	/** Blob of the kept file, and the blob that replaced it (null: deleted). */
	before: objectId,
	after: z.nullable(objectId),
	/** A write in the kept file was merged: into the version `to`. `from` is what the first writer had read; `before` is the write now. */
	merged: z.optional(z.object({ from: objectId, to: objectId })),
	/** Size and time of the kept file at its last check: a difference shows a later write. */
	size: z.number(),
	mtime_ms: z.number(),
	/** The file that replaced it: its inode, by which it has a link in `sync/versions/`, and its times after it was placed. */
	placed: z.optional(z.object({ ino: z.string().check(z.regex(/^\d{1,20}$/)), atime_ms: z.number(), mtime_ms: z.number() })),
});
const backupManifestSchema = z.object({
	schema: z.literal(1),
	replaced_at: z.string(),
	/** The same time by the monotonic clock, milliseconds, and its boot: setting the wall clock does not change the age. */
	boot_id: z.optional(z.string()),
	monotonic_ms: z.optional(z.number()),
	files: z.array(replacedFileSchema),
	/** The number of parts `manifest-1.json`, `manifest-2.json`, … with more of them. */
	parts: z.optional(z.number().check(z.int(), z.nonnegative(), z.maximum(maxParts))),
});
const partSchema = z.object({ files: z.array(replacedFileSchema) });

/** One file that a checkout replaced and that is kept. */
export type ReplacedFile = z.infer<typeof replacedFileSchema>;
/** `sync/backups/<time>/manifest.json` */
export type BackupManifest = z.infer<typeof backupManifestSchema>;

export interface Backup {
	/** `<YYYYMMDDTHHMMSS.mmmZ>` */
	readonly name: string;
	readonly directory: string;
	readonly takenAt: number;
	/** null: there is no manifest (a copy that was moved aside by hand, or a checkout that is not complete). */
	readonly manifest: BackupManifest | null;
}

/** One backup with its manifest. A part that is missing or does not parse makes the whole manifest invalid. */
export function readBackup(files: Files, paths: WorkspacePaths, name: string): Backup {
	const directory = path.join(paths.backups, name);
	return { name, directory, takenAt: parseCompactTimestamp(name) ?? 0, manifest: readManifest(files, directory) };
}

/** A text that changes whenever the manifest of a backup is written, in any part. Null: there is none. @throws the file system's error */
export function manifestStamp(files: Files, paths: WorkspacePaths, name: string): string | null {
	return files.stampIfThere(path.join(paths.backups, name, partName(0)));
}

const partName = (index: number) => (index === 0 ? "manifest.json" : `manifest-${index}.json`);

function readManifest(onDisk: Files, directory: string): BackupManifest | null {
	const first = readState(path.join(directory, partName(0)), backupManifestSchema, onDisk);
	if (first.kind !== "ok") return null;
	const { parts = 0, files, ...manifest } = first.state;
	for (let index = 1; index <= parts; index++) {
		const part = readState(path.join(directory, partName(index)), partSchema, onDisk);
		if (part.kind !== "ok") return null;
		for (const file of part.state.files) files.push(file);
	}
	return { ...manifest, files };
}

/** The time at which a backup is complete, for its manifest. @param now milliseconds since the epoch */
export function replacedNow(now: number, clock: MonotonicClock = monotonicClock): Omit<BackupManifest, "files"> {
	return { schema: 1, replaced_at: timestamp(now), boot_id: clock.bootId, monotonic_ms: clock.now() };
}

/** A manifest to write. `files` may be an iterable that makes the entries one by one. */
export type NewBackupManifest = Omit<BackupManifest, "files" | "parts"> & { readonly files: Iterable<ReplacedFile> };

/**
 * Writes the manifest of a backup durably, in parts within the size limit of state files; at most two parts are in memory. The first part is
 * written last: without it there is no manifest yet. @throws the file system's error
 */
export function writeBackupManifest(onDisk: Files, paths: WorkspacePaths, name: string, { files, ...manifest }: NewBackupManifest): void {
	const write = (index: number, head: string, part: readonly string[]) =>
		writeAtomicSync(path.join(paths.backups, name, partName(index)), `${head}"files":[${part.join()}]}\n`, 0o600, onDisk);
	let [index, first, part, bytes]: [number, readonly string[] | null, string[], number] = [0, null, [], 0];
	const end = () => {
		if (index === 0) first = part;
		else write(index, "{", part);
	};
	for (const file of files) {
		if (bytes >= partBytes) {
			end();
			[index, part, bytes] = [index + 1, [], 0];
		}
		const text = JSON.stringify(file);
		part.push(text);
		bytes += Buffer.byteLength(text);
	}
	end();
	const { schema, replaced_at, boot_id, monotonic_ms } = manifest;
	const fields = { schema, replaced_at, boot_id, monotonic_ms, ...(index > 0 ? { parts: index } : {}) };
	write(0, `${JSON.stringify(fields).slice(0, -1)},`, first ?? []);
}
