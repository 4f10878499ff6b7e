import { lstatSync, renameSync, rmSync } from "node:fs";
import { assertOurs, makeOwnDirectory, type NotOursError } from "@robust-sync/system/own-directory";
import { compactTimestamp, timestamp } from "@robust-sync/system/timestamps";
import * as z from "zod/mini";
import type { WorkspacePaths } from "./paths.ts";
import { readState } from "./read-state.ts";
import { writeState } from "./state-file.ts";
import { type Pause, pauseSchema } from "./state-schemas.ts";

export const pauseFileSchema = z.object({ schema: z.literal(1), ...pauseSchema.shape });

/**
 * The pause in effect at `now` (milliseconds since the epoch). A file that is not valid pauses until a person resumes: its writer
 * wanted no cycle. Never throws.
 */
export function readPause(paths: WorkspacePaths, now: number): Pause | null {
	const read = readState(paths.pause, pauseFileSchema);
	if (read.kind === "missing") return null;
	if (read.kind === "invalid") return { since: timestamp(writtenAt(paths.pause) ?? now), until: null };
	const { since, until } = read.state;
	return until !== null && !(Date.parse(until) > now) ? null : { since, until };
}

/** When a file was last written, in milliseconds since the epoch; null: it is gone. */
function writtenAt(file: string): number | null {
	try {
		return lstatSync(file).mtimeMs;
	} catch {
		return null;
	}
}

/** Moves a directory or other entry in the place of the file aside, with its content. */
function setAsideInvalid(file: string, now: number): void {
	const stats = lstatSync(file, { throwIfNoEntry: false });
	if (stats !== undefined && !stats.isFile()) renameSync(file, `${file}.corrupt-${compactTimestamp(now)}`);
}

/**
 * Begins a pause: no cycle begins from now on. A second call replaces the end and keeps the beginning.
 * @param durationMs how long; null: until {@link endPause}
 * @throws {@link NotOursError}; the file system's error
 */
export async function beginPause(paths: WorkspacePaths, now: number, durationMs: number | null): Promise<Pause> {
	makeOwnDirectory(paths.sync);
	const since = readPause(paths, now)?.since ?? timestamp(now);
	setAsideInvalid(paths.pause, now);
	const pause = { since, until: durationMs === null ? null : timestamp(now + durationMs) };
	await writeState(paths.pause, { schema: 1, ...pause });
	return pause;
}

/** Ends the pause. @returns the pause that was in effect; null: none @throws {@link NotOursError}; the file system's error */
export function endPause(paths: WorkspacePaths, now: number): Pause | null {
	const held = readPause(paths, now);
	// The directory does not exist: there was no pause.
	if (readState(paths.pause, pauseFileSchema).kind !== "missing") {
		assertOurs(paths.sync);
		setAsideInvalid(paths.pause, now);
		rmSync(paths.pause, { force: true });
	}
	return held;
}

/** `since 2026-02-18T02:00:00.000Z, until …` */
export function pauseText({ since, until }: Pause): string {
	return `since ${since}, ${until === null ? "until someone resumes it" : `until ${until}`}`;
}
