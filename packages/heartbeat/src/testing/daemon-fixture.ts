import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createLogger, type ServiceControl } from "@robust-sync/service";
import { processStartedAt } from "@robust-sync/system/process-table";
import { timestamp } from "@robust-sync/system/timestamps";
import {
	type PeerState,
	parseConfig,
	peerStateSchema,
	readState,
	type SyncState,
	WorkspacePaths,
	writeState,
} from "@robust-sync/workspace";
import { syncStateAt } from "@robust-sync/workspace/testing/sync-state";
import { HeartbeatDaemon } from "../daemon.ts";
import { openUdpTransport } from "../udp-transport.ts";

/** Whether ss(8) is there, which names the process that has a port. */
export const canNameHolders = spawnSync("ss", ["-V"]).error === undefined;

/** Waits until a condition holds. @throws after `withinMs` */
export async function eventually(condition: () => boolean, withinMs = 10_000, what = condition.toString()): Promise<void> {
	const deadline = performance.now() + withinMs;
	while (!condition()) {
		if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
}

/** A UDP port that is free now. */
export async function freeUdpPort(): Promise<number> {
	const transport = await openUdpTransport({ host: null, port: 0 });
	transport.close();
	return transport.port;
}

/** One workspace with a heartbeat in this process: real files, a real socket. */
export class DaemonFixture {
	readonly name: string;
	readonly port: number;
	readonly paths: WorkspacePaths;
	readonly exits: { code: number; reason: string }[] = [];
	values: Record<string, string>;
	#daemon: HeartbeatDaemon | null = null;

	constructor(name: string, port: number, values: Record<string, string> = {}) {
		this.name = name;
		this.port = port;
		this.values = values;
		this.paths = new WorkspacePaths(mkdtempSync(path.join(tmpdir(), `heartbeat-${name}-`)));
		mkdirSync(this.paths.sync);
	}

	get #config() {
		return parseConfig({ NODE_NAME: this.name, HEARTBEAT_PORT: String(this.port), ...this.values });
	}

	get daemon(): HeartbeatDaemon {
		if (!this.#daemon) throw new Error(`${this.name} does not run`);
		return this.#daemon;
	}

	async start(values: Record<string, string> = {}): Promise<void> {
		this.values = { ...this.values, ...values };
		const daemon = new HeartbeatDaemon({
			paths: this.paths,
			config: this.#config,
			reloadConfig: () => this.#config,
			logger: createLogger({
				name: "heartbeat",
				level: "debug",
				format: "text",
				file: this.paths.logFile("heartbeat"),
				stderr: false,
				secrets: [],
			}),
		});
		const control: ServiceControl = {
			signal: new AbortController().signal,
			exit: (code, reason) => this.exits.push({ code, reason }),
			idle() {},
			status() {},
		};
		await daemon.start(control);
		this.#daemon = daemon;
	}

	async stop(reason = "SIGTERM"): Promise<void> {
		await this.#daemon?.stop(reason);
		this.#daemon = null;
	}

	async remove(): Promise<void> {
		await this.stop();
		rmSync(this.paths.root, { recursive: true, force: true });
	}

	/** The state file about a peer; null: there is none that is valid. */
	peer(name: string): PeerState | null {
		const read = readState(this.paths.peerState(name), peerStateSchema);
		return read.kind === "ok" ? read.state : null;
	}

	/** Writes `sync_state.json` as robust-sync does. */
	async sync(fields: Partial<SyncState>): Promise<void> {
		await writeState(this.paths.syncState, syncStateOf(this.name, fields));
	}
}

/** A `sync_state.json` of a node that is in sync, written by this process. */
export function syncStateOf(node: string, fields: Partial<SyncState>): SyncState {
	const now = timestamp(Date.now());
	return syncStateAt(now, { node, pid_started_at: processStartedAt(process.pid) ?? now, ...fields });
}
