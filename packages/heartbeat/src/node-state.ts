import type { Logger } from "@robust-sync/service/log";
import type { PeerAddress } from "@robust-sync/workspace";
import type { Clock } from "./clock.ts";
import type { Content } from "./content.ts";
import { Keyring } from "./keyring.ts";
import { Peer } from "./peer.ts";
import { reasonOf } from "./peer-view.ts";
import { type Address, formatAddress, type Resolver, sameAddress, type Transport } from "./transport.ts";

/** Why a datagram was refused. */
const rejectReasons = ["malformed", "version", "key", "replay", "unknown-peer", "rate", "own", "address"] as const;
export type RejectReason = (typeof rejectReasons)[number];

/** Peers, timeouts and keys. Can be replaced at run time. */
export interface NodeSettings {
	readonly peers: readonly PeerAddress[];
	readonly intervalMs: number;
	/** Silence after which a peer is down. */
	readonly timeoutMs: number;
	/** Shared secrets, newest first; none: unauthenticated. */
	readonly secrets: readonly string[];
}

/** The log of a node. */
export type NodeLog = Pick<Logger, "debug" | "info" | "warn" | "error">;

/** All effects of a node, and everything that it reads from outside. */
export interface NodeSurroundings {
	readonly clock: Clock;
	readonly transport: Transport;
	readonly resolver: Resolver;
	/** Returns `count` random bytes; nonces and the boot id need them unpredictable. */
	random(bytes: number): Uint8Array;
	/** What this node's heartbeats report; called for each heartbeat. */
	content(): Content;
	readonly log: NodeLog;
	/** The state of a peer changed. `urgent`: write it at once (status, head, …); otherwise only a time or a measurement changed. */
	onChange(peer: string, urgent: boolean): void;
}

/** Counters of the node since it was made. */
export interface NodeTotals {
	/** Heartbeats sent: regular ones, probes, announcements and answers to challenges. */
	sent: number;
	/** Heartbeats that were accepted. */
	received: number;
	/** Heartbeats of ours that were answered. */
	acked: number;
	rejected: Record<RejectReason, number>;
}

/** The state that the sender, the receive gates, the receiver and the timers of one node share. */
export class NodeState {
	readonly name: string;
	/** Random, chosen at start: with the peer's acceptance count it makes an incarnation. */
	readonly bootId: string;
	readonly surroundings: NodeSurroundings;
	readonly clock: Clock;
	readonly log: NodeLog;
	readonly totals: NodeTotals;
	readonly peers = new Map<string, Peer>();
	keyring!: Keyring;
	secrets!: readonly string[];
	intervalMs!: number;
	timeoutMs!: number;
	/** Datagrams are sent and answered. */
	isRunning = false;
	/** Goodbyes are under way: nothing else is sent by itself. */
	isStopping = false;
	/** When the last heartbeat went out, milliseconds since the epoch. */
	lastSentMs: number | null = null;
	/** How many regular heartbeats went out, the most to any one peer. */
	rounds = 0;

	constructor(name: string, settings: NodeSettings, surroundings: NodeSurroundings) {
		this.name = name;
		this.surroundings = surroundings;
		this.clock = surroundings.clock;
		this.log = surroundings.log;
		this.bootId = Buffer.from(surroundings.random(8)).toString("hex");
		const rejected = Object.fromEntries(rejectReasons.map((reason) => [reason, 0])) as Record<RejectReason, number>;
		this.totals = { sent: 0, received: 0, acked: 0, rejected };
		this.setParameters(settings);
		for (const peer of settings.peers) this.addPeer(peer);
	}

	/** Takes keys, interval and timeout from `settings`; peers are not touched. */
	setParameters({ secrets, intervalMs, timeoutMs }: NodeSettings): void {
		this.secrets = secrets;
		this.keyring = new Keyring(secrets);
		this.intervalMs = intervalMs;
		this.timeoutMs = timeoutMs;
	}

	/** Whether datagrams are authenticated. */
	get isAuthenticated(): boolean {
		return this.keyring.authenticates;
	}

	addPeer(config: PeerAddress): Peer {
		const peer = new Peer(config, this.intervalMs, this.timeoutMs);
		this.peers.set(config.name, peer);
		return peer;
	}

	/** Records that the peer has proved to be at `address`. Returns whether that is new. */
	confirmAddress(peer: Peer, address: Address): boolean {
		if (sameAddress(peer.confirmed, address)) return false;
		const before = peer.confirmed;
		peer.confirmed = address;
		if (before) this.log.info(`${peer.name} has moved`, { from: formatAddress(before), to: formatAddress(address) });
		return true;
	}

	/** Logs the new status of a peer, and reports it as urgent. */
	statusChanged(peer: Peer): void {
		const { status } = peer.detector;
		const fields = {
			peer: peer.name,
			reason: reasonOf(peer) ?? undefined,
			address: peer.address ? formatAddress(peer.address) : undefined,
		};
		if (status === "alive") this.log.info(`${peer.name} is alive`, fields);
		else this.log.warn(`${peer.name} is ${status}`, fields);
		this.surroundings.onChange(peer.name, true);
	}

	/** Returns a random number from 0 (inclusive) to 1 (exclusive), in steps of 1/65,536. */
	randomFraction(): number {
		const bytes = this.surroundings.random(2);
		return (bytes[0]! * 256 + bytes[1]!) / 65_536;
	}
}
