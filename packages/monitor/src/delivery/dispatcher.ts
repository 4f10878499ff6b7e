import type { Logger } from "@robust-sync/service/log";
import { formatDuration } from "@robust-sync/system/durations";
import { faultPoint } from "@robust-sync/system/fault-points";
import type { ChannelHealth } from "../readings/facts.ts";
import type { QueuedAlert } from "./alert-queue.ts";
import { type Channel, ChannelError } from "./channel.ts";
import { composeMessages } from "./message.ts";

/** Wall clock and timers; injected, so that tests can let hours pass. */
export interface Clock {
	/** Milliseconds since the epoch. */
	now(): number;
	/** Calls back once after this many milliseconds; returns a function that cancels it. */
	after(ms: number, callback: () => void): () => void;
}

/** The clock of this machine. Its timers keep no process alive. */
export const systemClock: Clock = {
	now: Date.now,
	after(ms, callback) {
		const timer = setTimeout(callback, Math.min(ms, 2 ** 31 - 1));
		timer.unref();
		return () => clearTimeout(timer);
	},
};

export interface DispatcherOptions {
	readonly node: string;
	readonly clock: Clock;
	readonly logger: Pick<Logger, "info" | "warn" | "error">;
	/** The queue, oldest first. */
	readonly waiting: () => readonly QueuedAlert[];
	/** Records, durably, that `channel` has delivered the items with these keys. */
	readonly delivered: (channel: string, keys: ReadonlySet<string>) => Promise<void>;
	/** From 0 to 1. */
	readonly random?: () => number;
}

interface ChannelState {
	failures: number;
	failingSince: number | null;
	lastError: string | null;
	misconfigured: boolean;
	nextAttempt: number;
	busy: Promise<void> | null;
}

const firstRetryMs = 2_000;
const longestRetryMs = 5 * 60_000;
/** Retry interval for a refused configuration: a person may correct it at the receiver. */
const misconfiguredRetryMs = 10 * 60_000;
/** Longer than any Retry-After of an honest server. */
const longestRetryAfterMs = 60 * 60_000;

/**
 * Delivers the queue to every channel, each at its own pace: at once, and after a failure with growing pauses (2 s to 5 min,
 * or the delay that the receiver asks for). A delivery is recorded before the next one is sent to that channel.
 */
export class AlertDispatcher {
	readonly #options: DispatcherOptions;
	#channels: readonly Channel[];
	readonly #states = new Map<string, ChannelState>();
	#cancelTimer: (() => void) | null = null;
	#stopped = false;

	constructor(channels: readonly Channel[], health: readonly ChannelHealth[], options: DispatcherOptions) {
		this.#options = options;
		this.#channels = channels;
		for (const { name, ...known } of health) this.#states.set(name, { ...known, nextAttempt: 0, busy: null });
	}

	/** Replaces the channels after a change of configuration; failed deliveries are retried at once. */
	setChannels(channels: readonly Channel[]): void {
		this.#channels = channels;
		for (const state of this.#states.values()) state.nextAttempt = 0;
	}

	/** The state of each channel. */
	health(): ChannelHealth[] {
		return this.#channels.map(({ name }) => {
			const { failures, failingSince, lastError, misconfigured } = this.#state(name);
			return { name, failures, failingSince, lastError, misconfigured };
		});
	}

	/** Starts all deliveries that are due. Resolves when every running delivery has ended. */
	async deliverDue(): Promise<void> {
		if (!this.#stopped) for (const channel of this.#channels) this.#start(channel);
		this.#setTimer();
		await Promise.all([...this.#states.values()].map((state) => state.busy));
	}

	/** Retries every channel now, whatever its pause. */
	async retryNow(): Promise<void> {
		for (const state of this.#states.values()) state.nextAttempt = 0;
		await this.deliverDue();
	}

	/** Starts no further delivery. Resolves when the running ones have ended: a delivery that was cut off might be sent twice. */
	async stop(): Promise<void> {
		this.#stopped = true;
		this.#cancelTimer?.();
		await Promise.all([...this.#states.values()].map((state) => state.busy));
	}

	#state(name: string): ChannelState {
		let state = this.#states.get(name);
		if (!state) {
			state = { failures: 0, failingSince: null, lastError: null, misconfigured: false, nextAttempt: 0, busy: null };
			this.#states.set(name, state);
		}
		return state;
	}

	#waitingFor(channel: Channel): QueuedAlert[] {
		return this.#options.waiting().filter((item) => item.channels.includes(channel.name));
	}

	#start(channel: Channel): void {
		const state = this.#state(channel.name);
		if (state.busy || this.#options.clock.now() < state.nextAttempt || this.#waitingFor(channel).length === 0) return;
		state.busy = this.#deliver(channel, state).finally(() => {
			state.busy = null;
			if (!this.#stopped) this.#setTimer();
		});
	}

	async #deliver(channel: Channel, state: ChannelState): Promise<void> {
		const { node, clock, logger } = this.#options;
		for (let items = this.#waitingFor(channel); items.length > 0 && !this.#stopped; items = this.#waitingFor(channel)) {
			// Programs get everything at once, people as much as one message holds.
			const whole = channel.name === "webhook" ? { text: "", items } : composeMessages(items, node, clock.now())[0];
			if (!whole) return;
			try {
				await channel.send({ ...whole, node });
			} catch (error) {
				this.#failed(channel, state, error);
				return;
			}
			faultPoint("monitor:sent");
			if (state.failingSince !== null) {
				logger.info("alerts get out again", { channel: channel.name, after: formatDuration(clock.now() - state.failingSince) });
			}
			Object.assign(state, { failures: 0, failingSince: null, lastError: null, misconfigured: false, nextAttempt: 0 });
			await this.#options.delivered(channel.name, new Set(whole.items.map((item) => item.key)));
			logger.info("alert sent", { channel: channel.name, alerts: whole.items.map((item) => `${item.id} ${item.kind}`).join(", ") });
			faultPoint("monitor:recorded");
		}
	}

	#failed(channel: Channel, state: ChannelState, error: unknown): void {
		const { clock, logger, random = Math.random } = this.#options;
		const now = clock.now();
		const failure = error instanceof ChannelError ? error : new ChannelError("a fault of the monitor", { cause: error });
		const pause = failure.misconfigured ? misconfiguredRetryMs : Math.min(firstRetryMs * 2 ** Math.min(state.failures, 16), longestRetryMs);
		const jittered = pause * (0.8 + 0.4 * random());
		const asked = failure.retryAfterMs === null ? 0 : Math.min(failure.retryAfterMs, longestRetryAfterMs);
		const isNews = state.lastError !== failure.message;
		state.failures++;
		state.failingSince ??= now;
		state.lastError = failure.message;
		state.misconfigured = failure.misconfigured;
		state.nextAttempt = now + Math.max(jittered, asked);
		if (!isNews) return;
		const fields = {
			channel: channel.name,
			retry_in_ms: Math.round(state.nextAttempt - now),
			...(error instanceof ChannelError ? {} : { error }),
		};
		if (failure.misconfigured)
			logger.error(`alerts cannot be sent by ${channel.name}, correct its configuration: ${failure.message}`, fields);
		else logger.warn(`alert not sent by ${channel.name}, trying again: ${failure.message}`, fields);
	}

	#setTimer(): void {
		this.#cancelTimer?.();
		this.#cancelTimer = null;
		const times = this.#channels
			.filter((channel) => !this.#state(channel.name).busy && this.#waitingFor(channel).length > 0)
			.map((channel) => this.#state(channel.name).nextAttempt);
		if (times.length === 0 || this.#stopped) return;
		const wait = Math.max(0, Math.min(...times) - this.#options.clock.now());
		this.#cancelTimer = this.#options.clock.after(wait, () => void this.deliverDue());
	}
}
