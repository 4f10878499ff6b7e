/**
 * Whether a process with this id exists. Says nothing about who it is: ids are reused.
 *
 * @param pid a process id
 */
export function isProcessAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		// EPERM: it exists and belongs to another user.
		return (error as NodeJS.ErrnoException).code === "EPERM";
	}
}
