import { expect, test } from "@jest/globals";
import { timestamp } from "@robust-sync/system/timestamps";
import { FakeClock, RecordingChannel } from "../testing/node-fixture.ts";
import type { QueuedAlert } from "./alert-queue.ts";
import { ChannelError } from "./channel.ts";
import { AlertDispatcher } from "./dispatcher.ts";

function stage() {
	const clock = new FakeClock();
	const channel = new RecordingChannel();
	const log: string[] = [];
	let waiting: QueuedAlert[] = [];
	const note = (level: string) => (message: string) => void log.push(`${level} ${message}`);
	const dispatcher = new AlertDispatcher([channel], [], {
		node: "helios",
		clock,
		logger: { info: note("info"), warn: note("warn"), error: note("error") },
		waiting: () => waiting,
		delivered: async (name, keys) => {
			expect(name).toBe("telegram");
			waiting = waiting.filter((item) => !keys.has(item.key));
		},
		random: () => 0.5,
	});
	const add = (key: string) => {
		const at = timestamp(clock.now());
		waiting.push({
			key,
			id: key,
			kind: "firing",
			severity: "critical",
			title: key,
			detail: "d",
			since: at,
			at,
			noted_at: at,
			channels: ["telegram"],
			omitted: 0,
		});
	};
	return { clock, channel, dispatcher, log, add, waiting: () => waiting };
}

/** Lets time pass in steps, and waits for the deliveries that it started. */
async function pass(clock: FakeClock, dispatcher: AlertDispatcher, ms: number, stepMs = 1_000): Promise<void> {
	for (let passed = 0; passed < ms; passed += stepMs) {
		clock.advance(stepMs);
		await new Promise((resolve) => setImmediate(resolve));
	}
	await new Promise((resolve) => setImmediate(resolve));
	expect(dispatcher).toBeDefined();
}

test("delivery: fails → retried with growing pauses up to 5 min, one warning", async () => {
	const { clock, channel, dispatcher, log, add, waiting } = stage();
	channel.failure = new ChannelError("the network is unreachable");
	add("a");
	await dispatcher.deliverDue();
	const times: number[] = [];
	const start = clock.now();
	for (let seen = channel.attempts, i = 0; i < 1_800; i++) {
		await pass(clock, dispatcher, 1_000);
		if (channel.attempts > seen) times.push((clock.now() - start) / 1000);
		seen = channel.attempts;
	}
	expect(times.slice(0, 8)).toEqual([2, 6, 14, 30, 62, 126, 254, 510]);
	expect(log.filter((line) => line.includes("unreachable"))).toHaveLength(1);
	channel.failure = null;
	await pass(clock, dispatcher, 301_000);
	expect(channel.texts).toHaveLength(1);
	expect(waiting()).toEqual([]);
	expect(log.some((line) => line.includes("alerts get out again"))).toBe(true);
});

test("dispatcher: the receiver asks for a delay → waits that long", async () => {
	const { clock, channel, dispatcher, add } = stage();
	channel.failure = new ChannelError("slow down", { retryAfterMs: 40_000 });
	add("a");
	await dispatcher.deliverDue();
	channel.failure = null;
	await pass(clock, dispatcher, 39_000);
	expect(channel.attempts).toBe(1);
	await pass(clock, dispatcher, 1_000);
	expect(channel.texts).toHaveLength(1);
});

test("delivery: a person must correct it → error, retried every 10 min or on request", async () => {
	const { clock, channel, dispatcher, log, add } = stage();
	channel.failure = new ChannelError("chat not found", { misconfigured: true });
	add("a");
	await dispatcher.deliverDue();
	await pass(clock, dispatcher, 25 * 60_000, 10_000);
	expect(channel.attempts).toBe(3);
	expect(log.filter((line) => line.startsWith("error"))).toHaveLength(1);
	expect(dispatcher.health()).toMatchObject([{ name: "telegram", failures: 3, misconfigured: true, lastError: "chat not found" }]);
	channel.failure = null;
	await dispatcher.retryNow();
	expect(channel.texts).toHaveLength(1);
	expect(dispatcher.health()).toMatchObject([{ failures: 0, misconfigured: false, lastError: null }]);
});

test("dispatcher: an item added during a delivery → sent after it, never twice", async () => {
	const { dispatcher, channel, add, waiting } = stage();
	add("a");
	const sending = dispatcher.deliverDue();
	add("b");
	void dispatcher.deliverDue();
	await sending;
	await dispatcher.deliverDue();
	expect(channel.deliveries.flatMap((delivery) => delivery.items.map((item) => item.key))).toEqual(["a", "b"]);
	expect(waiting()).toEqual([]);
});

test("dispatcher: stopping → waits for the running delivery, starts no other", async () => {
	const { dispatcher, channel, add } = stage();
	let finish: () => void = () => undefined;
	channel.send = async () => {
		channel.attempts++;
		await new Promise<void>((resolve) => {
			finish = resolve;
		});
	};
	add("a");
	void dispatcher.deliverDue();
	let stopped = false;
	const stopping = dispatcher.stop().then(() => {
		stopped = true;
	});
	await new Promise((resolve) => setImmediate(resolve));
	expect(stopped).toBe(false);
	finish();
	await stopping;
	add("b");
	await dispatcher.deliverDue();
	expect(channel.attempts).toBe(1);
});
