import { encode, type Message, maxDatagramBytes, messageTypes, paddedBytes } from "../wire-format.ts";
import { type SeededRandom, seededRandom } from "./simulated-network.ts";

/** Endless hostile datagrams, the same for the same seed: random, mutated, cut, huge, of other versions, with fields repeated or nested. */
export class FuzzedDatagrams {
	readonly #random: SeededRandom;
	readonly #from: string;
	readonly #to: string;
	readonly #noise: Buffer;

	/** @param from a peer's name; @param to the name of the node that is attacked */
	constructor(seed: number, from: string, to: string) {
		this.#random = seededRandom(seed);
		this.#from = from;
		this.#to = to;
		this.#noise = Buffer.from(this.#random.bytes(65_536));
	}

	next(): Buffer {
		switch (this.#below(8)) {
			case 0:
				return this.#bytes(this.#below(2_000));
			case 1:
				return this.#mutated();
			case 2:
				return this.#valid().subarray(0, this.#below(paddedBytes));
			case 3:
				return Buffer.concat([this.#valid(), this.#bytes(this.#below(8_000))]);
			case 4: {
				const datagram = this.#valid();
				datagram[4] = this.#below(256);
				return datagram;
			}
			case 5:
				return this.#withFields(13, () => this.#below(3) * 4);
			case 6:
				return this.#withFields(256, () => this.#below(40));
			default:
				return this.#nested();
		}
	}

	#below(limit: number): number {
		return Math.floor(this.#random.fraction() * limit);
	}

	#bytes(length: number): Buffer {
		const start = this.#below(this.#noise.length - Math.min(length, this.#noise.length - 1));
		return Buffer.from(this.#noise.subarray(start, start + length));
	}

	#valid(): Buffer {
		const message: Message = {
			type: messageTypes[this.#below(messageTypes.length)]!,
			bootId: this.#bytes(8).toString("hex"),
			sequence: 1 + this.#below(2 ** 40),
			sentAtUs: this.#below(2 ** 50),
			from: this.#from,
			to: this.#to,
			transient: this.#below(2) === 1,
			head: this.#bytes(20).toString("hex"),
			heard: true,
			echo: { bootId: this.#bytes(8).toString("hex"), sequence: 1 + this.#below(100), receivedAtUs: 1, holdUs: 1 },
			nonce: this.#bytes(16),
			target: this.#to,
		};
		const datagram = encode(message, { padTo: paddedBytes, authenticated: this.#below(2) === 1 });
		this.#bytes(32).copy(datagram, datagram.length - 32);
		return datagram;
	}

	#mutated(): Buffer {
		const datagram = this.#valid();
		for (let i = 1 + this.#below(8); i > 0; i--) datagram[this.#below(datagram.length)] = this.#below(256);
		return datagram;
	}

	/** A valid head, then as many fields as fit: known ones again and again, or unknown ones, of any length. */
	#withFields(tags: number, length: () => number): Buffer {
		const parts = [encode({ type: "heartbeat", bootId: "00".repeat(8), sequence: 1, sentAtUs: 0, from: this.#from, to: this.#to })];
		for (let size = parts[0]!.length; ; ) {
			const value = this.#bytes(length());
			size += 3 + value.length;
			if (size > maxDatagramBytes) return Buffer.concat(parts);
			parts.push(Buffer.from([this.#below(tags), value.length >> 8, value.length & 255]), value);
		}
	}

	/** Fields whose values look like fields, nested as deeply as the datagram has room; and structures of another protocol. */
	#nested(): Buffer {
		if (this.#below(2) === 0) return Buffer.from("[".repeat(1 + this.#below(1_200)));
		const head = encode({ type: "heartbeat", bootId: "00".repeat(8), sequence: 1, sentAtUs: 0, from: this.#from, to: this.#to });
		const rest = Buffer.alloc(maxDatagramBytes - head.length);
		for (let at = 0; at + 3 <= rest.length; at += 3) {
			rest[at] = 200;
			rest.writeUInt16BE(rest.length - at - 3, at + 1);
		}
		return Buffer.concat([head, rest]);
	}
}
