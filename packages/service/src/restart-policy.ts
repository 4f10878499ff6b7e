import { ExitCode } from "./exit-codes.ts";

/** How a worker ended. */
export interface WorkerExit {
	/** The exit code, or null when a signal ended it. */
	code: number | null;
	signal: NodeJS.Signals | null;
	/** How long it ran. */
	livedMs: number;
}

/** The decision: start another worker after a pause, or end with this exit code. */
export type Verdict = { restartMs: number } | { exitCode: number };

const firstPauseMs = 1_000;
const longestPauseMs = 60_000;
/** A worker that ran this long was healthy: its end does not count with the earlier ones. */
const healthyMs = 5 * 60_000;
// A worker that requests its restart again and again right after the start (a memory limit below its needs) must not spin.
const hastyMs = 10_000;
const hastyRestarts = 2;

// 0: a requested stop. 2: the configuration is wrong, and a restart reads the same one. 4: another instance runs.
const final: readonly number[] = [ExitCode.ok, ExitCode.usage, ExitCode.locked];

/** Decides whether and when a worker that ended is started again: 1 s, doubling to 60 s, from the start after 5 min of health. */
export class RestartPolicy {
	#failures = 0;
	#hasty = 0;

	/** @param exit how the worker ended */
	judge(exit: WorkerExit): Verdict {
		if (exit.code !== null && final.includes(exit.code)) return { exitCode: exit.code };
		if (exit.livedMs >= healthyMs) this.#failures = 0;
		this.#hasty = exit.code === ExitCode.restart && exit.livedMs < hastyMs ? this.#hasty + 1 : 0;
		if (exit.code === ExitCode.restart && this.#hasty <= hastyRestarts) return { restartMs: 0 };
		return { restartMs: Math.min(firstPauseMs * 2 ** this.#failures++, longestPauseMs) };
	}
}
