import type { PeerStatus } from "@robust-sync/workspace";
import { PhiAccrual } from "./phi-accrual.ts";

/** When a silent peer is probed, milliseconds after it became suspect; then every 8 s. */
const probeOffsetsMs = [0, 1_000, 2_000, 4_000, 8_000] as const;
const probeEveryMs = 8_000;
/** The last probe is sent this long before the timeout: one lost datagram should not decide. */
const lastProbesMs = [4_000, 2_000, 1_000] as const;
/** A peer is suspect at this part of the timeout at the latest, whatever φ is, so that probes have the rest. */
const latestSuspicion = 2 / 3;
/** Grace: how long every peer has to answer after a pause of this process. */
const graceMs = 5_000;

/** What is due at a given time. */
export interface DetectorStep {
	/** The status or its reason changed. */
	readonly changed: boolean;
	/** Send the peer a heartbeat now. */
	readonly probe: boolean;
	/** Ask third nodes for an indirect ack, too. */
	readonly probeIndirectly: boolean;
}

const nothingDue: DetectorStep = { changed: false, probe: false, probeIndirectly: false };

/**
 * Whether one peer lives: `unknown` until its first datagram, `alive`, `suspect` by φ accrual, `down` exactly one timeout
 * after its last datagram. Has no clock of its own: all times are parameters, in monotonic milliseconds.
 */
export class FailureDetector {
	#status: PeerStatus = "unknown";
	#reason: string | null = null;
	#intervalMs: number;
	#timeoutMs: number;
	readonly #phi: PhiAccrual;
	#lastHeard: number | null = null;
	#lastBeat: { number: number; at: number } | null = null;
	#indirect: { by: string; at: number } | null = null;
	#graceUntil = Number.NEGATIVE_INFINITY;
	/** When the current series of probes began. */
	#probesSince: number | null = null;
	#lastProbe = Number.NEGATIVE_INFINITY;
	/** Set for a peer that an earlier process of ours heard: since when we listen. It is down a timeout later if it stays silent. */
	#listensSince: number | null = null;
	#lostAt: number | null = null;
	#hasLeft = false;

	constructor(intervalMs: number, timeoutMs: number) {
		this.#intervalMs = intervalMs;
		this.#timeoutMs = timeoutMs;
		this.#phi = new PhiAccrual(intervalMs);
	}

	get status(): PeerStatus {
		return this.#status;
	}

	/** The reason for the status; null: none. */
	get reason(): string | null {
		return this.#reason;
	}

	/** Whether the next datagram of the peer is overdue, or the peer was never heard. */
	get isSilent(): boolean {
		return this.#status !== "alive" || this.#probesSince !== null;
	}

	/** The peer's last datagram was a goodbye. */
	get hasLeft(): boolean {
		return this.#hasLeft;
	}

	/** Whether other peers hear this one. */
	get isHeardByOthers(): boolean {
		return this.#indirect !== null;
	}

	/** Whether third nodes should be asked for an indirect ack of this peer. */
	get isLost(): boolean {
		return (this.#status === "suspect" || this.#status === "down") && !this.#hasLeft;
	}

	/** Replaces the configured timeout. */
	setTimeout(timeoutMs: number): void {
		this.#timeoutMs = timeoutMs;
	}

	/** Sets the interval that the peer reports. A changed interval restarts the measurement. */
	setInterval(intervalMs: number): void {
		if (intervalMs === this.#intervalMs) return;
		this.#intervalMs = intervalMs;
		this.#phi.setInterval(intervalMs);
		this.#lastBeat = null;
	}

	/** An earlier process of ours heard this peer: if it stays silent for a timeout from `now`, it is down, not unknown. */
	wasHeardBefore(now: number): void {
		if (this.#lastHeard !== null) return;
		this.#listensSince = now;
		this.#lostAt = now + this.#timeoutMs;
	}

	/** Records an accepted datagram of the peer. Returns whether the status changed. */
	heard(now: number): boolean {
		const changed = this.#status !== "alive";
		this.#status = "alive";
		this.#reason = null;
		this.#lastHeard = now;
		this.#indirect = null;
		this.#lostAt = null;
		this.#probesSince = null;
		this.#hasLeft = false;
		return changed;
	}

	/** Begins a new incarnation of the peer: its beats count from one again. */
	restarted(): void {
		this.#lastBeat = null;
	}

	/** Records a regular heartbeat. The difference of the numbers is how many intervals the time since the last one spans. */
	beat(number: number, now: number): void {
		const last = this.#lastBeat;
		if (last && number <= last.number) return;
		if (last) this.#phi.add((now - last.at) / (number - last.number));
		this.#lastBeat = { number, at: now };
	}

	/** Records an indirect ack: `by` reports that the peer has just answered it. Returns whether status or reason changed. */
	indirectAck(by: string, now: number): boolean {
		if (!this.isLost) return false;
		this.#indirect = { by, at: now };
		const reason = `not heard directly, but by ${by}: the link is broken, not the host`;
		const changed = this.#status !== "suspect" || this.#reason !== reason;
		if (this.#status !== "suspect") this.#probesSince = now;
		this.#status = "suspect";
		this.#reason = reason;
		return changed;
	}

	/** Records the peer's goodbye. */
	receivedGoodbye(reason: string): void {
		this.#status = "down";
		this.#reason = `said goodbye${reason === "" ? "" : `: ${reason}`}`;
		this.#indirect = null;
		this.#probesSince = null;
		this.#lastBeat = null;
		this.#lostAt = null;
		this.#hasLeft = true;
	}

	/** Grants a grace after a pause of this process: no peer becomes suspect or down before it had time to answer. */
	grantGrace(now: number): void {
		this.#graceUntil = now + Math.min(graceMs, this.#timeoutMs);
		// The next interval would span our pause, not the peer's interval.
		this.#lastBeat = null;
		if (this.#lostAt !== null) this.#lostAt = Math.max(this.#lostAt, this.#graceUntil);
		this.probe(now);
	}

	/** Starts a series of probes now; a short one for a peer that was never heard. */
	probe(now: number): void {
		if (this.#status === "down") return;
		this.#probesSince = now;
		this.#lastProbe = Number.NEGATIVE_INFINITY;
	}

	/** How many heartbeats in a row are missing. */
	missed(now: number): number {
		const since = this.#lastHeard ?? this.#listensSince;
		if (since === null || this.#status === "alive") return 0;
		return Math.floor((now - since) / this.#intervalMs);
	}

	/** φ, or null before the first datagram. */
	phi(now: number): number | null {
		return this.#lastHeard === null ? null : this.#phi.phi(now - this.#lastHeard);
	}

	/** When {@link advance} has something to do next; Infinity if only a datagram can change anything. */
	get deadline(): number {
		if (this.#status === "unknown") return Math.min(this.#lostAt ?? Number.POSITIVE_INFINITY, this.#probeAt);
		if (this.#status === "down") return Number.POSITIVE_INFINITY;
		return Math.min(this.#status === "alive" ? this.#suspectAt : this.#downAt, this.#probeAt);
	}

	/** Does what is due. */
	advance(now: number): DetectorStep {
		if (this.#status === "unknown" && this.#lostAt !== null && now >= this.#lostAt) {
			this.#lostAt = null;
			this.#probesSince = null;
			this.#become("down", `no heartbeat for ${seconds(this.#timeoutMs)}, nor since this node's heartbeat started`);
			return { changed: true, probe: false, probeIndirectly: false };
		}
		let changed = false;
		if (this.#status === "alive" && now >= this.#suspectAt) {
			this.#become("suspect", "its heartbeat is overdue");
			this.#probesSince ??= now;
			changed = true;
		}
		if (this.#status === "suspect" && now >= this.#downAt) {
			this.#become("down", `no heartbeat for ${seconds(this.#timeoutMs)}`);
			this.#probesSince = null;
			this.#indirect = null;
			return { changed: true, probe: false, probeIndirectly: true };
		}
		const probe = now >= this.#probeAt;
		if (probe) this.#lastProbe = now;
		return probe || changed ? { changed, probe, probeIndirectly: probe && this.#status === "suspect" } : nothingDue;
	}

	#become(status: PeerStatus, reason: string): void {
		this.#status = status;
		this.#reason = reason;
	}

	get #suspectAt(): number {
		if (this.#lastHeard === null) return Number.POSITIVE_INFINITY;
		const silence = Math.min(this.#phi.suspectAfterMs(), this.#timeoutMs * latestSuspicion);
		return Math.max(this.#lastHeard + silence, this.#graceUntil);
	}

	get #downAt(): number {
		if (this.#lastHeard === null) return Number.POSITIVE_INFINITY;
		return Math.max(Math.max(this.#lastHeard, this.#indirect?.at ?? 0) + this.#timeoutMs, this.#graceUntil);
	}

	/** When the next probe of the series is due: the first of its times after the last probe. */
	get #probeAt(): number {
		const since = this.#probesSince;
		if (since === null) return Number.POSITIVE_INFINITY;
		const last = this.#lastProbe;
		let next = Number.POSITIVE_INFINITY;
		for (const offset of probeOffsetsMs) if (since + offset > last) next = Math.min(next, since + offset);
		if (next === Number.POSITIVE_INFINITY && this.#status !== "unknown") {
			const round = Math.floor((last - since) / probeEveryMs) + 1;
			next = since + round * probeEveryMs;
			// The division may round down a time that was reached exactly.
			if (next <= last) next += probeEveryMs;
		}
		if (this.#status === "suspect") {
			for (const before of lastProbesMs) {
				const at = this.#downAt - before;
				if (at > since && at > last) next = Math.min(next, at);
			}
		}
		return next;
	}
}

function seconds(ms: number): string {
	return `${Math.round(ms / 100) / 10} s`;
}
