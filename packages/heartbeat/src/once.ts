import { randomBytes } from "node:crypto";
import type { Config, PeerAddress } from "@robust-sync/workspace";
import { systemClock } from "./clock.ts";
import { measure } from "./clock-filter.ts";
import type { Content } from "./content.ts";
import { Keyring } from "./keyring.ts";
import { type Address, canonicalHost, formatAddress } from "./transport.ts";
import { openUdpTransport, systemResolver } from "./udp-transport.ts";
import { decode, encode, type Message, paddedBytes } from "./wire-format.ts";

/** The outcome of the heartbeat to one peer. */
export interface OnceResult {
	readonly peer: string;
	readonly answered: boolean;
	/** Where the answer came from, or else where the heartbeat went; null: nowhere. */
	readonly address: string | null;
	readonly rttMs: number | null;
	readonly clockOffsetMs: number | null;
	/** Why there is no answer. */
	readonly reason: string | null;
}

/** How long to wait for answers. */
const onceWaitMs = 2_000;
/** When an unanswered heartbeat is sent again: one lost datagram does not mean a dead peer. */
const repeatsMs = [500, 1_000, 1_500] as const;

interface Sent {
	readonly monotonicMs: number;
	readonly wallMs: number;
}

/**
 * Sends one heartbeat to each peer and waits up to two seconds for the answers. Uses a port of its own and is marked
 * transient, so that no peer mistakes it for the running heartbeat beside it.
 */
export async function heartbeatOnce(config: Config, content: Content): Promise<OnceResult[]> {
	const resolver = systemResolver();
	const transport = await openUdpTransport({ host: config.heartbeatBind, port: 0 });
	const keyring = new Keyring(config.heartbeatKeys);
	const bootId = randomBytes(8).toString("hex");
	const inquiries = new Map(config.peers.map((peer) => [peer.name, new Inquiry(peer)]));
	return await new Promise((resolve) => {
		const timers: unknown[] = [];
		const finish = () => {
			for (const timer of timers) systemClock.cancel(timer);
			transport.close();
			resolve([...inquiries.values()].map((inquiry) => inquiry.result));
		};
		const send = (inquiry: Inquiry, to: Address, keys: readonly number[], nonce?: Uint8Array) => {
			for (const key of keys) {
				const message: Message = {
					type: "heartbeat",
					bootId,
					sequence: ++inquiry.sequence,
					sentAtUs: Math.round(systemClock.wallMs() * 1_000),
					from: config.nodeName,
					to: inquiry.peer.name,
					transient: true,
					twoKeys: keyring.size > 1,
					head: content.head ?? undefined,
					lastSyncMs: content.lastSyncMs ?? undefined,
					syncStatus: content.syncStatus ?? undefined,
					consecutiveFailures: content.consecutiveFailures ?? undefined,
					messagesPending: content.messagesPending ?? undefined,
					services: content.services,
					intervalMs: config.heartbeatIntervalSeconds * 1_000,
					nonce,
				};
				const datagram = encode(message, { padTo: paddedBytes, authenticated: keyring.authenticates });
				keyring.sign(datagram, key);
				inquiry.sent.set(message.sequence, { monotonicMs: systemClock.monotonicMs(), wallMs: systemClock.wallMs() });
				transport.send(datagram, to);
			}
		};
		const allKeys = keyring.size > 1 ? [0, 1] : [0];
		transport.listen((datagram, from) => {
			const arrivedMs = systemClock.monotonicMs();
			const message = decode(datagram);
			if (typeof message === "string") return;
			const inquiry = message.to === config.nodeName ? inquiries.get(message.from) : undefined;
			// Without a key an answer counts only from an address that the name resolves to.
			if (inquiry && !keyring.authenticates && !inquiry.hosts.has(from.host)) return;
			if (!inquiry || inquiry.result.answered || message.echo?.bootId !== bootId) return;
			const sent = inquiry.sent.get(message.echo.sequence);
			const key = keyring.verify(datagram);
			if (!sent || key < 0) return;
			if (message.type === "challenge" && message.nonce) send(inquiry, from, [key > 0 && !message.twoKeys ? key : 0], message.nonce);
			if (message.type !== "ack") return;
			const { rttMs, offsetMs } = measure(
				sent.wallMs,
				message.echo.receivedAtUs / 1_000,
				message.echo.holdUs / 1_000,
				arrivedMs - sent.monotonicMs,
			);
			inquiry.result = { ...inquiry.result, answered: true, address: formatAddress(from), rttMs, clockOffsetMs: offsetMs, reason: null };
			if ([...inquiries.values()].every(({ result }) => result.answered)) finish();
		});
		for (const inquiry of inquiries.values()) {
			const { host, port, name } = inquiry.peer;
			resolver(host, (error, hosts) => {
				const [first] = hosts;
				for (const one of hosts) inquiry.hosts.add(canonicalHost(one));
				if (error || first === undefined) {
					const why = (error as NodeJS.ErrnoException | null)?.code ?? "no address";
					inquiry.result = { ...inquiry.result, reason: `${host} does not resolve (${why})` };
					return;
				}
				const address = formatAddress({ host: first, port });
				const reason = `no answer from ${address}: does heartbeat run on ${name}, with ${config.nodeName} among its peers${keyring.authenticates ? " and the same HEARTBEAT_KEY" : ""}?`;
				inquiry.result = { ...inquiry.result, address, reason };
				const tell = () => {
					if (!inquiry.result.answered) for (const one of hosts) send(inquiry, { host: one, port }, allKeys);
				};
				tell();
				for (const after of repeatsMs) timers.push(systemClock.schedule(after, tell));
			});
		}
		timers.push(systemClock.schedule(onceWaitMs, finish));
		if (inquiries.size === 0) finish();
	});
}

class Inquiry {
	readonly peer: PeerAddress;
	readonly sent = new Map<number, Sent>();
	/** The addresses of the peer's host name. */
	readonly hosts = new Set<string>();
	sequence = 0;
	result: OnceResult;

	constructor(peer: PeerAddress) {
		this.peer = peer;
		this.result = {
			peer: peer.name,
			answered: false,
			address: null,
			rttMs: null,
			clockOffsetMs: null,
			reason: "its name is still being resolved",
		};
	}
}
