import { ExitCode } from "./exit-codes.ts";
import type { Logger } from "./log.ts";
import { watchMemory } from "./memory.ts";
import { printable } from "./printable.ts";
import { reloading, serviceManager } from "./systemd.ts";
import { Watchdog } from "./watchdog.ts";
import { stallVariable, type WorkerMessage, workerVariable } from "./worker.ts";

/** The requests of a service to the process around it. */
export interface ServiceControl {
	/** Aborted as soon as the service is to stop, for any reason: ends waits and sleeps. */
	readonly signal: AbortSignal;
	/**
	 * Stops the service on its own initiative and makes {@link runService} resolve to the code.
	 *
	 * @param code an exit code, 75 to be restarted
	 * @param reason passed to stop() and logged
	 * @param options graceMs: how long stop() may take, 0 to leave at once (a lost lock)
	 */
	exit(code: number, reason: string, options?: { graceMs?: number }): void;
	/**
	 * The main loop has nothing to do for this many milliseconds (Infinity: it only answers to events), or begins one
	 * step that may take that long. Until then the watchdog expects no progress; the next change of progress() ends
	 * that. Without it progress() must change every half window (under our own supervisor 5 min; else WatchdogSec/2).
	 */
	idle(durationMs: number): void;
	/** One line for `systemctl status`. */
	status(text: string): void;
}

/** A long-lived service, as the process around it sees it. */
export interface ServiceHooks {
	name: string;
	logger: Logger;
	/** Resolves once the service is ready; its work continues after that. An error here is {@link runService}'s error. */
	start(control: ServiceControl): Promise<void>;
	/** Finishes: resolves when everything has ended and is written. Called once, after the promise of start() has ended. */
	stop(reason: string): Promise<void>;
	/** SIGHUP: read the configuration again. An error is logged and changes nothing. */
	reload?(): Promise<void>;
	/** SIGUSR1: do pending work now. */
	wake?(): void;
	/** Monotonic counter or timestamp of the last progress of the main loop, for the watchdog. */
	progress(): number;
	/** The resident set size above which the service is restarted. */
	memoryLimitBytes?: () => number;
	/** Called when RSS passed the limit: finish the cycle, then resolve. */
	drain?(): Promise<void>;
	/** How long stop() may take. Default 30 s. */
	graceMs?: number;
}

/** The surroundings of the service; replaceable for tests. */
export interface ServiceSurroundings {
	env?: NodeJS.ProcessEnv;
	rssBytes?: () => number;
	memoryCheckMs?: number;
}

const defaultGraceMs = 30_000;
// A wrapper (npm, pnpm) passes Ctrl-C on although the terminal sent it to us as well: that is one signal, not two.
const sameSignalMs = 200;
// Longer than the longest cycle should take; a process beyond its memory limit must not run without end.
const drainLimitMs = 300_000;
// Memory may keep growing while the cycle is finished; twice the limit is a runaway.
const runawayFactor = 2;
// After a failure the caller has this long to clean up, then the process exits unconditionally.
const lastResortMs = 2_000;
const flushLimitMs = 1_000;

/**
 * Runs a long-lived service until it is stopped.
 *
 * SIGTERM and SIGINT let it finish, at most graceMs; a second one stops at once. SIGHUP reloads, SIGUSR1 wakes.
 * The service manager is notified when the service is ready, reloading, stopping and alive (sd_notify(3)); our own supervisor
 * gets the same messages, and a worker that lost its supervisor is killed. Uncaught errors are logged and end the service.
 *
 * @param hooks the service
 * @returns the exit code: 0 stopped, 75 memory limit, 1 failed or did not stop in time, or the code of {@link ServiceControl.exit}
 * @throws the error of start()
 */
export function runService(hooks: ServiceHooks, surroundings: ServiceSurroundings = {}): Promise<number> {
	return new ServiceRun(hooks, surroundings).run();
}

class ServiceRun implements ServiceControl {
	readonly #hooks: ServiceHooks;
	readonly #logger: Logger;
	readonly #env: NodeJS.ProcessEnv;
	readonly #surroundings: ServiceSurroundings;
	readonly #manager: ReturnType<typeof serviceManager>;
	readonly #abort = new AbortController();
	readonly #undo: (() => void)[] = [];
	#resolve!: (code: number) => void;
	#reject!: (error: unknown) => void;
	#started: Promise<void> = Promise.resolve();
	#ready = false;
	#draining = false;
	#stopping = false;
	#done = false;
	#code: number = ExitCode.ok;
	#lastSignal: { name: NodeJS.Signals; atMs: number } | undefined;
	#signals = 0;
	#reload: Promise<void> = Promise.resolve();
	#watchdog: Watchdog | undefined;

	constructor(hooks: ServiceHooks, surroundings: ServiceSurroundings) {
		this.#hooks = hooks;
		this.#logger = hooks.logger;
		this.#surroundings = surroundings;
		this.#env = surroundings.env ?? process.env;
		this.#manager = serviceManager(this.#env, hooks.logger);
	}

	get signal(): AbortSignal {
		return this.#abort.signal;
	}

	run(): Promise<number> {
		return new Promise((resolve, reject) => {
			this.#resolve = resolve;
			this.#reject = reject;
			this.#listen();
			// Signals arrive while start() is under way: by then #started must be set.
			this.#started = Promise.resolve().then(() => this.#start());
		});
	}

	exit(code: number, reason: string, options: { graceMs?: number } = {}): void {
		this.#stop(reason, code, options.graceMs);
	}

	idle(durationMs: number): void {
		this.#watchdog?.idle(durationMs);
	}

	status(text: string): void {
		this.#manager.notify(`STATUS=${printable(text.replace(/\s+/g, " "))}`);
	}

	#listen(): void {
		// Neither listeners for signals nor a pending promise keep Node running; a service that only waits for events must stay.
		const keepAlive = setInterval(() => {}, 2 ** 30);
		this.#undo.push(() => clearInterval(keepAlive));
		for (const signal of ["SIGTERM", "SIGINT"] as const) this.#on(signal, () => this.#asked(signal));
		this.#on("SIGHUP", () => this.#reloadSoon());
		this.#on("SIGUSR1", () => this.#wake());
		this.#on("uncaughtException", (error: unknown) => this.#crash("uncaught exception", error));
		this.#on("unhandledRejection", (error: unknown) => this.#crash("unhandled rejection", error));
		if (this.#env[workerVariable] && process.send) {
			const orphaned = () => void this.#followSupervisor();
			this.#on("disconnect", orphaned);
			if (!process.connected) setImmediate(orphaned);
			process.channel?.unref();
			this.#notifySupervisor("ready-for-signals");
		}
	}

	// biome-ignore lint/suspicious/noExplicitAny: one door for signals and the process's own events
	#on(event: string, handler: (...args: any[]) => void): void {
		process.on(event, handler);
		this.#undo.push(() => process.off(event, handler));
	}

	async #start(): Promise<void> {
		try {
			this.#watch();
			await this.#hooks.start(this);
		} catch (error) {
			if (!this.#stopping) this.#failStart(error);
			else this.#logger.debug("start was cut short", { error });
			return;
		}
		if (this.#stopping) return;
		this.#ready = true;
		this.#manager.notify("READY=1");
		this.#logger.info("started", { pid: process.pid });
	}

	#failStart(error: unknown): void {
		// The caller prints the error: here it is only added to the log file.
		this.#logger.toFile?.("error", `cannot start: ${error instanceof Error ? error.message : String(error)}`, { error });
		this.#end(() => this.#reject(error));
	}

	#watch(): void {
		const { memoryLimitBytes, progress } = this.#hooks;
		if (memoryLimitBytes) {
			const { rssBytes, memoryCheckMs } = this.#surroundings;
			this.#undo.push(
				watchMemory({
					limitBytes: memoryLimitBytes,
					...(rssBytes ? { rssBytes } : {}),
					...(memoryCheckMs ? { everyMs: memoryCheckMs } : {}),
					onExceeded: (rss, limit) => this.#memoryExceeded(rss, limit),
				}),
			);
		}
		const supervisedMs = this.#env[workerVariable] && process.send ? Number(this.#env[stallVariable]) || undefined : undefined;
		const windowMs = this.#manager.watchdogMs ?? supervisedMs;
		if (windowMs === undefined) return;
		const watchdog = new Watchdog({ windowMs, progress: () => progress.call(this.#hooks), now: () => performance.now() });
		this.#watchdog = watchdog;
		const timer = setInterval(() => {
			// start() and stop() have limits of their own (TimeoutStartSec, the grace period) and no loop that could make progress.
			if (this.#ready && !this.#stopping && !watchdog.isAlive()) return;
			if (this.#manager.watchdogMs !== undefined) this.#manager.notify("WATCHDOG=1");
			this.#notifySupervisor("alive");
		}, windowMs / 2);
		timer.unref();
		this.#undo.push(() => clearInterval(timer));
	}

	#notifySupervisor(message: WorkerMessage): void {
		if (!this.#env[workerVariable] || !process.send || !process.connected) return;
		process.send(message, undefined, {}, () => {});
	}

	#asked(signal: NodeJS.Signals): void {
		const atMs = performance.now();
		if (this.#lastSignal?.name === signal && atMs - this.#lastSignal.atMs < sameSignalMs) return;
		this.#lastSignal = { name: signal, atMs };
		if (++this.#signals > 1) {
			this.#logger.warn(`second signal (${signal}): stopping at once`);
			this.#finish(ExitCode.failed);
			return;
		}
		// An outside request to stop during a stop for a restart: no restart then.
		this.#code = ExitCode.ok;
		this.#stop(signal, ExitCode.ok);
	}

	#stop(reason: string, code: number, graceMs = this.#hooks.graceMs ?? defaultGraceMs): void {
		if (this.#done) return;
		if (graceMs <= 0) {
			this.#logger.warn("stopping at once", { reason });
			this.#abort.abort(new Error(reason));
			this.#finish(code);
			return;
		}
		if (this.#stopping) return;
		this.#stopping = true;
		this.#code = code;
		this.#logger.info("stopping", { reason });
		this.#manager.notify("STOPPING=1", `STATUS=Stopping: ${reason}`);
		const timer = setTimeout(() => {
			this.#logger.warn("did not stop in time", { reason, waited_ms: graceMs });
			this.#finish(ExitCode.failed);
		}, graceMs);
		this.#undo.push(() => clearTimeout(timer));
		this.#abort.abort(new Error(reason));
		void this.#finishWork(reason);
	}

	async #finishWork(reason: string): Promise<void> {
		try {
			await this.#started;
			await this.#hooks.stop(reason);
		} catch (error) {
			this.#logger.error("stopping failed", { error });
			this.#finish(ExitCode.failed);
			return;
		}
		this.#logger.info("stopped", { reason });
		this.#finish(this.#code);
	}

	/**
	 * A supervisor that is gone has crashed or was killed. No request to stop was made, so nothing may report a stop: the cycle in
	 * progress is finished, then the worker kills itself. Its lock and its state show a crash, and heartbeat sends no goodbye.
	 */
	async #followSupervisor(): Promise<void> {
		if (this.#stopping || this.#done) return;
		this.#stopping = true;
		this.#logger.error("the supervisor is gone: finishing the work in progress, then ending by SIGKILL");
		const die = () => process.kill(process.pid, "SIGKILL");
		setTimeout(die, this.#hooks.graceMs ?? defaultGraceMs);
		this.#abort.abort(new Error("the supervisor is gone"));
		try {
			await this.#started;
			await this.#hooks.drain?.();
			await this.#logger.close();
		} catch (error) {
			this.#logger.error("finishing the cycle failed", { error });
		}
		die();
	}

	#memoryExceeded(rss: number, limit: number): void {
		if (this.#stopping || this.#done) return;
		if (this.#draining) {
			if (rss > limit * runawayFactor) this.#stop("memory runs away", ExitCode.restart);
			return;
		}
		this.#draining = true;
		this.#logger.warn("memory limit passed: finishing the cycle, then exiting to be restarted", { rss_bytes: rss, limit_bytes: limit });
		const timer = setTimeout(() => this.#stop("memory limit, and the cycle does not end", ExitCode.restart), drainLimitMs);
		this.#undo.push(() => clearTimeout(timer));
		void (async () => {
			try {
				await this.#started;
				await this.#hooks.drain?.();
			} catch (error) {
				this.#logger.error("finishing the cycle failed", { error });
			}
			this.#stop("memory limit", ExitCode.restart);
		})();
	}

	#reloadSoon(): void {
		const reload = this.#hooks.reload;
		if (!reload || this.#stopping) {
			this.#logger.debug("SIGHUP: nothing to reload");
			return;
		}
		this.#reload = this.#reload.then(async () => {
			await this.#started;
			if (this.#stopping) return;
			this.#manager.notify(...reloading());
			try {
				await reload.call(this.#hooks);
				this.#logger.info("reloaded");
			} catch (error) {
				this.#logger.error("reload failed; going on as before", { error });
			}
			this.#manager.notify("READY=1");
		});
	}

	#wake(): void {
		try {
			this.#hooks.wake?.();
		} catch (error) {
			this.#crash("wake failed", error);
		}
	}

	#crash(what: string, error: unknown): void {
		const message = error instanceof Error ? error.message : String(error);
		this.#logger.error(`${what}: ${message}`, { ...(error instanceof Error && error.stack ? { stack: error.stack } : {}) });
		this.#finish(ExitCode.failed);
	}

	/** Ends the service: resolves to the code, and makes sure that the process exits after a failure. */
	#finish(code: number): void {
		if (code === ExitCode.failed) setTimeout(() => process.exit(code), lastResortMs).unref();
		this.#end(() => this.#resolve(code));
	}

	#end(done: () => void): void {
		if (this.#done) return;
		this.#done = true;
		const notified = new Promise<void>((resolve) => {
			const timer = setTimeout(resolve, flushLimitMs);
			void this.#manager.flush().then(() => {
				clearTimeout(timer);
				resolve();
			});
		});
		void Promise.allSettled([notified, this.#logger.flush()]).then(() => {
			for (const undo of this.#undo.splice(0)) undo();
			done();
		});
	}
}
