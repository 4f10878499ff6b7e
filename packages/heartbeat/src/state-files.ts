import { constants, rmSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import path from "node:path";
import { printableJson } from "@robust-sync/service/printable";
import { makeOwnDirectory } from "@robust-sync/system/own-directory";
import { pidNamespaceField, processStartedAt } from "@robust-sync/system/process-table";
import { timestamp } from "@robust-sync/system/timestamps";
import type { HeartbeatState, PeerState, WorkspacePaths } from "@robust-sync/workspace";
import type { HeartbeatNode } from "./heartbeat-node.ts";
import type { PeerView } from "./peer-view.ts";

/** Changes that no reader waits for (the time of the last datagram, a round trip) are gathered for this long. */
const gatherMs = 1_000;
/** This node's own file is written again at least this often; the contract requires 30 s. */
const rewriteMs = 10_000;
/** The state of a peer is written again at least this often, unless there are many peers. */
const peerRewriteMs = 20_000;
/** With many peers, the interval is this long for each: 20 writes a second, each of which makes the disk's cache write back. */
const perPeerMs = 50;

export interface StateFilesOptions {
	paths: WorkspacePaths;
	node: HeartbeatNode;
	port: number;
	/** Totals of earlier processes of this node. */
	totalsBefore: HeartbeatState["totals"] | null;
	/** Called once when writing begins to fail, and once when it works again (null). */
	onProblem(error: Error | null): void;
}

/** Writes `heartbeat_state.json` and `peer_<name>_state.json`, soon after their content has changed. */
export class StateFiles {
	readonly #options: StateFilesOptions;
	readonly #writer: FileWriter;
	readonly #startedAt = timestamp(Date.now());
	readonly #pidStartedAt = processStartedAt(process.pid) ?? timestamp(Date.now());
	readonly #gathered = new Set<string>();
	/** When the state of a peer was last written, monotonic milliseconds. */
	readonly #writtenAt = new Map<string, number>();
	readonly #timers: NodeJS.Timeout[] = [];
	#gathering: NodeJS.Timeout | null = null;
	#refusedAsWritten = 0;

	constructor(options: StateFilesOptions) {
		this.#options = options;
		this.#writer = new FileWriter(options.onProblem);
	}

	/** Writes everything, and from now on regularly. Resolves after the first write. */
	async start(): Promise<void> {
		const { node } = this.#options;
		this.#timers.push(setInterval(() => this.#writeOwn(), rewriteMs));
		this.#timers.push(
			setInterval(() => {
				this.#writeOldest();
				if (this.#refused() !== this.#refusedAsWritten) this.#writeOwn();
			}, gatherMs),
		);
		this.#writeOwn();
		for (const peer of node.peerNames) this.#writePeer(peer);
		await this.#writer.idle();
	}

	/** Reports that a peer changed; `urgent`: readers wait for it. */
	peerChanged(peer: string, urgent: boolean): void {
		if (urgent) {
			this.#gathered.delete(peer);
			this.#writePeer(peer);
			return;
		}
		this.#gathered.add(peer);
		this.#gathering ??= setTimeout(() => {
			this.#gathering = null;
			const spacingMs = this.#spacingMs;
			for (const name of this.#gathered) if (this.#age(name) >= spacingMs) this.#writePeer(name);
			this.#gathered.clear();
			this.#writeOwn();
		}, gatherMs);
	}

	/** Writes each peer in turn, silent ones too: the number of their missing heartbeats grows. */
	#writeOldest(): void {
		const { peerNames } = this.#options.node;
		const longest = Math.max(peerRewriteMs, peerNames.length * perPeerMs);
		for (const peer of peerNames) if (this.#age(peer) >= longest) this.#writePeer(peer);
	}

	/**
	 * How long a change waits that is little more than a newer time of the last datagram. Suspicion is urgent and comes
	 * after 2/3 of the timeout, so with a third of it at most no reader takes a peer for down that this node hears.
	 */
	get #spacingMs(): number {
		const { node } = this.#options;
		return Math.min(node.timeoutMs / 3, node.peerNames.length * perPeerMs);
	}

	#age(peer: string): number {
		return performance.now() - (this.#writtenAt.get(peer) ?? Number.NEGATIVE_INFINITY);
	}

	/** Writes a last time. Resolves when everything is on disk. */
	async stop(): Promise<void> {
		for (const timer of this.#timers) clearInterval(timer);
		if (this.#gathering) clearTimeout(this.#gathering);
		this.#writeOwn();
		for (const peer of this.#options.node.peerNames) this.#writePeer(peer);
		await this.#writer.idle();
	}

	#writeOwn(): void {
		const { paths } = this.#options;
		this.#writer.write(paths.heartbeatState, () => this.#ownState());
	}

	/** The number of refused datagrams. It explains a silence, so it is written at once. */
	#refused(): number {
		let sum = 0;
		for (const count of Object.values(this.#options.node.totals.rejected)) sum += count;
		return sum;
	}

	#writePeer(peer: string): void {
		const { paths, node } = this.#options;
		this.#writtenAt.set(peer, performance.now());
		this.#writer.write(paths.peerState(peer), () => {
			const view = node.view(peer);
			return view ? peerState(view, node.authenticated) : null;
		});
	}

	#ownState(): HeartbeatState {
		const { node, port, totalsBefore } = this.#options;
		this.#refusedAsWritten = this.#refused();
		const rejected: Record<string, number> = { ...node.totals.rejected };
		for (const [reason, count] of Object.entries(totalsBefore?.rejected ?? {})) rejected[reason] = (rejected[reason] ?? 0) + count;
		return {
			schema: 1,
			node: node.name,
			pid: process.pid,
			pid_started_at: this.#pidStartedAt,
			...pidNamespaceField(),
			updated_at: timestamp(Date.now()),
			started_at: this.#startedAt,
			boot_id: node.bootId,
			sequence: node.sequence,
			last_sent: node.lastSentMs === null ? null : timestamp(node.lastSentMs),
			port,
			authenticated: node.authenticated,
			peers: node.peerNames,
			totals: {
				sent: node.totals.sent + (totalsBefore?.sent ?? 0),
				received: node.totals.received + (totalsBefore?.received ?? 0),
				acked: node.totals.acked + (totalsBefore?.acked ?? 0),
				rejected,
			},
		};
	}
}

/** The state of a peer in the form of its state file. */
export function peerState(view: PeerView, authenticated: boolean): PeerState {
	const { content } = view;
	return {
		schema: 1,
		peer: view.name,
		address: view.address,
		status: view.status,
		received_at: view.receivedAtMs === null ? null : timestamp(view.receivedAtMs),
		sequence: view.sequence,
		boot_id: view.bootId,
		missed: view.missed,
		rtt_ms: round(view.rttMs),
		clock_offset_ms: round(view.clockOffsetMs),
		phi: round(view.phi),
		hears_us: view.hearsUs,
		authenticated,
		head: content.head,
		last_sync: content.lastSyncMs === null ? null : timestamp(content.lastSyncMs),
		sync_status: content.syncStatus,
		consecutive_failures: content.consecutiveFailures,
		messages_pending: content.messagesPending,
		services: content.services,
		reason: view.reason,
		cause: view.cause,
	};
}

function round(value: number | null): number | null {
	return value === null ? null : Math.round(value * 1_000) / 1_000;
}

/**
 * Writes files whole: temporary file, fsync, rename. Unlike writeAtomic it does not wait for the directory as well: a
 * power cut may bring back the previous file, which the next heartbeat corrects, and an announcement is readable earlier.
 * One write at a time for each file; changes during a write are gathered in one further write, with the newest state.
 */
class FileWriter {
	readonly #onProblem: (error: Error | null) => void;
	readonly #writing = new Map<string, Promise<void>>();
	readonly #again = new Map<string, () => object | null>();
	#isFailing = false;

	constructor(onProblem: (error: Error | null) => void) {
		this.#onProblem = onProblem;
	}

	write(file: string, state: () => object | null): void {
		if (this.#writing.has(file)) {
			this.#again.set(file, state);
			return;
		}
		this.#writing.set(file, this.#run(file, state));
	}

	async idle(): Promise<void> {
		while (this.#writing.size > 0) await Promise.all(this.#writing.values());
	}

	async #run(file: string, first: () => object | null): Promise<void> {
		for (let next: (() => object | null) | undefined = first; next; ) {
			this.#again.delete(file);
			await this.#replace(file, next());
			next = this.#again.get(file);
		}
		this.#writing.delete(file);
	}

	async #replace(file: string, state: object | null): Promise<void> {
		if (state === null) return;
		// One owner, one name: the rest of a crash is overwritten.
		const temporary = `${file}.tmp`;
		try {
			const handle = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW, 0o600);
			try {
				await handle.writeFile(`${printableJson(state, "\t")}\n`);
				await handle.sync();
			} finally {
				await handle.close();
			}
			await rename(temporary, file);
			if (this.#isFailing) this.#onProblem(null);
			this.#isFailing = false;
		} catch (error) {
			tidyAfter(error as NodeJS.ErrnoException, temporary);
			if (!this.#isFailing) this.#onProblem(error as Error);
			this.#isFailing = true;
		}
	}
}

/** Leaves no partial file. If `sync/` was removed, it is made again for the next write. */
function tidyAfter(error: NodeJS.ErrnoException, temporary: string): void {
	try {
		rmSync(temporary, { force: true });
		if (error.code === "ENOENT") makeOwnDirectory(path.dirname(temporary));
	} catch {
		// The next write reports the error.
	}
}
