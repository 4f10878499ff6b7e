import { acquireLock, type Lock } from "@robust-sync/system/lock";
import type { WorkspacePaths } from "./paths.ts";

/** Longest wait of a command for the cycle in progress. */
const cycleWaitMs = 60_000;

/**
 * Takes the lock of the cycle for a command: no cycle runs while it is held. Waits for a cycle in progress.
 * @param purpose the command, for people who find the lock taken
 * @param waitMs the longest wait, milliseconds; default: a minute
 * @throws LockedError if that cycle takes longer
 */
export async function acquireCycleLock(paths: WorkspacePaths, purpose: string, waitMs = cycleWaitMs): Promise<Lock> {
	return await acquireLock(paths.cycleLock, { purpose, waitMs });
}
