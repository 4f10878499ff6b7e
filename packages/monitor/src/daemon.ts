import { runService, type ServiceControl } from "@robust-sync/service/lifecycle";
import type { Logger } from "@robust-sync/service/log";
import { acquireLock, type Lock } from "@robust-sync/system/lock";
import { type Config, ensureExcluded, readNodeView, type WorkspacePaths } from "@robust-sync/workspace";
import { type ConfiguredChannels, configuredChannels } from "./channels/configured.ts";
import { systemClock } from "./delivery/dispatcher.ts";
import { longestBetweenWritesMs, Monitor } from "./monitor.ts";
import { ProcessWatch } from "./process-watch.ts";
import { systemSources } from "./readings/read-facts.ts";
import { SyncWatch } from "./sync-watch.ts";

/**
 * Interval at which the watched processes and sync's state are checked. A death is noticed within 2 s. A worker's death is not missed, although
 * its supervisor starts the next worker after 1 s.
 */
const watchEveryMs = 1_000;

export interface DaemonOptions {
	readonly paths: WorkspacePaths;
	readonly logger: Logger;
	/** Reads the configuration; again on SIGHUP. @throws ConfigError */
	readonly loadConfig: () => Config;
}

/**
 * Runs the monitor until it is stopped.
 * @returns the exit code
 * @throws LockedError when another monitor runs in this workspace
 */
export function runDaemon({ paths, logger, loadConfig }: DaemonOptions): Promise<number> {
	let config = loadConfig();
	let lock: Lock | null = null;
	let monitor: Monitor | null = null;
	let control: ServiceControl | null = null;
	let steps = 0;
	let dueAt = 0;
	let timer: NodeJS.Timeout | undefined;
	let working: Promise<void> = Promise.resolve();
	const sources = systemSources(paths, config.nodeName);
	const watch = new ProcessWatch(sources.table);
	const syncWatch = new SyncWatch(paths);

	async function round(): Promise<void> {
		lock?.assertHeld();
		dueAt = performance.now() + config.monitorIntervalSeconds * 1000;
		await monitor?.round();
		watch.follow(readNodeView(paths));
	}

	let writtenAt = performance.now();
	async function touch(): Promise<void> {
		lock?.assertHeld();
		await monitor?.touch();
	}

	/** The next action; null: none, as nearly always. */
	function due(now: number): (() => Promise<void>) | null {
		const news = syncWatch.hasNews(config.maxSyncFailures);
		if (now >= dueAt || watch.hasEnded() || news) return round;
		// Not when the next round is about to write anyway.
		return now - writtenAt >= longestBetweenWritesMs && dueAt - now > watchEveryMs ? touch : null;
	}

	function schedule(): void {
		if (control?.signal.aborted) return;
		timer = setTimeout(tick, Math.max(1, Math.min(watchEveryMs, dueAt - performance.now())));
	}

	function tick(): void {
		steps++;
		const work = due(performance.now());
		if (work === null) {
			schedule();
			return;
		}
		working = work()
			.catch(fail)
			.finally(() => {
				writtenAt = performance.now();
				schedule();
			});
	}

	function fail(error: unknown): void {
		if (error instanceof Error && "exitCode" in error && typeof error.exitCode === "number") {
			control?.exit(error.exitCode, error.message, { graceMs: 0 });
			return;
		}
		// A round that fails on unforeseen input must not end the monitoring.
		logger.error("a round of checks failed", { error });
	}

	return runService({
		name: "monitor",
		logger,
		async start(serviceControl) {
			control = serviceControl;
			lock = await acquireLock(paths.instanceLock("monitor"), {
				purpose: "monitor",
				onLost: () => control?.exit(75, "lock lost", { graceMs: 0 }),
			});
			ensureExcluded(paths.root);
			const channels = configuredChannels(config);
			sayChannels(channels, logger);
			monitor = new Monitor({ paths, config, channels, sources, clock: systemClock, logger });
			await round().catch(fail);
			schedule();
		},
		async stop() {
			clearTimeout(timer);
			await working;
			await monitor?.stop();
			await lock?.release();
			await logger.flush();
		},
		async reload() {
			config = loadConfig();
			for (const secret of config.secrets) logger.addSecret(secret);
			logger.setLevel(config.logLevel);
			const channels = configuredChannels(config);
			monitor?.reconfigure(config, channels);
			sayChannels(channels, logger);
			dueAt = 0;
		},
		wake() {
			dueAt = 0;
			void monitor?.retryNow();
		},
		progress: () => steps,
		memoryLimitBytes: () => config.memoryLimitMb * 1024 * 1024,
	});
}

function sayChannels({ channels, problem }: ConfiguredChannels, logger: Logger): void {
	if (problem !== null) logger.warn(`${problem}: correct .sync_env`);
	if (channels.length > 0) logger.info("alerts are sent", { channels: channels.map((channel) => channel.name).join(", ") });
	else
		logger.warn(
			"no channel is configured: alerts stay in this log and in monitor_status.json (set CALEB_TELEGRAM_ID and TELEGRAM_BOT_TOKEN, ALERT_APPRISE_URLS or ALERT_WEBHOOK_URL)",
		);
}
