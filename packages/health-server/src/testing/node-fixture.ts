import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { processStartedAt } from "@robust-sync/system/process-table";
import { compactTimestamp, timestamp } from "@robust-sync/system/timestamps";
import {
	type HeartbeatState,
	type Manifest,
	type MonitorStatus,
	type PeerState,
	parseConfig,
	recordCycle,
	type SyncState,
	WorkspacePaths,
} from "@robust-sync/workspace";
import { peerStateAt } from "@robust-sync/workspace/testing/peer-state";
import { syncStateAt } from "@robust-sync/workspace/testing/sync-state";
import { createHealthServer, type HealthServer, type HealthServerOptions } from "../http-server.ts";
import { listen } from "../listen.ts";
import type { RepositoryReader } from "../repository.ts";
import { type ShownConfig, SnapshotReader } from "../snapshot.ts";

/** A commit id made of one digit. */
export const commitId = (digit: string) => digit.repeat(40);

/** A workspace in a temporary directory, with the state files that a test needs. Their writer is this process: alive. */
export class NodeFixture {
	readonly paths: WorkspacePaths;
	readonly #cleanups: (() => Promise<void> | void)[] = [];

	constructor() {
		this.paths = new WorkspacePaths(mkdtempSync(path.join(tmpdir(), "health-server-")));
		mkdirSync(this.paths.sync, { recursive: true });
	}

	/** The fields of a live writer. */
	writer(now = Date.now()) {
		const startedAt = processStartedAt(process.pid) as string;
		return { schema: 1 as const, node: "helios", pid: process.pid, pid_started_at: startedAt, updated_at: timestamp(now) };
	}

	/** Writes a state file as the services do: whole, by rename. Text is written unchanged. */
	write(file: string, state: unknown): void {
		writeFileSync(`${file}.tmp`, typeof state === "string" ? state : JSON.stringify(state));
		renameSync(`${file}.tmp`, file);
	}

	sync(changes: Partial<SyncState> = {}): void {
		const now = Date.now();
		const state = syncStateAt(timestamp(now - 12_000), {
			...this.writer(now),
			started_at: timestamp(now - 7_200_000),
			next_attempt: timestamp(now + 48_000),
			head: commitId("a"),
			last_cycle: { duration_ms: 184, committed: 3, pulled: 1, pushed: 2, resolved: 0 },
			totals: { cycles: 120, failures: 2, commits: 30, resolved: 4, rescued: 0 },
			...changes,
		});
		this.write(this.paths.syncState, state);
	}

	heartbeat(changes: Partial<HeartbeatState> = {}): void {
		const state: HeartbeatState = {
			...this.writer(),
			started_at: timestamp(Date.now() - 7_200_000),
			boot_id: "5f0c",
			sequence: 120,
			last_sent: timestamp(Date.now() - 5_000),
			port: 8765,
			authenticated: true,
			peers: [],
			totals: { sent: 120, received: 118, acked: 117, rejected: { mac: 2 } },
			...changes,
		};
		this.write(this.paths.heartbeatState, state);
	}

	peer(name: string, changes: Partial<PeerState> = {}): void {
		const now = Date.now();
		const state = peerStateAt(timestamp(now - 5_000), {
			peer: name,
			sequence: 77,
			boot_id: "77aa",
			rtt_ms: 0.83,
			clock_offset_ms: -3.2,
			phi: 0.4,
			head: commitId("a"),
			last_sync: timestamp(now - 20_000),
			...changes,
		});
		this.write(this.paths.peerState(name), state);
	}

	monitor(changes: Partial<MonitorStatus> = {}): void {
		const state: MonitorStatus = { ...this.writer(), status: "ok", checks: [], alerts: [], undelivered: [], ...changes };
		this.write(this.paths.monitorStatus, state);
	}

	health(): void {
		this.write(this.paths.healthState, { ...this.writer(), started_at: timestamp(Date.now()), port: 8080 });
	}

	/** All four services alive, one peer alive. */
	healthy(): void {
		this.sync();
		this.heartbeat();
		this.monitor();
		this.health();
		this.peer("chad");
	}

	pending(name: string, content = "hello\n"): void {
		mkdirSync(this.paths.pending, { recursive: true });
		writeFileSync(path.join(this.paths.pending, name), content);
	}

	cycle(at: number, durationMs: number, failed = false): void {
		recordCycle(this.paths, at, durationMs, failed);
	}

	/** Saves a resolution. @returns its name */
	saved(
		at: number,
		files: Record<string, { ours?: string; theirs?: string; base?: string; winner?: Manifest["files"][number]["winner"] }>,
	): string {
		const name = compactTimestamp(at);
		const directory = path.join(this.paths.conflicts, name);
		const manifest: Manifest = {
			schema: 1,
			resolved_at: timestamp(at),
			merge_commit: commitId("d"),
			ours: commitId("a"),
			theirs: commitId("b"),
			base: commitId("c"),
			files: Object.entries(files).map(([file, { winner = "merged", ...sides }]) => ({
				path: file,
				type: "content",
				strategy: "json",
				winner,
				saved: Object.keys(sides).map((side) => `files/${file}.${side}`),
			})),
		};
		mkdirSync(directory, { recursive: true });
		for (const [file, { winner: _winner, ...sides }] of Object.entries(files)) {
			for (const [side, content] of Object.entries(sides)) {
				const place = path.join(directory, "files", `${file}.${side}`);
				mkdirSync(path.dirname(place), { recursive: true });
				writeFileSync(place, content);
			}
		}
		writeFileSync(path.join(directory, "manifest.json"), JSON.stringify(manifest));
		return name;
	}

	onCleanup(cleanup: () => Promise<void> | void): void {
		this.#cleanups.unshift(cleanup);
	}

	/** Serves this node on a free port. */
	async serve({
		repository = quietRepository,
		peers = "",
		...options
	}: Partial<HealthServerOptions> & { peers?: string } = {}): Promise<Served> {
		const config: ShownConfig = parseConfig({ NODE_NAME: "helios", PEERS: peers });
		const http = createHealthServer({
			paths: this.paths,
			repository,
			version: "1.2.3",
			snapshots: new SnapshotReader({ paths: this.paths, repository, config: () => config }),
			...options,
		});
		await listen(http.server, 0, "127.0.0.1");
		this.onCleanup(() => http.close());
		return new Served(http);
	}

	async remove(): Promise<void> {
		for (const cleanup of this.#cleanups.splice(0)) await cleanup();
		rmSync(this.paths.root, { recursive: true, force: true });
	}
}

/** A repository without conflicts, whose result of any merge is one text. */
export const quietRepository: RepositoryReader = {
	unmergedPaths: async () => 0,
	fileAt: async () => Buffer.from("result\n"),
	indexStamp: () => "as before",
};

export interface Reply {
	readonly code: number;
	readonly headers: Readonly<Record<string, string | string[] | undefined>>;
	readonly text: string;
	// biome-ignore lint/suspicious/noExplicitAny: tests inspect any answer
	readonly json: any;
}

/** A running server, and the requests of a test. */
export class Served {
	readonly http: HealthServer;
	readonly port: number;

	constructor(http: HealthServer) {
		this.http = http;
		this.port = (http.server.address() as AddressInfo).port;
	}

	get url(): string {
		return `http://127.0.0.1:${this.port}`;
	}

	/** One request, its path sent unchanged (fetch would normalize it). */
	ask(target: string, { method = "GET", headers = {} }: { method?: string; headers?: Record<string, string> } = {}): Promise<Reply> {
		return new Promise((resolve, reject) => {
			const asked = request({ host: "127.0.0.1", port: this.port, path: target, method, headers, agent: false }, (response) => {
				const chunks: Buffer[] = [];
				response.on("data", (chunk: Buffer) => chunks.push(chunk));
				response.on("end", () => {
					const text = Buffer.concat(chunks).toString("utf8");
					resolve({
						code: response.statusCode ?? 0,
						headers: response.headers,
						text,
						get json() {
							return JSON.parse(text);
						},
					});
				});
			});
			asked.on("error", reject);
			asked.end();
		});
	}
}

/** Waits until `look` returns something truthy. @throws after `limitMs` */
export async function eventually<T>(look: () => T | Promise<T>, limitMs = 5_000): Promise<T> {
	const deadline = performance.now() + limitMs;
	for (;;) {
		const seen = await look();
		if (seen) return seen;
		if (performance.now() > deadline) throw new Error(`did not happen within ${limitMs} ms: ${look}`);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}
