import { printable } from "@robust-sync/service/printable";
import type { PeerAddress, PeerCause, PeerStatus } from "@robust-sync/workspace";
import { Announcement, burstGapMs } from "./announcement.ts";
import type { Clock } from "./clock.ts";
import { measure } from "./clock-filter.ts";
import type { Content } from "./content.ts";
import { Keyring } from "./keyring.ts";
import { Nonces } from "./nonces.ts";
import { maxResolved, type Outstanding, Peer } from "./peer.ts";
import { SourceBudget, sourceOf } from "./source-budget.ts";
import { type Address, canonicalHost, formatAddress, type Resolver, sameAddress, type Transport } from "./transport.ts";
import { decode, type Echo, encode, type Message, newMessage, paddedBytes } from "./wire-format.ts";

/** Why a datagram was refused. */
export const rejectReasons = ["malformed", "version", "key", "replay", "unknown-peer", "rate", "own", "address"] as const;
export type RejectReason = (typeof rejectReasons)[number];

/** Who may not be heard for how long, what is signed with what; may change while the node runs. */
export interface NodeSettings {
	readonly peers: readonly PeerAddress[];
	readonly intervalMs: number;
	/** Silence after which a peer is down. */
	readonly timeoutMs: number;
	/** Shared secrets, newest first; none: unauthenticated. */
	readonly secrets: readonly string[];
}

/** Hears what people should know. */
export interface NodeLog {
	debug(message: string, fields?: Record<string, unknown>): void;
	info(message: string, fields?: Record<string, unknown>): void;
	warn(message: string, fields?: Record<string, unknown>): void;
	error(message: string, fields?: Record<string, unknown>): void;
}

/** The world around a node. */
export interface NodeSurroundings {
	readonly clock: Clock;
	readonly transport: Transport;
	readonly resolver: Resolver;
	/** So many random bytes, unpredictable where it matters. */
	random(bytes: number): Uint8Array;
	/** How this node stands, asked for each heartbeat. */
	content(): Content;
	readonly log: NodeLog;
	/** Something about a peer changed; `urgent`: others wait for it (status, head, …), not only the time of the last word. */
	onChange(peer: string, urgent: boolean): void;
}

/** What is known of one peer, for the state file and for people. */
export interface PeerView {
	readonly name: string;
	readonly address: string | null;
	readonly status: PeerStatus;
	readonly reason: string | null;
	readonly cause: PeerCause | null;
	/** Milliseconds since the epoch. */
	readonly receivedAtMs: number | null;
	readonly sequence: number | null;
	readonly bootId: string | null;
	readonly missed: number;
	readonly rttMs: number | null;
	readonly clockOffsetMs: number | null;
	readonly phi: number | null;
	readonly hearsUs: boolean | null;
	readonly content: Content;
}

/** Counters since the node was made. */
export interface NodeTotals {
	/** Heartbeats sent: regular ones, probes, announcements and answers to challenges. */
	sent: number;
	/** Heartbeats that were believed. */
	received: number;
	/** Heartbeats of ours that were answered. */
	acked: number;
	rejected: Record<RejectReason, number>;
}

/** A datagram that passed the gates which need no memory of its sender. */
interface Reception {
	readonly message: Message;
	/** Of the datagram, bytes. */
	readonly length: number;
	readonly from: Address;
	/** Monotonic milliseconds. */
	readonly at: number;
	/** Milliseconds since the epoch. */
	readonly wallMs: number;
	/** Which of our keys an answer is signed with. */
	readonly key: number;
}

/** A fleet that was started together should not beat together. */
const jitterFraction = 0.05;
/** Names are resolved again at most this often. */
const resolveEveryMs = 30_000;
/** A timer this much too late means that we stood still: stopped, suspended, or starved. */
const pauseMs = { min: 200, max: 2_000, timeoutFraction: 0.1 } as const;
/** The wall clock went this much faster or slower than the monotonic one since we last looked: it was set, or we were suspended. */
const clockStepMs = 1_000;
/** How long an answer from a third node is waited for, and how many third nodes are asked. */
const indirectWaitMs = 5_000;
const indirectHelpers = 3;
const maxAskers = 8;
/** A challenge that is answered by a challenge again and again ends here. */
const maxChallengesInARow = 3;
/** A peer that only ever challenges is not told the same thing over and over. */
const retellAfterMs = 10_000;
/** The same complaint goes into the log once in this time. */
const complainEveryMs = 600_000;
/** A retired boot id that still talks after this long is no straggler. */
const stragglerMs = 5_000;
/** Goodbyes are repeated until acknowledged, but nobody waits long for them. */
const goodbyeRepeatsMs = [60, 160] as const;
const goodbyeWaitMs = 300;

/**
 * One node of the heartbeat protocol (docs/heartbeat-protocol.md): sends, answers, and knows how its peers are. Does
 * nothing but through its surroundings, so that a thousand days pass in a test.
 */
export class HeartbeatNode {
	readonly name: string;
	readonly bootId: string;
	readonly totals: NodeTotals;
	readonly #surroundings: NodeSurroundings;
	readonly #clock: Clock;
	readonly #log: NodeLog;
	readonly #peers = new Map<string, Peer>();
	readonly #budget = new SourceBudget();
	readonly #nonces: Nonces;
	readonly #complaints = new Map<string, number>();
	#secrets: readonly string[];
	#keyring: Keyring;
	#intervalMs: number;
	#timeoutMs: number;
	#running = false;
	#stopping = false;
	#onGoodbyeAcknowledged: ((peer: Peer) => void) | null = null;
	#announcedHead: string | null = null;
	#lastRoundAt = Number.NEGATIVE_INFINITY;
	#roundTimer: unknown = null;
	#wallMinusMonotonicMs: number;
	#lastSentMs: number | null = null;
	#rounds = 0;

	constructor(name: string, settings: NodeSettings, surroundings: NodeSurroundings) {
		this.name = name;
		this.#surroundings = surroundings;
		this.#clock = surroundings.clock;
		this.#log = surroundings.log;
		this.bootId = Buffer.from(surroundings.random(8)).toString("hex");
		this.#nonces = new Nonces(surroundings.random(32));
		this.#secrets = settings.secrets;
		this.#keyring = new Keyring(settings.secrets);
		this.#intervalMs = settings.intervalMs;
		this.#timeoutMs = settings.timeoutMs;
		this.#wallMinusMonotonicMs = this.#clock.wallMs() - this.#clock.monotonicMs();
		this.totals = {
			sent: 0,
			received: 0,
			acked: 0,
			rejected: Object.fromEntries(rejectReasons.map((reason) => [reason, 0])) as Record<RejectReason, number>,
		};
		for (const peer of settings.peers) this.#add(peer);
	}

	/** Whether datagrams are authenticated. */
	get authenticated(): boolean {
		return this.#keyring.authenticates;
	}

	/** How many regular heartbeats went out, the most to any one peer. */
	get sequence(): number {
		return this.#rounds;
	}

	/** When the last heartbeat went out, milliseconds since the epoch. */
	get lastSentMs(): number | null {
		return this.#lastSentMs;
	}

	/** Silence after which a peer is down, milliseconds. */
	get timeoutMs(): number {
		return this.#timeoutMs;
	}

	get peerNames(): string[] {
		return [...this.#peers.keys()];
	}

	/** An earlier process of ours heard `peer` at this time: silent from now on, it will be down, not unknown. */
	restore(peer: string, receivedAtMs: number): void {
		const known = this.#peers.get(peer);
		if (!known) return;
		known.previouslyReceivedAtMs = receivedAtMs;
		known.detector.wasHeardBefore(this.#clock.monotonicMs());
	}

	/** Sends the first heartbeats and answers from now on. */
	start(): void {
		this.#running = true;
		this.#announcedHead = this.#surroundings.content().head;
		this.#surroundings.transport.listen((datagram, from) => this.#receive(datagram, from));
		for (const peer of this.#peers.values()) this.#startPeer(peer);
	}

	/**
	 * Says goodbye to every peer. Resolves when all that live have acknowledged it, after 0.3 s at the latest. Then nothing
	 * is sent or answered any more; the transport is not closed.
	 */
	stop(reason: string): Promise<void> {
		if (!this.#running || this.#stopping) return Promise.resolve();
		this.#stopping = true;
		this.#clock.cancel(this.#roundTimer);
		const waiting = new Set<Peer>();
		for (const peer of this.#peers.values()) {
			this.#disarm(peer);
			peer.outstanding.clear();
			this.#sendGoodbye(peer, reason);
			if (peer.detector.status === "alive" || peer.detector.status === "suspect") waiting.add(peer);
		}
		return new Promise((resolve) => {
			const timers: unknown[] = [];
			const finish = () => {
				for (const timer of timers) this.#clock.cancel(timer);
				this.#running = false;
				resolve();
			};
			this.#onGoodbyeAcknowledged = (peer) => {
				waiting.delete(peer);
				if (waiting.size === 0) finish();
			};
			if (waiting.size === 0) {
				finish();
				return;
			}
			for (const offset of goodbyeRepeatsMs) {
				timers.push(
					this.#clock.schedule(offset, () => {
						for (const peer of waiting) this.#sendGoodbye(peer, reason);
					}),
				);
			}
			timers.push(this.#clock.schedule(goodbyeWaitMs, finish));
		});
	}

	/** Takes a changed configuration. What is known of peers that stay is kept. */
	configure(settings: NodeSettings): void {
		const secretsBefore = this.#secrets;
		this.#secrets = settings.secrets;
		this.#keyring = new Keyring(settings.secrets);
		this.#intervalMs = settings.intervalMs;
		this.#timeoutMs = settings.timeoutMs;
		const wanted = new Map(settings.peers.map((peer) => [peer.name, peer]));
		for (const peer of [...this.#peers.values()]) {
			const config = wanted.get(peer.name);
			if (!config) {
				this.#disarm(peer);
				this.#peers.delete(peer.name);
				continue;
			}
			if (config.host !== peer.config.host || config.port !== peer.config.port) {
				peer.config = config;
				peer.resolved = [];
				peer.confirmed = null;
				peer.resolveAt = 0;
			}
			// The key that it understood until now has another place in the ring.
			peer.key = Math.max(0, settings.secrets.indexOf(secretsBefore[peer.key] ?? ""));
			peer.detector.allow(this.#timeoutMs);
			peer.nextBeatAt = this.#clock.monotonicMs();
			if (this.#running) this.#arm(peer);
		}
		for (const config of wanted.values()) {
			if (this.#peers.has(config.name)) continue;
			const peer = this.#add(config);
			if (this.#running) this.#startPeer(peer);
		}
	}

	/** Tells all peers that the head changed: now, or at the end of the burst. Does nothing when it did not change. */
	announce(): void {
		if (!this.#running || this.#roundTimer !== null) return;
		const now = this.#clock.monotonicMs();
		const wait = this.#lastRoundAt + burstGapMs - now;
		if (wait <= 0) this.#announceRound(now);
		else {
			this.#roundTimer = this.#clock.schedule(wait, () => {
				this.#roundTimer = null;
				this.#announceRound(this.#clock.monotonicMs());
			});
		}
	}

	/** Sends every peer a heartbeat now. */
	probeAll(): void {
		for (const peer of this.#peers.values()) {
			peer.detector.probe(this.#clock.monotonicMs());
			this.#sendHeartbeat(peer);
			this.#arm(peer);
		}
	}

	/** What is known of one peer; undefined: not a peer. */
	view(name: string): PeerView | undefined {
		const peer = this.#peers.get(name);
		if (!peer) return undefined;
		const now = this.#clock.monotonicMs();
		const { detector, clockFilter } = peer;
		const phi = detector.phi(now);
		return {
			name,
			address: peer.address === null ? null : formatAddress(peer.address),
			status: detector.status,
			reason: this.#reasonOf(peer),
			cause: this.#causeOf(peer),
			receivedAtMs: peer.receivedAtMs ?? (detector.status === "down" ? peer.previouslyReceivedAtMs : null),
			sequence: peer.lastSequence,
			bootId: peer.bootId,
			missed: detector.missed(now),
			rttMs: clockFilter.best?.rttMs ?? null,
			clockOffsetMs: clockFilter.best?.offsetMs ?? null,
			phi,
			// What it said last is no news of a peer that is silent; one that said goodbye hears nobody.
			hearsUs: detector.status === "down" && peer.hearsUs ? null : peer.hearsUs,
			content: peer.content,
		};
	}

	#reasonOf(peer: Peer): string | null {
		if (peer.detector.status === "alive") return null;
		const parts = [peer.detector.reason, peer.address === null ? peer.resolveProblem : null, peer.refusal?.why ?? null];
		const text = parts.filter((part) => part !== null).join("; ");
		return text === "" ? null : text;
	}

	#causeOf({ detector, address, resolveProblem, refusal }: Peer): PeerCause | null {
		if (detector.status === "alive") return null;
		if (refusal !== null) return refusal.cause;
		if (address === null && resolveProblem !== null) return "unresolved";
		if (detector.hasSaidGoodbye) return "stopped";
		return detector.isHeardByOthers ? "link" : null;
	}

	// --- peers and their timers ---

	#add(config: PeerAddress): Peer {
		const peer = new Peer(config, this.#intervalMs, this.#timeoutMs);
		this.#peers.set(config.name, peer);
		return peer;
	}

	#startPeer(peer: Peer): void {
		const now = this.#clock.monotonicMs();
		peer.nextBeatAt = now;
		peer.resolveAt = now;
		// The first heartbeat may be lost, or come before the peer is up: both nodes may just be booting.
		peer.detector.probe(now);
		this.#onTimer(peer, now);
	}

	/** Sets the peer's one timer to the next thing that is due. A timer that is early only looks and is set again. */
	#arm(peer: Peer): void {
		if (this.#stopping) return;
		const now = this.#clock.monotonicMs();
		const due = Math.max(now, Math.min(peer.nextBeatAt, peer.detector.deadline, peer.announcement?.deadline ?? Number.POSITIVE_INFINITY));
		if (peer.timerAt <= due) return;
		this.#disarm(peer);
		peer.timerAt = due;
		peer.timer = this.#clock.schedule(due - now, () => {
			// Timers go off up to a millisecond, or a rounding error, early: that is on time.
			const firedAt = Math.max(this.#clock.monotonicMs(), due);
			peer.timer = null;
			peer.timerAt = Number.POSITIVE_INFINITY;
			this.#lookAtClocks(firedAt - due, firedAt);
			this.#onTimer(peer, firedAt);
		});
	}

	#disarm(peer: Peer): void {
		if (peer.timer !== null) this.#clock.cancel(peer.timer);
		peer.timer = null;
		peer.timerAt = Number.POSITIVE_INFINITY;
	}

	#onTimer(peer: Peer, now: number): void {
		if (!this.#running) return;
		const step = peer.detector.advance(now);
		if (step.changed) this.#statusChanged(peer);
		const isBeat = now >= peer.nextBeatAt;
		if (isBeat) {
			peer.nextBeatAt = now + this.#intervalMs * (1 - jitterFraction + 2 * jitterFraction * this.#randomFraction());
			peer.beats++;
			this.#rounds = Math.max(this.#rounds, peer.beats);
		}
		const isAnnouncement = peer.announcement?.isDue(now) ?? false;
		// Without a key a peer is wherever its name says that it is, and nowhere else: the name is asked again also while all is well.
		if ((peer.detector.isSilent || !this.authenticated) && now >= peer.resolveAt) this.#resolve(peer, now);
		if (isBeat || isAnnouncement || step.probe) this.#sendHeartbeat(peer, isBeat ? { beat: peer.beats } : {});
		if (step.probeIndirectly || (isBeat && peer.detector.isLost)) this.#askOthers(peer);
		this.#arm(peer);
	}

	#lookAtClocks(lateMs: number, now: number): void {
		const offset = this.#clock.wallMs() - now;
		const stepped = Math.abs(offset - this.#wallMinusMonotonicMs) > clockStepMs;
		// Slewing (adjtime) moves slowly: only what happened since the last look counts.
		this.#wallMinusMonotonicMs = offset;
		const limit = Math.max(pauseMs.min, Math.min(pauseMs.max, this.#timeoutMs * pauseMs.timeoutFraction));
		if (lateMs <= limit && !stepped) return;
		this.#log.info(
			lateMs > limit
				? "this node stood still: peers get time to answer before they are judged"
				: "the clock was set, or this machine slept: asking all peers",
			{ late_ms: Math.round(lateMs) },
		);
		for (const peer of this.#peers.values()) {
			if (stepped) peer.clockFilter.reset();
			peer.detector.pardon(now);
			// Their own timers are as late as this one: without this each of them would pardon all again.
			this.#disarm(peer);
			this.#arm(peer);
		}
	}

	#randomFraction(): number {
		const bytes = this.#surroundings.random(2);
		return (bytes[0]! * 256 + bytes[1]!) / 65_536;
	}

	#statusChanged(peer: Peer): void {
		const { status } = peer.detector;
		const fields = {
			peer: peer.name,
			reason: this.#reasonOf(peer) ?? undefined,
			address: peer.address ? formatAddress(peer.address) : undefined,
		};
		if (status === "alive") this.#log.info(`${peer.name} is alive`, fields);
		else this.#log.warn(`${peer.name} is ${status}`, fields);
		this.#surroundings.onChange(peer.name, true);
	}

	// --- names ---

	#resolve(peer: Peer, now: number): void {
		if (peer.isResolving) return;
		peer.isResolving = true;
		peer.resolveAt = now + Math.min(resolveEveryMs, Math.max(1_000, this.#intervalMs));
		const { host, port } = peer.config;
		let isAtOnce = true;
		this.#surroundings.resolver(host, (error, hosts) => {
			peer.isResolving = false;
			if (this.#peers.get(peer.name) !== peer || peer.config.host !== host) return;
			if (error || hosts.length === 0) {
				const problem = `${host} does not resolve (${(error as NodeJS.ErrnoException | null)?.code ?? error?.message ?? "no address"})`;
				if (problem !== peer.resolveProblem) {
					this.#log.warn(`${problem}: trying again`, { peer: peer.name });
					peer.resolveProblem = problem;
					this.#surroundings.onChange(peer.name, true);
				}
				return;
			}
			peer.resolveProblem = null;
			const distinct = [...new Set(hosts.map(canonicalHost))].slice(0, maxResolved);
			const addresses = distinct.map((address) => ({ host: address, port }));
			const isNew = addresses.some((address) => !peer.resolved.some((known) => sameAddress(known, address)));
			peer.resolved = addresses;
			if (!this.authenticated && peer.confirmed && !peer.isNamed(peer.confirmed, true)) {
				this.#log.info(`${peer.name} has moved: its name leads elsewhere now`, { from: formatAddress(peer.confirmed) });
				peer.confirmed = null;
			}
			if (!isNew) return;
			this.#surroundings.onChange(peer.name, false);
			// The heartbeat that was due had nowhere to go, or went where the peer is no more.
			if (this.#running && !isAtOnce) this.#sendHeartbeat(peer, { beat: peer.beats });
		});
		isAtOnce = false;
	}

	/** The peer has shown to be at `address`. Returns whether that is new. */
	#confirm(peer: Peer, address: Address): boolean {
		if (sameAddress(peer.confirmed, address)) return false;
		const before = peer.confirmed;
		peer.confirmed = address;
		if (before) this.#log.info(`${peer.name} has moved`, { from: formatAddress(before), to: formatAddress(address) });
		return true;
	}

	// --- sending ---

	#message(peer: Peer, type: Message["type"], wallMs: number): Message {
		const message = newMessage(type, this.bootId, ++peer.sequence, Math.round(wallMs * 1_000), this.name, peer.name);
		message.twoKeys = this.#keyring.size > 1;
		return message;
	}

	#send(
		message: Message,
		to: Address,
		{ key, padTo = 0, limit = Number.POSITIVE_INFINITY }: { key: number; padTo?: number; limit?: number },
	): void {
		const datagram = encode(message, { padTo, authenticated: this.#keyring.authenticates });
		if (datagram.length > limit) return;
		this.#keyring.sign(datagram, key);
		this.#surroundings.transport.send(datagram, to);
	}

	/** Sends a heartbeat to wherever the peer may be, signed by whatever key it may have. */
	#sendHeartbeat(peer: Peer, how: { beat?: number; to?: Address; key?: number; nonce?: Uint8Array; challenges?: number } = {}): void {
		const content = this.#surroundings.content();
		const targets = how.to ? [how.to] : peer.targets;
		if (targets.length === 0) return;
		const keys = how.key !== undefined ? [how.key] : this.#keyring.size > 1 && peer.detector.isSilent ? [0, 1] : [peer.key];
		for (const to of targets) {
			for (const key of keys) {
				const sentWallMs = this.#clock.wallMs();
				const message = this.#message(peer, "heartbeat", sentWallMs);
				message.head = content.head ?? undefined;
				message.lastSyncMs = content.lastSyncMs ?? undefined;
				message.syncStatus = content.syncStatus ?? undefined;
				message.consecutiveFailures = content.consecutiveFailures ?? undefined;
				message.messagesPending = content.messagesPending ?? undefined;
				message.services = content.services;
				message.heard = peer.detector.status === "alive";
				message.intervalMs = this.#intervalMs;
				message.beat = how.beat;
				message.nonce = how.nonce;
				const sentMonotonicMs = this.#clock.monotonicMs();
				peer.expectAnswer(message.sequence, { sentMonotonicMs, sentWallMs, to, head: content.head, challenges: how.challenges ?? 0 });
				this.#send(message, to, { key, padTo: paddedBytes });
				this.#lastSentMs = sentWallMs;
			}
		}
		this.totals.sent++;
	}

	#sendGoodbye(peer: Peer, reason: string): void {
		for (const to of peer.targets) {
			const sentWallMs = this.#clock.wallMs();
			const message = this.#message(peer, "goodbye", sentWallMs);
			message.reason = reason;
			peer.expectAnswer(message.sequence, { sentMonotonicMs: this.#clock.monotonicMs(), sentWallMs, to, head: null, challenges: 0 });
			this.#send(message, to, { key: peer.key, padTo: paddedBytes });
		}
	}

	/** Answers by an ack, or by a challenge if there is something to show first; never by more bytes than came. */
	#answer(peer: Peer, { message: request, length, from, at, wallMs, key }: Reception, nonce?: Uint8Array): void {
		const reply = this.#message(peer, nonce ? "challenge" : "ack", this.#clock.wallMs());
		reply.nonce = nonce;
		reply.echo = {
			bootId: request.bootId,
			sequence: request.sequence,
			receivedAtUs: Math.round(wallMs * 1_000),
			holdUs: Math.round((this.#clock.monotonicMs() - at) * 1_000),
		};
		this.#send(reply, from, { key, padTo: nonce ? Math.min(length, paddedBytes) : 0, limit: length });
	}

	/** Asks up to three peers that live for one that we do not hear (SWIM's ping-req: Das, Gupta, Motivala, DSN 2002). */
	#askOthers(target: Peer): void {
		const helpers = [...this.#peers.values()].filter((peer) => peer !== target && peer.detector.status === "alive" && peer.confirmed);
		for (let asked = 0; asked < indirectHelpers && helpers.length > 0; asked++) {
			const [helper] = helpers.splice(Math.floor(this.#randomFraction() * helpers.length), 1);
			const message = this.#message(helper!, "ping-req", this.#clock.wallMs());
			message.target = target.name;
			this.#send(message, helper!.confirmed!, { key: helper!.key, padTo: paddedBytes });
		}
	}

	#announceRound(now: number): void {
		const { head } = this.#surroundings.content();
		if (head === null || head === this.#announcedHead) return;
		this.#announcedHead = head;
		this.#lastRoundAt = now;
		for (const peer of this.#peers.values()) {
			peer.announcement = new Announcement(head, now);
			this.#sendHeartbeat(peer);
			this.#arm(peer);
		}
	}

	// --- receiving ---

	#reject(reason: RejectReason): void {
		this.totals.rejected[reason]++;
	}

	/** Logs what a person should look into, each thing once in ten minutes. */
	#complain(level: "warn" | "error", key: string, message: string, fields: Record<string, unknown>): void {
		const now = this.#clock.monotonicMs();
		if (now - (this.#complaints.get(key) ?? Number.NEGATIVE_INFINITY) < complainEveryMs) return;
		// Keys are made of configured names and reasons only, except for unknown peers: these share one.
		this.#complaints.set(key, now);
		this.#log[level](message, fields);
	}

	#receive(datagram: Buffer, from: Address): void {
		if (!this.#running) return;
		const at = this.#clock.monotonicMs();
		const wallMs = this.#clock.wallMs();
		const message = decode(datagram);
		if (typeof message === "string") {
			this.#reject(message);
			return;
		}
		if (message.from === this.name) {
			this.#onOwnName(message, datagram, from, at);
			return;
		}
		const peer = this.#peers.get(message.from);
		if (!peer || message.to !== this.name) {
			this.#onStranger(peer, message, from);
			return;
		}
		if (!this.#takeToken(peer, from, at)) {
			this.#reject("rate");
			return;
		}
		const verifiedBy = this.#keyring.verify(datagram);
		if (verifiedBy < 0) {
			this.#reject("key");
			this.#complain("warn", `key ${peer.name}`, `datagrams from '${peer.name}' are refused: HEARTBEAT_KEY is not the same there as here`, {
				address: formatAddress(from),
			});
			this.#refused(peer, "key", "its datagrams are refused: HEARTBEAT_KEY is not the same there as here");
			return;
		}
		if (!this.authenticated && !(message.transient ? peer.isNamed(from, true) : peer.mayBeAt(from))) {
			this.#onElsewhere(peer, from, at);
			return;
		}
		// Who signs with the older key although it has both only waits for us to show that we have the newer one.
		const key = verifiedBy > 0 && !message.twoKeys ? verifiedBy : 0;
		const reception: Reception = { message, length: datagram.length, from, at, wallMs, key };
		switch (message.type) {
			case "heartbeat":
				this.#onHeartbeat(peer, reception);
				break;
			case "ack":
			case "challenge":
				this.#onAnswer(peer, reception);
				break;
			default:
				if (message.bootId !== peer.bootId || !peer.window.accept(message.sequence)) this.#onReplay(peer, reception);
				else if (message.type === "goodbye") this.#onGoodbye(peer, reception);
				else if (message.type === "ping-req") this.#onPingRequest(peer, reception);
				else this.#onIndirectAck(peer, reception);
		}
		this.#arm(peer);
	}

	/** Without a key whoever can answer a challenge could say to be a peer: only the configured name tells where it is. */
	#onElsewhere(peer: Peer, from: Address, now: number): void {
		this.#reject("address");
		const why = `they do not come from where ${peer.config.host} leads: correct PEERS, or set HEARTBEAT_KEY on all nodes`;
		this.#complain("warn", `elsewhere ${peer.name}`, `datagrams from '${peer.name}' are refused: ${why}`, { address: formatAddress(from) });
		this.#refused(peer, "address", `its datagrams are refused: ${why}`);
		// The name may lead there since it was last asked.
		if (now >= peer.resolveAt) this.#resolve(peer, now);
	}

	/** A peer has a budget of its own where it is known to be, so that a flood from elsewhere costs it nothing. */
	#takeToken(peer: Peer | null, from: Address, now: number): boolean {
		return peer?.isAt(from) ? peer.budget.take(now) : this.#budget.take(sourceOf(from.host), now);
	}

	#onOwnName(message: Message, datagram: Buffer, from: Address, now: number): void {
		this.#reject("own");
		if (message.bootId === this.bootId || !this.#takeToken(null, from, now) || this.#keyring.verify(datagram) < 0) return;
		this.#complain("error", "own", `another node calls itself '${this.name}', too: give each node its own NODE_NAME`, {
			address: formatAddress(from),
		});
	}

	#onStranger(peer: Peer | undefined, message: Message, from: Address): void {
		this.#reject("unknown-peer");
		const address = formatAddress(from);
		if (!peer) {
			const text = `heartbeats from '${message.from}', which is not one of the peers, are refused: add it to PEERS if it should be`;
			this.#complain("warn", "unknown-peer", text, { address });
			return;
		}
		const text = `'${message.from}' takes this node for '${message.to}', but it is '${this.name}': correct PEERS there or NODE_NAME here`;
		this.#complain("warn", `misdirected ${peer.name}`, text, { address });
		this.#refused(peer, "misdirected", `its datagrams are refused: it takes this node for '${message.to}'`);
	}

	#refused(peer: Peer, cause: "key" | "address" | "misdirected", why: string): void {
		if (peer.refusal?.why === why || peer.detector.status === "alive") return;
		peer.refusal = { why, cause };
		this.#surroundings.onChange(peer.name, false);
	}

	#onReplay(peer: Peer, { message, from, at }: Reception): void {
		this.#reject("replay");
		const retired = peer.retired.get(message.bootId);
		if (!retired || at - retired.at < stragglerMs || peer.detector.status !== "alive") return;
		this.#complain("error", `twice ${peer.name}`, `two nodes call themselves '${peer.name}': give each its own NODE_NAME`, {
			believed: peer.confirmed ? formatAddress(peer.confirmed) : undefined,
			refused: formatAddress(from),
		});
	}

	#onHeartbeat(peer: Peer, reception: Reception): void {
		const { message, from, at } = reception;
		const isKnownBoot = message.bootId === peer.bootId;
		if (isKnownBoot ? !peer.window.accept(message.sequence) : peer.retired.has(message.bootId)) {
			this.#onReplay(peer, reception);
			return;
		}
		const subject = `${peer.name}|${message.bootId}|${from.host}|${from.port}|${peer.acceptances}`;
		const showed = message.nonce !== undefined && this.#nonces.verify(message.nonce, subject, at);
		if (!isKnownBoot && !showed) {
			this.#answer(peer, reception, this.#nonces.issue(subject, at));
			return;
		}
		let isNews = false;
		const isNewBoot = showed && !isKnownBoot && !message.transient;
		if (showed) {
			if (isNewBoot) this.#believe(peer, message, at);
			else peer.acceptances++;
			if (!message.transient) isNews = this.#confirm(peer, from);
		}
		// A program beside a heartbeat that is heard: any user of that machine could be it, and the heartbeat itself tells how it stands.
		const isBeside = message.transient === true && !this.authenticated && !peer.mayBeAt(from);
		const isAtHome = message.transient || sameAddress(peer.confirmed, from);
		this.#answer(peer, reception, isAtHome ? undefined : this.#nonces.issue(subject, at));

		this.totals.received++;
		if (message.transient) isNews = !isBeside && peer.takeContent(message);
		else {
			if (message.intervalMs) peer.detector.expect(message.intervalMs);
			if (message.beat !== undefined) peer.detector.beat(message.beat, at);
			if (message.sequence > peer.contentSequence) {
				peer.contentSequence = message.sequence;
				if (peer.takeContent(message)) isNews = true;
			}
		}
		this.#onWord(peer, reception, isNews);
		// A process that has just started knows nothing of us, and our next regular heartbeat may be a minute away.
		if (isNewBoot) this.#sendHeartbeat(peer);
	}

	#believe(peer: Peer, message: Message, now: number): void {
		const before = peer.bootId;
		peer.believe(message.bootId, message.sequence, now);
		if (before !== null && peer.detector.status !== "down") this.#log.info(`${peer.name} was restarted`, { peer: peer.name });
	}

	/** The peer lives. */
	#onWord(peer: Peer, { message, at, wallMs, key }: Reception, isNews: boolean): void {
		peer.receivedAtMs = wallMs;
		peer.key = key;
		if (!message.transient) peer.lastSequence = peer.window.highest;
		peer.refusal = null;
		if (peer.detector.heard(at)) this.#statusChanged(peer);
		else this.#surroundings.onChange(peer.name, isNews);
		if (peer.askers.length > 0) this.#tellAskers(peer, at);
	}

	#onAnswer(peer: Peer, reception: Reception): void {
		const { message, length, from, at, key } = reception;
		const { echo } = message;
		const isKnownBoot = message.bootId === peer.bootId;
		const answered = echo && echo.bootId === this.bootId ? peer.outstanding.get(echo.sequence) : undefined;
		if (isKnownBoot ? !peer.window.accept(message.sequence) : !answered || peer.retired.has(message.bootId)) {
			this.#onReplay(peer, reception);
			return;
		}
		if (!isKnownBoot) this.#believe(peer, message, at);
		if (!echo || !answered) {
			this.#onWord(peer, reception, false);
			return;
		}
		peer.outstanding.delete(echo.sequence);
		this.totals.acked++;
		this.#onWord(peer, reception, this.#onAnswered(peer, answered, echo, reception));
		// Only now: the answer tells that we hear the peer.
		if (message.type === "challenge" && message.nonce && length >= paddedBytes && answered.challenges < maxChallengesInARow) {
			// What was challenged was not used: it is told until it is acknowledged, like news.
			if (!peer.announcement || peer.announcement.age(at) > retellAfterMs) peer.announcement = new Announcement(answered.head, at);
			this.#sendHeartbeat(peer, { to: from, key, nonce: message.nonce, challenges: answered.challenges + 1 });
		}
		this.#onGoodbyeAcknowledged?.(peer);
	}

	/** A datagram of ours was answered. Returns whether that is news for others. */
	#onAnswered(peer: Peer, answered: Outstanding, echo: Echo, { message, from, at }: Reception): boolean {
		const elapsedMs = at - answered.sentMonotonicMs;
		peer.clockFilter.add(measure(answered.sentWallMs, echo.receivedAtUs / 1_000, echo.holdUs / 1_000, elapsedMs));
		const moved = sameAddress(answered.to, from) && this.#confirm(peer, from);
		if (message.type === "ack" && peer.announcement?.head === answered.head) peer.announcement = null;
		const isNews = moved || peer.hearsUs !== true;
		peer.hearsUs = true;
		return isNews;
	}

	#onGoodbye(peer: Peer, reception: Reception): void {
		const { message, at, wallMs } = reception;
		this.#answer(peer, reception);
		peer.receivedAtMs = wallMs;
		peer.lastSequence = message.sequence;
		// What is still under way from this boot, or recorded from it, must not bring it back to life.
		peer.retire(message.bootId, at);
		peer.bootId = null;
		peer.acceptances++;
		peer.hearsUs = false;
		peer.announcement = null;
		peer.detector.saidGoodbye(printable(message.reason ?? ""));
		this.#statusChanged(peer);
	}

	#onPingRequest(peer: Peer, reception: Reception): void {
		const { message, from, at } = reception;
		this.#onWord(peer, reception, false);
		const target = message.target === undefined ? undefined : this.#peers.get(message.target);
		if (!target || target === peer) return;
		target.askers = target.askers.filter(({ asker, until }) => asker !== peer.name && until > at).slice(-maxAskers + 1);
		target.askers.push({ asker: peer.name, to: from, until: at + indirectWaitMs });
		this.#sendHeartbeat(target);
	}

	#tellAskers(target: Peer, now: number): void {
		for (const { asker, to, until } of target.askers.splice(0)) {
			const peer = this.#peers.get(asker);
			if (!peer || until < now) continue;
			const message = this.#message(peer, "indirect-ack", this.#clock.wallMs());
			message.target = target.name;
			this.#send(message, to, { key: peer.key, limit: paddedBytes });
		}
	}

	#onIndirectAck(helper: Peer, reception: Reception): void {
		const { message, at, wallMs } = reception;
		this.#onWord(helper, reception, false);
		const target = message.target === undefined ? undefined : this.#peers.get(message.target);
		if (!target?.detector.isLost) return;
		target.receivedAtMs = wallMs;
		if (target.detector.vouchedFor(helper.name, at)) this.#statusChanged(target);
		else this.#surroundings.onChange(target.name, false);
		this.#arm(target);
	}
}
