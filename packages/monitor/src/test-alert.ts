import { randomUUID } from "node:crypto";
import { type Config, timestamp } from "@robust-sync/workspace";
import { ChannelError } from "./channels/channel.ts";
import { type ConfiguredChannels, configuredChannels } from "./channels/configured.ts";
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

/** Sends one message that says that it is a test by every configured channel, once, without retries. */
export async function sendTestAlert(
	config: Config,
	now = Date.now(),
	{ channels, problem }: ConfiguredChannels = configuredChannels(config),
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
				await channel.send({ text, items: [item], node: config.nodeName });
				return { name: channel.name, ok: true, error: null };
			} catch (error) {
				return { name: channel.name, ok: false, error: error instanceof ChannelError ? error.message : "a fault of the monitor" };
			}
		}),
	);
	return { node: config.nodeName, channels: results, problem };
}
