import type { Address } from "./transport.ts";
import type { Message } from "./wire-format.ts";

/** A datagram that passed the gates which need no memory of its sender. */
export interface Reception {
	readonly message: Message;
	/** Length of the datagram, bytes. */
	readonly length: number;
	readonly from: Address;
	/** Monotonic milliseconds. */
	readonly at: number;
	/** Milliseconds since the epoch. */
	readonly wallMs: number;
	/** Index of the key of ours that answers are signed with. */
	readonly key: number;
}
