import type { Logger } from "@robust-sync/service/log";
import { faultPoint } from "@robust-sync/system/fault-points";
import type { Config, WorkspacePaths } from "@robust-sync/workspace";
import type { ConfiguredChannels } from "./channels/configured.ts";
import { toCheckRows } from "./check-rows.ts";
import { runChecks } from "./checks/all.ts";
import { enqueue, toQueuedAlert } from "./delivery/alert-queue.ts";
import { AlertDispatcher, type Clock } from "./delivery/dispatcher.ts";
import { describe } from "./findings.ts";
import type { AlertEvent } from "./lifecycle/alert-record.ts";
import { matches, readSilences, type Silence } from "./lifecycle/silences.ts";
import { step } from "./lifecycle/step.ts";
import { type Carried, readFacts, type Sources } from "./readings/read-facts.ts";
import { loadMemory, type Memory, writeMemory } from "./status-file.ts";

export interface MonitorOptions {
	readonly paths: WorkspacePaths;
	readonly config: Config;
	readonly channels: ConfiguredChannels;
	readonly sources: Sources;
	readonly clock: Clock;
	readonly logger: Pick<Logger, "info" | "warn" | "error">;
	readonly random?: () => number;
}

/** Rounds further apart than this many intervals: none ran in between. */
const roundsMissedForGap = 3;

/**
 * The monitor's state and its rounds: read, check, advance the alerts, record the notifications, and
 * only then send them. A crash at any point loses nothing; one between a send and its record sends that message twice.
 */
export class Monitor {
	readonly #options: MonitorOptions;
	readonly #dispatcher: AlertDispatcher;
	#config: Config;
	#channels: ConfiguredChannels;
	#memory: Memory;
	#carried: Carried;
	#silences: readonly Silence[] = [];
	#round: Promise<void> = Promise.resolve();
	#writeFailed = false;

	constructor(options: MonitorOptions) {
		this.#options = options;
		const { paths, sources, logger } = options;
		this.#config = options.config;
		this.#channels = options.channels;
		this.#memory = loadMemory(paths, sources.now, (movedTo, problem) =>
			logger.warn(`monitor_status.json is not valid, set aside as ${movedTo}: ${problem}`),
		);
		this.#carried = { history: this.#memory.history, clock: null };
		this.#dispatcher = new AlertDispatcher(options.channels.channels, this.#memory.channels, {
			node: options.config.nodeName,
			clock: options.clock,
			logger,
			waiting: () => this.#memory.undelivered,
			delivered: (channel, keys) => this.#recordDelivered(channel, keys),
			...(options.random ? { random: options.random } : {}),
		});
		this.#forgetOtherChannels();
	}

	get memory(): Memory {
		return this.#memory;
	}

	/** Runs one round, after the running one. Resolves when it is recorded; sending continues in the background. */
	round(): Promise<void> {
		this.#round = this.#round.then(() => this.#runRound());
		return this.#round;
	}

	/** Resolves when nothing is being sent; failed deliveries wait for their next attempt. */
	idle(): Promise<void> {
		return this.#dispatcher.deliverDue();
	}

	/** Replaces the configuration. */
	reconfigure(config: Config, channels: ConfiguredChannels): void {
		this.#config = config;
		this.#channels = channels;
		this.#dispatcher.setChannels(channels.channels);
		this.#forgetOtherChannels();
	}

	/** Retries the queue now, whatever the pause. */
	async retryNow(): Promise<void> {
		await this.#dispatcher.retryNow();
	}

	/** Shows readers that the monitor lives, between rounds that are far apart. */
	touch(): Promise<void> {
		return this.#write();
	}

	/** Lets running deliveries end, and writes a last time. */
	async stop(): Promise<void> {
		await this.#round;
		await this.#dispatcher.stop();
		await this.#write();
	}

	async #runRound(): Promise<void> {
		const { paths, sources } = this.#options;
		const config = this.#config;
		const before = this.#memory;
		const { facts, carried } = await readFacts({
			paths,
			config,
			sources,
			carried: this.#carried,
			isDaemon: true,
			channels: this.#dispatcher.health(),
			channelProblem: this.#channels.problem,
			undelivered: before.undelivered.length,
		});
		const { now } = facts;
		const findings = runChecks(facts);
		this.#silences = readSilences(paths, now);
		const intervalMs = config.monitorIntervalSeconds * 1000;
		const sinceLast = before.writtenAt === null ? Number.POSITIVE_INFINITY : now - before.writtenAt;
		const { records, events } = step(before.alerts, {
			now,
			problems: findings.flatMap((finding) => finding.problems),
			isSilenced: (id) => this.#silences.some((silence) => matches(silence, id)),
			cooldownMs: config.alertCooldownSeconds * 1000,
			resolveAfterMs: intervalMs,
			hasChannel: this.#channels.channels.length > 0,
			afterGap: sinceLast > roundsMissedForGap * Math.max(intervalMs, longestBetweenWritesMs),
		});
		this.#carried = carried;
		this.#log(events);
		const names = this.#channels.channels.map((channel) => channel.name);
		const added = names.length === 0 ? [] : events.map((event) => toQueuedAlert(event, names, now));
		this.#memory = {
			checks: toCheckRows(findings, records, before.checks, now),
			alerts: records,
			// Deliveries that ended while the facts were read are in the present state, not in the one before.
			undelivered: enqueue(this.#memory.undelivered, added),
			channels: this.#dispatcher.health(),
			history: carried.history,
			writtenAt: now,
		};
		await this.#write();
		if (added.length > 0) faultPoint("monitor:noted");
		void this.#dispatcher.deliverDue();
	}

	#log(events: readonly AlertEvent[]): void {
		for (const event of events) {
			const text = `${event.kind}: ${event.title}`;
			const fields = { alert: event.id, severity: event.severity };
			if (event.kind === "resolved") this.#options.logger.info(text, fields);
			else this.#options.logger[event.severity === "critical" ? "error" : "warn"](`${text}: ${describe(event)}`, fields);
		}
	}

	async #recordDelivered(channel: string, keys: ReadonlySet<string>): Promise<void> {
		const undelivered = this.#memory.undelivered
			.map((item) => (keys.has(item.key) ? { ...item, channels: item.channels.filter((name) => name !== channel) } : item))
			.filter((item) => item.channels.length > 0);
		this.#memory = { ...this.#memory, undelivered, channels: this.#dispatcher.health() };
		await this.#write();
	}

	/** An item that waits only for channels that are no longer configured waits for none. */
	#forgetOtherChannels(): void {
		const names = this.#channels.channels.map((channel) => channel.name as string);
		const undelivered = this.#memory.undelivered
			.map((item) => ({ ...item, channels: item.channels.filter((name) => names.includes(name)) }))
			.filter((item) => item.channels.length > 0);
		this.#memory = { ...this.#memory, undelivered };
	}

	/** Writes the state. A full disk must not stop alerts: the error is logged, and the alert is sent. */
	async #write(): Promise<void> {
		const { paths, sources, logger } = this.#options;
		try {
			await writeMemory(paths, this.#memory, { node: this.#config.nodeName, now: sources.now(), silences: this.#silences });
			if (this.#writeFailed) logger.info("monitor_status.json is written again");
			this.#writeFailed = false;
		} catch (error) {
			if (!this.#writeFailed) logger.error("monitor_status.json cannot be written; alerts are sent even so", { error });
			this.#writeFailed = true;
		}
	}
}

/** Every service rewrites its file at least every 30 s (docs/contract.md, section 4), whatever MONITOR_INTERVAL is. */
export const longestBetweenWritesMs = 29_000;
