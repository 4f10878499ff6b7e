/** Calls between two reads of the clock. */
const callsAtOnce = 64;
/** Milliseconds between two reads of the CPU time, which are system calls. */
const quietMs = 20;

/** Whether the time is over. @param now reads the clock in any case; default: with some of the calls */
export type IsOver = (now?: boolean) => boolean;

/**
 * A limit of the CPU time of this process from now on, which a busy machine does not shorten. Most searches end before the CPU time is read
 * once: so the limit may be exceeded by {@link quietMs}.
 * @param cpuMs milliseconds
 */
export function cpuLimit(cpuMs: number): IsOver {
	let start: NodeJS.CpuUsage | null = null;
	let readAt = performance.now();
	let count = 0;
	let isOver = cpuMs <= 0;
	return (now = false) => {
		if (isOver || (!now && ++count % callsAtOnce !== 0)) return isOver;
		const time = performance.now();
		if (time - readAt < quietMs) return false;
		readAt = time;
		if (start === null) start = process.cpuUsage();
		else {
			const { user, system } = process.cpuUsage(start);
			isOver = user + system > cpuMs * 1_000;
		}
		return isOver;
	};
}
