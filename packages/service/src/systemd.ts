import { spawn } from "node:child_process";
import type { Logger } from "./log.ts";

/** Reports the state of this service to the service manager (sd_notify(3)). */
export interface ServiceManager {
	/** Sends assignments such as "READY=1" in one message, after those sent before. Never throws. */
	notify(...assignments: string[]): void;
	/** Resolves when everything sent so far has arrived or failed. */
	flush(): Promise<void>;
	/** The watchdog window in which the manager expects a sign of life, or undefined if it has none. */
	readonly watchdogMs: number | undefined;
}

// systemd-notify waits up to 5 s until the manager has read the message; longer means that it does not read.
const notifyTimeoutMs = 10_000;
const signOfLife = "WATCHDOG=1";

/**
 * The service manager of this process. Node has no datagram sockets of the unix family, so the messages are sent by
 * systemd-notify(1); the unit needs NotifyAccess=all.
 *
 * @param env where NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID come from; without NOTIFY_SOCKET nothing is sent
 * @param logger gets one warning when messages cannot be sent
 */
export function serviceManager(env: NodeJS.ProcessEnv, logger: Logger): ServiceManager {
	const socket = env.NOTIFY_SOCKET;
	if (!socket) return { notify() {}, flush: async () => {}, watchdogMs: undefined };
	const queue: string[][] = [];
	let working: Promise<void> | undefined;
	let hasWarned = false;

	async function work(): Promise<void> {
		for (let message = queue.shift(); message; message = queue.shift()) {
			const problem = await send(message, { NOTIFY_SOCKET: socket, PATH: env.PATH });
			if (problem && !hasWarned) {
				hasWarned = true;
				logger.warn("the service manager cannot be notified of this service's state", { problem, message: message.join(" ") });
			}
		}
		working = undefined;
	}

	return {
		notify(...assignments) {
			// Signs of life must not pile up behind a manager that does not read.
			if (assignments[0] === signOfLife && queue.some((message) => message[0] === signOfLife)) return;
			queue.push(assignments);
			working ??= work();
		},
		flush: async () => working,
		watchdogMs: watchdogWindow(env),
	};
}

function watchdogWindow(env: NodeJS.ProcessEnv): number | undefined {
	const usec = Number(env.WATCHDOG_USEC);
	if (!Number.isFinite(usec) || usec <= 0) return undefined;
	if (env.WATCHDOG_PID && Number(env.WATCHDOG_PID) !== process.pid) return undefined;
	return usec / 1000;
}

/** Runs systemd-notify to its end. Resolves to the problem, if there was one. */
function send(assignments: string[], env: NodeJS.ProcessEnv): Promise<string | undefined> {
	return new Promise((resolve) => {
		const child = spawn("systemd-notify", assignments, { env, stdio: "ignore", timeout: notifyTimeoutMs, killSignal: "SIGKILL" });
		child.once("error", (error) => resolve(error.message));
		child.once("exit", (code, signal) =>
			resolve(code === 0 ? undefined : `systemd-notify ${signal ? `died of ${signal}` : `exited with ${code}`}`),
		);
	});
}

/** The assignments that announce a reload; the time is CLOCK_MONOTONIC in microseconds (sd_notify(3), RELOADING=1). */
export function reloading(): string[] {
	return ["RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`];
}
