import { expect, test } from "@jest/globals";
import { timestamp } from "@robust-sync/workspace";
import { FakeClock, RecordingChannel } from "../testing/node-fixture.ts";
import { ChannelError } from "./channel.ts";
import { Courier } from "./courier.ts";
import type { Undelivered } from "./undelivered.ts";

function stage() {
	const clock = new FakeClock();
	const channel = new RecordingChannel();
	const log: string[] = [];
	let waiting: Undelivered[] = [];
	const note = (level: string) => (message: string) => void log.push(`${level} ${message}`);
	const courier = new Courier([channel], [], {
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
	return { clock, channel, courier, log, add, waiting: () => waiting };
}

/** Lets time pass in steps, and what it started come to its end. */
async function pass(clock: FakeClock, courier: Courier, ms: number, stepMs = 1_000): Promise<void> {
	for (let passed = 0; passed < ms; passed += stepMs) {
		clock.advance(stepMs);
		await new Promise((resolve) => setImmediate(resolve));
	}
	await new Promise((resolve) => setImmediate(resolve));
	expect(courier).toBeDefined();
}

test("delivery: fails → retried with growing pauses up to 5 min, one warning", async () => {
	const { clock, channel, courier, log, add, waiting } = stage();
	channel.failure = new ChannelError("the network is unreachable");
	add("a");
	await courier.pump();
	const times: number[] = [];
	const start = clock.now();
	for (let seen = channel.attempts, i = 0; i < 1_800; i++) {
		await pass(clock, courier, 1_000);
		if (channel.attempts > seen) times.push((clock.now() - start) / 1000);
		seen = channel.attempts;
	}
	expect(times.slice(0, 8)).toEqual([2, 6, 14, 30, 62, 126, 254, 510]);
	expect(log.filter((line) => line.includes("unreachable"))).toHaveLength(1);
	channel.failure = null;
	await pass(clock, courier, 301_000);
	expect(channel.texts).toHaveLength(1);
	expect(waiting()).toEqual([]);
	expect(log.some((line) => line.includes("alerts get out again"))).toBe(true);
});

test("courier: the other side asks for time → waits as long", async () => {
	const { clock, channel, courier, add } = stage();
	channel.failure = new ChannelError("slow down", { retryAfterMs: 40_000 });
	add("a");
	await courier.pump();
	channel.failure = null;
	await pass(clock, courier, 39_000);
	expect(channel.attempts).toBe(1);
	await pass(clock, courier, 1_000);
	expect(channel.texts).toHaveLength(1);
});

test("delivery: a person must correct it → error, retried every 10 min or on request", async () => {
	const { clock, channel, courier, log, add } = stage();
	channel.failure = new ChannelError("chat not found", { misconfigured: true });
	add("a");
	await courier.pump();
	await pass(clock, courier, 25 * 60_000, 10_000);
	expect(channel.attempts).toBe(3);
	expect(log.filter((line) => line.startsWith("error"))).toHaveLength(1);
	expect(courier.health()).toMatchObject([{ name: "telegram", failures: 3, misconfigured: true, lastError: "chat not found" }]);
	channel.failure = null;
	await courier.retryNow();
	expect(channel.texts).toHaveLength(1);
	expect(courier.health()).toMatchObject([{ failures: 0, misconfigured: false, lastError: null }]);
});

test("courier: added while one is being sent → goes after it, never twice", async () => {
	const { courier, channel, add, waiting } = stage();
	add("a");
	const sending = courier.pump();
	add("b");
	void courier.pump();
	await sending;
	await courier.pump();
	expect(channel.deliveries.flatMap((delivery) => delivery.items.map((item) => item.key))).toEqual(["a", "b"]);
	expect(waiting()).toEqual([]);
});

test("courier: stopping → waits for that one, starts nothing more", async () => {
	const { courier, channel, add } = stage();
	let finish: () => void = () => undefined;
	channel.send = async () => {
		channel.attempts++;
		await new Promise<void>((resolve) => {
			finish = resolve;
		});
	};
	add("a");
	void courier.pump();
	let stopped = false;
	const stopping = courier.stop().then(() => {
		stopped = true;
	});
	await new Promise((resolve) => setImmediate(resolve));
	expect(stopped).toBe(false);
	finish();
	await stopping;
	add("b");
	await courier.pump();
	expect(channel.attempts).toBe(1);
});
