import fs from "node:fs";
import path from "node:path";
import {
	displayPath,
	fileSystemPath,
	type GitPath,
	gitPathIfAllowed,
	isDatabaseOpen,
	isGitPath,
	isHot,
	journalMagic,
	type Repository,
} from "@robust-sync/git";
import { writeAtomicSync } from "@robust-sync/system/atomic-write";
import { diskFiles } from "@robust-sync/system/disk-files";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { type HoldReason, holdReasons, holdRemedies, readState, type SkippedFile } from "@robust-sync/workspace";
import * as z from "zod/mini";
import { databaseByName } from "../checkout/skipped-files.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { mapId } from "./forget-map.ts";
import type { Values } from "./value.ts";

// A file that cannot be replaced when a value is forgotten, as a database that a program has open, keeps the value until it can. The old objects, from
// which the value is derived, are gone by then: it is kept with the names of those files. They are not published meanwhile.

const waitingSchema = z.object({
	schema: z.literal(1),
	/** By the ids of the maps, in the order of time; in base64. */
	values: z.array(z.object({ id: mapId, value: z.string() })),
	paths: z.array(z.object({ path: z.custom<GitPath>(isGitPath, "not a path of the workspace"), reason: z.enum(holdReasons) })),
});

/** Files that still have forgotten values. */
export interface WaitingFiles {
	readonly values: Values;
	/** With the obstacle. */
	readonly paths: ReadonlyMap<GitPath, HoldReason>;
}

export const nothingWaits: WaitingFiles = { values: new Map(), paths: new Map() };

/** The time between two tries to clean waiting files, milliseconds: each reads them, and the open files of all processes. */
const triesEveryMs = 10_000;

const stateFile = ({ commonDirectory }: Repository) => path.join(commonDirectory, "robust-sync/forget-waiting.json");

/** Reads the waiting files of a workspace. One that is missing or invalid has none. */
export function readWaiting(repository: Repository): WaitingFiles {
	const read = readState(stateFile(repository), waitingSchema);
	if (read.kind !== "ok") return nothingWaits;
	return {
		values: new Map(read.state.values.map(({ id, value }) => [id, Buffer.from(value, "base64")] as const)),
		paths: new Map(read.state.paths.map((one) => [one.path, one.reason] as const)),
	};
}

/** Records them durably, for the owner's eyes only; without files, nothing is kept. @throws the file system's error */
export function writeWaiting({ repository, memory }: CycleContext, waiting: WaitingFiles): void {
	const { values, paths } = waiting;
	const isNothing = paths.size === 0 || values.size === 0;
	memory.forget.waiting = isNothing ? nothingWaits : waiting;
	if (isNothing) {
		fs.rmSync(stateFile(repository), { force: true });
		return;
	}
	fs.mkdirSync(path.dirname(stateFile(repository)), { recursive: true });
	const state = {
		schema: 1,
		values: [...values].map(([id, value]) => ({ id, value: value.toString("base64") })),
		paths: [...paths].map(([name, reason]) => ({ path: name, reason })),
	};
	writeAtomicSync(stateFile(repository), `${JSON.stringify(state)}\n`, 0o600);
}

/** The first bytes of a write-ahead log, in either order of bytes, and of a rollback journal (SQLite's fileformat2.html). */
const logMagics = [...["377f0682", "377f0683"].map((hex) => Buffer.from(hex, "hex")), journalMagic];

/**
 * The database that a file beside it belongs to; null: it is no such file. SQLite compares checksums of what is in it, and leaves out all that
 * follows a wrong one: it must never be changed.
 */
export function databaseBeside(root: string, name: GitPath, content: Buffer): GitPath | null {
	const database = databaseByName(name);
	if (database === null) return null;
	if (logMagics.some((magic) => content.subarray(0, magic.length).equals(magic))) return database;
	return isDatabaseOpen(diskFiles, fileSystemPath(root, database)) ? database : null;
}

/** Whether a program has a database open, or left its work beside it. */
export function isLive(root: string, name: GitPath): boolean {
	try {
		const file = fileSystemPath(root, name);
		const database = databaseByName(name);
		if (isDatabaseOpen(diskFiles, file) || (database !== null && isDatabaseOpen(diskFiles, fileSystemPath(root, database)))) return true;
		return name.endsWith("-journal") ? isHot(diskFiles, file) : database !== null && lstatIfThere(file) !== null;
	} catch {
		return true;
	}
}

/** Removes what SQLite left beside a database that is forgotten. */
export function removeBesideDatabase(file: Buffer): void {
	for (const suffix of ["-wal", "-journal", "-shm"]) fs.rmSync(Buffer.concat([file, Buffer.from(suffix)]), { force: true });
}

/**
 * Tries again to clean the files that wait, and lets the others go.
 * @param clean cleans some files, and returns those that have to wait still
 * @throws GitError, the file system's error
 */
export async function cleanWaiting(
	context: CycleContext,
	clean: (values: Values, names: readonly GitPath[]) => Promise<ReadonlyMap<GitPath, HoldReason>>,
): Promise<void> {
	const { repository, memory, log, now } = context;
	const { forget } = memory;
	const waiting = readWaiting(repository);
	forget.waiting = waiting;
	if (waiting.paths.size === 0) return;
	const since = now() - forget.triedAt;
	if (since >= 0 && since < triesEveryMs) return;
	forget.triedAt = now();
	const still = new Map<GitPath, HoldReason>();
	const free: GitPath[] = [];
	for (const [name, reason] of waiting.paths)
		if (isLive(repository.root, name)) still.set(name, reason);
		else free.push(name);
	if (free.length === 0) return;
	// A journal that was brought to an end holds former pages.
	const journals = free.flatMap((name) => gitPathIfAllowed(`${name}-journal`) ?? []).filter((name) => !waiting.paths.has(name));
	for (const [name, reason] of await clean(waiting.values, [...free, ...journals])) still.set(name, reason);
	for (const name of free)
		if (!still.has(name)) log.info(`${JSON.stringify(displayPath(name))} has nothing of what was forgotten any more: it is synced again`);
	writeWaiting(context, { ...waiting, paths: still });
}

const whenOpen =
	"close the program that has the database open, or, where it left a -wal or -journal file, open the database once with sqlite3 and close it";

/** Files that wait, for `skipped`. */
export function waitingSkipped({ memory, repository }: CycleContext): SkippedFile[] {
	const { paths } = memory.forget.waiting;
	return [...paths]
		.filter(([name]) => databaseByName(name) === null || lstatIfThere(fileSystemPath(repository.root, name)) !== null)
		.map(([name, reason]) => ({
			path: displayPath(name),
			reason: "forget-waits",
			remedy: `it still has what was forgotten, and loses it as soon as it can be replaced: ${reason === "live-database" ? whenOpen : holdRemedies[reason]}`,
		}));
}
