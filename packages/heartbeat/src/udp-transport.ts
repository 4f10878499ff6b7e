import dgram from "node:dgram";
import dns from "node:dns";
import { isIP, isIPv4 } from "node:net";
import type { Address, Resolver, Transport } from "./transport.ts";

/** The socket of this node's heartbeat. */
export interface UdpTransport extends Transport {
	readonly port: number;
	/** The address that is listened on. */
	readonly host: string;
}

export interface UdpOptions {
	/** Null: `::` for IPv6 and IPv4, or 0.0.0.0 where there is no IPv6. */
	host: string | null;
	/** 0: any free port. */
	port: number;
}

const mappedPrefix = "::ffff:";
/** No IPv6 here: not compiled in, switched off, or without any address. */
const noIpv6: readonly string[] = ["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL", "EPROTONOSUPPORT"];
/** For a thousand peers that start at once; a smaller buffer, if the kernel grants no more, is enough. */
const receiveBufferBytes = 2 * 1024 * 1024;

/**
 * Opens the UDP socket.
 *
 * @throws the system's error: EADDRINUSE, EACCES, EADDRNOTAVAIL, …
 */
export async function openUdpTransport({ host, port }: UdpOptions): Promise<UdpTransport> {
	if (host !== null) return open(isIP(host) ? host : (await dns.promises.lookup(host)).address, port);
	try {
		return await open("::", port);
	} catch (error) {
		if (!noIpv6.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
		return open("0.0.0.0", port);
	}
}

async function open(host: string, port: number): Promise<UdpTransport> {
	const type = isIPv4(host) ? "udp4" : "udp6";
	const socket = dgram.createSocket({
		type,
		ipv6Only: false,
		// All addresses here are literal: without a resolver the datagram leaves within the call.
		lookup: (address, _options, done) => done(null, address, type === "udp4" ? 4 : 6),
	});
	await new Promise<void>((resolve, reject) => {
		socket.once("error", reject);
		socket.bind({ address: host, port, exclusive: true }, () => {
			socket.off("error", reject);
			resolve();
		});
	});
	// Unreachable hosts and networks are reported in this way, too; to the protocol they are lost datagrams.
	socket.on("error", () => {});
	try {
		socket.setRecvBufferSize(receiveBufferBytes);
	} catch {
		// Not granted: the default is enough.
	}
	let isOpen = true;
	return {
		port: socket.address().port,
		host,
		send(datagram, to) {
			if (!isOpen) return;
			const isV4 = isIPv4(to.host);
			if (type === "udp4" && !isV4) return;
			try {
				socket.send(datagram, to.port, type === "udp6" && isV4 ? mappedPrefix + to.host : to.host);
			} catch {
				// The system refuses the address (a scope that is gone): lost.
			}
		},
		listen(receive) {
			socket.on("message", (datagram, { address, port: from }) => {
				const plain = address.startsWith(mappedPrefix) && address.includes(".") ? address.slice(mappedPrefix.length) : address;
				receive(datagram, { host: plain, port: from } satisfies Address);
			});
		},
		close() {
			if (!isOpen) return;
			isOpen = false;
			socket.close();
		},
	};
}

/** Look-ups occupy threads that file writes need too (libuv's pool has four): a dead name server must not stop these. */
const maxLookups = 2;

/** Resolves names as every program on this machine does (getaddrinfo: /etc/hosts, DNS, mDNS, …). */
export function systemResolver(): Resolver {
	const waiting: (() => void)[] = [];
	let running = 0;
	return (host, done) => {
		if (isIP(host.replace(/%.*$/, ""))) {
			done(null, [host]);
			return;
		}
		const run = () => {
			running++;
			dns.lookup(host, { all: true, verbatim: true }, (error, addresses) => {
				running--;
				waiting.shift()?.();
				done(error, error ? [] : addresses.map(({ address }) => address));
			});
		};
		if (running < maxLookups) run();
		else waiting.push(run);
	};
}
