/** Back-off never waits longer than so many sync intervals. */
export const maxIntervals = 8;

/**
 * Milliseconds until the next attempt after so many failures in a row: full jitter over an exponentially growing window, from
 * nothing up to interval × 2^(failures-1), at most interval × 8 (M. Brooker, "Exponential Backoff And Jitter", AWS 2015).
 * @param random in [0, 1)
 */
export function backOffMs(failures: number, intervalMs: number, random: number): number {
	const window = intervalMs * Math.min(2 ** Math.max(0, failures - 1), maxIntervals);
	// Not at once: a failure that takes no time must not become a busy loop.
	return Math.max(Math.min(1_000, intervalMs), Math.round(random * window));
}
