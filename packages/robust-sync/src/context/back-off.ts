/** Back-off never waits longer than this many sync intervals. */
const maxIntervals = 8;

/**
 * Milliseconds until the next attempt after this many failures in a row: full jitter over an exponentially growing window, from
 * nothing up to interval × 2^(failures-1), at most interval × 8 (M. Brooker, "Exponential Backoff And Jitter", AWS 2015).
 * @param random in [0, 1)
 */
export function backOffMs(failures: number, intervalMs: number, random: number): number {
	const window = intervalMs * Math.min(2 ** Math.max(0, failures - 1), maxIntervals);
	// Not at once: a failure that takes no time must not become a busy loop.
	return Math.max(Math.min(1_000, intervalMs), Math.round(random * window));
}

const maxRaceWaitMs = 5_000;

/**
 * Milliseconds to wait after a lost push race: at first none, then up to a multiple of the duration of one try that doubles with
 * every loss, as in Ethernet (IEEE 802.3, truncated binary exponential back-off). Without it, many nodes on one hub would mostly
 * undo each other's work.
 * @param losses in a row, from 1
 * @param attemptMs duration of the last try
 * @param random from 0 to 1
 */
export function raceWaitMs(losses: number, attemptMs: number, random: number): number {
	return random * Math.min(maxRaceWaitMs, attemptMs * (2 ** (losses - 1) - 1));
}
