import { timestamp } from "@robust-sync/system/timestamps";
import { type Config, type MonitorStatus, type ServiceName, services, type WorkspacePaths } from "@robust-sync/workspace";
import { configuredChannels } from "./channels/configured.ts";
import { toCheckRows } from "./check-rows.ts";
import { runChecks } from "./checks/all.ts";
import { readSilences, type Silence } from "./lifecycle/silences.ts";
import { readFacts, systemSources } from "./readings/read-facts.ts";
import { type CheckRow, overallStatus, peekMemory } from "./status-file.ts";

/** The result of one run of all checks. */
export interface CheckReport {
	readonly node: string;
	readonly status: MonitorStatus["status"];
	readonly checked_at: string;
	readonly checks: readonly CheckRow[];
	/** Alerts that are pending or firing, as the daemon last wrote them. */
	readonly alerts: MonitorStatus["alerts"];
	readonly silences: readonly Silence[];
	/** The services of this node that run now. */
	readonly running: readonly ServiceName[];
}

/**
 * Runs all checks once, beside the daemon or without one. Changes nothing and sends nothing. Problems that only time can show (nodes
 * that disagree for long, a channel that fails) come from the daemon's last status file.
 */
export async function checkOnce(paths: WorkspacePaths, config: Config): Promise<CheckReport> {
	const memory = peekMemory(paths);
	const { channels, problem } = configuredChannels(config);
	const known = new Map(memory.channels.map((health) => [health.name, health]));
	const { facts } = await readFacts({
		paths,
		config,
		sources: systemSources(paths, config.nodeName),
		carried: { history: memory.history, clock: null },
		isDaemon: false,
		channels: channels.map(
			({ name }) => known.get(name) ?? { name, failures: 0, failingSince: null, lastError: null, misconfigured: false },
		),
		channelProblem: problem,
		undelivered: memory.undelivered.length,
	});
	const checks = toCheckRows(runChecks(facts), memory.alerts, memory.checks, facts.now);
	return {
		node: config.nodeName,
		status: overallStatus(checks),
		checked_at: timestamp(facts.now),
		checks,
		alerts: memory.alerts
			.filter((alert) => alert.state !== "resolved")
			.map(({ id, severity, state, since, last_notified, message }) => ({ id, severity, state, since, last_notified, message })),
		silences: readSilences(paths, facts.now),
		running: services.filter((service) => facts.services[service].status === "up"),
	};
}
