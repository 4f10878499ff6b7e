import { readFileSync, statfsSync } from "node:fs";
import { isHolderInTable, lockLostAt, readLockHolder } from "@robust-sync/system/lock";
import { isSameProcess, kernelProcessTable, type ProcessTable } from "@robust-sync/system/process-table";
import {
	type Config,
	configurationProblem,
	isNodeName,
	type NodeView,
	oldestPendingMs,
	type PeerState,
	readNodeView,
	readPeerStates,
	type ServiceName,
	type StateRead,
	services,
	servicesLiveness,
	type WorkspacePaths,
} from "@robust-sync/workspace";
import type { ChannelHealth, DiskView, Facts, RepositoryView, ServiceEnd } from "./facts.ts";
import { type History, observe, recentRestarts } from "./history.ts";
import { type PeerFileReader, peerFileReader } from "./peer-files.ts";
import { type RepositoryReader, repositoryReader } from "./repository-view.ts";
import { type Units, unitReader } from "./units.ts";

/** The sources of facts; a test can replace each. */
export interface Sources {
	now(): number;
	/** Milliseconds since boot, suspended time included: by this much a wall clock advances that was not set. */
	uptimeMs(): number | null;
	readonly table: ProcessTable;
	disk(root: string): DiskView | null;
	repository: RepositoryReader;
	units(): Promise<Units>;
	readonly peerFile: PeerFileReader;
}

/** The sources of this machine. */
export function systemSources(paths: WorkspacePaths, node: string): Sources {
	return {
		now: Date.now,
		uptimeMs: readUptime,
		table: kernelProcessTable,
		disk: readDisk,
		repository: repositoryReader(paths.root),
		units: unitReader(node, Date.now),
		peerFile: peerFileReader(),
	};
}

/** /proc/uptime (proc(5)), which counts suspended time. */
function readUptime(): number | null {
	try {
		const seconds = Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]);
		return Number.isFinite(seconds) ? seconds * 1000 : null;
	} catch {
		return null;
	}
}

function readDisk(root: string): DiskView | null {
	try {
		const { bsize, blocks, bavail, files, ffree } = statfsSync(root);
		return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, freeInodes: ffree, totalInodes: files };
	} catch {
		return null;
	}
}

/** The state that reading keeps from one round to the next. */
export interface Carried {
	readonly history: History;
	/** Wall clock and uptime of the last round; null: there was none. */
	readonly clock: { readonly wallMs: number; readonly uptimeMs: number } | null;
}

export interface ReadOptions {
	readonly paths: WorkspacePaths;
	readonly config: Config;
	readonly sources: Sources;
	readonly carried: Carried;
	readonly isDaemon: boolean;
	readonly channels: readonly ChannelHealth[];
	readonly channelProblem: string | null;
	readonly undelivered: number;
}

/** Reads all facts for one round of checks. */
export async function readFacts(options: ReadOptions): Promise<{ facts: Facts; carried: Carried }> {
	const { paths, config, sources, carried, isDaemon } = options;
	const [units, repository] = await Promise.all([sources.units(), readRepository(sources.repository)]);
	const now = sources.now();
	const uptimeMs = sources.uptimeMs();
	const view = readNodeView(paths);
	const liveness = servicesLiveness(view, now, sources.table);
	const newsMs = (config.alertCooldownSeconds + 2 * config.monitorIntervalSeconds) * 1000;
	const history = observe(carried.history, view, units, now, newsMs);
	const step = carried.clock && uptimeMs !== null ? now - carried.clock.wallMs - (uptimeMs - carried.clock.uptimeMs) : 0;
	const facts: Facts = {
		now,
		config,
		root: paths.root,
		isDaemon,
		view,
		services: liveness,
		ends: Object.fromEntries(
			services.map((service) => [service, liveness[service].status === "down" ? endOf(service, view, paths, sources.table) : null]),
		) as Record<ServiceName, ServiceEnd | null>,
		lockLost: new Set(services.filter((service) => now - (lockLostAt(paths.instanceLock(service)) ?? 0) < lockLostShownMs)),
		configProblem: services.some((service) => liveness[service].status !== "up") ? configurationProblem(paths.root) : null,
		peers: readPeers(paths, config, view, sources.peerFile),
		...repository,
		units,
		recentRestarts: recentRestarts(history),
		disk: sources.disk(paths.root),
		clockStepMs: step,
		oldestPendingMs: oldestPendingMs(paths, now),
		newlySkipped: history.skipped_recently.map((item) => ({ path: item.path, reason: item.reason, seenAt: item.seen_at })),
		channels: options.channels,
		channelProblem: options.channelProblem,
		undelivered: options.undelivered,
	};
	return { facts, carried: { history, clock: uptimeMs === null ? null : { wallMs: now, uptimeMs } } };
}

/** A fight for the lock looks like a crash loop. */
const lockLostShownMs = 10 * 60_000;

async function readRepository(read: RepositoryReader): Promise<{ repository: RepositoryView | null; repositoryProblem: string | null }> {
	try {
		return { repository: await read(), repositoryProblem: null };
	} catch (error) {
		return { repository: null, repositoryProblem: error instanceof Error ? error.message : String(error) };
	}
}

/** The peers that are configured or that the heartbeat was started with. The files of other peers are ignored. */
function readPeers(paths: WorkspacePaths, config: Config, view: NodeView, read: PeerFileReader): Map<string, StateRead<PeerState>> {
	const names = new Set(config.peers.map((peer) => peer.name));
	if (view.heartbeat.kind === "ok") for (const peer of view.heartbeat.state.peers) names.add(peer);
	else if (names.size === 0) for (const state of readPeerStates(paths)) names.add(state.peer);
	names.delete(config.nodeName);
	// The names in a state file are input: only those that name a state file of a peer are read.
	const legal = [...names].filter(isNodeName).sort();
	return new Map(legal.map((name) => [name, read(paths.peerState(name))]));
}

/** How a service that is down ended. null: its process exists, and hangs. */
function endOf(service: ServiceName, view: NodeView, paths: WorkspacePaths, table: ProcessTable): ServiceEnd | null {
	const read = { sync: view.sync, heartbeat: view.heartbeat, "health-server": view.health, monitor: view.monitor }[service];
	if (read.kind !== "ok") return null;
	const { pid, pid_started_at } = read.state;
	if ("status" in read.state && read.state.status === "stopped") return "stopped";
	const startedAt = Date.parse(pid_started_at);
	const bootedAt = table.bootTimeMs();
	if (isSameProcess(pid, pid_started_at, table)) return null;
	// The kernel's boot time is in whole seconds, and a clock that is corrected moves it.
	if (startedAt < bootedAt - 2_500) return "before-boot";
	const holder = readLockHolder(paths.instanceLock(service));
	// A service that ends in an orderly way releases its lock; a killed one cannot.
	if (holder === null) return "stopped";
	if (holder.boot_id !== table.bootId()) return "before-boot";
	return isHolderInTable(holder, table) && holder.pid !== pid ? "stopped" : "killed";
}
