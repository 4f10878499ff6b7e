import type { Undelivered } from "./undelivered.ts";

/** A way by which people or programs are told. */
export interface Channel {
	readonly name: "telegram" | "openclaw" | "webhook" | `apprise-${string}`;
	/** Tells it. @throws ChannelError */
	send(delivery: Delivery): Promise<void>;
	/** Looks whether it would take a delivery, and sends none. @returns what was found @throws ChannelError */
	probe?(): Promise<string>;
}

/** What a channel is given: the text for people, and the items it tells, for programs. */
export interface Delivery {
	readonly text: string;
	readonly items: readonly Undelivered[];
	readonly node: string;
	readonly signal?: AbortSignal;
}

/** A channel did not take a delivery. The message names no secret. */
export class ChannelError extends Error {
	override readonly name = "ChannelError";
	/** What is configured was refused: a person has to correct something. */
	readonly misconfigured: boolean;
	/** The other side said when to come again, milliseconds. */
	readonly retryAfterMs: number | null;

	constructor(message: string, { misconfigured = false, retryAfterMs = null as number | null, cause = undefined as unknown } = {}) {
		super(message, cause === undefined ? undefined : { cause });
		this.misconfigured = misconfigured;
		this.retryAfterMs = retryAfterMs;
	}
}
