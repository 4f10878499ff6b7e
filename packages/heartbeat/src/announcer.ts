import { Announcement, burstGapMs } from "./announcement.ts";
import type { NodeState } from "./node-state.ts";
import type { PeerTimers } from "./peer-timers.ts";
import type { Sender } from "./sender.ts";

/** Announces a new head to all peers at once; in a burst of changes, once in {@link burstGapMs}. */
export class Announcer {
	readonly #state: NodeState;
	readonly #sender: Sender;
	readonly #timers: PeerTimers;
	#announcedHead: string | null = null;
	#lastRoundAt = Number.NEGATIVE_INFINITY;
	#roundTimer: unknown = null;

	constructor(state: NodeState, sender: Sender, timers: PeerTimers) {
		this.#state = state;
		this.#sender = sender;
		this.#timers = timers;
	}

	/** The head of the first heartbeats is not announced. */
	start(): void {
		this.#announcedHead = this.#state.surroundings.content().head;
	}

	stop(): void {
		this.#state.clock.cancel(this.#roundTimer);
	}

	/** Announces the head, now or at the end of the burst. Does nothing if it did not change. */
	announce(): void {
		const { clock, isRunning } = this.#state;
		if (!isRunning || this.#roundTimer !== null) return;
		const now = clock.monotonicMs();
		const wait = this.#lastRoundAt + burstGapMs - now;
		if (wait <= 0) this.#round(now);
		else {
			this.#roundTimer = clock.schedule(wait, () => {
				this.#roundTimer = null;
				this.#round(clock.monotonicMs());
			});
		}
	}

	#round(now: number): void {
		const { head } = this.#state.surroundings.content();
		if (head === null || head === this.#announcedHead) return;
		this.#announcedHead = head;
		this.#lastRoundAt = now;
		for (const peer of this.#state.peers.values()) {
			peer.announcement = new Announcement(head, now);
			this.#sender.heartbeat(peer);
			this.#timers.arm(peer);
		}
	}
}
