/** The parameters of a watchdog. */
export interface WatchdogOptions {
	/** The process is killed after this long without a sign of life. */
	windowMs: number;
	/** Changes whenever the main loop makes progress. */
	progress(): number;
	/** Monotonic time in milliseconds. */
	now(): number;
}

/**
 * Distinguishes a loop that works or sleeps from one that hangs (sd_notify(3), WATCHDOG=1).
 *
 * A loop shows that it lives by making progress, or by announcing how long it will be idle. An idle
 * period ends when the progress moves again. After either, it has half the window until the signs of life stop:
 * an idle daemon that sleeps longer than the window is never killed, one that hangs is, at most one and a half
 * windows later.
 */
export class Watchdog {
	readonly #options: WatchdogOptions;
	#lastProgress: number;
	#trustedUntilMs: number;

	constructor(options: WatchdogOptions) {
		this.#options = options;
		this.#lastProgress = options.progress();
		this.#trustedUntilMs = this.#deadline();
	}

	/**
	 * Announces that the loop is idle for a while.
	 *
	 * @param durationMs until its next progress; Infinity for one that only answers to events
	 */
	idle(durationMs: number): void {
		this.#lastProgress = this.#options.progress();
		this.#trustedUntilMs = this.#deadline() + durationMs;
	}

	/** Whether to give a sign of life now. To be called every half of the window (sd_watchdog_enabled(3)): each sign costs a process. */
	isAlive(): boolean {
		const progress = this.#options.progress();
		if (progress !== this.#lastProgress) {
			this.#lastProgress = progress;
			this.#trustedUntilMs = this.#deadline();
		}
		return this.#options.now() <= this.#trustedUntilMs;
	}

	#deadline(): number {
		return this.#options.now() + this.#options.windowMs / 2;
	}
}
