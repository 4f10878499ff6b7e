import { readdirSync } from "node:fs";
import { kernelProcessTable, type ProcessTable } from "@robust-sync/system/process-table";
import { parseCompactTimestamp } from "@robust-sync/system/timestamps";
import {
	type Config,
	type CycleSlot,
	configurationProblem,
	deriveHealth,
	type HealthReason,
	type HealthStatus,
	healthStateSchema,
	heartbeatStateSchema,
	isNodeName,
	listPending,
	listSavedVersions,
	monitorStatusSchema,
	type NodeView,
	type PeerState,
	type PeerStatus,
	type PendingMessage,
	type ProgressState,
	peerLiveness,
	peerStateSchema,
	readCycleHistory,
	readProgress,
	readState,
	type SavedDirectory,
	type ServiceLiveness,
	type ServiceName,
	servicesLiveness,
	syncStateSchema,
	unlockedServices,
	WorkspacePaths,
} from "@robust-sync/workspace";
import { type RepositoryReader, type Unmerged, UnmergedWatch } from "./repository.ts";
import { StateCache } from "./state-cache.ts";

/** One peer as this node sees it: the content of its file, and the conclusions from its age. */
export interface PeerView {
	readonly name: string;
	/** Derived, not the status in the file: the heartbeat that wrote it may be dead. */
	readonly status: PeerStatus;
	/** null: configured, and never heard. */
	readonly state: PeerState | null;
}

/** All input of an answer, at one time. */
export interface NodeSnapshot {
	readonly now: number;
	readonly node: string;
	readonly workspace: string;
	readonly uptimeSeconds: number;
	readonly health: { readonly status: HealthStatus; readonly reasons: readonly HealthReason[] };
	readonly view: NodeView;
	readonly services: Record<ServiceName, ServiceLiveness>;
	/** The value of the configuration that a service would refuse at its start; null: none, or all services run. */
	readonly configurationProblem: string | null;
	readonly peers: readonly PeerView[];
	readonly outbox: { readonly count: number; readonly oldest: readonly PendingMessage[] };
	readonly unmerged: Unmerged;
	/** The long operation that is running; null: none. */
	readonly progress: ProgressState | null;
	readonly saved: { readonly count: number; readonly newest: readonly SavedDirectory[] };
	readonly history: readonly CycleSlot[];
	readonly intervals: { readonly syncSeconds: number; readonly peerTimeoutSeconds: number };
}

/** The part of the configuration that is shown or used for judgement; may change on SIGHUP. */
export type ShownConfig = Pick<Config, "nodeName" | "peers" | "syncIntervalSeconds" | "peerTimeoutSeconds">;

export interface SnapshotOptions {
	paths: WorkspacePaths;
	/** Called for each snapshot, so that a reload takes effect. */
	config: () => ShownConfig;
	repository: RepositoryReader;
	/** Milliseconds since the epoch. */
	now?: () => number;
	table?: ProcessTable;
}

/** How many saved resolutions and waiting messages `/status` and the page list; the rest is only counted. */
const listedSaved = 50;
const listedMessages = 20;
// Files inside these directories change without the directory's own time changing.
const insideChangesMs = 10_000;

// Checking a dozen files costs as much as a few answers: under load this is done 200 times a second and not for each.
const busyWindowMs = 100;
const busyReads = 200;
const sharedWhenBusyMs = 5;

/** Makes snapshots. Reads a file only when it changed, and everything at most once in a turn of the event loop. */
export class SnapshotReader {
	readonly #options: SnapshotOptions;
	readonly #now: () => number;
	readonly #cache = new StateCache();
	readonly #unmerged: UnmergedWatch;
	/** The paths, joined once. */
	readonly #files: Readonly<
		Record<"sync" | "heartbeat" | "health" | "monitor" | "directory" | "pending" | "conflicts" | "history" | "env", string>
	>;
	readonly #startedAt = performance.now();
	readonly #table: ProcessTable;
	#current: NodeSnapshot | null = null;
	#reads = 0;
	#countedSince = 0;
	#wasBusy = false;

	constructor(options: SnapshotOptions) {
		this.#options = options;
		const { paths } = options;
		this.#files = {
			sync: paths.syncState,
			heartbeat: paths.heartbeatState,
			health: paths.healthState,
			monitor: paths.monitorStatus,
			directory: paths.sync,
			pending: paths.pending,
			conflicts: paths.conflicts,
			history: paths.cycleHistory,
			env: paths.envFile,
		};
		this.#now = options.now ?? Date.now;
		this.#unmerged = new UnmergedWatch(options.repository, this.#now);
		this.#table = withMemory(options.table ?? kernelProcessTable);
	}

	/**
	 * A snapshot that is no older than this turn of the event loop (under thousands of requests a second, than 5 ms). Waits for git only
	 * when the index changed, 1 s at most.
	 */
	read(): NodeSnapshot | Promise<NodeSnapshot> {
		this.#reads++;
		if (this.#current) return this.#current;
		const waiting = this.#unmerged.refresh();
		return waiting ? waiting.then(() => this.#take()) : this.#take();
	}

	/** At most `limit` saved resolutions before the one named `before`, newest first. */
	savedBefore(before: string, limit: number = listedSaved): SavedDirectory[] {
		const { paths } = this.#options;
		const skip = savedNames(paths).filter((name) => name >= before).length;
		return listSavedVersions(paths, skip + limit).slice(skip);
	}

	/** Whether the state directory can be read at all. */
	canReadState(): boolean {
		try {
			readdirSync(this.#options.paths.sync);
			return true;
		} catch {
			return false;
		}
	}

	#take(): NodeSnapshot {
		// Requests that waited for git together share one snapshot.
		if (this.#current) return this.#current;
		const forget = () => {
			this.#current = null;
		};
		if (this.#isBusy()) setTimeout(forget, sharedWhenBusyMs);
		else setImmediate(forget);
		this.#current = this.#gather();
		return this.#current;
	}

	/** Whether snapshots are requested thousands of times a second. */
	#isBusy(): boolean {
		const now = performance.now();
		if (now - this.#countedSince >= busyWindowMs) {
			this.#wasBusy = this.#reads > busyReads;
			this.#reads = 0;
			this.#countedSince = now;
		}
		return this.#wasBusy;
	}

	#gather(): NodeSnapshot {
		const { paths } = this.#options;
		const config = this.#options.config();
		const cache = this.#cache;
		const files = this.#files;
		const now = this.#now();
		const view: NodeView = {
			sync: cache.get(files.sync, () => readState(files.sync, syncStateSchema)),
			heartbeat: cache.get(files.heartbeat, () => readState(files.heartbeat, heartbeatStateSchema)),
			health: cache.get(files.health, () => readState(files.health, healthStateSchema)),
			monitor: cache.get(files.monitor, () => readState(files.monitor, monitorStatusSchema)),
			unlocked: unlockedServices(paths),
		};
		const peers = this.#peers(config, view, now);
		const pending = cache.get(files.pending, () => listPending(paths), insideChangesMs);
		const saved = cache.get(files.conflicts, () => this.#savedVersions(), insideChangesMs);
		const history = cache.get(files.history, () => readCycleHistory(paths, now), insideChangesMs);
		const unmerged = this.#unmerged.value;
		const isAllUp = Object.values(servicesLiveness(view, now, this.#table)).every(({ status }) => status === "up");
		const problem = isAllUp ? null : cache.get(files.env, () => configurationProblem(paths.root));
		return {
			now,
			node: config.nodeName,
			workspace: paths.root,
			uptimeSeconds: Math.floor((performance.now() - this.#startedAt) / 1000),
			health: deriveHealth({
				view,
				peers: peers.flatMap((peer) => (peer.state ? [peer.state] : [])),
				conflictsUnresolved: unmerged.count ?? 0,
				oldestPendingMs: pending[0] ? Math.max(0, now - pending[0].since) : null,
				syncIntervalSeconds: config.syncIntervalSeconds,
				peerTimeoutSeconds: config.peerTimeoutSeconds,
				configurationProblem: problem,
				now,
				table: this.#table,
			}),
			view,
			services: servicesLiveness(view, now, this.#table, problem),
			configurationProblem: problem,
			peers,
			outbox: { count: pending.length, oldest: pending.slice(0, listedMessages) },
			unmerged,
			progress: readProgress(paths, now),
			saved,
			history,
			intervals: { syncSeconds: config.syncIntervalSeconds, peerTimeoutSeconds: config.peerTimeoutSeconds },
		};
	}

	#peers(config: ShownConfig, view: NodeView, now: number): PeerView[] {
		const { paths } = this.#options;
		const known = this.#cache.get(this.#files.directory, () => {
			const names = peersWithState(paths);
			this.#cache.prune((file) => {
				const peer = WorkspacePaths.peerOfFile(file.slice(this.#files.directory.length + 1));
				return peer === null || names.includes(peer);
			});
			return names;
		});
		// The file of a peer that is no longer configured is out of date.
		const configured = config.peers.map((peer) => peer.name);
		const talkedTo = view.heartbeat.kind === "ok" ? view.heartbeat.state.peers.filter(isNodeName) : [];
		const leftBehind = (name: string) => talkedTo.length > 0 && !talkedTo.includes(name);
		const names = [...configured, ...talkedTo, ...known.filter((name) => !leftBehind(name))].filter((name) => name !== config.nodeName);
		return [...new Set(names)].sort().map((name) => {
			const file = paths.peerState(name);
			const read = known.includes(name) ? this.#cache.get(file, () => readState(file, peerStateSchema)) : null;
			const state = read?.kind === "ok" && read.state.peer === name ? read.state : null;
			return { name, state, status: state ? peerLiveness(state, now, config.peerTimeoutSeconds * 1000) : "unknown" };
		});
	}

	#savedVersions(): NodeSnapshot["saved"] {
		const { paths } = this.#options;
		return { count: savedNames(paths).length, newest: listSavedVersions(paths, listedSaved) };
	}
}

function savedNames(paths: WorkspacePaths): string[] {
	try {
		return readdirSync(paths.conflicts).filter((name) => parseCompactTimestamp(name) !== null);
	} catch {
		return [];
	}
}

function peersWithState(paths: WorkspacePaths): string[] {
	try {
		return readdirSync(paths.sync)
			.map((name) => WorkspacePaths.peerOfFile(name))
			.filter((peer) => peer !== null);
	} catch {
		return [];
	}
}

/**
 * Hundreds of requests a second must not check hundreds of times with the kernel whether the same four processes live. The boot
 * time moves only when the clock is set; a death is noticed a tenth of a second later at most.
 */
function withMemory(table: ProcessTable): ProcessTable {
	const bootTimeMs = rememberFor(1_000, () => table.bootTimeMs());
	const bootId = rememberFor(60_000, () => table.bootId());
	const ticks = new Map<number, () => number | null>();
	return {
		bootTimeMs,
		bootId,
		...(table.pidNamespace ? { pidNamespace: rememberFor(60_000, () => table.pidNamespace?.() ?? null) } : {}),
		startTicks(pid) {
			let known = ticks.get(pid);
			if (!known) {
				// Restarted services have new pids; old ones are dropped all at once.
				if (ticks.size > 16) ticks.clear();
				known = rememberFor(100, () => table.startTicks(pid));
				ticks.set(pid, known);
			}
			return known();
		},
	};
}

function rememberFor<T>(ms: number, ask: () => T): () => T {
	let value: T;
	let askedAt = Number.NEGATIVE_INFINITY;
	return () => {
		const now = performance.now();
		if (now - askedAt > ms) {
			value = ask();
			askedAt = now;
		}
		return value;
	};
}
