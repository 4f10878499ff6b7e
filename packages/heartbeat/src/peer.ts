import type { PeerAddress } from "@robust-sync/workspace";
import type { Announcement } from "./announcement.ts";
import { ClockFilter } from "./clock-filter.ts";
import { type Content, noContent, sameContent } from "./content.ts";
import { FailureDetector } from "./failure-detector.ts";
import { ReplayWindow } from "./replay-window.ts";
import { TokenBucket } from "./source-budget.ts";
import { type Address, sameAddress } from "./transport.ts";
import type { Message } from "./wire-format.ts";

/** How many unanswered datagrams of ours to one peer are remembered. */
const maxOutstanding = 32;
/** How many retired boot ids of a peer are remembered, so that none of them is accepted again. */
const maxRetired = 8;
/** A host name may have many addresses; no more than these are tried. */
const maxTargets = 4;
/** How many former addresses of a name are kept. */
export const maxResolved = 32;

/** One of our datagrams, until it is answered. */
export interface Outstanding {
	readonly sentMonotonicMs: number;
	readonly sentWallMs: number;
	readonly to: Address;
	/** The head that the datagram reported. */
	readonly head: string | null;
	/** How many challenges in a row led to it. */
	readonly challenges: number;
}

/** A peer that sent us a ping-req for this one. */
export interface Requester {
	readonly requester: string;
	readonly to: Address;
	readonly until: number;
}

/** Everything that a node knows about one peer. */
export class Peer {
	config: PeerAddress;
	readonly detector: FailureDetector;
	readonly clockFilter = new ClockFilter();
	/** The budget of its datagrams from its known addresses. */
	readonly budget = new TokenBucket();
	/** Addresses of the configured host name, when last resolved. */
	resolved: readonly Address[] = [];
	resolveProblem: string | null = null;
	isResolving = false;
	resolveAt = 0;
	/** Where the peer has proved to be. */
	confirmed: Address | null = null;
	sequence = 0;
	beats = 0;
	nextBeatAt = 0;
	announcement: Announcement | null = null;
	readonly outstanding = new Map<number, Outstanding>();
	/** Index of the key of ours that the peer understands: 1, the older one, only if it has proved to have no other. */
	key = 0;
	/** Replay window of the accepted incarnation. */
	bootId: string | null = null;
	window = new ReplayWindow();
	/** How many times a boot id or transient sender was accepted: part of every nonce, so that none works twice. */
	acceptances = 0;
	readonly retired = new Map<string, { at: number }>();
	contentSequence = 0;
	content: Content = noContent;
	/** When the last accepted datagram came, milliseconds since the epoch. */
	receivedAtMs: number | null = null;
	/** The same, as restored from the state file of an earlier process of ours. */
	previouslyReceivedAtMs: number | null = null;
	hearsUs: boolean | null = null;
	/** Sequence of the last datagram of the peer that was used. */
	lastSequence: number | null = null;
	requesters: Requester[] = [];
	/** Why the peer's datagrams were last refused; null once one was accepted. */
	refusal: { readonly why: string; readonly cause: "key" | "address" | "misdirected" } | null = null;
	timer: unknown = null;
	timerAt = Number.POSITIVE_INFINITY;

	constructor(config: PeerAddress, intervalMs: number, timeoutMs: number) {
		this.config = config;
		this.detector = new FailureDetector(intervalMs, timeoutMs);
	}

	get name(): string {
		return this.config.name;
	}

	/** Where to send: the address that the peer has proved, and while it is silent also every address of its name. */
	get targets(): readonly Address[] {
		if (!this.confirmed) return this.resolved.slice(0, maxTargets);
		if (!this.detector.isSilent) return [this.confirmed];
		return [this.confirmed, ...this.resolved.filter((address) => !sameAddress(address, this.confirmed))].slice(0, maxTargets);
	}

	/** Whether `address` is a known address of this peer. */
	isAt(address: Address): boolean {
		return sameAddress(this.confirmed, address) || this.resolved.some((known) => sameAddress(known, address));
	}

	/**
	 * Whether a datagram from `address` may be the peer's where only the address can prove it. True for an address of the
	 * configured name. At another port there only while the peer is not heard at its configured one (it was restarted elsewhere,
	 * or an address translation changes ports), so that no other program of that machine can impersonate it.
	 */
	mayBeAt(address: Address): boolean {
		if (this.isNamed(address, false)) return true;
		if (!this.isNamed(address, true)) return false;
		const isHeardAtHome = this.detector.status === "alive" && this.confirmed !== null && this.isNamed(this.confirmed, false);
		return !isHeardAtHome;
	}

	/** Whether `address` is one that the configured name resolves to. */
	isNamed(address: Address, anyPort: boolean): boolean {
		return this.resolved.some((known) => known.host === address.host && (anyPort || known.port === address.port));
	}

	/** The address for people; null when none is known. */
	get address(): Address | null {
		return this.confirmed ?? this.resolved[0] ?? null;
	}

	/** Remembers a datagram of ours that may be answered. */
	expectAnswer(sequence: number, outstanding: Outstanding): void {
		if (this.outstanding.size >= maxOutstanding) {
			const oldest = this.outstanding.keys().next().value;
			if (oldest !== undefined) this.outstanding.delete(oldest);
		}
		this.outstanding.set(sequence, outstanding);
	}

	/** Replaces the peer's configuration. A changed address makes everything known about the old one void. */
	setConfig(config: PeerAddress): void {
		if (config.host === this.config.host && config.port === this.config.port) return;
		this.config = config;
		this.resolved = [];
		this.confirmed = null;
		this.resolveAt = 0;
	}

	/** Accepts an incarnation of the peer, and retires the one before. */
	acceptBootId(bootId: string, sequence: number, now: number): void {
		if (this.bootId !== null) this.retire(this.bootId, now);
		this.bootId = bootId;
		this.window = new ReplayWindow();
		this.window.accept(sequence);
		this.contentSequence = 0;
		this.acceptances++;
		this.detector.restarted();
	}

	/** Retires an incarnation: its boot id is never accepted again. */
	retire(bootId: string, now: number): void {
		this.retired.delete(bootId);
		this.retired.set(bootId, { at: now });
		if (this.retired.size <= maxRetired) return;
		const oldest = this.retired.keys().next().value;
		if (oldest !== undefined) this.retired.delete(oldest);
	}

	/** Stores what a heartbeat reports. Returns whether any of it is new. */
	takeContent(message: Message): boolean {
		const content: Content = {
			head: message.head ?? null,
			lastSyncMs: message.lastSyncMs ?? null,
			syncStatus: message.syncStatus ?? null,
			consecutiveFailures: message.consecutiveFailures ?? null,
			messagesPending: message.messagesPending ?? null,
			services: message.services ?? noContent.services,
		};
		// A transient sender does not know whether its node hears us.
		const hearsUs = message.transient ? this.hearsUs : (message.heard ?? null);
		const changed = hearsUs !== this.hearsUs || !sameContent(content, this.content);
		this.content = content;
		this.hearsUs = hearsUs;
		return changed;
	}
}
