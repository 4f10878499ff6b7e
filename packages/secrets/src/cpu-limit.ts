/** Calls between two looks at the clock. */
const callsAtOnce = 256;

/** Whether some CPU time has passed. The process's: a busy machine does not count. @returns a function; it looks at the clock rarely, or now */
export function cpuLimit(cpuMs: number): (now?: boolean) => boolean {
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
