import { isIPv6, SocketAddress } from "node:net";
import { networkInterfaces } from "node:os";

/** Where a datagram goes or comes from. */
export interface Address {
	/** A literal IPv4 or IPv6 address; IPv4 never as ::ffff:a.b.c.d. */
	readonly host: string;
	readonly port: number;
}

/** A literal address in the form in which the system names a sender: IPv4 not mapped into IPv6, IPv6 as inet_ntop(3), a zone by name. */
export function canonicalHost(host: string): string {
	const [literal = "", zone] = host.split("%", 2);
	if (!isIPv6(literal)) return literal;
	const plain = new SocketAddress({ address: literal, family: "ipv6" }).address;
	const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1];
	if (mapped) return mapped;
	if (zone === undefined) return plain;
	const byNumber = Object.entries(networkInterfaces()).find(([, addresses]) =>
		addresses?.some((address) => address.family === "IPv6" && String(address.scopeid) === zone && zone !== "0"),
	);
	return `${plain}%${byNumber?.[0] ?? zone}`;
}

/** Carries datagrams; may lose, repeat, delay and reorder them. */
export interface Transport {
	/** Never throws, and guarantees nothing: a datagram that cannot be sent is lost. */
	send(datagram: Buffer, to: Address): void;
	/** Passes every datagram that arrives from now on to `receive`. */
	listen(receive: (datagram: Buffer, from: Address) => void): void;
	close(): void;
}

/** Finds the addresses of a host name. Calls back exactly once, perhaps at once. */
export type Resolver = (host: string, done: (error: Error | null, hosts: readonly string[]) => void) => void;

/** `host:port`, IPv6 in brackets. */
export function formatAddress({ host, port }: Address): string {
	return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export function sameAddress(a: Address | null, b: Address | null): boolean {
	return a === b || (a !== null && b !== null && a.port === b.port && a.host === b.host);
}
