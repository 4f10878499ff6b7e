import { readFileSync } from "node:fs";
import { isIPv4, type Socket } from "node:net";
import os from "node:os";

// The user at the other end of a connection on this machine: the kernel lists every TCP socket with the user who made it
// (proc_net_tcp in the kernel's documentation). Node has no SO_PEERCRED, which TCP would not support either.

/** A socket that no process holds any more has inode 0, and user 0 on older kernels: it identifies no user. */
const noInode = "0";
/** ESTABLISHED, and the states of a client that has sent everything and still reads: FIN_WAIT1, FIN_WAIT2. */
const connected = new Set(["01", "04", "05"]);

/** Four bytes as the kernel prints them: one number of the machine's own byte order. */
function word(bytes: readonly number[]): string {
	const ordered = os.endianness() === "LE" ? [...bytes].reverse() : bytes;
	return ordered
		.map((byte) => byte.toString(16).padStart(2, "0"))
		.join("")
		.toUpperCase();
}

function v4Bytes(address: string): number[] {
	return address.split(".").map(Number);
}

function v6Bytes(address: string): number[] {
	const [left = "", right = ""] = address.replace(/%.*$/, "").split("::");
	const groups = (text: string) =>
		text
			.split(":")
			.filter((group) => group !== "")
			.flatMap((group) => (group.includes(".") ? v4Bytes(group) : [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]));
	const [head, tail] = [groups(left), groups(right)];
	return [...head, ...new Array<number>(Math.max(0, 16 - head.length - tail.length)).fill(0), ...tail];
}

/** The forms of one end in the kernel's tables: an IPv4 address also as IPv4-mapped IPv6, for a client with an IPv6 socket. */
function forms(address: string, port: number): readonly string[] {
	const suffix = `:${port.toString(16).padStart(4, "0").toUpperCase()}`;
	const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
	if (!isIPv4(plain)) {
		const bytes = v6Bytes(plain);
		return [[0, 4, 8, 12].map((at) => word(bytes.slice(at, at + 4))).join("") + suffix];
	}
	const v4 = word(v4Bytes(plain));
	return [v4 + suffix, `${"0".repeat(16)}${word([0, 0, 0xff, 0xff])}${v4}${suffix}`];
}

function readTable(name: "tcp" | "tcp6"): string {
	try {
		return readFileSync(`/proc/net/${name}`, "latin1");
	} catch {
		// A kernel without IPv6, or no Linux.
		return "";
	}
}

/** Both ends of a connection, as this server sees them. */
export interface Ends {
	readonly remoteAddress: string;
	readonly remotePort: number;
	readonly localAddress: string;
	readonly localPort: number;
}

/**
 * The user whose process made the other end of a connection between two processes of this machine.
 * @param tables the kernel's lists of TCP sockets
 * @returns its id; null: the kernel lists no such socket, so the user is unknown
 */
export function userOfPeer(ends: Ends, tables: readonly string[] = [readTable("tcp"), readTable("tcp6")]): number | null {
	const theirs = new Set(forms(ends.remoteAddress, ends.remotePort));
	const ours = new Set(forms(ends.localAddress, ends.localPort));
	const users = new Set<number>();
	for (const table of tables) {
		for (const line of table.split("\n")) {
			// sl, local, remote, state, queues, timer, retransmits, uid, timeout, inode
			const [, local, remote, state, , , , uid, , inode] = line.trim().split(/\s+/);
			if (local === undefined || remote === undefined || !theirs.has(local) || !ours.has(remote)) continue;
			if (!connected.has(state ?? "") || inode === undefined || inode === noInode) continue;
			users.add(Number(uid));
		}
	}
	// A connection has one other end: if two entries claim to be it, neither is trusted.
	const [user] = users;
	return users.size === 1 && Number.isSafeInteger(user) ? (user as number) : null;
}

const known = new WeakMap<Socket, number>();

/** The user at the other end of a client's connection, looked up once for each connection; null: unknown. */
export function userOf(socket: Socket): number | null {
	const before = known.get(socket);
	if (before !== undefined) return before;
	const { remoteAddress, remotePort, localAddress, localPort } = socket;
	if (!remoteAddress || !remotePort || !localAddress || !localPort) return null;
	const user = userOfPeer({ remoteAddress, remotePort, localAddress, localPort });
	if (user !== null) known.set(socket, user);
	return user;
}
