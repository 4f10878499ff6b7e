import { setFlagsFromString } from "node:v8";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { runService } from "@robust-sync/service/lifecycle";
import { createLogger, type Logger } from "@robust-sync/service/log";
import { paint } from "@robust-sync/service/paint";
import { printable, printableJson, shellPath } from "@robust-sync/service/printable";
import { loadOrLog } from "@robust-sync/service/start-failure";
import { warnAtStart } from "@robust-sync/service/start-warning";
import { supervise } from "@robust-sync/service/supervisor";
import { needsSupervisor } from "@robust-sync/service/worker";
import { acquireLock, isHolderAlive, LockedError, readLockHolder } from "@robust-sync/system/lock";
import { makeOwnDirectory } from "@robust-sync/system/own-directory";
import { type Config, ensureExcluded, exposedSecrets, locateWorkspace, WorkspacePaths } from "@robust-sync/workspace";
import { HeartbeatDaemon } from "./daemon.ts";
import { LiveTable } from "./live-table.ts";
import { LocalContent } from "./local-content.ts";
import { heartbeatOnce } from "./once.ts";
import { openPort } from "./open-port.ts";
import type { Options } from "./options.ts";
import { heartbeatConfig } from "./settings.ts";

// All modes but `--status`: loaded when needed, so that reading the state is quick (bin/build/build.mjs).

/** Runs continuously, in the foreground; is its own supervisor where there is no service manager. @returns the exit code */
export async function run(options: Options): Promise<number> {
	const paths = new WorkspacePaths(locateWorkspace({ flag: options.workspace, needsConsent: true }));
	const load = () => {
		const config = heartbeatConfig(paths.root, options);
		return options.verbose ? { ...config, logLevel: "debug" as const } : config;
	};
	makeOwnDirectory(paths.logs);
	const config = loadOrLog("heartbeat", paths.logFile("heartbeat"), load);
	ensureExcluded(paths.root);
	const logger = createLogger({
		name: "heartbeat",
		level: config.logLevel,
		format: config.logFormat,
		file: paths.logFile("heartbeat"),
		stderr: "tty-short",
		secrets: [...config.secrets],
	});
	try {
		if (needsSupervisor()) {
			// A problem that no restart can repair is reported once, here, and not by one worker after the other.
			const instance = paths.instanceLock("heartbeat");
			const running = readLockHolder(instance);
			if (running && (await isHolderAlive(instance, running))) throw new LockedError(instance, running);
			const lock = await acquireLock(paths.supervisorLock("heartbeat"), { purpose: "heartbeat" });
			try {
				(await openPort({ host: config.heartbeatBind, port: config.heartbeatPort })).close();
				return await supervise({ logger, argv: process.argv.slice(1) });
			} finally {
				await lock.release();
			}
		}
		warnAtStart(exposedSecrets(paths.envFile, shellPath(paths.envFile)), logger);
		return await serve(paths, config, load, logger);
	} finally {
		await logger.close();
	}
}

/**
 * Datagrams leave short-lived garbage only. Without this V8 answers a flood of them by doubling the space for young objects,
 * up to 16 MB and three times that in memory, and keeps it. With it memory stays the same, whatever arrives.
 */
function keepYoungGenerationSmall(): void {
	setFlagsFromString("--semi-space-growth-factor=1");
	setFlagsFromString("--no-parallel-scavenge");
}

async function serve(paths: WorkspacePaths, config: Config, reloadConfig: () => Config, logger: Logger): Promise<number> {
	keepYoungGenerationSmall();
	const table = process.stdout.isTTY ? new LiveTable(process.stdout, () => daemon.peers) : null;
	const daemon: HeartbeatDaemon = new HeartbeatDaemon({ paths, config, reloadConfig, logger: table?.around(logger) ?? logger });
	return await runService({
		name: "heartbeat",
		logger: daemon.logger,
		graceMs: daemon.graceMs,
		async start(control) {
			await daemon.start(control);
			table?.start();
		},
		async stop(reason) {
			table?.stop();
			await daemon.stop(reason);
		},
		reload: () => daemon.reload(),
		wake: () => daemon.wake(),
		progress: () => daemon.progress,
		memoryLimitBytes: () => daemon.memoryLimitBytes,
	});
}

/** One heartbeat to each peer. @returns the exit code */
export async function once(options: Options): Promise<number> {
	const paths = new WorkspacePaths(locateWorkspace({ flag: options.workspace, needsConsent: true }));
	const config = heartbeatConfig(paths.root, options);
	warnAtStart(exposedSecrets(paths.envFile, shellPath(paths.envFile)), "heartbeat");
	if (config.peers.length === 0) {
		throw new CommandError("no peer to send to: set PEERS in .sync_env, or give --peer-host or --peers", ExitCode.usage);
	}
	const results = await heartbeatOnce(config, new LocalContent({ paths, isHeartbeat: false }).get());
	if (options.json) {
		const peers = results.map(({ peer, answered, address, rttMs, clockOffsetMs, reason }) => ({
			peer,
			answered,
			address,
			rtt_ms: rttMs,
			clock_offset_ms: clockOffsetMs,
			reason,
		}));
		process.stdout.write(`${printableJson({ node: config.nodeName, answered: results.every(({ answered }) => answered), peers }, 2)}\n`);
	} else {
		const chalk = paint(process.stdout);
		for (const { peer, answered, address, rttMs, clockOffsetMs, reason } of results) {
			const line = answered
				? `${chalk.green("answered")}  ${peer} at ${address} in ${rttMs!.toFixed(1)} ms, clock ${clockOffsetMs! < 0 ? "" : "+"}${clockOffsetMs!.toFixed(1)} ms`
				: `${chalk.red("silent")}    ${peer}: ${printable(reason ?? "")}`;
			process.stdout.write(`${line}\n`);
		}
	}
	return results.every(({ answered }) => answered) ? ExitCode.ok : ExitCode.failed;
}
