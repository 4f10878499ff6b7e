import type { NodeState } from "./node-state.ts";
import type { Peer } from "./peer.ts";
import type { Sender } from "./sender.ts";

/** Goodbyes are repeated until acknowledged, but never delay a stop by more than this. */
const repeatsMs = [60, 160] as const;
const maxWaitMs = 300;

/** The goodbyes of a node that stops. */
export class Goodbyes {
	readonly #state: NodeState;
	readonly #sender: Sender;
	#onAcknowledged: ((peer: Peer) => void) | null = null;

	constructor(state: NodeState, sender: Sender) {
		this.#state = state;
		this.#sender = sender;
	}

	/** Records that `peer` answered a datagram of ours: its goodbye, once {@link send} has begun. */
	acknowledged(peer: Peer): void {
		this.#onAcknowledged?.(peer);
	}

	/**
	 * Sends a goodbye to every peer. Resolves when every peer that was alive has acknowledged it, after 0.3 s at the latest.
	 * The node is not running afterwards.
	 */
	send(reason: string): Promise<void> {
		const { clock, peers } = this.#state;
		const waiting = new Set<Peer>();
		for (const peer of peers.values()) {
			peer.outstanding.clear();
			this.#sender.goodbye(peer, reason);
			if (peer.detector.status === "alive" || peer.detector.status === "suspect") waiting.add(peer);
		}
		if (waiting.size === 0) {
			this.#state.isRunning = false;
			return Promise.resolve();
		}
		return new Promise((resolve) => {
			const repeat = () => {
				for (const peer of waiting) this.#sender.goodbye(peer, reason);
			};
			const timers = repeatsMs.map((offsetMs) => clock.schedule(offsetMs, repeat));
			const finish = () => {
				for (const timer of timers) clock.cancel(timer);
				this.#state.isRunning = false;
				resolve();
			};
			timers.push(clock.schedule(maxWaitMs, finish));
			this.#onAcknowledged = (peer) => {
				waiting.delete(peer);
				if (waiting.size === 0) finish();
			};
		});
	}
}
