/** What a watchdog looks at. */
export interface WatchdogOptions {
	/** After so long without a sign of life the process is killed by whoever watches it. */
	window_ms: number;
	/** Changes whenever the main loop gets on. */
	progress(): number;
	/** Monotonic time in milliseconds. */
	now(): number;
}

/**
 * Tells a loop that works or sleeps from one that hangs (sd_notify(3), WATCHDOG=1).
 *
 * A loop shows that it lives by moving its progress, or by saying beforehand how long it will be idle. An idle
 * period ends when the progress moves again. After either, it has half the window until the signs of life stop:
 * an idle daemon that sleeps longer than the window is never killed, one that hangs is, at most one and a half
 * windows later.
 */
export class Watchdog {
	readonly #options: WatchdogOptions;
	#lastProgress: number;
	#trustedUntil_ms: number;

	constructor(options: WatchdogOptions) {
		this.#options = options;
		this.#lastProgress = options.progress();
		this.#trustedUntil_ms = this.#patience();
	}

	/**
	 * The loop has nothing to do for so long.
	 *
	 * @param duration_ms until it moves again by itself; Infinity for one that only answers to events
	 */
	idle(duration_ms: number): void {
		this.#lastProgress = this.#options.progress();
		this.#trustedUntil_ms = this.#patience() + duration_ms;
	}

	/** Whether a sign of life may be given now. To be asked every half of the window (sd_watchdog_enabled(3)): each sign costs a process. */
	isAlive(): boolean {
		const progress = this.#options.progress();
		if (progress !== this.#lastProgress) {
			this.#lastProgress = progress;
			this.#trustedUntil_ms = this.#patience();
		}
		return this.#options.now() <= this.#trustedUntil_ms;
	}

	#patience(): number {
		return this.#options.now() + this.#options.window_ms / 2;
	}
}
