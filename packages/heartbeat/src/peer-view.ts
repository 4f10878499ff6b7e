import type { PeerCause, PeerStatus } from "@robust-sync/workspace";
import type { Content } from "./content.ts";
import type { Peer } from "./peer.ts";
import { formatAddress } from "./transport.ts";

/** The state of one peer, for the state file and for people. */
export interface PeerView {
	readonly name: string;
	readonly address: string | null;
	readonly status: PeerStatus;
	readonly reason: string | null;
	readonly cause: PeerCause | null;
	/** Milliseconds since the epoch. */
	readonly receivedAtMs: number | null;
	readonly sequence: number | null;
	readonly bootId: string | null;
	readonly missed: number;
	readonly rttMs: number | null;
	readonly clockOffsetMs: number | null;
	readonly phi: number | null;
	readonly hearsUs: boolean | null;
	readonly content: Content;
}

/** @param nowMs monotonic milliseconds */
export function viewOf(peer: Peer, nowMs: number): PeerView {
	const { detector, clockFilter } = peer;
	return {
		name: peer.name,
		address: peer.address === null ? null : formatAddress(peer.address),
		status: detector.status,
		reason: reasonOf(peer),
		cause: causeOf(peer),
		receivedAtMs: peer.receivedAtMs ?? (detector.status === "down" ? peer.previouslyReceivedAtMs : null),
		sequence: peer.lastSequence,
		bootId: peer.bootId,
		missed: detector.missed(nowMs),
		rttMs: clockFilter.best?.rttMs ?? null,
		clockOffsetMs: clockFilter.best?.offsetMs ?? null,
		phi: detector.phi(nowMs),
		// The last report of a silent peer is outdated, and a peer that sent a goodbye hears no node.
		hearsUs: detector.status === "down" && peer.hearsUs ? null : peer.hearsUs,
		content: peer.content,
	};
}

/** Why a peer is not alive, for people; null while it is, or when no reason is known. */
export function reasonOf(peer: Peer): string | null {
	if (peer.detector.status === "alive") return null;
	const parts = [peer.detector.reason, peer.address === null ? peer.resolveProblem : null, peer.refusal?.why ?? null];
	const text = parts.filter((part) => part !== null).join("; ");
	return text === "" ? null : text;
}

function causeOf({ detector, address, resolveProblem, refusal }: Peer): PeerCause | null {
	if (detector.status === "alive") return null;
	if (refusal !== null) return refusal.cause;
	if (address === null && resolveProblem !== null) return "unresolved";
	if (detector.hasLeft) return "stopped";
	return detector.isHeardByOthers ? "link" : null;
}
