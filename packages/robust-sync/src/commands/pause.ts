import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { acquireLock, isHolderAlive, LockedError, readLockHolder } from "@robust-sync/system/lock";
import { beginPause, endPause, ensureExcluded, type Pause, type WorkspacePaths } from "@robust-sync/workspace";
import { wakeHolder } from "./once.ts";

/** How long to wait for the cycle in progress. */
const lockTimeoutMs = 60_000;

/** A running instance looks at once what holds now. */
async function tellInstance(paths: WorkspacePaths): Promise<void> {
	const file = paths.instanceLock("sync");
	const holder = readLockHolder(file);
	if (holder !== null && (await isHolderAlive(file, holder))) await wakeHolder(file, holder);
}

/**
 * No cycle begins until the pause ends; the one in progress is waited for, so that nothing is committed or moved once this returns.
 * @param durationMs milliseconds; null: until {@link resumeSync}
 * @throws CommandError when a cycle goes on for longer than a minute: it is the last one
 */
export async function pauseSync(paths: WorkspacePaths, now: number, durationMs: number | null): Promise<Pause> {
	ensureExcluded(paths.root);
	const pause = await beginPause(paths, now, durationMs);
	try {
		await (await acquireLock(paths.cycleLock, { purpose: "a pause", waitMs: lockTimeoutMs })).release();
	} catch (error) {
		if (!(error instanceof LockedError)) throw error;
		throw new CommandError(
			"sync is paused, but the cycle in progress has not ended yet: robust-sync --status shows when",
			ExitCode.failed,
			{
				cause: error,
			},
		);
	}
	await tellInstance(paths);
	return pause;
}

/** Cycles begin again, the first one now. @returns the pause that held; null: none did */
export async function resumeSync(paths: WorkspacePaths, now: number): Promise<Pause | null> {
	const held = endPause(paths, now);
	await tellInstance(paths);
	return held;
}
