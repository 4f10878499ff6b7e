import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { timestamp } from "@robust-sync/system/timestamps";
import type { Config } from "@robust-sync/workspace";
import { type ConfiguredChannels, configuredChannels } from "./channels/configured.ts";
import type { QueuedAlert } from "./delivery/alert-queue.ts";
import { type Channel, ChannelError, type Delivery } from "./delivery/channel.ts";
import { composeMessages } from "./delivery/message.ts";

/** The result of each channel. */
export interface TestReport {
	readonly node: string;
	readonly channels: readonly { readonly name: string; readonly ok: boolean; readonly error: string | null }[];
	/** The problem of the present configuration, or null. */
	readonly problem: string | null;
}

/** How long a receiver that supports expiry shows the test. */
const shownForMs = 5 * 60_000;

/** How long to wait in all for a channel that is rate-limited. */
const longestWaitMs = 60_000;

/** Sends, and retries as long as the delays that the receiver asks for add up to a minute at most. @throws ChannelError */
async function sendPatiently(channel: Channel, delivery: Delivery, wait: (ms: number) => Promise<unknown>): Promise<void> {
	for (let leftMs = longestWaitMs; ; ) {
		try {
			return await channel.send(delivery);
		} catch (error) {
			const askedMs = error instanceof ChannelError ? error.retryAfterMs : null;
			// Each retry uses up at least a second of the minute, so a receiver that asks for no delay gets 60 retries at most.
			if (askedMs === null || askedMs > leftMs || leftMs <= 0) throw error;
			leftMs -= Math.max(askedMs, 1_000);
			await wait(Math.max(askedMs, 1_000));
		}
	}
}

/** The result of the check of each channel, with nothing sent. */
export interface ProbeReport {
	readonly node: string;
	readonly channels: readonly { readonly name: string; readonly ok: boolean; readonly message: string }[];
	/** The problem of the present configuration, or null. */
	readonly problem: string | null;
}

/** Checks whether every configured channel would accept an alert: its host, its credentials, its command. Sends none. Never throws. */
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
 * Sends one message marked as a test by every configured channel, once. Waits for a channel that is rate-limited, for a minute
 * at most.
 * @param wait resolves after the given number of milliseconds
 */
export async function sendTestAlert(
	config: Config,
	now = Date.now(),
	{ channels, problem }: ConfiguredChannels = configuredChannels(config),
	wait: (ms: number) => Promise<unknown> = (ms) => sleep(ms),
): Promise<TestReport> {
	const item: QueuedAlert = {
		key: randomUUID(),
		id: "test",
		kind: "test",
		severity: "warning",
		title: "test alert",
		detail: "This is a test of the alerts of robust-sync. Nothing is wrong.",
		since: timestamp(now),
		at: timestamp(now),
		noted_at: timestamp(now),
		expires_at: timestamp(now + shownForMs),
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
