/** In the environment of a process that {@link supervise} started. */
export const workerVariable = "ROBUST_SYNC_WORKER";
/** Milliseconds without a sign of life after which the supervisor replaces its worker. */
export const stallVariable = "ROBUST_SYNC_STALL_MS";

/** A message of a worker to its supervisor: it can take signals now; its loop makes progress. */
export type WorkerMessage = "ready-for-signals" | "alive";

/**
 * Whether this process is its own supervisor: it runs under no service manager, and is not a worker already.
 *
 * @param env the environment; systemd sets INVOCATION_ID for every unit and NOTIFY_SOCKET for Type=notify
 */
export function needsSupervisor(env: NodeJS.ProcessEnv = process.env): boolean {
	return !env.NOTIFY_SOCKET && !env.INVOCATION_ID && !env[workerVariable];
}
