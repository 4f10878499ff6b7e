import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { isHolderAlive, LockedError, readLockHolder } from "@robust-sync/system/lock";
import { beginPause, endPause, ensureExcluded, type Pause, type WorkspacePaths } from "@robust-sync/workspace";
import { acquireCycleLock } from "@robust-sync/workspace/cycle-lock";
import { wakeHolder } from "./once.ts";

/** Wakes a running instance, which reads the pause at once. */
async function tellInstance(paths: WorkspacePaths): Promise<void> {
	const file = paths.instanceLock("sync");
	const holder = readLockHolder(file);
	if (holder !== null && (await isHolderAlive(file, holder))) await wakeHolder(file, holder);
}

/**
 * Stops cycles until the pause ends. Waits for the cycle in progress, so that nothing is committed or checked out after this returns.
 * @param durationMs milliseconds; null: until {@link resumeSync}
 * @throws CommandError if that cycle takes longer than a minute; it is the last one
 */
export async function pauseSync(paths: WorkspacePaths, now: number, durationMs: number | null): Promise<Pause> {
	ensureExcluded(paths.root);
	const pause = await beginPause(paths, now, durationMs);
	try {
		await (await acquireCycleLock(paths, "a pause")).release();
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

/** Starts cycles again, the first one now. @returns the ended pause; null: there was none */
export async function resumeSync(paths: WorkspacePaths, now: number): Promise<Pause | null> {
	const held = endPause(paths, now);
	await tellInstance(paths);
	return held;
}
