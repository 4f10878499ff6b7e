import { acquireLock } from "@robust-sync/system/lock";
import { ensureExcluded, readState, silencesSchema, type WorkspacePaths, writeState } from "@robust-sync/workspace";

/** Alerts with this id are not sent until then. An id that ends in `*` matches all ids with that prefix. */
export interface Silence {
	readonly id: string;
	/** RFC 3339 */
	readonly until: string;
}

/** Whether `silence` is about the alert `id`: `heartbeat:*` about every peer, `sync` also about `sync:pending`. */
export function matches(silence: Silence, id: string): boolean {
	if (silence.id.endsWith("*")) return id.startsWith(silence.id.slice(0, -1));
	return id === silence.id || id.startsWith(`${silence.id}:`);
}

/** The silences that apply at `now`. A file that does not parse silences nothing. */
export function readSilences(paths: WorkspacePaths, now: number): Silence[] {
	const read = readState(paths.silences, silencesSchema);
	return read.kind === "ok" ? read.state.silences.filter((silence) => Date.parse(silence.until) > now) : [];
}

const lockWaitMs = 5_000;

/**
 * Changes the silences; a running daemon applies them from its next round.
 * @returns the silences after the change
 * @throws LockedError when another process changes them for longer than 5 s; the file system's error
 */
export async function changeSilences(paths: WorkspacePaths, now: number, change: (silences: Silence[]) => Silence[]): Promise<Silence[]> {
	ensureExcluded(paths.root);
	const lock = await acquireLock(paths.silencesLock, { purpose: "a change of the silences", waitMs: lockWaitMs });
	try {
		const silences = change(readSilences(paths, now));
		await writeState(paths.silences, { schema: 1, silences });
		return silences;
	} finally {
		await lock.release();
	}
}
