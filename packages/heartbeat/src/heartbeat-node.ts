import { Announcer } from "./announcer.ts";
import { Goodbyes } from "./goodbyes.ts";
import { type NodeSettings, NodeState, type NodeSurroundings, type NodeTotals } from "./node-state.ts";
import { PeerAddresses } from "./peer-addresses.ts";
import { PeerTimers } from "./peer-timers.ts";
import { type PeerView, viewOf } from "./peer-view.ts";
import { ReceiveGates } from "./receive-gates.ts";
import { Receiver } from "./receiver.ts";
import { Sender } from "./sender.ts";

/**
 * One node of the heartbeat protocol (docs/heartbeat-protocol.md): sends, answers, and tracks the state of its peers. All
 * effects go through its surroundings, so that a test can simulate a thousand days. docs/design/heartbeat.md explains the parts.
 */
export class HeartbeatNode {
	readonly #state: NodeState;
	readonly #sender: Sender;
	readonly #timers: PeerTimers;
	readonly #announcer: Announcer;
	readonly #goodbyes: Goodbyes;
	readonly #receiver: Receiver;

	constructor(name: string, settings: NodeSettings, surroundings: NodeSurroundings) {
		this.#state = new NodeState(name, settings, surroundings);
		this.#sender = new Sender(this.#state);
		const addresses = new PeerAddresses(this.#state, this.#sender);
		this.#timers = new PeerTimers(this.#state, this.#sender, addresses);
		this.#announcer = new Announcer(this.#state, this.#sender, this.#timers);
		this.#goodbyes = new Goodbyes(this.#state, this.#sender);
		this.#receiver = new Receiver(this.#state, {
			gates: new ReceiveGates(this.#state, addresses),
			sender: this.#sender,
			timers: this.#timers,
			goodbyes: this.#goodbyes,
		});
	}

	get name(): string {
		return this.#state.name;
	}

	get bootId(): string {
		return this.#state.bootId;
	}

	get totals(): NodeTotals {
		return this.#state.totals;
	}

	/** Whether datagrams are authenticated. */
	get authenticated(): boolean {
		return this.#state.isAuthenticated;
	}

	/** How many regular heartbeats went out, the most to any one peer. */
	get sequence(): number {
		return this.#state.rounds;
	}

	/** When the last heartbeat went out, milliseconds since the epoch. */
	get lastSentMs(): number | null {
		return this.#state.lastSentMs;
	}

	/** Silence after which a peer is down, milliseconds. */
	get timeoutMs(): number {
		return this.#state.timeoutMs;
	}

	get peerNames(): string[] {
		return [...this.#state.peers.keys()];
	}

	/**
	 * Restores from a state file that an earlier process of this node heard `peer`: if it stays silent, it is down, not unknown.
	 *
	 * @param receivedAtMs milliseconds since the epoch
	 */
	restore(peer: string, receivedAtMs: number): void {
		const known = this.#state.peers.get(peer);
		if (!known) return;
		known.previouslyReceivedAtMs = receivedAtMs;
		known.detector.wasHeardBefore(this.#state.clock.monotonicMs());
	}

	/** Starts: sends the first heartbeats and answers from now on. */
	start(): void {
		const state = this.#state;
		state.isRunning = true;
		this.#announcer.start();
		state.surroundings.transport.listen((datagram, from) => this.#receiver.receive(datagram, from));
		for (const peer of state.peers.values()) this.#timers.start(peer);
	}

	/**
	 * Sends every peer a goodbye. Resolves when all live peers have acknowledged it, after 0.3 s at the latest. Then nothing
	 * is sent or answered any more; the transport is not closed.
	 */
	stop(reason: string): Promise<void> {
		const state = this.#state;
		if (!state.isRunning || state.isStopping) return Promise.resolve();
		state.isStopping = true;
		this.#announcer.stop();
		for (const peer of state.peers.values()) this.#timers.disarm(peer);
		return this.#goodbyes.send(reason);
	}

	/** Replaces the configuration. The state of peers that stay is kept. */
	configure(settings: NodeSettings): void {
		const state = this.#state;
		const secretsBefore = state.secrets;
		state.setParameters(settings);
		const wanted = new Map(settings.peers.map((peer) => [peer.name, peer]));
		for (const peer of [...state.peers.values()]) {
			const config = wanted.get(peer.name);
			if (!config) {
				this.#timers.disarm(peer);
				state.peers.delete(peer.name);
				continue;
			}
			peer.setConfig(config);
			// The key that the peer understood may have another index now.
			peer.key = Math.max(0, settings.secrets.indexOf(secretsBefore[peer.key] ?? ""));
			peer.detector.setTimeout(settings.timeoutMs);
			peer.nextBeatAt = state.clock.monotonicMs();
			if (state.isRunning) this.#timers.arm(peer);
		}
		for (const config of wanted.values()) {
			if (state.peers.has(config.name)) continue;
			const peer = state.addPeer(config);
			if (state.isRunning) this.#timers.start(peer);
		}
	}

	/** Announces the head to all peers: now, or at the end of the burst. Does nothing if it did not change. */
	announce(): void {
		this.#announcer.announce();
	}

	/** Sends every peer a heartbeat now. */
	probeAll(): void {
		for (const peer of this.#state.peers.values()) {
			peer.detector.probe(this.#state.clock.monotonicMs());
			this.#sender.heartbeat(peer);
			this.#timers.arm(peer);
		}
	}

	/** The state of one peer; undefined: not a peer. */
	view(name: string): PeerView | undefined {
		const peer = this.#state.peers.get(name);
		return peer && viewOf(peer, this.#state.clock.monotonicMs());
	}
}
