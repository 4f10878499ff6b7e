import { readFileSync } from "node:fs";

/**
 * Whether a process with this id runs. Not about its identity: ids are reused. One that has ended and only
 * waits for its parent to read its exit code (in a container that can be for ever) does not run.
 *
 * @param pid a process id
 */
export function isProcessAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
	} catch (error) {
		// EPERM: it exists and belongs to another user.
		if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
	}
	return !isZombie(pid);
}

function isZombie(pid: number): boolean {
	try {
		// The command in parentheses may itself contain parentheses, so the state follows the last of them.
		return /^.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
	} catch {
		return false;
	}
}
