import { setTimeout as sleep } from "node:timers/promises";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { stopProcess } from "@robust-sync/service/stop-process";
import { askHolder, isHolderAlive, isHolderInTable, type LockHolder, readLockHolder } from "@robust-sync/system/lock";
import type { WorkspacePaths } from "@robust-sync/workspace/paths";

/** A service ends itself after 30 s of grace. */
const endsWithinMs = 35_000;
const pollMs = 50;

/**
 * Stops the running instance after its cycle, and its supervisor. An instance in another pid namespace is reached by its socket.
 * @returns the stopped process; null: none ran
 * @throws CommandError when it does not stop in time, or cannot be reached from here
 */
export async function stopInstance(paths: WorkspacePaths): Promise<LockHolder | null> {
	let stopped: LockHolder | null = null;
	for (const file of [paths.supervisorLock("sync"), paths.instanceLock("sync")]) {
		const holder = readLockHolder(file);
		if (!holder || !(await isHolderAlive(file, holder))) continue;
		if (isHolderInTable(holder)) await stopProcess(holder.pid, { isAlive: () => isHolderInTable(holder) });
		else if (!(await askHolder(file, holder, "stop"))) {
			throw new CommandError(
				`robust-sync (pid ${holder.pid} of another container or namespace) cannot be reached from here: stop it there`,
				ExitCode.failed,
			);
		}
		if (!(await hasEnded(file, holder))) {
			throw new CommandError(
				`robust-sync (pid ${holder.pid}) does not end: the kernel keeps it, probably waiting for a disk`,
				ExitCode.failed,
			);
		}
		stopped ??= holder;
	}
	return stopped;
}

async function hasEnded(file: string, holder: LockHolder): Promise<boolean> {
	const deadline = performance.now() + endsWithinMs;
	while (await isHolderAlive(file, holder)) {
		if (performance.now() > deadline) return false;
		await sleep(pollMs);
	}
	return true;
}
