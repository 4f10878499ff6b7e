/** A timer, for {@link Clock.cancel}. */
type TimerHandle = unknown;

/** Time and timers, as the protocol sees them. */
export interface Clock {
	/** Milliseconds since an arbitrary origin; never goes back (CLOCK_MONOTONIC: time in suspend does not count). */
	monotonicMs(): number;
	/** Milliseconds since the epoch; may be set at any time. */
	wallMs(): number;
	/** Calls back once, not before this many milliseconds have passed. */
	schedule(delayMs: number, callback: () => void): TimerHandle;
	cancel(timer: TimerHandle): void;
}

/** setTimeout fires at once for anything longer. */
const longestTimerMs = 2 ** 31 - 1;

/** The clocks of this machine. */
export const systemClock: Clock = {
	monotonicMs: () => performance.now(),
	wallMs: () => Date.now(),
	schedule: (delayMs, callback) => setTimeout(callback, Math.min(longestTimerMs, Math.max(0, Math.ceil(delayMs)))),
	cancel: (timer) => clearTimeout(timer as NodeJS.Timeout),
};
