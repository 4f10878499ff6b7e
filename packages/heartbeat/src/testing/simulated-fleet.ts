import { type Content, unknownServices } from "../content.ts";
import { HeartbeatNode } from "../heartbeat-node.ts";
import type { NodeLog, NodeSettings } from "../node-state.ts";
import type { Address, Resolver, Transport } from "../transport.ts";
import {
	type NetworkConditions,
	type SeededRandom,
	SimulatedClock,
	SimulatedNetwork,
	SimulatedTime,
	seededRandom,
} from "./simulated-network.ts";

export interface FleetOptions {
	names: readonly string[];
	seed: number;
	conditions?: Partial<NetworkConditions>;
	settings?: Partial<Omit<NodeSettings, "peers">>;
}

/** One simulated machine and the heartbeat on it. */
export class FleetMember {
	readonly name: string;
	readonly address: Address;
	/** Clock of the process that runs now: timers of an earlier one never fire. */
	clock: SimulatedClock;
	node!: HeartbeatNode;
	transport!: Transport;
	content: Content = {
		head: null,
		lastSyncMs: null,
		syncStatus: null,
		consecutiveFailures: null,
		messagesPending: null,
		services: unknownServices,
	};
	/** Every change that was reported as urgent: when, about which peer, the status then. */
	readonly changes: { atMs: number; peer: string; status: string }[] = [];
	readonly logged: { level: string; message: string }[] = [];

	constructor(name: string, address: Address, clock: SimulatedClock) {
		this.name = name;
		this.address = address;
		this.clock = clock;
	}

	/** Ends without a goodbye, as by kill -9 or a power cut. */
	die(): void {
		this.transport.close();
		this.clock.stop();
	}
}

/** Nodes that are all each other's peers, on one simulated network. */
export class SimulatedFleet {
	readonly time = new SimulatedTime();
	readonly network: SimulatedNetwork;
	readonly members: readonly FleetMember[];
	readonly #random: SeededRandom;
	readonly #settings: Omit<NodeSettings, "peers">;

	constructor({ names, seed, conditions = {}, settings = {} }: FleetOptions) {
		this.#random = seededRandom(seed);
		this.network = new SimulatedNetwork(this.time, this.#random, conditions);
		this.#settings = { intervalMs: 60_000, timeoutMs: 180_000, secrets: [], ...settings };
		this.members = names.map(
			(name, i) => new FleetMember(name, { host: `10.0.${i >> 8}.${i & 255}`, port: 8765 }, new SimulatedClock(this.time)),
		);
		for (const member of this.members) this.boot(member);
	}

	member(name: string): FleetMember {
		const member = this.members.find((one) => one.name === name);
		if (!member) throw new Error(`no member ${name}`);
		return member;
	}

	/** Starts the heartbeat of a member, the first time or after its end; perhaps at another address. */
	boot(
		member: FleetMember,
		address: Address = member.address,
		settings: Partial<NodeSettings> = {},
		resolver: Resolver = (host, done) => done(null, [host]),
	): void {
		member.clock = new SimulatedClock(this.time, member.clock.wallOffsetMs);
		member.transport = this.network.transport(address, member.clock);
		const log = (level: string) => (message: string) => member.logged.push({ level, message });
		const peers = this.members.filter((other) => other !== member).map(({ name, address: { host, port } }) => ({ name, host, port }));
		member.node = new HeartbeatNode(
			member.name,
			{ ...this.#settings, peers, ...settings },
			{
				clock: member.clock,
				transport: member.transport,
				resolver,
				random: (bytes) => this.#random.bytes(bytes),
				content: () => member.content,
				log: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") } as NodeLog,
				onChange: (peer, urgent) => {
					if (!urgent) return;
					member.changes.push({ atMs: this.time.nowMs, peer, status: member.node.view(peer)?.status ?? "gone" });
				},
			},
		);
		member.node.start();
	}

	/** The view that one member has of another. */
	view(of: string, about: string) {
		const view = this.member(of).node.view(about);
		if (!view) throw new Error(`${about} is not a peer of ${of}`);
		return view;
	}
}
