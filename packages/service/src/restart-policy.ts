import { ExitCode } from "./exit-codes.ts";

/** How a worker ended. */
export interface WorkerExit {
	/** The exit code, or null when a signal ended it. */
	code: number | null;
	signal: NodeJS.Signals | null;
	/** How long it ran. */
	lived_ms: number;
}

/** What to do about it: start another one after a pause, or end with this exit code. */
export type Verdict = { restart_ms: number } | { exitCode: number };

const firstPause_ms = 1_000;
const longestPause_ms = 60_000;
/** A worker that ran this long was healthy: its death has nothing to do with the ones before. */
const healthy_ms = 5 * 60_000;
// A worker that asks for its restart again and again right after the start (a memory limit below what it needs) must not spin.
const hasty_ms = 10_000;
const hastyRestarts = 2;

// 0: it was asked to end. 2: the configuration is wrong, and a restart reads the same one. 4: another instance is at work.
const final: readonly number[] = [ExitCode.ok, ExitCode.usage, ExitCode.locked];

/** Decides whether and when a worker that ended is started again: 1 s, doubling to 60 s, from the start after 5 min of health. */
export class RestartPolicy {
	#failures = 0;
	#hasty = 0;

	/** @param exit how the worker ended */
	judge(exit: WorkerExit): Verdict {
		if (exit.code !== null && final.includes(exit.code)) return { exitCode: exit.code };
		if (exit.lived_ms >= healthy_ms) this.#failures = 0;
		this.#hasty = exit.code === ExitCode.restart && exit.lived_ms < hasty_ms ? this.#hasty + 1 : 0;
		if (exit.code === ExitCode.restart && this.#hasty <= hastyRestarts) return { restart_ms: 0 };
		return { restart_ms: Math.min(firstPause_ms * 2 ** this.#failures++, longestPause_ms) };
	}
}
