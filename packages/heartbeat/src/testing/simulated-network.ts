import type { Clock } from "../clock.ts";
import { type Address, formatAddress, type Transport } from "../transport.ts";

/** A generator of reproducible randomness. */
export interface SeededRandom {
	/** From 0 up to but not including 1. */
	fraction(): number;
	bytes(count: number): Uint8Array;
}

/** sfc32 of the PractRand suite: small, fast, and the same sequence for the same seed everywhere. */
export function seededRandom(seed: number): SeededRandom {
	let a = 0x9e3779b9;
	let b = 0x243f6a88;
	let c = seed >>> 0;
	let counter = 1;
	const next = () => {
		const t = (((a + b) | 0) + counter) | 0;
		counter = (counter + 1) | 0;
		a = b ^ (b >>> 9);
		b = (c + (c << 3)) | 0;
		c = ((c << 21) | (c >>> 11)) + t;
		return t >>> 0;
	};
	for (let i = 0; i < 15; i++) next();
	return {
		fraction: () => next() / 0x1_0000_0000,
		bytes: (count) => Uint8Array.from({ length: count }, () => next() >>> 24),
	};
}

interface Entry {
	at: number;
	order: number;
	run: (() => void) | null;
}

/** The time of a simulation: passes only on request, and runs everything that becomes due, in order. */
export class SimulatedTime {
	#now = 0;
	#order = 0;
	/** A binary heap, the earliest first. */
	readonly #heap: Entry[] = [];

	get nowMs(): number {
		return this.#now;
	}

	/** Calls back after this many milliseconds; the entry is for {@link cancel}. */
	schedule(delayMs: number, run: () => void): Entry {
		const entry: Entry = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run };
		const heap = this.#heap;
		let i = heap.push(entry) - 1;
		while (i > 0) {
			const parent = (i - 1) >> 1;
			if (isBefore(heap[parent]!, entry)) break;
			heap[i] = heap[parent]!;
			i = parent;
		}
		heap[i] = entry;
		return entry;
	}

	cancel(entry: Entry): void {
		entry.run = null;
	}

	/** Lets this many milliseconds pass. */
	pass(ms: number): void {
		const until = this.#now + ms;
		for (let entry = this.#heap[0]; entry && entry.at <= until; entry = this.#heap[0]) {
			this.#shift();
			if (!entry.run) continue;
			this.#now = entry.at;
			entry.run();
		}
		this.#now = until;
	}

	#shift(): void {
		const heap = this.#heap;
		const last = heap.pop()!;
		if (heap.length === 0) return;
		let i = 0;
		for (;;) {
			let child = 2 * i + 1;
			if (child >= heap.length) break;
			if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
			if (!isBefore(heap[child]!, last)) break;
			heap[i] = heap[child]!;
			i = child;
		}
		heap[i] = last;
	}
}

function isBefore(a: Entry, b: Entry): boolean {
	return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** The clock of one simulated machine: its own wall time, and it can be stopped as by SIGSTOP. */
export class SimulatedClock implements Clock {
	readonly #time: SimulatedTime;
	/** Wall clock minus the simulation's time, milliseconds. */
	wallOffsetMs: number;
	#held: (() => void)[] | null = null;

	constructor(time: SimulatedTime, wallOffsetMs = Date.UTC(2026, 0, 1)) {
		this.#time = time;
		this.wallOffsetMs = wallOffsetMs;
	}

	monotonicMs(): number {
		return this.#time.nowMs;
	}

	wallMs(): number {
		return this.#time.nowMs + this.wallOffsetMs;
	}

	schedule(delayMs: number, callback: () => void): Entry {
		const entry: Entry = this.#time.schedule(delayMs, () => {
			// A stopped process sees its timers expired when it continues, unless it cancels them first.
			if (this.#held) this.#held.push(() => entry.run && callback());
			else callback();
		});
		return entry;
	}

	cancel(timer: unknown): void {
		if (timer) this.#time.cancel(timer as Entry);
	}

	/** Stops the machine: from now on nothing happens on it. */
	stop(): void {
		this.#held ??= [];
	}

	/** Continues the machine: timers that expired meanwhile fire, then arrived datagrams are read. */
	goOn(): void {
		const held = this.#held ?? [];
		this.#held = null;
		for (const run of held) run();
	}

	/** Runs something now, or when the machine continues. */
	deliver(run: () => void): void {
		if (this.#held) this.#held.push(run);
		else run();
	}
}

/** How a simulated network treats datagrams. Probabilities from 0 to 1, delays in milliseconds, each way. */
export interface NetworkConditions {
	lossRate: number;
	duplicateRate: number;
	delayMs: { min: number; max: number };
	/** Extra delay that a datagram gets with this probability, so that later ones overtake it. */
	reorder: { rate: number; delayMs: number };
}

/** A network in memory that loses, repeats, delays and reorders, the same for the same seed. */
export class SimulatedNetwork {
	readonly conditions: NetworkConditions;
	/** Every datagram that was sent, for inspection or replay; called before loss. */
	onSend: ((datagram: Buffer, from: Address, to: Address) => void) | null = null;
	readonly #time: SimulatedTime;
	readonly #random: SeededRandom;
	readonly #receivers = new Map<string, { clock: SimulatedClock; receive: (datagram: Buffer, from: Address) => void }>();
	readonly #cuts = new Set<string>();

	constructor(time: SimulatedTime, random: SeededRandom, conditions: Partial<NetworkConditions> = {}) {
		this.#time = time;
		this.#random = random;
		this.conditions = { lossRate: 0, duplicateRate: 0, delayMs: { min: 1, max: 1 }, reorder: { rate: 0, delayMs: 0 }, ...conditions };
	}

	/** The socket of one machine. */
	transport(address: Address, clock: SimulatedClock): Transport {
		const key = formatAddress(address);
		return {
			send: (datagram, to) => this.send(datagram, address, to),
			listen: (receive) => this.#receivers.set(key, { clock, receive }),
			close: () => this.#receivers.delete(key),
		};
	}

	/** Drops everything from one host to the other from now on; the other direction is not touched. */
	cut(fromHost: string, toHost: string): void {
		this.#cuts.add(`${fromHost}>${toHost}`);
	}

	heal(): void {
		this.#cuts.clear();
	}

	/** Sends with any source address, as an attacker can. */
	send(datagram: Buffer, from: Address, to: Address): void {
		this.onSend?.(datagram, from, to);
		const { lossRate, duplicateRate } = this.conditions;
		const copies = duplicateRate > 0 && this.#random.fraction() < duplicateRate ? 2 : 1;
		for (let i = 0; i < copies; i++) {
			if (this.#cuts.has(`${from.host}>${to.host}`)) continue;
			if (lossRate > 0 && this.#random.fraction() < lossRate) continue;
			this.#time.schedule(this.#delay(), () => {
				const receiver = this.#receivers.get(formatAddress(to));
				receiver?.clock.deliver(() => receiver.receive(datagram, from));
			});
		}
	}

	#delay(): number {
		const { delayMs, reorder } = this.conditions;
		const extra = reorder.rate > 0 && this.#random.fraction() < reorder.rate ? reorder.delayMs : 0;
		return delayMs.min + (delayMs.max > delayMs.min ? this.#random.fraction() * (delayMs.max - delayMs.min) : 0) + extra;
	}
}
