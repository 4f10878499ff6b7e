/**
 * A duration for a sentence or a narrow column, in one unit: `99 s`, `3 min`, `2 h`, `5 d`. A unit begins at two of it.
 *
 * @param ms milliseconds; negative ones count as 0
 */
export function shortDuration(ms: number): string {
	const seconds = Math.max(0, Math.round(ms / 1_000));
	if (seconds < 120) return `${seconds} s`;
	if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
	if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
	return `${Math.round(seconds / 86_400)} d`;
}

/**
 * A measured duration, with about three digits: `0.25 ms`, `12 ms`, `1.4 s`, `3 min 5 s`.
 *
 * @param ms milliseconds, not negative
 */
export function exactDuration(ms: number): string {
	if (ms < 1) return `${ms.toFixed(2)} ms`;
	if (ms < 10) return `${ms.toFixed(1)} ms`;
	if (ms < 1_000) return `${Math.round(ms)} ms`;
	if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
	const seconds = Math.round(ms / 1_000);
	return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
