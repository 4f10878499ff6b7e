import { randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { ExitCode } from "@robust-sync/service/exit-codes";
import type { ServiceControl } from "@robust-sync/service/lifecycle";
import type { Logger } from "@robust-sync/service/log";
import { acquireLock, type Lock } from "@robust-sync/system/lock";
import { makeOwnDirectory } from "@robust-sync/system/own-directory";
import { type Config, ensureExcluded, heartbeatStateSchema, peerStateSchema, readOwnState, WorkspacePaths } from "@robust-sync/workspace";
import { systemClock } from "./clock.ts";
import { FileWatch } from "./file-watch.ts";
import { HeartbeatNode } from "./heartbeat-node.ts";
import { LocalContent } from "./local-content.ts";
import type { NodeSettings } from "./node-state.ts";
import { openPort } from "./open-port.ts";
import type { PeerView } from "./peer-view.ts";
import { StateFiles } from "./state-files.ts";
import { formatAddress } from "./transport.ts";
import { systemResolver, type UdpTransport } from "./udp-transport.ts";

export interface HeartbeatDaemonOptions {
	paths: WorkspacePaths;
	config: Config;
	/** Reads the configuration again, for SIGHUP. */
	reloadConfig(): Config;
	logger: Logger;
}

const bytesPerMb = 1_048_576;
/** How often the event loop reports progress to the watchdog. */
const progressMs = 5_000;
/** The longest a stop may take: the goodbyes and one write. */
const stopGraceMs = 5_000;

/** The continuous heartbeat of one node: the protocol, its files, and the process around it. */
export class HeartbeatDaemon {
	/** How long {@link stop} may take, milliseconds. */
	readonly graceMs = stopGraceMs;
	readonly logger: Logger;
	readonly #options: HeartbeatDaemonOptions;
	readonly #paths: WorkspacePaths;
	#config: Config;
	#lock: Lock | null = null;
	#transport: UdpTransport | null = null;
	#node: HeartbeatNode | null = null;
	#files: StateFiles | null = null;
	#watch: FileWatch | null = null;
	#progress = 0;
	#progressTimer: NodeJS.Timeout | null = null;

	constructor(options: HeartbeatDaemonOptions) {
		this.#options = options;
		this.#paths = options.paths;
		this.#config = options.config;
		this.logger = options.logger;
	}

	/** The port that is listened on; 0 before {@link start}. */
	get port(): number {
		return this.#transport?.port ?? 0;
	}

	/** The present state of every peer. */
	get peers(): PeerView[] {
		const node = this.#node;
		return node ? node.peerNames.map((peer) => node.view(peer)!) : [];
	}

	/** Counts up as long as the event loop turns. */
	get progress(): number {
		return this.#progress;
	}

	get memoryLimitBytes(): number {
		return this.#config.memoryLimitMb * bytesPerMb;
	}

	/** @throws LockedError (exit code 4), CommandError (1: the port cannot be had) */
	async start(control: ServiceControl): Promise<void> {
		const config = this.#config;
		makeOwnDirectory(this.#paths.sync);
		ensureExcluded(this.#paths.root);
		this.#lock = await acquireLock(this.#paths.instanceLock("heartbeat"), {
			purpose: "heartbeat",
			onLost: () => {
				this.logger.error("the instance lock was lost: stopping before any further change");
				control.exit(ExitCode.restart, "lock lost", { graceMs: 0 });
			},
		});
		let transport: UdpTransport;
		try {
			transport = await openPort({ host: config.heartbeatBind, port: config.heartbeatPort });
		} catch (error) {
			await this.#lock.release();
			throw error;
		}
		this.#transport = transport;
		const content = new LocalContent({ paths: this.#paths, isHeartbeat: true });
		const node = new HeartbeatNode(config.nodeName, nodeSettings(config), {
			clock: systemClock,
			transport,
			resolver: systemResolver(),
			random: (bytes) => randomBytes(bytes),
			content: () => content.get(),
			log: this.logger,
			onChange: (peer, urgent) => this.#files?.peerChanged(peer, urgent),
		});
		this.#node = node;
		this.#files = new StateFiles({
			paths: this.#paths,
			node,
			port: transport.port,
			totalsBefore: this.#restore(node),
			onProblem: (error) =>
				error ? this.logger.error(`state cannot be written: ${error.message}`) : this.logger.info("state can be written again"),
		});
		this.#logSettings(config);
		this.#watch = new FileWatch(this.#paths.syncState, () => {
			content.refresh();
			node.announce();
		});
		node.start();
		await this.#files.start();
		this.#progressTimer = setInterval(() => this.#progress++, progressMs);
		control.status(`port ${transport.port}, ${node.peerNames.length} peers`);
	}

	async stop(reason: string): Promise<void> {
		if (this.#progressTimer) clearInterval(this.#progressTimer);
		this.#watch?.close();
		await this.#node?.stop(reason);
		this.#transport?.close();
		await this.#files?.stop();
		await this.#lock?.release();
	}

	/** SIGHUP. Peers, interval, timeout and keys change at once; a bad configuration changes nothing. */
	async reload(): Promise<void> {
		const before = this.#config;
		const config = this.#options.reloadConfig();
		for (const secret of config.secrets) this.logger.addSecret(secret);
		this.logger.setLevel(config.logLevel);
		for (const [variable, changed] of [
			["NODE_NAME", config.nodeName !== before.nodeName],
			["HEARTBEAT_PORT", config.heartbeatPort !== before.heartbeatPort],
			["HEARTBEAT_BIND", config.heartbeatBind !== before.heartbeatBind],
		] as const) {
			if (changed) this.logger.warn(`${variable} was changed: restart heartbeat for it to take effect`);
		}
		this.#config = { ...config, nodeName: before.nodeName, heartbeatPort: before.heartbeatPort, heartbeatBind: before.heartbeatBind };
		this.#node?.configure(nodeSettings({ ...this.#config, peers: config.peers.filter(({ name }) => name !== before.nodeName) }));
		this.#forgetFormerPeers();
		for (const peer of this.#node?.peerNames ?? []) this.#files?.peerChanged(peer, true);
		this.#logSettings(config);
	}

	/** SIGUSR1: sends every peer a heartbeat now. */
	wake(): void {
		this.#node?.probeAll();
	}

	#logSettings(config: Config): void {
		const where = `UDP port ${this.port}`;
		const peers = config.peers.map(({ name, host, port }) => `${name} at ${formatAddress({ host, port })}`).join(", ");
		if (config.peers.length > 0)
			this.logger.info(`${config.nodeName} on ${where}, every ${config.heartbeatIntervalSeconds} s; peers: ${peers}`);
		else this.logger.warn(`${config.nodeName} on ${where} has no peers: set PEERS in .sync_env, or give --peer-host or --peers`);
		if (config.heartbeatKeys.length === 0) {
			this.logger.warn("heartbeats are not authenticated: set HEARTBEAT_KEY to the same secret on every node");
		}
	}

	/** Reads the state files of earlier processes of this node. Returns their totals. */
	#restore(node: HeartbeatNode) {
		const onCorrupt = (movedTo: string, problem: string) =>
			this.logger.warn(`a state file did not parse (${problem}): moved to ${movedTo}, starting again`);
		const read = <T>(from: () => T): T | null => {
			try {
				return from();
			} catch (error) {
				this.logger.warn(`a state file cannot be moved out of the way: ${error instanceof Error ? error.message : String(error)}`);
				return null;
			}
		};
		for (const peer of node.peerNames) {
			const before = read(() => readOwnState(this.#paths.peerState(peer), peerStateSchema, { onCorrupt }));
			if (before?.received_at) node.restore(peer, Date.parse(before.received_at));
		}
		this.#forgetFormerPeers();
		return read(() => readOwnState(this.#paths.heartbeatState, heartbeatStateSchema, { onCorrupt }))?.totals ?? null;
	}

	/** Removes the files of peers that are no longer configured: readers would take them for peers that went silent. */
	#forgetFormerPeers(): void {
		const known = new Set(this.#node?.peerNames);
		for (const file of readdirSync(this.#paths.sync)) {
			const peer = WorkspacePaths.peerOfFile(file);
			if (peer === null || known.has(peer)) continue;
			rmSync(this.#paths.peerState(peer), { force: true });
			this.logger.info(`${peer} is not a peer any more: its state file is removed`);
		}
	}
}

/** The part of the configuration that the protocol needs. */
function nodeSettings(config: Config): NodeSettings {
	return {
		peers: config.peers,
		intervalMs: config.heartbeatIntervalSeconds * 1_000,
		timeoutMs: config.peerTimeoutSeconds * 1_000,
		secrets: config.heartbeatKeys,
	};
}
