/** Calls between two reads of the clock. */
const callsAtOnce = 256;

/** Whether the time is over. @param now reads the clock in any case; default: with some of the calls */
export type IsOver = (now?: boolean) => boolean;

/** A limit of the CPU time of this process from now on, which a busy machine does not shorten. @param cpuMs milliseconds */
export function cpuLimit(cpuMs: number): IsOver {
	const start = process.cpuUsage();
	let count = 0;
	let isOver = false;
	return (now = false) => {
		if (isOver || (!now && ++count % callsAtOnce !== 0)) return isOver;
		const { user, system } = process.cpuUsage(start);
		isOver = user + system > cpuMs * 1_000;
		return isOver;
	};
}
