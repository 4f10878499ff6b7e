/** In the environment of a process that {@link supervise} started. */
export const workerVariable = "ROBUST_SYNC_WORKER";
/** Milliseconds without a sign of life after which the supervisor replaces its worker. */
export const stallVariable = "ROBUST_SYNC_STALL_MS";

/** What a worker tells its supervisor: it can take signals now; its loop moves. */
export type WorkerMessage = "ready-for-signals" | "alive";

/**
 * Whether this process is its own supervisor: no service manager is around it, nor is it a worker already.
 *
 * @param env the environment; systemd sets INVOCATION_ID for every unit and NOTIFY_SOCKET for Type=notify
 */
export function needsSupervisor(env: NodeJS.ProcessEnv = process.env): boolean {
	return !env.NOTIFY_SOCKET && !env.INVOCATION_ID && !env[workerVariable];
}
