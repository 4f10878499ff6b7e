/** One measurement by four timestamps. */
export interface ClockSample {
	/** Round trip without the peer's own delay, milliseconds. */
	readonly rttMs: number;
	/** The peer's clock minus ours, milliseconds; accurate to ± rtt / 2. */
	readonly offsetMs: number;
}

/** RFC 5905, section 10: the clock filter has 8 stages. */
const stages = 8;
/** Allows for drift (100 ppm over 8 intervals of 60 s: 48 ms) and for clocks that are read in whole milliseconds. */
const driftAllowanceMs = 50;

/**
 * Round trip and clock offset of one exchange (RFC 5905, section 8).
 *
 * @param sentMs T1, our wall clock
 * @param arrivedMs T2, the peer's wall clock
 * @param holdMs T3 − T2, measured by the peer
 * @param elapsedMs T4 − T1, by our monotonic clock, so that a clock set meanwhile does not bend the round trip
 */
export function measure(sentMs: number, arrivedMs: number, holdMs: number, elapsedMs: number): ClockSample {
	const rttMs = Math.max(0, elapsedMs - holdMs);
	return { rttMs, offsetMs: arrivedMs - sentMs - rttMs / 2 };
}

/** The last 8 measurements, of which the one with the shortest round trip is the best (RFC 5905, section 10). */
export class ClockFilter {
	#samples: ClockSample[] = [];
	#best: ClockSample | null = null;

	/** The best of the last 8; null before the first. */
	get best(): ClockSample | null {
		return this.#best;
	}

	/**
	 * Adds a measurement. If its interval of possible offsets does not overlap that of the best one, a clock was
	 * set (the intersection of Marzullo 1984): the earlier measurements are discarded.
	 */
	add(sample: ClockSample): void {
		if (this.#best) {
			const apart = Math.abs(sample.offsetMs - this.#best.offsetMs);
			if (apart > (sample.rttMs + this.#best.rttMs) / 2 + driftAllowanceMs) this.#samples = [];
		}
		this.#samples.push(sample);
		if (this.#samples.length > stages) this.#samples.shift();
		this.#best = this.#samples.reduce((best, one) => (one.rttMs <= best.rttMs ? one : best));
	}

	/** Discards all measurements: our own clock was set. */
	reset(): void {
		this.#samples = [];
		this.#best = null;
	}
}
