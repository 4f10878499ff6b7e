import type { AddressInfo } from "node:net";
import { version } from "@robust-sync/service";
import { ExitCode } from "@robust-sync/service/exit-codes";
import { runService } from "@robust-sync/service/lifecycle";
import type { Logger } from "@robust-sync/service/log";
import { acquireLock, type Lock } from "@robust-sync/system/lock";
import { pidNamespaceField, processStartedAt } from "@robust-sync/system/process-table";
import { timestamp } from "@robust-sync/system/timestamps";
import { type Config, loadConfig } from "@robust-sync/workspace/config";
import type { WorkspacePaths } from "@robust-sync/workspace/paths";
import { writeState } from "@robust-sync/workspace/state-file";
import { ensureToken } from "./access.ts";
import { gitHistory } from "./history-reader.ts";
import { createHealthServer, type HealthServer } from "./http-server.ts";
import { failToListen, listen } from "./listen.ts";
import { gitReader } from "./repository.ts";
import type { RunOptions } from "./run.ts";
import { SnapshotReader } from "./snapshot.ts";

/** Readers take a service for dead if its file is older than 90 s; the contract requires 30 s. */
const stateEveryMs = 15_000;
const stopGraceMs = 5_000;
const errorEveryMs = 10_000;

/** Serves until a stop is requested. @returns the exit code @throws LockedError (4), CommandError 1 when the port is taken */
export async function serve(options: RunOptions, paths: WorkspacePaths, initial: Config, logger: Logger): Promise<number> {
	let config = initial;
	let lock: Lock | null = null;
	let http: HealthServer | null = null;
	let timer: NodeJS.Timeout | null = null;
	let canWrite = true;
	let lastErrorAt = Number.NEGATIVE_INFINITY;
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
			...pidNamespaceField(),
			updated_at: updatedAt,
			started_at: startedAt,
			port,
		};
		try {
			await writeState(paths.healthState, state);
			canWrite = true;
		} catch (error) {
			// Answering continues; logged once, not every 15 s.
			if (canWrite) logger.warn("cannot write its state file", { file: paths.healthState, error });
			canWrite = false;
		}
	};

	return await runService({
		name: "health-server",
		logger,
		graceMs: stopGraceMs,
		memoryLimitBytes: () => config.memoryLimitMb * 1024 * 1024,
		// The service only answers requests: it makes progress as long as the event loop turns.
		progress: () => performance.now(),
		async start(control) {
			lock = await acquireLock(paths.instanceLock("health-server"), {
				purpose: "health-server",
				onLost: () => control.exit(ExitCode.restart, "the instance lock was lost", { graceMs: 0 }),
			});
			try {
				ensureToken(paths);
			} catch (error) {
				logger.warn("cannot make the token for a web server in front of this one", { file: paths.healthToken, error });
			}
			const repository = gitReader(paths.root, config.nodeName);
			http = createHealthServer({
				paths,
				repository,
				history: gitHistory(paths.root, config.nodeName),
				version,
				snapshots: new SnapshotReader({ paths, repository, config: () => config }),
				onError: (error) => {
					// A fault of every request must not fill the log at the rate of requests.
					if (performance.now() - lastErrorAt < errorEveryMs) return;
					lastErrorAt = performance.now();
					logger.error("a request failed", { error });
				},
			});
			await listen(http.server, config.healthPort, config.healthHost).catch((error: unknown) => failToListen(error, config));
			port = (http.server.address() as AddressInfo).port;
			await writeOwnState();
			timer = setInterval(() => void writeOwnState(), stateEveryMs);
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
