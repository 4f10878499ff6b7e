import type { QueuedAlert } from "./alert-queue.ts";

/** A way to send alerts to people or programs. */
export interface Channel {
	readonly name: "telegram" | "openclaw" | "webhook" | `apprise-${string}`;
	/** Sends a delivery. @throws ChannelError */
	send(delivery: Delivery): Promise<void>;
	/** Checks whether the channel would accept a delivery, and sends none. @returns the result @throws ChannelError */
	probe?(): Promise<string>;
}

/** One delivery: the text for people, and its alerts for programs. */
export interface Delivery {
	readonly text: string;
	readonly items: readonly QueuedAlert[];
	readonly node: string;
	readonly signal?: AbortSignal;
}

/** A channel did not accept a delivery. The message names no secret. */
export class ChannelError extends Error {
	override readonly name = "ChannelError";
	/** The receiver refused the configuration: a person has to correct it. */
	readonly misconfigured: boolean;
	/** The delay that the receiver asked for, milliseconds. */
	readonly retryAfterMs: number | null;

	constructor(message: string, { misconfigured = false, retryAfterMs = null as number | null, cause = undefined as unknown } = {}) {
		super(message, cause === undefined ? undefined : { cause });
		this.misconfigured = misconfigured;
		this.retryAfterMs = retryAfterMs;
	}
}
