import { describe, expect, test } from "@jest/globals";
import { timestamp } from "@robust-sync/system/timestamps";
import fc from "fast-check";
import { enqueue, type QueuedAlert } from "./alert-queue.ts";
import { composeMessages, splitText } from "./message.ts";

const now = Date.UTC(2026, 1, 18, 2, 0, 0);
let keys = 0;
function item(changes: Partial<QueuedAlert> = {}): QueuedAlert {
	const at = timestamp(now);
	return {
		key: `k${keys++}`,
		id: "sync",
		kind: "firing",
		severity: "critical",
		title: "sync failed",
		detail: "It failed.",
		since: at,
		at,
		noted_at: at,
		channels: ["telegram"],
		omitted: 0,
		...changes,
	};
}

describe("messages", () => {
	test("message: several alerts → one message that names the node once", () => {
		const messages = composeMessages(
			[
				item({ cause: "the network.", action: "git ls-remote" }),
				item({ id: "disk", severity: "warning", title: "disk is nearly full", detail: "3 % left." }),
			],
			"helios",
			now,
		);
		expect(messages.map((message) => message.text)).toEqual([
			"helios:\n🔴 sync failed\nIt failed.\nLikely: the network.\nDo: git ls-remote\n\n🟡 disk is nearly full\n3 % left.",
		]);
	});

	test("message: sent late → with the time of the event", () => {
		const [message] = composeMessages([item()], "helios", now + 26 * 3_600_000);
		expect(message?.text).toContain("sync failed (happened 2026-02-18 02:00:00 UTC, could not be sent until now)");
	});

	test("message: a reminder → with the duration", () => {
		const [message] = composeMessages(
			[item({ kind: "reminder", at: timestamp(now + 4 * 3_600_000), noted_at: timestamp(now + 4 * 3_600_000) })],
			"helios",
			now + 4 * 3_600_000,
		);
		expect(message?.text).toContain("🔴 Still, for 4 h: sync failed");
	});

	test("message: any items → each in exactly one message, none over the limit", () => {
		const items = Array.from({ length: 200 }, (_, i) => item({ id: `a${i}`, detail: "x".repeat(i * 7) }));
		const messages = composeMessages(items, "helios", now);
		expect(messages.flatMap((message) => message.items)).toEqual(items);
		for (const message of messages) expect(message.text.length).toBeLessThanOrEqual(4_096);
	});
});

describe("splitting", () => {
	test("splitting: any text → nothing lost, below the limit, no character cut", () => {
		fc.assert(
			fc.property(
				fc.array(fc.string({ unit: "grapheme", maxLength: 60 }), { maxLength: 20 }),
				fc.integer({ min: 8, max: 50 }),
				(lines, limit) => {
					const text = lines.join("\n");
					const parts = splitText(text, limit);
					for (const part of parts) {
						expect(part.length).toBeLessThanOrEqual(limit);
						expect(part).not.toMatch(/[\ud800-\udbff]$|^[\udc00-\udfff]/);
					}
					expect(parts.join("").replaceAll("\n", "")).toBe(text.replaceAll("\n", ""));
				},
			),
			{ numRuns: 200 },
		);
	});
});

describe("what waits", () => {
	test("queue: a reminder of an alert never sent → left out", () => {
		const first = item();
		expect(enqueue([first], [item({ kind: "reminder" })])).toEqual([first]);
	});

	test("message: weeks of flaps → the first and last items of an alert, the rest counted", () => {
		let waiting: QueuedAlert[] = [];
		for (let i = 0; i < 1_000; i++) waiting = enqueue(waiting, [item({ kind: i % 2 ? "resolved" : "firing", title: `change ${i}` })]);
		waiting = enqueue(waiting, [item({ id: "disk" })]);
		const sync = waiting.filter((entry) => entry.id === "sync");
		expect(sync).toHaveLength(4);
		expect(sync.map((entry) => entry.title)).toEqual(["change 0", "change 997", "change 998", "change 999"]);
		expect(sync.reduce((sum, entry) => sum + entry.omitted, 0)).toBe(996);
		expect(composeMessages(waiting, "helios", now)[0]?.text).toContain("[996 more changes in between]");
	});
});
