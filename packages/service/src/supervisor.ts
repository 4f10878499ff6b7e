import { type ChildProcess, spawn } from "node:child_process";
import { withAllocatorSettings } from "@robust-sync/system/allocator-settings";
import { ExitCode } from "./exit-codes.ts";
import type { Logger } from "./log.ts";
import { RestartPolicy, type Verdict, type WorkerExit } from "./restart-policy.ts";
import { stallVariable, type WorkerMessage, workerVariable } from "./worker.ts";

export { needsSupervisor } from "./worker.ts";

/** The part of a child process that the supervisor uses. */
export type WorkerProcess = Pick<ChildProcess, "pid" | "kill" | "on" | "once">;

/** Monotonic time and timers. */
export interface SupervisorClock {
	/** Milliseconds since an arbitrary origin. */
	now(): number;
	/** Calls back once after a number of milliseconds; returns a function that cancels it. */
	after(ms: number, callback: () => void): () => void;
}

export interface SuperviseOptions {
	logger: Logger;
	/** The script and its arguments, without node itself: process.argv.slice(1). */
	argv: string[];
	/** The environment of the worker. Default process.env. */
	env?: NodeJS.ProcessEnv;
	/** A worker that gives no sign of life for this long is killed and replaced. 0: never. Default 10 minutes. */
	stallMs?: number;
	/** How long a worker may take to stop until it is killed: its own grace of 30 s and a margin. */
	killAfterMs?: number;
	clock?: SupervisorClock;
	/** Starts a worker. Default: this executable again, in a session of its own. */
	startWorker?: () => WorkerProcess;
}

const systemClock: SupervisorClock = {
	now: () => performance.now(),
	after(ms, callback) {
		const timer = setTimeout(callback, ms);
		return () => clearTimeout(timer);
	},
};

// Longer than any single git command may run (GIT_TIMEOUT is 120 s by default), so only a loop that hangs gets there.
const defaultStallMs = 600_000;
const defaultKillAfterMs = 35_000;

/**
 * Replaces the service manager where there is none: runs this command again as a worker and starts another one when it
 * dies. SIGTERM, SIGINT, SIGHUP and SIGUSR1 are passed on. There is never a second worker: the next one starts only
 * after the last one's end, and a worker whose supervisor was killed ends by itself.
 *
 * @returns the exit code: 0, 2 or 4 from the worker; after a requested stop 0, or 1 if the worker did not stop in time
 */
export function supervise(options: SuperviseOptions): Promise<number> {
	return new Promise((resolve) => new Supervisor(options, resolve).start());
}

class Supervisor {
	readonly #options: SuperviseOptions;
	readonly #resolve: (code: number) => void;
	readonly #logger: Logger;
	readonly #clock: SupervisorClock;
	readonly #stallMs: number;
	readonly #policy = new RestartPolicy();
	readonly #handlers = new Map<NodeJS.Signals, () => void>();
	#worker: WorkerProcess | undefined;
	#takesSignals = false;
	#waiting: NodeJS.Signals[] = [];
	#stopping = false;
	#cancelRestart: (() => void) | undefined;
	#cancelStall: (() => void) | undefined;
	#cancelKill: (() => void) | undefined;

	constructor(options: SuperviseOptions, resolve: (code: number) => void) {
		this.#options = options;
		this.#resolve = resolve;
		this.#logger = options.logger;
		this.#clock = options.clock ?? systemClock;
		this.#stallMs = options.stallMs ?? defaultStallMs;
	}

	start(): void {
		for (const signal of ["SIGTERM", "SIGINT"] as const) this.#on(signal, () => this.#stop(signal));
		for (const signal of ["SIGHUP", "SIGUSR1"] as const) this.#on(signal, () => this.#forward(signal));
		this.#startWorker();
	}

	#on(signal: NodeJS.Signals, handler: () => void): void {
		this.#handlers.set(signal, handler);
		process.on(signal, handler);
	}

	#startWorker(): void {
		this.#cancelRestart = undefined;
		const started = this.#clock.now();
		const worker = this.#options.startWorker ? this.#options.startWorker() : this.#spawn();
		this.#worker = worker;
		this.#takesSignals = false;
		this.#waiting = [];
		let ended = false;
		const end = (code: number | null, signal: NodeJS.Signals | null, problem?: string) => {
			// A worker that could not be started reports an error and, on some systems, an exit as well.
			if (ended) return;
			ended = true;
			this.#ended({ code, signal, livedMs: this.#clock.now() - started }, problem);
		};
		worker.once("exit", end);
		worker.on("error", (error) => {
			if (worker.pid === undefined) end(null, null, error.message);
		});
		worker.on("message", (message) => this.#hear(message as WorkerMessage));
		this.#armStall();
	}

	#spawn(): ChildProcess {
		const { argv, env = process.env } = this.#options;
		return spawn(process.execPath, [...process.execArgv, ...argv], {
			env: {
				...withAllocatorSettings(env),
				[workerVariable]: "1",
				...(this.#stallMs > 0 ? { [stallVariable]: String(this.#stallMs) } : {}),
			},
			stdio: ["ignore", "inherit", "inherit", "ipc"],
			// A session of its own: Ctrl-C reaches the worker once, through us, and not a second time from the terminal.
			detached: true,
		});
	}

	#hear(message: WorkerMessage): void {
		this.#armStall();
		if (message !== "ready-for-signals") return;
		this.#takesSignals = true;
		for (const signal of this.#waiting.splice(0)) this.#worker?.kill(signal);
	}

	#armStall(): void {
		this.#cancelStall?.();
		this.#cancelStall = undefined;
		if (this.#stallMs <= 0 || !this.#worker) return;
		this.#cancelStall = this.#clock.after(this.#stallMs, () => {
			this.#logger.error("worker hangs; killing it", { pid: this.#worker?.pid, silent_ms: this.#stallMs });
			this.#worker?.kill("SIGKILL");
		});
	}

	/** Delays a signal that would kill a worker without handlers until it has them. */
	#forward(signal: NodeJS.Signals): void {
		if (this.#takesSignals) this.#worker?.kill(signal);
		else this.#waiting.push(signal);
	}

	#stop(signal: NodeJS.Signals): void {
		const first = !this.#stopping;
		this.#stopping = true;
		if (!this.#worker) {
			this.#finish(ExitCode.ok);
			return;
		}
		this.#worker.kill(signal);
		if (!first) return;
		this.#cancelKill = this.#clock.after(this.#options.killAfterMs ?? defaultKillAfterMs, () => {
			this.#logger.error("worker did not stop; killing it", { pid: this.#worker?.pid });
			this.#worker?.kill("SIGKILL");
		});
	}

	#ended(exit: WorkerExit, problem?: string): void {
		const pid = this.#worker?.pid;
		this.#worker = undefined;
		this.#cancelStall?.();
		this.#cancelKill?.();
		const verdict = this.#verdict(exit);
		if ("exitCode" in verdict) {
			this.#finish(verdict.exitCode);
			return;
		}
		const how = problem ?? (exit.signal ? `died of ${exit.signal}` : `exited with ${exit.code}`);
		const level = exit.code === ExitCode.restart ? "info" : "error";
		this.#logger[level](`worker ${how}; starting it again`, {
			pid,
			lived_ms: Math.round(exit.livedMs),
			restart_in_ms: verdict.restartMs,
		});
		if (verdict.restartMs === 0) this.#startWorker();
		else this.#cancelRestart = this.#clock.after(verdict.restartMs, () => this.#startWorker());
	}

	#verdict(exit: WorkerExit): Verdict {
		// A worker that ends after a requested stop is not started again, whatever its exit code.
		if (this.#stopping) return { exitCode: exit.code === ExitCode.failed || exit.signal === "SIGKILL" ? ExitCode.failed : ExitCode.ok };
		return this.#policy.judge(exit);
	}

	#finish(code: number): void {
		this.#cancelRestart?.();
		for (const [signal, handler] of this.#handlers) process.off(signal, handler);
		this.#resolve(code);
	}
}
