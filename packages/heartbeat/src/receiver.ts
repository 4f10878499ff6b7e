import { printable } from "@robust-sync/service/printable";
import { Announcement } from "./announcement.ts";
import { measure } from "./clock-filter.ts";
import type { Goodbyes } from "./goodbyes.ts";
import type { NodeState } from "./node-state.ts";
import { Nonces } from "./nonces.ts";
import type { Outstanding, Peer } from "./peer.ts";
import type { PeerTimers } from "./peer-timers.ts";
import type { ReceiveGates } from "./receive-gates.ts";
import type { Reception } from "./reception.ts";
import type { Sender } from "./sender.ts";
import { type Address, sameAddress } from "./transport.ts";
import { type Echo, type Message, paddedBytes } from "./wire-format.ts";

/** How long to wait for an indirect ack, and how many peers may wait for one target. */
const indirectWaitMs = 5_000;
const maxRequesters = 8;
/** Ends a loop of challenges that are answered by challenges. */
const maxChallengesInARow = 3;
/** A peer that only ever challenges gets the same announcement again after this long at the earliest. */
const announceAgainAfterMs = 10_000;

/** Handles the datagrams that passed the gates: which incarnation of a peer counts, where it is, what it reports. */
export class Receiver {
	readonly #state: NodeState;
	readonly #gates: ReceiveGates;
	readonly #sender: Sender;
	readonly #timers: PeerTimers;
	readonly #goodbyes: Goodbyes;
	readonly #nonces: Nonces;

	constructor(state: NodeState, parts: { gates: ReceiveGates; sender: Sender; timers: PeerTimers; goodbyes: Goodbyes }) {
		this.#state = state;
		this.#gates = parts.gates;
		this.#sender = parts.sender;
		this.#timers = parts.timers;
		this.#goodbyes = parts.goodbyes;
		this.#nonces = new Nonces(state.surroundings.random(32));
	}

	receive(datagram: Buffer, from: Address): void {
		if (!this.#state.isRunning) return;
		const admitted = this.#gates.admit(datagram, from);
		if (!admitted) return;
		const { peer, reception } = admitted;
		this.#dispatch(peer, reception);
		this.#timers.arm(peer);
	}

	#dispatch(peer: Peer, reception: Reception): void {
		const { type, bootId, sequence } = reception.message;
		if (type === "heartbeat") this.#onHeartbeat(peer, reception);
		else if (type === "ack" || type === "challenge") this.#onAnswer(peer, reception);
		else if (bootId !== peer.bootId || !peer.window.accept(sequence)) this.#gates.rejectReplay(peer, reception);
		else if (type === "goodbye") this.#onGoodbye(peer, reception);
		else if (type === "ping-req") this.#onPingRequest(peer, reception);
		else this.#onIndirectAck(peer, reception);
	}

	#onHeartbeat(peer: Peer, reception: Reception): void {
		const { message, from, at } = reception;
		const isKnownBoot = message.bootId === peer.bootId;
		if (isKnownBoot ? !peer.window.accept(message.sequence) : peer.retired.has(message.bootId)) {
			this.#gates.rejectReplay(peer, reception);
			return;
		}
		const subject = `${peer.name}|${message.bootId}|${from.host}|${from.port}|${peer.acceptances}`;
		const hasNonce = message.nonce !== undefined && this.#nonces.verify(message.nonce, subject, at);
		if (!isKnownBoot && !hasNonce) {
			this.#sender.answer(peer, reception, this.#nonces.issue(subject, at));
			return;
		}
		let isNews = false;
		const isNewBoot = hasNonce && !isKnownBoot && !message.transient;
		if (hasNonce) {
			if (isNewBoot) this.#acceptBootId(peer, message, at);
			else peer.acceptances++;
			if (!message.transient) isNews = this.#state.confirmAddress(peer, from);
		}
		// A transient sender beside a live heartbeat: any user of that machine could be it, and the heartbeat reports the state itself.
		const isBeside = message.transient === true && !this.#state.isAuthenticated && !peer.mayBeAt(from);
		const isAtHome = message.transient || sameAddress(peer.confirmed, from);
		this.#sender.answer(peer, reception, isAtHome ? undefined : this.#nonces.issue(subject, at));

		this.#state.totals.received++;
		if (message.transient) isNews = !isBeside && peer.takeContent(message);
		else {
			if (message.intervalMs) peer.detector.setInterval(message.intervalMs);
			if (message.beat !== undefined) peer.detector.beat(message.beat, at);
			if (message.sequence > peer.contentSequence) {
				peer.contentSequence = message.sequence;
				if (peer.takeContent(message)) isNews = true;
			}
		}
		this.#heardFrom(peer, reception, isNews);
		// A process that has just started knows nothing of us, and our next regular heartbeat may be a minute away.
		if (isNewBoot) this.#sender.heartbeat(peer);
	}

	#acceptBootId(peer: Peer, message: Message, now: number): void {
		const before = peer.bootId;
		peer.acceptBootId(message.bootId, message.sequence, now);
		if (before !== null && peer.detector.status !== "down") this.#state.log.info(`${peer.name} was restarted`, { peer: peer.name });
	}

	/** Records that the peer is alive. `isNews`: its report changed. */
	#heardFrom(peer: Peer, { message, at, wallMs, key }: Reception, isNews: boolean): void {
		peer.receivedAtMs = wallMs;
		peer.key = key;
		if (!message.transient) peer.lastSequence = peer.window.highest;
		peer.refusal = null;
		if (peer.detector.heard(at)) this.#state.statusChanged(peer);
		else this.#state.surroundings.onChange(peer.name, isNews);
		if (peer.requesters.length > 0) this.#answerRequesters(peer, at);
	}

	#onAnswer(peer: Peer, reception: Reception): void {
		const { message, length, from, at, key } = reception;
		const { echo } = message;
		const isKnownBoot = message.bootId === peer.bootId;
		const answered = echo && echo.bootId === this.#state.bootId ? peer.outstanding.get(echo.sequence) : undefined;
		if (isKnownBoot ? !peer.window.accept(message.sequence) : !answered || peer.retired.has(message.bootId)) {
			this.#gates.rejectReplay(peer, reception);
			return;
		}
		if (!isKnownBoot) this.#acceptBootId(peer, message, at);
		if (!echo || !answered) {
			this.#heardFrom(peer, reception, false);
			return;
		}
		peer.outstanding.delete(echo.sequence);
		this.#state.totals.acked++;
		this.#heardFrom(peer, reception, this.#onEcho(peer, answered, echo, reception));
		// Only now: the answer reports that we hear the peer.
		if (message.type === "challenge" && message.nonce && length >= paddedBytes && answered.challenges < maxChallengesInARow) {
			// The challenged heartbeat was not used: its head is announced until it is acknowledged, like a new one.
			if (!peer.announcement || peer.announcement.age(at) > announceAgainAfterMs) peer.announcement = new Announcement(answered.head, at);
			this.#sender.heartbeat(peer, { to: from, key, nonce: message.nonce, challenges: answered.challenges + 1 });
		}
		this.#goodbyes.acknowledged(peer);
	}

	/** Records the answer to a datagram of ours. Returns whether the known state of the peer changed. */
	#onEcho(peer: Peer, answered: Outstanding, echo: Echo, { message, from, at }: Reception): boolean {
		const elapsedMs = at - answered.sentMonotonicMs;
		peer.clockFilter.add(measure(answered.sentWallMs, echo.receivedAtUs / 1_000, echo.holdUs / 1_000, elapsedMs));
		const hasMoved = sameAddress(answered.to, from) && this.#state.confirmAddress(peer, from);
		if (message.type === "ack" && peer.announcement?.head === answered.head) peer.announcement = null;
		const isNews = hasMoved || peer.hearsUs !== true;
		peer.hearsUs = true;
		return isNews;
	}

	#onGoodbye(peer: Peer, reception: Reception): void {
		const { message, at, wallMs } = reception;
		this.#sender.answer(peer, reception);
		peer.receivedAtMs = wallMs;
		peer.lastSequence = message.sequence;
		// Datagrams of this incarnation that are delayed, or recorded, must not make the peer alive again.
		peer.retire(message.bootId, at);
		peer.bootId = null;
		peer.acceptances++;
		peer.hearsUs = false;
		peer.announcement = null;
		peer.detector.receivedGoodbye(printable(message.reason ?? ""));
		this.#state.statusChanged(peer);
	}

	#onPingRequest(peer: Peer, reception: Reception): void {
		const { message, from, at } = reception;
		this.#heardFrom(peer, reception, false);
		const target = message.target === undefined ? undefined : this.#state.peers.get(message.target);
		if (!target || target === peer) return;
		target.requesters = target.requesters.filter(({ requester, until }) => requester !== peer.name && until > at).slice(-maxRequesters + 1);
		target.requesters.push({ requester: peer.name, to: from, until: at + indirectWaitMs });
		this.#sender.heartbeat(target);
	}

	#answerRequesters(target: Peer, now: number): void {
		for (const { requester, to, until } of target.requesters.splice(0)) {
			const peer = this.#state.peers.get(requester);
			if (peer && until >= now) this.#sender.indirectAck(peer, to, target);
		}
	}

	#onIndirectAck(through: Peer, reception: Reception): void {
		const { message, at, wallMs } = reception;
		this.#heardFrom(through, reception, false);
		const target = message.target === undefined ? undefined : this.#state.peers.get(message.target);
		if (!target?.detector.isLost) return;
		target.receivedAtMs = wallMs;
		if (target.detector.indirectAck(through.name, at)) this.#state.statusChanged(target);
		else this.#state.surroundings.onChange(target.name, false);
		this.#timers.arm(target);
	}
}
