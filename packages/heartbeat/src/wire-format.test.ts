import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Keyring } from "./keyring.ts";
import { decode, encode, type Message, maxDatagramBytes, paddedBytes } from "./wire-format.ts";

const services = { sync: "up", heartbeat: "up", "health-server": "down", monitor: "unknown" } as const;
const heartbeat: Message = {
	type: "heartbeat",
	bootId: "0123456789abcdef",
	sequence: 7,
	sentAtUs: 1_771_380_000_123_456,
	from: "helios",
	to: "chad",
	head: "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3",
	lastSyncMs: 1_771_380_000_000,
	syncStatus: "idle",
	consecutiveFailures: 0,
	messagesPending: 2,
	services,
	heard: true,
	intervalMs: 60_000,
	beat: 5,
};

function documentedVectors(): { title: string; key: string; hex: string; fields: Record<string, unknown> }[] {
	const text = readFileSync(new URL("../../../docs/heartbeat-protocol.md", import.meta.url), "utf8");
	return [...text.matchAll(/^### (.*)\n+```json\n([^`]*)```/gm)].map(([, title, json]) => ({ title, ...JSON.parse(json!) }));
}

describe("docs/heartbeat-protocol.md", () => {
	const vectors = documentedVectors();

	test("protocol document: every type of datagram → a vector with and without a key", () => {
		expect(new Set(vectors.map(({ fields }) => fields.type))).toEqual(
			new Set(["heartbeat", "ack", "challenge", "goodbye", "ping-req", "indirect-ack"]),
		);
		expect(vectors.some(({ key }) => key === "")).toBe(true);
	});

	test.each(vectors.map((vector) => [vector.title, vector] as const))(
		"protocol document: vector %s → reads and is written as documented",
		(_, vector) => {
			const keyring = new Keyring(vector.key === "" ? [] : [vector.key]);
			const datagram = Buffer.from(vector.hex.replaceAll(" ", ""), "hex");
			const message = decode(datagram);
			if (typeof message === "string") throw new Error(message);
			const { nonce, ...rest } = message;
			expect({ ...rest, ...(nonce ? { nonce: Buffer.from(nonce).toString("hex") } : {}) }).toEqual(vector.fields);
			expect(keyring.verify(datagram)).toBe(0);
			const written = encode(message, { padTo: datagram.length, authenticated: keyring.authenticates });
			keyring.sign(written);
			expect(written.toString("hex")).toBe(datagram.toString("hex"));
		},
	);
});

describe("a datagram", () => {
	test("datagram: any content → decoded as it was encoded", () => {
		const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/);
		const hex = (digits: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`));
		const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
		const safe = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
		const upDown = fc.constantFrom("up", "down", "unknown");
		const message = fc.record(
			{
				type: fc.constantFrom("heartbeat", "ack", "challenge", "goodbye", "ping-req", "indirect-ack"),
				bootId: hex(16),
				sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
				sentAtUs: safe,
				from: name,
				to: name,
				head: fc.oneof(hex(40), hex(64)),
				lastSyncMs: fc.integer({ min: 0, max: 8.64e15 }),
				syncStatus: fc.constantFrom("idle", "syncing", "retrying", "failed", "stopped"),
				consecutiveFailures: uint32,
				messagesPending: uint32,
				services: fc.record({ sync: upDown, heartbeat: upDown, "health-server": upDown, monitor: upDown }),
				heard: fc.boolean(),
				intervalMs: uint32,
				beat: uint32,
				echo: fc.record({ bootId: hex(16), sequence: fc.integer({ min: 1, max: 2 ** 50 }), receivedAtUs: safe, holdUs: uint32 }),
				nonce: fc.uint8Array({ minLength: 16, maxLength: 16 }),
				target: name,
				reason: fc.string({ maxLength: 30, unit: "grapheme" }),
			},
			{ requiredKeys: ["type", "bootId", "sequence", "sentAtUs", "from", "to"] },
		) as fc.Arbitrary<Message>;
		fc.assert(
			fc.property(message, fc.boolean(), fc.integer({ min: 0, max: 600 }), (original, authenticated, padTo) => {
				const datagram = encode(original, { authenticated, padTo });
				expect(datagram.length).toBeLessThanOrEqual(maxDatagramBytes);
				expect(decode(datagram)).toEqual(original);
			}),
			{ numRuns: 300, seed: 6 },
		);
	});

	test("datagram: everything in it → fits into the padded size", () => {
		const name = "n".repeat(63);
		const largest: Message = { ...heartbeat, from: name, to: name, head: "f".repeat(64), nonce: new Uint8Array(16) };
		expect(encode(largest, { padTo: paddedBytes, authenticated: true })).toHaveLength(paddedBytes);
	});

	test("datagram: an unknown field → read as if it were not there", () => {
		const known = encode(heartbeat);
		const extended = Buffer.concat([known, Buffer.from([200, 0, 3, 1, 2, 3]), Buffer.from([200, 0, 0])]);
		expect(decode(extended)).toEqual(heartbeat);
	});

	test.each([
		["empty", Buffer.alloc(0)],
		["one byte short of a header", encode(heartbeat).subarray(0, 35)],
		["too long", Buffer.concat([encode(heartbeat, { padTo: maxDatagramBytes }), Buffer.from([0])])],
		["of another protocol", Buffer.from("GET / HTTP/1.1\r\nHost: localhost:8765\r\nAccept: */*\r\n\r\n")],
		["of an unknown type", patched(5, 9)],
		["with sequence 0", encode({ ...heartbeat, sequence: 0 })],
		["with a sequence beyond 2^53", patched(16, 0xff)],
		["with a sender's name that is none", patched(33, 0x2f)],
		["with an empty sender's name", patched(32, 0)],
		["with a name that reaches beyond the end", patched(32, 255)],
		["with a field twice", Buffer.concat([encode(heartbeat), Buffer.from([7, 0, 1, 1])])],
		["with padding twice", Buffer.concat([encode(heartbeat), Buffer.from([0, 0, 0, 0, 0, 0])])],
		["with a field of the wrong length", Buffer.concat([encode({ ...heartbeat, heard: undefined }), Buffer.from([7, 0, 2, 1, 1])])],
		["with a field beyond the end", Buffer.concat([encode(heartbeat), Buffer.from([200, 255, 255])])],
		["with half a field header at the end", Buffer.concat([encode(heartbeat), Buffer.from([200, 0])])],
		["that claims an authenticator but is shorter than one", patched(6, 1).subarray(0, 50)],
	])("datagram: %s → malformed", (_, datagram) => {
		expect(decode(datagram)).toBe("malformed");
	});

	test("datagram: another version → distinguished from a malformed one", () => {
		expect(decode(patched(4, 2))).toBe("version");
		expect(decode(patched(4, 0))).toBe("version");
	});

	function patched(offset: number, value: number): Buffer {
		const datagram = encode(heartbeat);
		datagram[offset] = value;
		return datagram;
	}
});

describe("keys", () => {
	const [old, fresh] = ["the old secret 16", "the new secret 16"] as const;
	const signedBy = (...secrets: string[]) => {
		const datagram = encode(heartbeat, { authenticated: secrets.length > 0, padTo: paddedBytes });
		new Keyring(secrets).sign(datagram);
		return datagram;
	};

	test("datagram: any changed bit → noticed", () => {
		const datagram = signedBy(fresh);
		const keyring = new Keyring([fresh]);
		expect(keyring.verify(datagram)).toBe(0);
		for (let bit = 0; bit < datagram.length * 8; bit += 13) {
			datagram[bit >> 3]! ^= 1 << (bit & 7);
			expect(keyring.verify(datagram)).toBe(-1);
			datagram[bit >> 3]! ^= 1 << (bit & 7);
		}
	});

	test("keys: several → by which of them a datagram was signed", () => {
		const both = new Keyring([fresh, old]);
		expect(both.verify(signedBy(fresh))).toBe(0);
		expect(both.verify(signedBy(old))).toBe(1);
		expect(new Keyring([old]).verify(signedBy(fresh))).toBe(-1);
		const datagram = encode(heartbeat, { authenticated: true });
		both.sign(datagram, 1);
		expect(new Keyring([old]).verify(datagram)).toBe(0);
	});

	test("keys: an authenticator → cannot be stripped, is not taken on trust", () => {
		expect(new Keyring([fresh]).verify(signedBy())).toBe(-1);
		expect(new Keyring([]).verify(signedBy(fresh))).toBe(-1);
		expect(new Keyring([]).verify(signedBy())).toBe(0);
	});
});
