import type { Address } from "./transport.ts";
import type { Message } from "./wire-format.ts";

/** A datagram that passed the gates which need no memory of its sender. */
export interface Reception {
	readonly message: Message;
	/** Of the datagram, bytes. */
	readonly length: number;
	readonly from: Address;
	/** Monotonic milliseconds. */
	readonly at: number;
	/** Milliseconds since the epoch. */
	readonly wallMs: number;
	/** Index of our key that an answer is signed with. */
	readonly key: number;
}
