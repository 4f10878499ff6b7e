import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { LockHolder } from "@robust-sync/system/lock";
import type { ProcessTable } from "@robust-sync/system/process-table";
import { timestamp } from "@robust-sync/system/timestamps";
import {
	type Config,
	type HeartbeatState,
	type PeerState,
	parseConfig,
	type ServiceName,
	type SyncState,
	WorkspacePaths,
} from "@robust-sync/workspace";
import { peerStateAt } from "@robust-sync/workspace/testing/peer-state";
import { syncStateAt } from "@robust-sync/workspace/testing/sync-state";
import type { Channel, Delivery } from "../delivery/channel.ts";
import type { Clock } from "../delivery/dispatcher.ts";
import { Monitor } from "../monitor.ts";
import type { DiskView, RepositoryView, UnitView } from "../readings/facts.ts";
import { peerFileReader } from "../readings/peer-files.ts";
import type { Sources } from "../readings/read-facts.ts";

export const minute = 60_000;
export const hour = 60 * minute;
export const commitId = (digit: string) => digit.repeat(40);

/** Time that passes only on request, in steps, and runs all timers that become due. */
export class FakeClock implements Clock {
	time = Date.UTC(2026, 1, 18, 2, 0, 0);
	#timers: { at: number; callback: () => void }[] = [];

	now(): number {
		return this.time;
	}

	after(ms: number, callback: () => void): () => void {
		const timer = { at: this.time + ms, callback };
		this.#timers.push(timer);
		return () => {
			this.#timers = this.#timers.filter((other) => other !== timer);
		};
	}

	advance(ms: number): void {
		const until = this.time + ms;
		for (;;) {
			const next = this.#timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
			if (!next) break;
			this.#timers = this.#timers.filter((timer) => timer !== next);
			this.time = Math.max(this.time, next.at);
			next.callback();
		}
		this.time = until;
	}
}

/** A channel that records its deliveries, and fails on request. */
export class RecordingChannel implements Channel {
	readonly name: Channel["name"];
	readonly texts: string[] = [];
	readonly deliveries: Delivery[] = [];
	attempts = 0;
	failure: Error | null = null;

	constructor(name: Channel["name"] = "telegram") {
		this.name = name;
	}

	async send(delivery: Delivery): Promise<void> {
		this.attempts++;
		if (this.failure) throw this.failure;
		this.deliveries.push(delivery);
		this.texts.push(delivery.text);
	}
}

const firstPid = 4_000_000;
const bootMs = Date.UTC(2026, 1, 17, 12, 0, 0);

/**
 * A node as its state files show it, in a workspace of its own: time, processes, disk, repository and units are the test's,
 * the files are real. Starts with everything well and one peer, chad.
 */
export class NodeFixture {
	readonly clock = new FakeClock();
	readonly paths: WorkspacePaths;
	readonly channel = new RecordingChannel();
	readonly log: string[] = [];
	readonly running = new Map<number, number>();
	env: Record<string, string>;
	disk: DiskView | null = { freeBytes: 50e9, totalBytes: 100e9, freeInodes: 5e6, totalInodes: 1e7 };
	repository: RepositoryView | null = { unmerged: 0, operation: null, operationSince: null };
	units: Record<ServiceName, UnitView | null> = { sync: null, heartbeat: null, "health-server": null, monitor: null };
	/** How far the wall clock was set by hand. */
	clockSetBy = 0;
	bootId = "boot-1";
	#pids = new Map<ServiceName, number>();
	#nextPid = firstPid;
	readonly #peerFile = peerFileReader();

	constructor(env: Record<string, string> = {}) {
		this.paths = new WorkspacePaths(mkdtempSync(path.join(tmpdir(), "robust-sync-monitor-")));
		mkdirSync(this.paths.sync, { recursive: true });
		this.env = { NODE_NAME: "helios", CHAD_HOST: "chad.example", ...env };
		for (const service of ["sync", "heartbeat", "health-server"] as const) this.start(service);
		this.hear("chad");
	}

	get now(): number {
		return this.clock.time;
	}

	get config(): Config {
		return parseConfig(this.env);
	}

	readonly table: ProcessTable = {
		startTicks: (pid) => this.running.get(pid) ?? null,
		bootTimeMs: () => bootMs + this.clockSetBy,
		bootId: () => this.bootId,
	};

	get sources(): Sources {
		return {
			now: () => this.now,
			uptimeMs: () => this.now - this.clockSetBy - bootMs,
			table: this.table,
			disk: () => this.disk,
			repository: async () => this.repository,
			units: async () => this.units,
			peerFile: this.#peerFile,
		};
	}

	monitor(channels: readonly Channel[] = [this.channel], problem: string | null = null): Monitor {
		const note = (level: string) => (message: string, fields?: object) =>
			void this.log.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
		return new Monitor({
			paths: this.paths,
			config: this.config,
			channels: { channels, problem },
			sources: this.sources,
			clock: this.clock,
			logger: { info: note("info"), warn: note("warn"), error: note("error") },
			random: () => 0.5,
		});
	}

	/** Lets time pass with a round at each interval, as the daemon does. `each` runs before every round. */
	async pass(
		monitor: Monitor,
		ms: number,
		each: () => void = () => undefined,
		everyMs = this.config.monitorIntervalSeconds * 1000,
	): Promise<void> {
		for (let passed = 0; passed < ms; passed += everyMs) {
			this.clock.advance(everyMs);
			each();
			await monitor.round();
			await monitor.idle();
		}
	}

	/** Simulates the live services: rewrites their files, and that of a peer that is heard. */
	beat(): void {
		for (const service of this.#pids.keys()) if (this.running.has(this.pidOf(service))) this.#write(service);
	}

	pidOf(service: ServiceName): number {
		return this.#pids.get(service) ?? 0;
	}

	start(service: ServiceName): void {
		const pid = this.#nextPid++;
		this.#pids.set(service, pid);
		this.running.set(pid, Math.round((this.now - bootMs) / 10));
		this.lock(service, pid);
		this.#write(service);
	}

	/** Simulates `kill -9`: the process is gone, its files and its lock stay. */
	kill(service: ServiceName): void {
		this.running.delete(this.pidOf(service));
	}

	/** Simulates an orderly end. */
	stop(service: ServiceName): void {
		this.running.delete(this.pidOf(service));
		rmSync(this.paths.instanceLock(service), { force: true });
	}

	lock(service: ServiceName, pid: number): void {
		const holder: LockHolder = {
			pid,
			pid_started_at: timestamp(this.now),
			start_ticks: this.running.get(pid) ?? 0,
			boot_id: this.bootId,
			token: "t",
			purpose: service,
		};
		writeFileSync(this.paths.instanceLock(service), JSON.stringify(holder));
	}

	writer(service: ServiceName) {
		const pid = this.pidOf(service);
		const startedAt = timestamp(bootMs + this.clockSetBy + (this.running.get(pid) ?? 0) * 10);
		return { schema: 1 as const, node: "helios", pid, pid_started_at: startedAt, updated_at: timestamp(this.now), started_at: startedAt };
	}

	#write(service: ServiceName): void {
		if (service === "sync") this.sync();
		else if (service === "heartbeat") this.heartbeat();
		else if (service === "health-server") this.put(this.paths.healthState, { ...this.writer(service), port: 8080 });
	}

	put(file: string, state: unknown): void {
		writeFileSync(file, typeof state === "string" ? state : JSON.stringify(state));
	}

	sync(changes: Partial<SyncState> = {}): void {
		const state = syncStateAt(timestamp(this.now - 12_000), {
			...this.writer("sync"),
			next_attempt: timestamp(this.now + 48_000),
			head: commitId("a"),
			...changes,
		});
		this.put(this.paths.syncState, state);
	}

	/** Sync after this many failures in a row. */
	failing(
		failures: number,
		code: NonNullable<SyncState["last_error"]>["code"] = "AUTH_FAILED",
		message = "the remote refused the key",
	): void {
		this.sync({
			status: failures >= 3 ? "failed" : "retrying",
			consecutive_failures: failures,
			last_sync: timestamp(this.now - failures * minute),
			last_error: { code, message, at: timestamp(this.now) },
		});
	}

	heartbeat(changes: Partial<HeartbeatState> = {}): void {
		const state: HeartbeatState = {
			...this.writer("heartbeat"),
			boot_id: "b",
			sequence: 1,
			last_sent: null,
			port: 8765,
			authenticated: false,
			peers: this.config.peers.map((peer) => peer.name),
			totals: { sent: 0, received: 0, acked: 0, rejected: {} },
			...changes,
		};
		this.put(this.paths.heartbeatState, state);
	}

	/** A heartbeat of `peer` that arrived just now. */
	hear(peer: string, changes: Partial<PeerState> = {}): void {
		const now = timestamp(this.now);
		const state = peerStateAt(now, { peer, address: null, authenticated: false, head: commitId("a"), last_sync: now, ...changes });
		this.put(this.paths.peerState(peer), state);
	}

	remove(): void {
		rmSync(this.paths.root, { recursive: true, force: true });
	}
}
