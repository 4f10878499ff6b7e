import { rmSync } from "node:fs";
import { shortDuration } from "@robust-sync/system/format-duration";
import { formatSize } from "@robust-sync/system/format-size";
import { timestamp } from "@robust-sync/system/timestamps";
import * as z from "zod/mini";
import type { WorkspacePaths } from "./paths.ts";
import { readState } from "./read-state.ts";
import { writeState } from "./state-file.ts";
import { timestampSchema } from "./state-schemas.ts";

const count = z.number().check(z.gte(0));

/** The progress of long work, as the holder of the cycle lock writes it every few seconds (docs/contract.md, section 13). */
export const progressSchema = z.object({
	schema: z.literal(1),
	updated_at: timestampSchema,
	/** When this piece of work began. */
	since: timestampSchema,
	what: z.string().check(z.maxLength(100)),
	done: count,
	/** null: not known. */
	total: z.nullable(count),
	/** `bytes`, or a noun in the plural. */
	unit: z.string().check(z.maxLength(40)),
	per_second: z.nullable(count),
	remaining_seconds: z.nullable(count),
});
export type ProgressState = z.infer<typeof progressSchema>;

/** An older file was left by a process that was killed. */
const validMs = 30_000;

/** The progress of the work that runs now; null: no long work. Never throws. @param now milliseconds since the epoch */
export function readProgress(paths: WorkspacePaths, now: number): ProgressState | null {
	const read = readState(paths.progress, progressSchema);
	return read.kind === "ok" && Math.abs(now - Date.parse(read.state.updated_at)) <= validMs ? read.state : null;
}

/** Writes it, or removes the file. @param now milliseconds since the epoch @throws NotOursError; the file system's error */
export async function writeProgress(
	paths: WorkspacePaths,
	work: (Omit<ProgressState, "schema" | "updated_at" | "since"> & { since: number }) | null,
	now: number,
): Promise<void> {
	if (work === null) rmSync(paths.progress, { force: true });
	else await writeState(paths.progress, { schema: 1, updated_at: timestamp(now), ...work, since: timestamp(work.since) });
}

const whole = (value: number) => Math.round(value).toLocaleString("en-US");

/** `adding files: 12,000 of 50,000 (24 %), about 48 s left, 800/s`. */
export function progressText({
	what,
	done,
	total,
	unit,
	per_second,
	remaining_seconds,
}: Pick<ProgressState, "what" | "done" | "total" | "unit" | "per_second" | "remaining_seconds">): string {
	const isBytes = unit === "bytes";
	const amount = (value: number) => (isBytes ? formatSize(Math.round(value)) : whole(value));
	const noun = isBytes || what.endsWith(` ${unit}`) ? "" : ` ${unit}`;
	const share = total === null || total <= 0 ? "" : ` (${Math.floor((Math.min(done, total) / total) * 100)} %)`;
	const parts = [`${what}: ${amount(done)}${total === null ? "" : ` of ${amount(total)}`}${noun}${share}`];
	if (remaining_seconds !== null) parts.push(`about ${shortDuration(remaining_seconds * 1_000)} left`);
	if (per_second !== null) parts.push(`${amount(per_second)}/s`);
	return parts.join(", ");
}
