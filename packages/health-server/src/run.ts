import { mkdirSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { CommandError, createLogger, ExitCode, type Logger, needsSupervisor, runService, supervise, version } from "@robust-sync/service";
import {
	acquireLock,
	type Config,
	ensureExcluded,
	isHolderAlive,
	type Lock,
	LockedError,
	loadConfig,
	processStartedAt,
	readLockHolder,
	timestamp,
	WorkspacePaths,
	writeState,
} from "@robust-sync/workspace";
import { createHealthServer, type HealthServer } from "./http-server.ts";
import { listen, portHolder, tryPort } from "./port-holder.ts";
import { gitReader } from "./repository.ts";
import { SnapshotReader } from "./snapshot.ts";

export interface RunOptions {
	/** The workspace, located. */
	workspace: string;
	/** Values of flags by the variable they stand for (HEALTH_PORT, HEALTH_HOST). */
	flags: Readonly<Record<string, string | undefined>>;
	verbose: boolean;
	/** Told the address once it answers. */
	onListening: (line: string) => void;
}

/** Others take a service for dead that has not written its file for 90 s; the contract asks for 30 s. */
const stateEvery_ms = 15_000;
const stopGrace_ms = 5_000;

/**
 * Serves until it is asked to stop; is its own supervisor where there is no service manager.
 * @returns the exit code
 * @throws ConfigError (2), LockedError (4), CommandError 1 when the port is taken
 */
export async function runHealthServer(options: RunOptions): Promise<number> {
	const paths = new WorkspacePaths(options.workspace);
	const config = loadConfig(options);
	mkdirSync(paths.sync, { recursive: true });
	mkdirSync(paths.logs, { recursive: true });
	ensureExcluded(paths.root);
	const logger = loggerFor(paths, config, options.verbose);
	if (!needsSupervisor()) return await serve(options, paths, config, logger);
	// What no restart can mend is said here, at once, and not by one worker after the other.
	const lock = paths.instanceLock("health-server");
	const holder = readLockHolder(lock);
	if (holder && isHolderAlive(holder)) throw new LockedError(lock, holder);
	await tryPort(config.healthPort, config.healthHost).catch((error: unknown) => failToListen(error, config));
	return await supervise({ logger, argv: process.argv.slice(1) });
}

function loggerFor(paths: WorkspacePaths, config: Config, verbose: boolean): Logger {
	return createLogger({
		name: "health-server",
		level: verbose ? "debug" : config.logLevel,
		format: config.logFormat,
		file: paths.logFile("health-server"),
		stderr: "tty-short",
		secrets: [...config.secrets],
	});
}

async function failToListen(error: unknown, { healthPort, healthHost }: Config): Promise<never> {
	const { code, message } = error as NodeJS.ErrnoException;
	if (code === "EADDRINUSE") {
		const holder = (await portHolder(healthPort)) ?? "another process";
		throw new CommandError(
			`port ${healthPort} on ${healthHost} is taken by ${holder}: stop it, or choose another port with --port (HEALTH_PORT in .sync_env)`,
			ExitCode.failed,
			{ cause: error },
		);
	}
	const advice =
		code === "EACCES"
			? "ports below 1024 are for root: choose another with --port (HEALTH_PORT in .sync_env)"
			: "check --host (HEALTH_HOST in .sync_env)";
	throw new CommandError(`cannot listen on ${healthHost} port ${healthPort} (${code ?? message}): ${advice}`, ExitCode.failed, {
		cause: error,
	});
}

async function serve(options: RunOptions, paths: WorkspacePaths, initial: Config, logger: Logger): Promise<number> {
	let config = initial;
	let lock: Lock | null = null;
	let http: HealthServer | null = null;
	let timer: NodeJS.Timeout | null = null;
	let canWrite = true;
	let port = config.healthPort;
	const startedAt = timestamp(Date.now());
	const pidStartedAt = processStartedAt(process.pid) ?? startedAt;

	const writeOwnState = async () => {
		const updatedAt = timestamp(Date.now());
		const state = {
			schema: 1,
			node: config.nodeName,
			pid: process.pid,
			pid_started_at: pidStartedAt,
			updated_at: updatedAt,
			started_at: startedAt,
			port,
		};
		try {
			await writeState(paths.healthState, state);
			canWrite = true;
		} catch (error) {
			// Answering goes on; said once, not every 15 s.
			if (canWrite) logger.warn("cannot write its state file", { file: paths.healthState, error });
			canWrite = false;
		}
	};

	return await runService({
		name: "health-server",
		logger,
		graceMs: stopGrace_ms,
		memoryLimitBytes: () => config.memoryLimitMb * 1024 * 1024,
		// It only answers requests: as long as the event loop turns, it makes progress.
		progress: () => performance.now(),
		async start(control) {
			lock = await acquireLock(paths.instanceLock("health-server"), {
				purpose: "health-server",
				onLost: () => control.exit(ExitCode.restart, "the instance lock was lost", { graceMs: 0 }),
			});
			const repository = gitReader(paths.root, config.nodeName);
			http = createHealthServer({
				paths,
				repository,
				version,
				snapshots: new SnapshotReader({ paths, repository, config: () => config }),
				onError: (error) => logger.error("a request failed", { error }),
			});
			await listen(http.server, config.healthPort, config.healthHost).catch((error: unknown) => failToListen(error, config));
			port = (http.server.address() as AddressInfo).port;
			await writeOwnState();
			timer = setInterval(() => void writeOwnState(), stateEvery_ms);
			const address = `http://${config.healthHost === "::1" ? "[::1]" : config.healthHost}:${port}/`;
			options.onListening(`health-server: ${config.nodeName} at ${address}`);
			control.status(`answering at ${address}`);
		},
		async reload() {
			const next = loadConfig(options);
			if (next.healthPort !== config.healthPort || next.healthHost !== config.healthHost) {
				logger.warn("HEALTH_PORT and HEALTH_HOST take effect at the next start", { port, host: config.healthHost });
			}
			for (const secret of next.secrets) logger.addSecret(secret);
			logger.setLevel(options.verbose ? "debug" : next.logLevel);
			config = { ...next, healthPort: config.healthPort, healthHost: config.healthHost };
		},
		async stop() {
			if (timer) clearInterval(timer);
			await http?.close();
			await lock?.release();
		},
	});
}
