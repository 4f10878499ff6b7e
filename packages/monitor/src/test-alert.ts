import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Config, timestamp } from "@robust-sync/workspace";
import { type ConfiguredChannels, configuredChannels } from "./channels/configured.ts";
import { type Channel, ChannelError, type Delivery } from "./delivery/channel.ts";
import { composeMessages } from "./delivery/message.ts";
import type { Undelivered } from "./delivery/undelivered.ts";

/** What happened on each channel. */
export interface TestReport {
	readonly node: string;
	readonly channels: readonly { readonly name: string; readonly ok: boolean; readonly error: string | null }[];
	/** What is wrong with the configuration as it stands, or null. */
	readonly problem: string | null;
}

/** How long a receiver that knows expiry shows the test. */
const shownFor_ms = 5 * 60_000;

/** How long a person waits in all for a channel that is rate-limited. */
const longestWait_ms = 60_000;

/** Sends; again when the other side asks to wait, as long as that is a minute at most in all. @throws ChannelError */
async function sendPatiently(channel: Channel, delivery: Delivery, wait: (ms: number) => Promise<unknown>): Promise<void> {
	for (let left_ms = longestWait_ms; ; ) {
		try {
			return await channel.send(delivery);
		} catch (error) {
			const asked_ms = error instanceof ChannelError ? error.retryAfterMs : null;
			// It takes at least a second of the minute: a side that always asks for none is asked 60 times at most.
			if (asked_ms === null || asked_ms > left_ms || left_ms <= 0) throw error;
			left_ms -= Math.max(asked_ms, 1_000);
			await wait(Math.max(asked_ms, 1_000));
		}
	}
}

/** What was found of each channel, with nothing sent. */
export interface ProbeReport {
	readonly node: string;
	readonly channels: readonly { readonly name: string; readonly ok: boolean; readonly message: string }[];
	/** What is wrong with the configuration as it stands, or null. */
	readonly problem: string | null;
}

/** Looks whether every configured channel would take an alert: its host, its credentials, its command. Sends none. Never throws. */
export async function probeChannels(
	config: Config,
	{ channels, problem }: ConfiguredChannels = configuredChannels(config),
): Promise<ProbeReport> {
	const results = await Promise.all(
		channels.map(async ({ name, probe }) => {
			try {
				return { name, ok: true, message: (await probe?.()) ?? "not tested" };
			} catch (error) {
				return { name, ok: false, message: error instanceof ChannelError ? error.message : "a fault of the monitor" };
			}
		}),
	);
	return { node: config.nodeName, channels: results, problem };
}

/**
 * Sends one message that says that it is a test by every configured channel, once. A channel that is rate-limited is waited for, for a minute
 * at most.
 * @param wait resolves after the given number of milliseconds
 */
export async function sendTestAlert(
	config: Config,
	now = Date.now(),
	{ channels, problem }: ConfiguredChannels = configuredChannels(config),
	wait: (ms: number) => Promise<unknown> = (ms) => sleep(ms),
): Promise<TestReport> {
	const item: Undelivered = {
		key: randomUUID(),
		id: "test",
		kind: "test",
		severity: "warning",
		title: "test alert",
		detail: "This is a test of the alerts of robust-sync. Nothing is wrong.",
		since: timestamp(now),
		at: timestamp(now),
		noted_at: timestamp(now),
		expires_at: timestamp(now + shownFor_ms),
		channels: channels.map((channel) => channel.name),
		omitted: 0,
	};
	const text = composeMessages([item], config.nodeName, now)[0]?.text ?? "";
	const results = await Promise.all(
		channels.map(async (channel) => {
			try {
				await sendPatiently(channel, { text, items: [item], node: config.nodeName }, wait);
				return { name: channel.name, ok: true, error: null };
			} catch (error) {
				return { name: channel.name, ok: false, error: error instanceof ChannelError ? error.message : "a fault of the monitor" };
			}
		}),
	);
	return { node: config.nodeName, channels: results, problem };
}
