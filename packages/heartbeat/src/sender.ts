import type { NodeState } from "./node-state.ts";
import type { Peer } from "./peer.ts";
import type { Reception } from "./reception.ts";
import type { Address } from "./transport.ts";
import { encode, type Message, newMessage, paddedBytes } from "./wire-format.ts";

/** How many third nodes get a ping-req for a silent peer. */
const maxIndirectAsked = 3;

/** How a heartbeat differs from a probe of every address that the peer may have. */
export interface HeartbeatOptions {
	/** The number of this regular heartbeat to the peer; undefined: not a regular one, so the peer measures no interval by it. */
	readonly beat?: number;
	/** The only address to send to. */
	readonly to?: Address;
	/** Index of the only key to sign with. */
	readonly key?: number;
	/** The nonce of the challenge that this answers. */
	readonly nonce?: Uint8Array;
	/** How many challenges in a row led to it. */
	readonly challenges?: number;
}

/** Makes, signs and sends the datagrams of one node. */
export class Sender {
	readonly #state: NodeState;

	constructor(state: NodeState) {
		this.#state = state;
	}

	/** Sends a heartbeat to every address where the peer may be, signed by every key that it may have. */
	heartbeat(peer: Peer, { beat, to: onlyTo, key: onlyKey, nonce, challenges = 0 }: HeartbeatOptions = {}): void {
		const { clock, keyring, surroundings, totals, intervalMs } = this.#state;
		const content = surroundings.content();
		const targets = onlyTo ? [onlyTo] : peer.targets;
		if (targets.length === 0) return;
		const keys = onlyKey !== undefined ? [onlyKey] : keyring.size > 1 && peer.detector.isSilent ? [0, 1] : [peer.key];
		for (const to of targets) {
			for (const key of keys) {
				const sentWallMs = clock.wallMs();
				const message = this.#message(peer, "heartbeat", sentWallMs);
				message.head = content.head ?? undefined;
				message.lastSyncMs = content.lastSyncMs ?? undefined;
				message.syncStatus = content.syncStatus ?? undefined;
				message.consecutiveFailures = content.consecutiveFailures ?? undefined;
				message.messagesPending = content.messagesPending ?? undefined;
				message.services = content.services;
				message.heard = peer.detector.status === "alive";
				message.intervalMs = intervalMs;
				message.beat = beat;
				message.nonce = nonce;
				const sentMonotonicMs = clock.monotonicMs();
				peer.expectAnswer(message.sequence, { sentMonotonicMs, sentWallMs, to, head: content.head, challenges });
				this.#send(message, to, { key, padTo: paddedBytes });
				this.#state.lastSentMs = sentWallMs;
			}
		}
		totals.sent++;
	}

	/** Sends a goodbye to every address where the peer may be. */
	goodbye(peer: Peer, reason: string): void {
		const { clock } = this.#state;
		for (const to of peer.targets) {
			const sentWallMs = clock.wallMs();
			const message = this.#message(peer, "goodbye", sentWallMs);
			message.reason = reason;
			peer.expectAnswer(message.sequence, { sentMonotonicMs: clock.monotonicMs(), sentWallMs, to, head: null, challenges: 0 });
			this.#send(message, to, { key: peer.key, padTo: paddedBytes });
		}
	}

	/** Answers with an ack, or with a challenge if there is a nonce; never with more bytes than arrived. */
	answer(peer: Peer, { message: request, length, from, at, wallMs, key }: Reception, nonce?: Uint8Array): void {
		const { clock } = this.#state;
		const reply = this.#message(peer, nonce ? "challenge" : "ack", clock.wallMs());
		reply.nonce = nonce;
		reply.echo = {
			bootId: request.bootId,
			sequence: request.sequence,
			receivedAtUs: Math.round(wallMs * 1_000),
			holdUs: Math.round((clock.monotonicMs() - at) * 1_000),
		};
		this.#send(reply, from, { key, padTo: nonce ? Math.min(length, paddedBytes) : 0, limit: length });
	}

	/** Sends up to three live peers a ping-req for one that is silent (SWIM: Das, Gupta, Motivala, DSN 2002). */
	pingRequests(target: Peer): void {
		const { clock, peers } = this.#state;
		const candidates = [...peers.values()].filter((peer) => peer !== target && peer.detector.status === "alive" && peer.confirmed);
		for (let asked = 0; asked < maxIndirectAsked && candidates.length > 0; asked++) {
			const [asks] = candidates.splice(Math.floor(this.#state.randomFraction() * candidates.length), 1);
			const message = this.#message(asks!, "ping-req", clock.wallMs());
			message.target = target.name;
			this.#send(message, asks!.confirmed!, { key: asks!.key, padTo: paddedBytes });
		}
	}

	/** Sends `peer`, at `to`, an indirect ack: `target` has just answered. */
	indirectAck(peer: Peer, to: Address, target: Peer): void {
		const message = this.#message(peer, "indirect-ack", this.#state.clock.wallMs());
		message.target = target.name;
		this.#send(message, to, { key: peer.key, limit: paddedBytes });
	}

	#message(peer: Peer, type: Message["type"], wallMs: number): Message {
		const { bootId, name, keyring } = this.#state;
		const message = newMessage(type, bootId, ++peer.sequence, Math.round(wallMs * 1_000), name, peer.name);
		message.twoKeys = keyring.size > 1;
		return message;
	}

	#send(
		message: Message,
		to: Address,
		{ key, padTo = 0, limit = Number.POSITIVE_INFINITY }: { key: number; padTo?: number; limit?: number },
	): void {
		const { keyring, surroundings } = this.#state;
		const datagram = encode(message, { padTo, authenticated: keyring.authenticates });
		if (datagram.length > limit) return;
		keyring.sign(datagram, key);
		surroundings.transport.send(datagram, to);
	}
}
