import type { NodeState } from "./node-state.ts";
import type { Peer } from "./peer.ts";
import type { PeerAddresses } from "./peer-addresses.ts";
import type { Sender } from "./sender.ts";

/** Spreads the heartbeats of a fleet that was started together. */
const jitterFraction = 0.05;
/** A timer that is this late means that this process was stopped, suspended, or starved. */
const pauseMs = { min: 200, max: 2_000, timeoutFraction: 0.1 } as const;
/** If the wall clock gained or lost this much on the monotonic one since the last check, it was set, or we were suspended. */
const clockStepMs = 1_000;

/** Decides when each peer gets a heartbeat, a probe or a ping-req through third nodes: one timer for each peer. */
export class PeerTimers {
	readonly #state: NodeState;
	readonly #sender: Sender;
	readonly #addresses: PeerAddresses;
	#wallMinusMonotonicMs: number;

	constructor(state: NodeState, sender: Sender, addresses: PeerAddresses) {
		this.#state = state;
		this.#sender = sender;
		this.#addresses = addresses;
		this.#wallMinusMonotonicMs = state.clock.wallMs() - state.clock.monotonicMs();
	}

	/** Sends the first heartbeat to a peer, and schedules the others. */
	start(peer: Peer): void {
		const now = this.#state.clock.monotonicMs();
		peer.nextBeatAt = now;
		peer.resolveAt = now;
		// The first heartbeat may be lost, or arrive before the peer is up: both nodes may just be booting.
		peer.detector.probe(now);
		this.#runDue(peer, now);
	}

	/** Sets the peer's timer to the next thing that is due. A timer that fires early only sets itself again. */
	arm(peer: Peer): void {
		const { clock, isStopping } = this.#state;
		if (isStopping) return;
		const now = clock.monotonicMs();
		const due = Math.max(now, Math.min(peer.nextBeatAt, peer.detector.deadline, peer.announcement?.deadline ?? Number.POSITIVE_INFINITY));
		if (peer.timerAt <= due) return;
		this.disarm(peer);
		peer.timerAt = due;
		peer.timer = clock.schedule(due - now, () => {
			// Timers fire up to a millisecond, or a rounding error, early: that counts as on time.
			const firedAt = Math.max(clock.monotonicMs(), due);
			peer.timer = null;
			peer.timerAt = Number.POSITIVE_INFINITY;
			this.#checkClocks(firedAt - due, firedAt);
			this.#runDue(peer, firedAt);
		});
	}

	disarm(peer: Peer): void {
		if (peer.timer !== null) this.#state.clock.cancel(peer.timer);
		peer.timer = null;
		peer.timerAt = Number.POSITIVE_INFINITY;
	}

	#runDue(peer: Peer, now: number): void {
		const state = this.#state;
		if (!state.isRunning) return;
		const step = peer.detector.advance(now);
		if (step.changed) state.statusChanged(peer);
		const isBeat = now >= peer.nextBeatAt;
		if (isBeat) {
			peer.nextBeatAt = now + state.intervalMs * (1 - jitterFraction + 2 * jitterFraction * state.randomFraction());
			peer.beats++;
			state.rounds = Math.max(state.rounds, peer.beats);
		}
		const isAnnouncement = peer.announcement?.isDue(now) ?? false;
		// Without a key the configured name decides where a peer is, so it is resolved while the peer is alive, too.
		if ((peer.detector.isSilent || !state.isAuthenticated) && now >= peer.resolveAt) this.#addresses.resolve(peer, now);
		if (isBeat || isAnnouncement || step.probe) this.#sender.heartbeat(peer, isBeat ? { beat: peer.beats } : {});
		if (step.probeIndirectly || (isBeat && peer.detector.isLost)) this.#sender.pingRequests(peer);
		this.arm(peer);
	}

	/** Grants all peers a grace after a pause of this process, or a step of its clock. */
	#checkClocks(lateMs: number, now: number): void {
		const { clock, log, peers, timeoutMs } = this.#state;
		const offset = clock.wallMs() - now;
		const isStepped = Math.abs(offset - this.#wallMinusMonotonicMs) > clockStepMs;
		// Slewing (adjtime) is slow: only the difference since the last check counts.
		this.#wallMinusMonotonicMs = offset;
		const limit = Math.max(pauseMs.min, Math.min(pauseMs.max, timeoutMs * pauseMs.timeoutFraction));
		if (lateMs <= limit && !isStepped) return;
		log.info(
			lateMs > limit
				? "this node was stopped or starved: peers get time to answer before they are judged"
				: "the clock was set, or this machine slept: asking all peers",
			{ late_ms: Math.round(lateMs) },
		);
		for (const peer of peers.values()) {
			if (isStepped) peer.clockFilter.reset();
			peer.detector.grantGrace(now);
			// The timers of the other peers are as late as this one: without this each of them would grant the grace again.
			this.disarm(peer);
			this.arm(peer);
		}
	}
}
