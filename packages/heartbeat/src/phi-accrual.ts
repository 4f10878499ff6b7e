/** φ at which a peer becomes suspect: one false suspicion in 10^8 heartbeats, if intervals were normally distributed. */
export const suspicionThreshold = 8;
const windowSamples = 100;
/** Timers, scheduling and the senders' own jitter of ±5 % make intervals vary at least this much. */
const minDeviationFraction = 0.05;
const minDeviationMs = 20;
/** Larger values of φ carry no information, and JSON should not carry astronomic numbers. */
const maxPhi = 1_000;

/** log10 of erfc(x) for x ≥ 0, within 1.2e-7 relative (Numerical Recipes, 3rd ed., 6.2.2, erfccheb); never underflows. */
function log10Erfc(x: number): number {
	const t = 2 / (2 + x);
	const poly =
		-1.26551223 +
		t *
			(1.00002368 +
				t *
					(0.37409196 +
						t *
							(0.09678418 +
								t * (-0.18628806 + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
	return (Math.log(t) - x * x + poly) / Math.LN10;
}

/** −log10 of the probability that a standard normal variable exceeds z. */
export function negLog10Tail(z: number): number {
	if (z >= 0) return -(log10Erfc(z / Math.SQRT2) + Math.log10(0.5));
	return -Math.log10(1 - 0.5 * 10 ** log10Erfc(-z / Math.SQRT2));
}

/** z with −log10 P(Z > z) = phi, by bisection. */
function tailInverse(phi: number): number {
	let low = 0;
	let high = 100;
	for (let i = 0; i < 60; i++) {
		const middle = (low + high) / 2;
		if (negLog10Tail(middle) < phi) low = middle;
		else high = middle;
	}
	return high;
}

const suspicionDeviations = tailInverse(suspicionThreshold);

/**
 * How unusual a peer's silence is, from the intervals seen so far (Hayashibara, Défago, Yared, Katayama: "The φ Accrual
 * Failure Detector", SRDS 2004). The mean and the deviation are kept as running sums over a window of 100.
 */
export class PhiAccrual {
	readonly #samples = new Float64Array(windowSamples);
	#count = 0;
	#next = 0;
	#sum = 0;
	#squares = 0;

	/** @param expectedMs the assumed interval of the peer, until it has shown its own */
	constructor(expectedMs: number) {
		this.setInterval(expectedMs);
	}

	/** Resets the window: the peer has another interval from now on, and the earlier ones do not predict it. */
	setInterval(expectedMs: number): void {
		this.#count = 0;
		this.#next = 0;
		this.#sum = 0;
		this.#squares = 0;
		// Two samples around the expectation, as in Akka's detector: a mean at once, and an uncertainty that shrinks with experience.
		this.add(expectedMs * 0.9);
		this.add(expectedMs * 1.1);
	}

	/** Adds one observed interval, milliseconds. */
	add(intervalMs: number): void {
		if (this.#count === windowSamples) {
			const gone = this.#samples[this.#next]!;
			this.#sum -= gone;
			this.#squares -= gone * gone;
		} else this.#count++;
		this.#samples[this.#next] = intervalMs;
		this.#next = (this.#next + 1) % windowSamples;
		this.#sum += intervalMs;
		this.#squares += intervalMs * intervalMs;
	}

	get meanMs(): number {
		return this.#sum / this.#count;
	}

	get deviationMs(): number {
		const mean = this.meanMs;
		const variance = Math.max(0, this.#squares / this.#count - mean * mean);
		return Math.max(Math.sqrt(variance), mean * minDeviationFraction + minDeviationMs);
	}

	/** φ after this many milliseconds of silence. */
	phi(silentMs: number): number {
		return Math.min(maxPhi, negLog10Tail((silentMs - this.meanMs) / this.deviationMs));
	}

	/** After how many milliseconds of silence φ reaches the threshold. */
	suspectAfterMs(): number {
		return this.meanMs + suspicionDeviations * this.deviationMs;
	}
}
