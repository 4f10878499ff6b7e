/** The datagrams of docs/heartbeat-protocol.md, sections 1 to 3: encoding and decoding, without any trust in the sender. */

/** Fits the smallest IPv6 path MTU without fragments. */
export const maxDatagramBytes = 1_200;
/** Heartbeats, challenges and ping-reqs are padded to this size, so that no reply is larger than its request. */
export const paddedBytes = 384;
export const authenticatorBytes = 32;
export const nonceBytes = 16;
const maxReasonBytes = 120;

const magic = 0x52534842;
const wireVersion = 1;
const fixedHeaderBytes = 32;
const flagAuthenticated = 0x01;
const flagTransient = 0x02;
const flagTwoKeys = 0x04;
const echoBytes = 28;
const fieldHeaderBytes = 3;

export const messageTypes = ["heartbeat", "ack", "challenge", "goodbye", "ping-req", "indirect-ack"] as const;
export type MessageType = (typeof messageTypes)[number];

const syncStatusCodes = [null, "idle", "syncing", "retrying", "failed", "stopped", "paused", "held"] as const;
export type WireSyncStatus = Exclude<(typeof syncStatusCodes)[number], null>;
const upDownCodes = ["unknown", "up", "down"] as const;
type WireUpDown = (typeof upDownCodes)[number];
const serviceOrder = ["sync", "heartbeat", "health-server", "monitor"] as const;
export type WireServices = Readonly<Record<(typeof serviceOrder)[number], WireUpDown>>;

const Tag = {
	padding: 0,
	head: 1,
	lastSync: 2,
	syncStatus: 3,
	consecutiveFailures: 4,
	messagesPending: 5,
	services: 6,
	heard: 7,
	intervalMs: 8,
	beat: 9,
	echo: 10,
	nonce: 11,
	target: 12,
	reason: 13,
} as const;
const lastKnownTag = Tag.reason;

/** The datagram that an answer refers to, and when that one arrived by the clock of the answering node. */
export interface Echo {
	readonly bootId: string;
	readonly sequence: number;
	/** Microseconds since the epoch. */
	readonly receivedAtUs: number;
	/** From arrival to answer, microseconds. */
	readonly holdUs: number;
}

/** One datagram. Fields that are undefined are not in it. */
export interface Message {
	type: MessageType;
	/** 16 hex digits. */
	bootId: string;
	sequence: number;
	/** Microseconds since the epoch, sender's clock. */
	sentAtUs: number;
	from: string;
	to: string;
	/** The sender is short-lived: neither its boot id nor its address is of use later. */
	transient?: boolean | undefined;
	/** The sender has an older key as well as the newest. */
	twoKeys?: boolean | undefined;
	/** Lower-case hex of 40 or 64 digits. */
	head?: string | undefined;
	lastSyncMs?: number | undefined;
	syncStatus?: WireSyncStatus | undefined;
	consecutiveFailures?: number | undefined;
	messagesPending?: number | undefined;
	services?: WireServices | undefined;
	heard?: boolean | undefined;
	intervalMs?: number | undefined;
	beat?: number | undefined;
	echo?: Echo | undefined;
	nonce?: Uint8Array | undefined;
	target?: string | undefined;
	reason?: string | undefined;
}

/**
 * A message without optional fields. All of them are there from the beginning, as undefined: every message then has one
 * shape, for which V8 makes fast code.
 */
export function newMessage(type: MessageType, bootId: string, sequence: number, sentAtUs: number, from: string, to: string): Message {
	return {
		type,
		bootId,
		sequence,
		sentAtUs,
		from,
		to,
		transient: undefined,
		twoKeys: undefined,
		head: undefined,
		lastSyncMs: undefined,
		syncStatus: undefined,
		consecutiveFailures: undefined,
		messagesPending: undefined,
		services: undefined,
		heard: undefined,
		intervalMs: undefined,
		beat: undefined,
		echo: undefined,
		nonce: undefined,
		target: undefined,
		reason: undefined,
	};
}

/** Why a datagram cannot be read. */
export type DecodeProblem = "malformed" | "version";

const nameByte = new Uint8Array(256);
for (const char of "abcdefghijklmnopqrstuvwxyz0123456789-") nameByte[char.charCodeAt(0)] = 1;
const dash = 0x2d;

function isName(bytes: Buffer, start: number, end: number): boolean {
	if (end - start < 1 || end - start > 63 || bytes[start] === dash) return false;
	for (let i = start; i < end; i++) if (nameByte[bytes[i]!] !== 1) return false;
	return true;
}

/** An integer of 8 bytes that a double holds exactly, or -1. */
function readSafeInteger(bytes: Buffer, offset: number): number {
	const high = bytes.readUInt32BE(offset);
	return high > 0x1fffff ? -1 : high * 0x1_0000_0000 + bytes.readUInt32BE(offset + 4);
}

function writeSafeInteger(bytes: Buffer, value: number, offset: number): void {
	bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), offset);
	bytes.writeUInt32BE(value % 0x1_0000_0000, offset + 4);
}

/** Whether the datagram claims to carry an authenticator. Only for a datagram that {@link decode} accepted. */
export function isAuthenticated(datagram: Buffer): boolean {
	return (datagram[6]! & flagAuthenticated) !== 0;
}

/**
 * Reads a datagram from anywhere. Takes time linear in its length and keeps no reference to it.
 *
 * @param bytes the datagram; its authenticator is not checked here (keyring.ts)
 * @returns the message, or why there is none; never throws
 */
export function decode(bytes: Buffer): Message | DecodeProblem {
	const length = bytes.length;
	if (length > maxDatagramBytes || length < fixedHeaderBytes + 4 || bytes.readUInt32BE(0) !== magic) return "malformed";
	if (bytes[4] !== wireVersion) return "version";
	const type = messageTypes[bytes[5]! - 1];
	const flags = bytes[6]!;
	const end = (flags & flagAuthenticated) === 0 ? length : length - authenticatorBytes;
	const sequence = readSafeInteger(bytes, 16);
	const sentAtUs = readSafeInteger(bytes, 24);
	if (type === undefined || sequence < 1 || sentAtUs < 0) return "malformed";

	let at = fixedHeaderBytes;
	const fromEnd = at + 1 + bytes[at]!;
	if (fromEnd >= end || !isName(bytes, at + 1, fromEnd)) return "malformed";
	const from = bytes.toString("latin1", at + 1, fromEnd);
	const toEnd = fromEnd + 1 + bytes[fromEnd]!;
	if (toEnd > end || !isName(bytes, fromEnd + 1, toEnd)) return "malformed";
	const to = bytes.toString("latin1", fromEnd + 1, toEnd);

	const message = newMessage(type, bytes.toString("hex", 8, 16), sequence, sentAtUs, from, to);
	if ((flags & flagTransient) !== 0) message.transient = true;
	if ((flags & flagTwoKeys) !== 0) message.twoKeys = true;
	let seen = 0;
	for (at = toEnd; at < end; ) {
		if (at + fieldHeaderBytes > end) return "malformed";
		const tag = bytes[at]!;
		const start = at + fieldHeaderBytes;
		at = start + bytes.readUInt16BE(at + 1);
		if (at > end) return "malformed";
		if (tag > lastKnownTag) continue;
		if ((seen & (1 << tag)) !== 0 || !readField(message, tag, bytes, start, at)) return "malformed";
		seen |= 1 << tag;
	}
	return message;
}

/** Stores one known field in `message`. False if its length or value is invalid. */
function readField(message: Message, tag: number, bytes: Buffer, start: number, end: number): boolean {
	const length = end - start;
	switch (tag) {
		case Tag.padding:
			return true;
		case Tag.head:
			if (length !== 20 && length !== 32) return false;
			message.head = bytes.toString("hex", start, end);
			return true;
		case Tag.lastSync: {
			if (length !== 8) return false;
			const value = readSafeInteger(bytes, start);
			// No Date can represent a later time (ECMA-262, time values).
			if (value < 0 || value > 8.64e15) return false;
			message.lastSyncMs = value;
			return true;
		}
		case Tag.syncStatus:
			if (length !== 1) return false;
			message.syncStatus = syncStatusCodes[bytes[start]!] ?? undefined;
			return true;
		case Tag.consecutiveFailures:
			if (length !== 4) return false;
			message.consecutiveFailures = bytes.readUInt32BE(start);
			return true;
		case Tag.messagesPending:
			if (length !== 4) return false;
			message.messagesPending = bytes.readUInt32BE(start);
			return true;
		case Tag.services:
			if (length < serviceOrder.length) return false;
			message.services = {
				sync: upDownCodes[bytes[start]!] ?? "unknown",
				heartbeat: upDownCodes[bytes[start + 1]!] ?? "unknown",
				"health-server": upDownCodes[bytes[start + 2]!] ?? "unknown",
				monitor: upDownCodes[bytes[start + 3]!] ?? "unknown",
			};
			return true;
		case Tag.heard:
			if (length !== 1) return false;
			message.heard = bytes[start] === 1;
			return true;
		case Tag.intervalMs:
			if (length !== 4) return false;
			message.intervalMs = bytes.readUInt32BE(start);
			return true;
		case Tag.beat:
			if (length !== 4) return false;
			message.beat = bytes.readUInt32BE(start);
			return true;
		case Tag.echo: {
			if (length !== echoBytes) return false;
			const sequence = readSafeInteger(bytes, start + 8);
			const receivedAtUs = readSafeInteger(bytes, start + 16);
			if (sequence < 1 || receivedAtUs < 0) return false;
			message.echo = { bootId: bytes.toString("hex", start, start + 8), sequence, receivedAtUs, holdUs: bytes.readUInt32BE(start + 24) };
			return true;
		}
		case Tag.nonce:
			if (length !== nonceBytes) return false;
			message.nonce = new Uint8Array(bytes.subarray(start, end));
			return true;
		case Tag.target:
			if (!isName(bytes, start, end)) return false;
			message.target = bytes.toString("latin1", start, end);
			return true;
		case Tag.reason:
			if (length > maxReasonBytes) return false;
			message.reason = bytes.toString("utf8", start, end);
			return true;
		default:
			return true;
	}
}

/** The largest integer of 4 bytes; larger counts are sent as this. */
const maxUint32 = 0xffff_ffff;
// Written in place and copied out at its final size: a datagram costs one allocation.
const scratch = Buffer.alloc(maxDatagramBytes);

class FieldWriter {
	at = 0;

	name(name: string): void {
		scratch[this.at] = scratch.write(name, this.at + 1, 63, "latin1");
		this.at += 1 + scratch[this.at]!;
	}

	/** Writes tag and length; returns where the value goes. */
	open(tag: number, length: number): number {
		scratch[this.at] = tag;
		scratch.writeUInt16BE(length, this.at + 1);
		const start = this.at + fieldHeaderBytes;
		this.at = start + length;
		return start;
	}

	uint32(tag: number, value: number | undefined): void {
		if (value !== undefined) scratch.writeUInt32BE(Math.min(maxUint32, Math.max(0, Math.round(value))), this.open(tag, 4));
	}
}

/**
 * Writes a datagram.
 *
 * @param message its fields; names must be node names, hex of the right length
 * @param options padTo: pad to this many bytes in all, if it is shorter; authenticated: leaves room for the
 * authenticator at the end, as 32 zero bytes (keyring.ts fills them in)
 * @returns a buffer of its own
 */
export function encode(message: Message, { padTo = 0, authenticated = false }: { padTo?: number; authenticated?: boolean } = {}): Buffer {
	const trailer = authenticated ? authenticatorBytes : 0;
	const out = new FieldWriter();
	scratch.writeUInt32BE(magic, 0);
	scratch[4] = wireVersion;
	scratch[5] = messageTypes.indexOf(message.type) + 1;
	scratch[6] = (authenticated ? flagAuthenticated : 0) | (message.transient ? flagTransient : 0) | (message.twoKeys ? flagTwoKeys : 0);
	scratch[7] = 0;
	scratch.write(message.bootId, 8, 8, "hex");
	writeSafeInteger(scratch, message.sequence, 16);
	writeSafeInteger(scratch, message.sentAtUs, 24);
	out.at = fixedHeaderBytes;
	out.name(message.from);
	out.name(message.to);
	if (message.head !== undefined) scratch.write(message.head, out.open(Tag.head, message.head.length / 2), "hex");
	if (message.lastSyncMs !== undefined) writeSafeInteger(scratch, message.lastSyncMs, out.open(Tag.lastSync, 8));
	if (message.syncStatus !== undefined) scratch[out.open(Tag.syncStatus, 1)] = syncStatusCodes.indexOf(message.syncStatus);
	out.uint32(Tag.consecutiveFailures, message.consecutiveFailures);
	out.uint32(Tag.messagesPending, message.messagesPending);
	if (message.services) {
		const start = out.open(Tag.services, serviceOrder.length);
		serviceOrder.forEach((service, i) => {
			scratch[start + i] = upDownCodes.indexOf(message.services![service]);
		});
	}
	if (message.heard !== undefined) scratch[out.open(Tag.heard, 1)] = message.heard ? 1 : 0;
	out.uint32(Tag.intervalMs, message.intervalMs);
	out.uint32(Tag.beat, message.beat);
	if (message.echo) {
		const start = out.open(Tag.echo, echoBytes);
		scratch.write(message.echo.bootId, start, 8, "hex");
		writeSafeInteger(scratch, message.echo.sequence, start + 8);
		writeSafeInteger(scratch, message.echo.receivedAtUs, start + 16);
		scratch.writeUInt32BE(Math.min(maxUint32, message.echo.holdUs), start + 24);
	}
	if (message.nonce) scratch.set(message.nonce, out.open(Tag.nonce, nonceBytes));
	if (message.target !== undefined) scratch.write(message.target, out.open(Tag.target, message.target.length), "latin1");
	if (message.reason !== undefined) {
		const reason = clipUtf8(message.reason, maxReasonBytes);
		scratch.set(reason, out.open(Tag.reason, reason.length));
	}
	const padding = padTo - trailer - out.at;
	if (padding >= fieldHeaderBytes) {
		const start = out.open(Tag.padding, padding - fieldHeaderBytes);
		scratch.fill(0, start, out.at);
	}
	const datagram = Buffer.allocUnsafe(out.at + trailer);
	scratch.copy(datagram, 0, 0, out.at);
	if (trailer > 0) datagram.fill(0, out.at);
	return datagram;
}

/** The first bytes of `text`, at most `limit`, without a character cut in two. */
function clipUtf8(text: string, limit: number): Buffer {
	const bytes = Buffer.from(text);
	if (bytes.length <= limit) return bytes;
	let end = limit;
	while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
	return bytes.subarray(0, end);
}
