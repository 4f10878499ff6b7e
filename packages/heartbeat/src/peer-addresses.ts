import type { NodeState } from "./node-state.ts";
import { maxResolved, type Peer } from "./peer.ts";
import type { Sender } from "./sender.ts";
import { canonicalHost, formatAddress, sameAddress } from "./transport.ts";

/** Names are resolved again at most this often. */
const resolveEveryMs = 30_000;

/** Resolves the configured host names of peers. */
export class PeerAddresses {
	readonly #state: NodeState;
	readonly #sender: Sender;

	constructor(state: NodeState, sender: Sender) {
		this.#state = state;
		this.#sender = sender;
	}

	/**
	 * Resolves the peer's name, unless that is in progress. If it fails, the known addresses are kept.
	 *
	 * @param now monotonic milliseconds
	 */
	resolve(peer: Peer, now: number): void {
		if (peer.isResolving) return;
		peer.isResolving = true;
		peer.resolveAt = now + Math.min(resolveEveryMs, Math.max(1_000, this.#state.intervalMs));
		const { host } = peer.config;
		let isAtOnce = true;
		this.#state.surroundings.resolver(host, (error, hosts) => {
			peer.isResolving = false;
			// The configuration was replaced meanwhile.
			if (this.#state.peers.get(peer.name) !== peer || peer.config.host !== host) return;
			if (error || hosts.length === 0) this.#failed(peer, error);
			// The heartbeat that was due had no address, or went to one that the peer has left.
			else if (this.#resolved(peer, hosts) && this.#state.isRunning && !isAtOnce) this.#sender.heartbeat(peer, { beat: peer.beats });
		});
		isAtOnce = false;
	}

	#failed(peer: Peer, error: NodeJS.ErrnoException | null): void {
		const problem = `${peer.config.host} does not resolve (${error?.code ?? error?.message ?? "no address"})`;
		if (problem === peer.resolveProblem) return;
		this.#state.log.warn(`${problem}: trying again`, { peer: peer.name });
		peer.resolveProblem = problem;
		this.#state.surroundings.onChange(peer.name, true);
	}

	/** Stores the addresses of the name. Returns whether one of them is new. */
	#resolved(peer: Peer, hosts: readonly string[]): boolean {
		const { isAuthenticated, log, surroundings } = this.#state;
		peer.resolveProblem = null;
		const distinct = [...new Set(hosts.map(canonicalHost))].slice(0, maxResolved);
		const addresses = distinct.map((address) => ({ host: address, port: peer.config.port }));
		const isNew = addresses.some((address) => !peer.resolved.some((known) => sameAddress(known, address)));
		peer.resolved = addresses;
		if (!isAuthenticated && peer.confirmed && !peer.isNamed(peer.confirmed, true)) {
			log.info(`${peer.name} has moved: its name leads elsewhere now`, { from: formatAddress(peer.confirmed) });
			peer.confirmed = null;
		}
		if (isNew) surroundings.onChange(peer.name, false);
		return isNew;
	}
}
