import { createLogger, type Logger } from "@robust-sync/service/log";
import { shellPath } from "@robust-sync/service/printable";
import { loadOrLog } from "@robust-sync/service/start-failure";
import { warnAtStart } from "@robust-sync/service/start-warning";
import { needsSupervisor } from "@robust-sync/service/worker";
import { isHolderAlive, LockedError, readLockHolder } from "@robust-sync/system/lock";
import { makeOwnDirectory } from "@robust-sync/system/own-directory";
import { type Config, loadConfig } from "@robust-sync/workspace/config";
import { ensureExcluded } from "@robust-sync/workspace/exclude";
import { exposedSecrets } from "@robust-sync/workspace/exposed-secrets";
import { WorkspacePaths } from "@robust-sync/workspace/paths";
import { failToListen, tryPort } from "./listen.ts";

export interface RunOptions {
	/** The workspace, located. */
	workspace: string;
	/** Values of flags by the variable that they set (HEALTH_PORT, HEALTH_HOST). */
	flags: Readonly<Record<string, string | undefined>>;
	verbose: boolean;
	/** Called with the address once the server answers. */
	onListening: (line: string) => void;
}

/**
 * Serves until a stop is requested; is its own supervisor where there is no service manager.
 * @returns the exit code
 * @throws ConfigError (2), LockedError (4), CommandError 1 when the port is taken
 */
export async function runHealthServer(options: RunOptions): Promise<number> {
	const paths = new WorkspacePaths(options.workspace);
	makeOwnDirectory(paths.sync);
	makeOwnDirectory(paths.logs);
	const config = loadOrLog("health-server", paths.logFile("health-server"), () => loadConfig(options));
	ensureExcluded(paths.root);
	const logger = loggerFor(paths, config, options.verbose);
	// Each is loaded only where it runs: the supervisor stays small.
	if (!needsSupervisor()) {
		warnAtStart(exposedSecrets(paths.envFile, shellPath(paths.envFile)), logger);
		return await (await import("./serve.ts")).serve(options, paths, config, logger);
	}
	// A problem that no restart can repair is reported once, here, and not by one worker after the other.
	const lock = paths.instanceLock("health-server");
	const holder = readLockHolder(lock);
	if (holder && (await isHolderAlive(lock, holder))) throw new LockedError(lock, holder);
	await tryPort(config.healthPort, config.healthHost).catch((error: unknown) => failToListen(error, config));
	return await (await import("@robust-sync/service/supervisor")).supervise({ logger, argv: process.argv.slice(1) });
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
