import type { NodeState, RejectReason } from "./node-state.ts";
import type { Peer } from "./peer.ts";
import type { PeerAddresses } from "./peer-addresses.ts";
import type { Reception } from "./reception.ts";
import { SourceBudget, sourceOf } from "./source-budget.ts";
import { type Address, formatAddress } from "./transport.ts";
import { decode, type Message } from "./wire-format.ts";

/** The same warning is logged at most once in this time. */
const warnEveryMs = 600_000;
/** A retired boot id that still sends after this long is a second node, not a delayed datagram. */
const stragglerMs = 5_000;

/**
 * The gates of docs/heartbeat-protocol.md, section 4, in their order. The first that refuses a datagram counts it under
 * its reason, and the datagram is dropped without an answer.
 */
export class ReceiveGates {
	readonly #state: NodeState;
	readonly #addresses: PeerAddresses;
	readonly #budget = new SourceBudget();
	/** When each warning was last logged, monotonic milliseconds. */
	readonly #warnedAt = new Map<string, number>();

	constructor(state: NodeState, addresses: PeerAddresses) {
		this.#state = state;
		this.#addresses = addresses;
	}

	/** Passes a datagram through all gates but the last, {@link rejectReplay}. Null: refused. */
	admit(datagram: Buffer, from: Address): { readonly peer: Peer; readonly reception: Reception } | null {
		const { clock, keyring, name, peers, isAuthenticated } = this.#state;
		const at = clock.monotonicMs();
		const wallMs = clock.wallMs();
		const message = decode(datagram);
		if (typeof message === "string") return this.#reject(message);
		if (message.from === name) return this.#rejectOwnName(message, datagram, from, at);
		const peer = peers.get(message.from);
		if (!peer) return this.#rejectUnknownPeer(message, from);
		if (message.to !== name) return this.#rejectMisdirected(peer, message, from);
		if (!this.#takeToken(peer, from, at)) return this.#reject("rate");
		const verifiedBy = keyring.verify(datagram);
		if (verifiedBy < 0) return this.#rejectKey(peer, from);
		if (!isAuthenticated && !(message.transient ? peer.isNamed(from, true) : peer.mayBeAt(from))) {
			return this.#rejectAddress(peer, from, at);
		}
		// A peer that signs with the older key although it has both waits for proof that we have the newer one.
		const key = verifiedBy > 0 && !message.twoKeys ? verifiedBy : 0;
		return { peer, reception: { message, length: datagram.length, from, at, wallMs, key } };
	}

	/** Refuses repeated datagrams and those of retired incarnations. Two nodes with one name are noticed here. */
	rejectReplay(peer: Peer, { message, from, at }: Reception): void {
		this.#reject("replay");
		const retired = peer.retired.get(message.bootId);
		if (!retired || at - retired.at < stragglerMs || peer.detector.status !== "alive") return;
		this.#warn("error", `twice ${peer.name}`, `two nodes call themselves '${peer.name}': give each its own NODE_NAME`, {
			accepted: peer.confirmed ? formatAddress(peer.confirmed) : undefined,
			refused: formatAddress(from),
		});
	}

	#reject(reason: RejectReason): null {
		this.#state.totals.rejected[reason]++;
		return null;
	}

	#rejectOwnName(message: Message, datagram: Buffer, from: Address, now: number): null {
		const { bootId, keyring, name } = this.#state;
		const isLoop = message.bootId === bootId;
		if (!isLoop && this.#takeToken(null, from, now) && keyring.verify(datagram) >= 0) {
			this.#warn("error", "own", `another node calls itself '${name}', too: give each node its own NODE_NAME`, {
				address: formatAddress(from),
			});
		}
		return this.#reject("own");
	}

	#rejectUnknownPeer(message: Message, from: Address): null {
		const text = `heartbeats from '${message.from}', which is not one of the peers, are refused: add it to PEERS if it should be`;
		this.#warn("warn", "unknown-peer", text, { address: formatAddress(from) });
		return this.#reject("unknown-peer");
	}

	#rejectMisdirected(peer: Peer, message: Message, from: Address): null {
		const text = `'${message.from}' takes this node for '${message.to}', but it is '${this.#state.name}': correct PEERS there or NODE_NAME here`;
		this.#warn("warn", `misdirected ${peer.name}`, text, { address: formatAddress(from) });
		this.#setRefusal(peer, "misdirected", `its datagrams are refused: it takes this node for '${message.to}'`);
		return this.#reject("unknown-peer");
	}

	#rejectKey(peer: Peer, from: Address): null {
		const why = "HEARTBEAT_KEY is not the same there as here";
		this.#warn("warn", `key ${peer.name}`, `datagrams from '${peer.name}' are refused: ${why}`, { address: formatAddress(from) });
		this.#setRefusal(peer, "key", `its datagrams are refused: ${why}`);
		return this.#reject("key");
	}

	/** Without a key any sender that answers a challenge could claim to be a peer: only the configured name decides where a peer is. */
	#rejectAddress(peer: Peer, from: Address, now: number): null {
		const why = `they do not come from where ${peer.config.host} leads: correct PEERS, or set HEARTBEAT_KEY on all nodes`;
		this.#warn("warn", `elsewhere ${peer.name}`, `datagrams from '${peer.name}' are refused: ${why}`, { address: formatAddress(from) });
		this.#setRefusal(peer, "address", `its datagrams are refused: ${why}`);
		// The name may have changed since it was last resolved.
		if (now >= peer.resolveAt) this.#addresses.resolve(peer, now);
		return this.#reject("address");
	}

	/** A peer has a budget of its own at its known addresses, so that a flood from elsewhere cannot use it up. */
	#takeToken(peer: Peer | null, from: Address, now: number): boolean {
		return peer?.isAt(from) ? peer.budget.take(now) : this.#budget.take(sourceOf(from.host), now);
	}

	/** Records for the state file why the datagrams of a peer that is not alive are refused. */
	#setRefusal(peer: Peer, cause: "key" | "address" | "misdirected", why: string): void {
		if (peer.refusal?.why === why || peer.detector.status === "alive") return;
		peer.refusal = { why, cause };
		this.#state.surroundings.onChange(peer.name, false);
	}

	/** Logs what a person should know, once in ten minutes for each `key`. */
	#warn(level: "warn" | "error", key: string, message: string, fields: Record<string, unknown>): void {
		const now = this.#state.clock.monotonicMs();
		if (now - (this.#warnedAt.get(key) ?? Number.NEGATIVE_INFINITY) < warnEveryMs) return;
		// Keys consist of configured names and reasons, and all unknown peers share one: the map is bounded.
		this.#warnedAt.set(key, now);
		this.#state.log[level](message, fields);
	}
}
