let met = 0;

/**
 * A named place where a crash matters. A test that sets ROBUST_SYNC_FAULT to `name` has the process killed here, at once and
 * without any clean-up, as a power cut or `kill -9` would; to `name#3`, the third time. One that sets ROBUST_SYNC_PAUSE to `swap=40` has
 * it stand still for up to 40 ms at each place whose name holds "swap": a race that is lost once in a thousand runs is then lost at once.
 * Without the variables it does nothing.
 *
 * @param name unique in the project, such as `monitor:sent`
 */
export function faultPoint(name: string): void {
	const wanted = process.env.ROBUST_SYNC_FAULT;
	if (wanted !== undefined) {
		const [place, time = "1"] = wanted.split("#");
		if (place === name && ++met === Number(time)) process.kill(process.pid, "SIGKILL");
	}
	const pause = process.env.ROBUST_SYNC_PAUSE;
	if (pause !== undefined) standStill(name, pause);
}

function standStill(name: string, pause: string): void {
	const [part = "", atMostMs = "0"] = pause.split("=");
	if (name.includes(part)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.random() * Number(atMostMs));
}
