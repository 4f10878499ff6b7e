import { expect, test } from "@jest/globals";
import { checkAlerts } from "./alerts.ts";

type Notifications = Parameters<typeof checkAlerts>[0];

const outage = { kind: "hub", node: null, from: 100_000, to: 150_000 } as const;
const alert = (id: string, at: number, firing = true): Notifications[number] => ({ at, node: "helios", id, firing, summary: id });

test.each<readonly [string, Notifications, readonly string[]]>([
	["never sent", [], ["alert that is missing: helios sent none for sync"]],
	["sent while it lasts, and at its end", [alert("sync", 120_000), alert("sync", 160_000, false)], []],
	["fires since before", [alert("sync", 95_000), alert("sync", 160_000, false)], []],
	["was over before", [alert("sync", 80_000), alert("sync", 90_000, false)], ["alert that is missing: helios sent none for sync"]],
	["sent, and never over", [alert("sync", 120_000)], ["alert that is never over: helios sync: sync"]],
	["an event beside it, which has no end", [alert("sync", 120_000), alert("sync", 160_000, false), alert("sync:skipped", 130_000)], []],
])("chaos alerts: an outage of the hub, %s → its problems", (_name, notifications, problems) => {
	const earlier = { ...outage, from: 70_000, to: 80_000 };
	expect(checkAlerts(notifications, [earlier, outage], [outage], ["helios"]).map(({ what }) => what)).toEqual(problems);
});

test.each([
	[0, ["alert without a reason: helios sync: sync"]],
	[30_000, []],
])("chaos alerts: one 80 s after its cause, nodes at rest after %i ms → its problems", (restMs, problems) => {
	const notifications = [alert("sync", 120_000), alert("sync", 230_000), alert("sync", 240_000, false)];
	expect(checkAlerts(notifications, [outage], [outage], ["helios"], restMs).map(({ what }) => what)).toEqual(problems);
});

test("chaos alerts: a rewritten history is read after another outage → no problem", () => {
	const rewritten = { kind: "rewritten", node: null, from: 20_000, to: 20_000 } as const;
	const reports = (incidents: Parameters<typeof checkAlerts>[1]) =>
		checkAlerts([alert("sync:history", 170_000)], incidents, [], ["helios"]).length;
	expect([reports([rewritten, outage]), reports([outage]), reports([rewritten])]).toEqual([0, 1, 1]);
});
