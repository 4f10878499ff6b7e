import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { stopProcess } from "@robust-sync/service/stop-process";
import { isHolderAlive, readLockHolder } from "@robust-sync/workspace/lock";
import type { WorkspacePaths } from "@robust-sync/workspace/paths";

/**
 * Lets the running instance finish its cycle and stop; its supervisor with it.
 * @returns the pid that was stopped; null when nothing ran
 * @throws CommandError when it does not stop in time
 */
export async function stopInstance(paths: WorkspacePaths): Promise<number | null> {
	let stopped: number | null = null;
	for (const file of [paths.supervisorLock("sync"), paths.instanceLock("sync")]) {
		const holder = readLockHolder(file);
		if (!holder || !isHolderAlive(holder)) continue;
		const outcome = await stopProcess(holder.pid, { isAlive: () => isHolderAlive(holder) });
		if (isHolderAlive(holder)) {
			throw new CommandError(
				`robust-sync (pid ${holder.pid}) does not end: the kernel keeps it, probably waiting for a disk`,
				ExitCode.failed,
			);
		}
		if (outcome === "not-running") continue;
		stopped ??= holder.pid;
	}
	return stopped;
}
