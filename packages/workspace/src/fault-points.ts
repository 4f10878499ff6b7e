let met = 0;

/**
 * A named place where a crash matters. A test that sets ROBUST_SYNC_FAULT to `name` has the process killed here, at once and
 * without any clean-up, as a power cut or `kill -9` would; to `name#3`, the third time. Without the variable it does nothing.
 *
 * @param name unique in the project, such as `monitor:sent`
 */
export function faultPoint(name: string): void {
	const wanted = process.env.ROBUST_SYNC_FAULT;
	if (wanted === undefined) return;
	const [place, time = "1"] = wanted.split("#");
	if (place === name && ++met === Number(time)) process.kill(process.pid, "SIGKILL");
}
