import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isProcessAlive } from "@robust-sync/system/process-alive";
import { workerVariable } from "./worker.ts";

export interface StopOptions {
	/** Time after which a process that hangs is killed. Default 35 s: a service ends itself after 30 s of grace. */
	killAfterMs?: number;
	/** Whether the process is still the intended one, and not another with the same id. Default: whether it exists. */
	isAlive?: () => boolean;
}

const defaultKillAfterMs = 35_000;
// SIGKILL works at once, except on a process that waits for a disk or a network file system.
const dyingMs = 5_000;
const pollMs = 50;

/**
 * Stops a service of ours: SIGTERM, and SIGKILL when it hangs. A worker is stopped together
 * with its supervisor, which would start another one otherwise.
 *
 * @param pid the service's process id
 * @returns "stopped", "killed" if it had to be, or "not-running"
 * @throws the error of kill(2): EPERM for a process of another user
 */
export async function stopProcess(pid: number, options: StopOptions = {}): Promise<"stopped" | "killed" | "not-running"> {
	const isAlive = options.isAlive ?? (() => isProcessAlive(pid));
	if (!isAlive()) return "not-running";
	const supervisor = supervisorOf(pid);
	signal(supervisor ?? pid, "SIGTERM");
	const gone = () => !isAlive() && (supervisor === undefined || !isProcessAlive(supervisor));
	if (await becomes(gone, options.killAfterMs ?? defaultKillAfterMs)) return "stopped";
	if (supervisor !== undefined) signal(supervisor, "SIGKILL");
	if (isAlive()) signal(pid, "SIGKILL");
	await becomes(gone, dyingMs);
	return "killed";
}

/** The parent of a process that runs as a worker; from /proc, so only on Linux. */
function supervisorOf(pid: number): number | undefined {
	try {
		if (!readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`${workerVariable}=1`)) return undefined;
		// The second field is the command in parentheses and may itself contain anything; the parent is the second field after it.
		const parent = Number(
			readFileSync(`/proc/${pid}/stat`, "latin1")
				.replace(/^.*\) /s, "")
				.split(" ")[1],
		);
		return parent > 1 ? parent : undefined;
	} catch {
		return undefined;
	}
}

function signal(pid: number, name: NodeJS.Signals): void {
	try {
		process.kill(pid, name);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
	}
}

async function becomes(condition: () => boolean, withinMs: number): Promise<boolean> {
	const deadline = performance.now() + withinMs;
	while (!condition()) {
		if (performance.now() > deadline) return false;
		await sleep(pollMs);
	}
	return true;
}
