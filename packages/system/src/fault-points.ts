let met = 0;

/**
 * A named place where a crash matters. If a test sets ROBUST_SYNC_FAULT to `name`, the process is killed here, at once and
 * without any clean-up, as by a power cut or `kill -9`; with `name#3`, the third time. With ROBUST_SYNC_PAUSE=`swap=40`
 * it pauses for up to 40 ms at each place whose name contains "swap": a race that is lost once in a thousand runs is then lost in the first.
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
