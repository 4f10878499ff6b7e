/**
 * A named place where a crash matters. A test that sets ROBUST_SYNC_FAULT to `name` has the process killed here, at once and
 * without any clean-up, as a power cut or `kill -9` would. Without the variable it does nothing.
 *
 * @param name unique in the project, such as `monitor:sent`
 */
export function faultPoint(name: string): void {
	if (process.env.ROBUST_SYNC_FAULT === name) process.kill(process.pid, "SIGKILL");
}
