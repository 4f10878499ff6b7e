import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { timestamp } from "@robust-sync/system/timestamps";
import { ChannelError } from "./delivery/channel.ts";
import { changeSilences } from "./lifecycle/silences.ts";
import { hour, minute, RecordingChannel } from "./testing/node-fixture.ts";
import { all, newNode, statusFile, well } from "./testing/rounds.ts";

describe("sync", () => {
	test("sync: no success for five intervals → sent, although it reports no failure", async () => {
		const node = newNode();
		const monitor = node.monitor();
		const lastSync = timestamp(node.now);
		await node.pass(
			monitor,
			8 * minute,
			all(well(node), () => node.sync({ status: "syncing", last_sync: lastSync, started_at: lastSync, next_attempt: null })),
		);
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("no successful sync for ");
	});

	test("sync: a longer --interval → not late", async () => {
		const node = newNode();
		const monitor = node.monitor();
		const start = node.now;
		const plan = {
			last_attempt: timestamp(start),
			last_sync: timestamp(start),
			interval_seconds: 3_600,
			started_at: timestamp(start),
		};
		await node.pass(
			monitor,
			50 * minute,
			all(well(node), () => node.sync(plan)),
			minute,
		);
		expect(node.channel.texts).toEqual([]);
	});

	test("history rewritten, files newly skipped: → an alert each; skipped before → none", async () => {
		const node = newNode();
		const monitor = node.monitor();
		const old = { path: "old.bin", reason: "too-large" as const };
		await node.pass(
			monitor,
			5 * minute,
			all(well(node), () => node.sync({ skipped: [old] })),
		);
		expect(node.channel.texts).toEqual([]);
		const rewritten = { code: "HISTORY_REWRITTEN" as const, message: "both kept", at: timestamp(node.now) };
		await node.pass(
			monitor,
			20 * minute,
			all(well(node), () => node.sync({ skipped: [old, { path: "new $(rm -rf /)\n.bin", reason: "too-large" }], last_error: rewritten })),
		);
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("1 more file is not synced\nLeft out of sync: new $(rm -rf /) .bin (too-large).");
		expect(node.channel.texts[0]).toContain("the remote's history was rewritten");
	});

	test("secrets: a file is held, another is published with one → an alert each, once", async () => {
		const node = newNode();
		const monitor = node.monitor();
		await node.pass(monitor, 5 * minute, well(node));
		const remedy = "line 3 holds a secret (github-token): remove it from the file";
		await node.pass(
			monitor,
			30 * minute,
			all(well(node), () =>
				node.sync({
					skipped: [{ path: "notes.md", reason: "secret", remedy }],
					secrets: [{ path: "old.md", rule: "jwt", line: 7 }],
				}),
			),
		);
		const texts = node.channel.texts.join("\n");
		expect(texts.match(/notes\.md \(secret\)/g)).toHaveLength(1);
		expect(texts.match(/a secret was published in a file/g)).toHaveLength(1);
		expect(texts).toContain("old.md, line 7 (jwt)");
	});
});

describe("disk and clock", () => {
	test("disk: full → the cause of a sync that fails for it", async () => {
		const node = newNode();
		const monitor = node.monitor();
		node.disk = { freeBytes: 5e9, totalBytes: 100e9, freeInodes: 5e6, totalInodes: 1e7 };
		await node.pass(monitor, minute, well(node));
		expect(node.channel.texts[0]).toContain("🟡 disk is nearly out of space");
		node.disk = { freeBytes: 1e6, totalBytes: 100e9, freeInodes: 5e6, totalInodes: 1e7 };
		await node.pass(
			monitor,
			10 * minute,
			all(well(node), () => node.failing(5, "DISK_FULL", "no space left on device")),
		);
		expect(node.channel.texts).toHaveLength(2);
		expect(node.channel.texts[1]).toContain("🔴 disk is nearly out of space");
	});

	test("disk: inodes → count as well", async () => {
		const node = newNode();
		const monitor = node.monitor();
		node.disk = { freeBytes: 50e9, totalBytes: 100e9, freeInodes: 10, totalInodes: 1e7 };
		await node.pass(monitor, minute, well(node));
		expect(node.channel.texts[0]).toContain("disk is nearly out of inodes");
	});

	test("clock: set by hours → sent once; a machine that slept → not", async () => {
		const node = newNode();
		const monitor = node.monitor();
		await node.pass(monitor, 2 * minute, well(node));
		node.clock.time += 8 * hour;
		await node.pass(monitor, 2 * minute, well(node));
		expect(node.channel.texts).toEqual([]);
		node.clock.time -= 2 * hour;
		node.clockSetBy = -2 * hour;
		node.beat();
		await node.pass(monitor, 5 * minute, well(node));
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("The clock was set back by 2 h.");
	});

	test("clock: the odd one out among peers → this node", async () => {
		const node = newNode({ PEERS: "apollo=a,zeus=z" });
		const monitor = node.monitor();
		await node.pass(monitor, 5 * minute, () => {
			node.beat();
			for (const peer of ["chad", "apollo", "zeus"]) node.hear(peer, { clock_offset_ms: 60_000 });
		});
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("3 peers agree that this node's clock is 1 min behind.");
	});
});

describe("never lost, never doubled", () => {
	test("channel: fails, then works → sent with the time of the event", async () => {
		const node = newNode();
		const monitor = node.monitor();
		node.channel.failure = new ChannelError("the network is unreachable");
		await node.pass(monitor, minute, well(node));
		node.kill("sync");
		await node.pass(monitor, 50 * minute, well(node), minute);
		expect(statusFile(node).undelivered).toHaveLength(1);
		node.start("sync");
		await node.pass(monitor, 10 * minute, well(node));
		expect(statusFile(node).undelivered).toHaveLength(2);
		node.channel.failure = null;
		await node.pass(monitor, 10 * minute, well(node));
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toMatch(/🔴 sync died \(happened 02:02:00 UTC, could not be sent until now\)[\s\S]*✅ Over: “sync died/);
		expect(statusFile(node).undelivered).toEqual([]);
	});

	test("channel: the monitor is restarted → sent by the next one", async () => {
		const node = newNode();
		const first = node.monitor();
		node.channel.failure = new ChannelError("no network");
		node.kill("sync");
		await node.pass(first, minute, well(node));
		await first.stop();
		node.channel.failure = null;
		const second = node.monitor();
		await node.pass(second, 10 * minute, well(node));
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("sync died");
	});

	test("channel: one fails → no other is delayed, each gets it once", async () => {
		const node = newNode();
		const webhook = new RecordingChannel("webhook");
		webhook.failure = new ChannelError("the connection was refused");
		const monitor = node.monitor([node.channel, webhook]);
		node.kill("sync");
		await node.pass(monitor, 10 * minute, well(node));
		expect(node.channel.texts[0]).toContain("sync died");
		expect(node.channel.texts[1]).toContain("alerts do not get out by webhook");
		expect(statusFile(node).checks.find((check) => check.name === "alerts")).toMatchObject({ status: "warning" });
		webhook.failure = null;
		await node.pass(monitor, 10 * minute, well(node));
		expect(
			webhook.deliveries
				.flatMap((delivery) => delivery.items.map((item) => `${item.id} ${item.kind}`))
				.filter((what) => what.startsWith("process")),
		).toEqual(["process:sync firing"]);
		expect(node.channel.texts.filter((text) => text.includes("sync died"))).toHaveLength(1);
		expect(statusFile(node).undelivered).toEqual([]);
	});

	test("channel: state cannot be written → sent even so", async () => {
		const node = newNode();
		const monitor = node.monitor();
		rmSync(node.paths.monitorStatus, { force: true });
		mkdirSync(node.paths.monitorStatus);
		node.kill("sync");
		await node.pass(monitor, 2 * minute, well(node));
		expect(node.channel.texts).toHaveLength(1);
		expect(node.log.filter((line) => line.includes("cannot be written"))).toHaveLength(1);
	});

	test("channel: none → in the log and in state, nothing piles up", async () => {
		const node = newNode();
		const monitor = node.monitor([]);
		node.kill("sync");
		await node.pass(monitor, 10 * minute, well(node));
		expect(statusFile(node)).toMatchObject({ status: "critical", undelivered: [] });
		expect(statusFile(node).alerts).toContainEqual(expect.objectContaining({ id: "process:sync", state: "firing" }));
		expect(node.log.filter((line) => line.startsWith("error firing: sync died"))).toHaveLength(1);
	});
});

describe("silences", () => {
	test("silences: set by the command → heeded by the daemon, shown in state", async () => {
		const node = newNode();
		const monitor = node.monitor();
		await changeSilences(node.paths, node.now, () => [{ id: "process:*", until: timestamp(node.now + hour) }]);
		node.kill("sync");
		await node.pass(monitor, 55 * minute, well(node), minute);
		expect(node.channel.texts).toEqual([]);
		expect(statusFile(node).silences).toMatchObject([{ id: "process:*" }]);
		expect(statusFile(node).alerts).toContainEqual(expect.objectContaining({ id: "process:sync", state: "firing", last_notified: null }));
		await node.pass(monitor, 10 * minute, well(node));
		expect(node.channel.texts).toHaveLength(1);
	});
});

describe("hostile and broken files", () => {
	const hostile: [string, string][] = [
		["empty", ""],
		["not JSON", "{"],
		["deep", "[".repeat(200_000)],
		["of the wrong type", '{"schema":1,"pid":"x","updated_at":7}'],
		["null", "null"],
		["an array", "[]"],
	];
	test.each(hostile)("files: state files that are %s → the round ends, the rest is still watched", async (_name, content) => {
		const node = newNode();
		const monitor = node.monitor();
		for (const file of [node.paths.heartbeatState, node.paths.healthState, node.paths.peerState("chad"), node.paths.silences])
			node.put(file, content);
		node.kill("sync");
		await node.pass(monitor, minute, () => undefined);
		expect(node.channel.texts.join("\n")).toContain("sync died");
		expect(statusFile(node).checks.find((check) => check.name === "heartbeat:chad")?.status).toBe("warning");
	});

	test("files: impossible and future times, huge numbers, long texts → no harm", async () => {
		const node = newNode();
		const monitor = node.monitor();
		const never = "9999-99-99T99:99:99.999Z";
		const far = "2999-01-01T00:00:00.000Z";
		await node.pass(monitor, 10 * minute, () => {
			node.beat();
			node.hear("chad", { received_at: far, clock_offset_ms: 1e300, missed: 1e300, rtt_ms: -1e300 });
			node.sync({
				started_at: never,
				last_sync: never,
				next_attempt: far,
				consecutive_failures: 1e15,
				last_error: { code: "INTERNAL", message: "x".repeat(1e6), at: never },
			});
		});
		expect(node.channel.texts.length).toBeGreaterThan(0);
		for (const text of node.channel.texts) expect(text.length).toBeLessThanOrEqual(4_096);
		expect(statusFile(node).status).toBe("critical");
	});

	test("files: its own, broken → moved aside, reported, started again", async () => {
		const node = newNode();
		writeFileSync(node.paths.monitorStatus, "{ broken");
		const monitor = node.monitor();
		await node.pass(monitor, minute, well(node));
		expect(readdirSync(node.paths.sync).some((name) => name.startsWith("monitor_status.json.corrupt-"))).toBe(true);
		expect(node.log[0]).toContain("set aside");
		expect(statusFile(node).status).toBe("ok");
	});

	test("files: its own, with damaged alerts → the others are kept", async () => {
		const node = newNode();
		const first = node.monitor();
		node.kill("sync");
		await node.pass(first, minute, well(node));
		const state = JSON.parse(readFileSync(node.paths.monitorStatus, "utf8"));
		state.alerts.unshift({ id: 7 }, null, "x");
		state.undelivered.push({ id: "sync" }, 5);
		state.history = { services: 3 };
		writeFileSync(node.paths.monitorStatus, JSON.stringify(state));
		const second = node.monitor();
		await node.pass(second, 10 * minute, well(node));
		expect(node.channel.texts).toHaveLength(1);
		expect(statusFile(node).alerts.map((alert) => alert.id)).toContain("process:sync");
	});

	test("hostile names: shell, Markdown, HTML → plain text on one line", async () => {
		const node = newNode();
		const monitor = node.monitor();
		const message = "<b>x</b> `rm -rf /` $(reboot) *bold* [a](http://b) \u202egnp.exe\u0000\u0007\nfake: ✅ Over";
		await node.pass(
			monitor,
			minute,
			all(well(node), () => node.failing(3, "INTERNAL", message)),
		);
		expect(node.channel.texts[0]).toContain(
			"<b>x</b> `rm -rf /` $(reboot) *bold* [a](http://b) \\u202egnp.exe\\u0000\\u0007 fake: ✅ Over",
		);
		expect(node.channel.texts[0]?.split("\n")).toHaveLength(4);
	});

	test("files: peers named in others' → never taken for paths", async () => {
		const node = newNode();
		const monitor = node.monitor();
		await node.pass(
			monitor,
			minute,
			all(well(node), () => node.heartbeat({ peers: ["../../etc/passwd", "chad", "", "A b"] })),
		);
		expect(
			statusFile(node)
				.checks.filter((check) => check.name.startsWith("heartbeat:"))
				.map((check) => check.name),
		).toEqual(["heartbeat:chad"]);
	});
});

test("quiet half day: no events → no message, small state", async () => {
	const node = newNode();
	const monitor = node.monitor();
	await node.pass(monitor, 12 * hour, well(node), 10 * minute);
	expect(node.channel.texts).toEqual([]);
	expect(existsSync(node.paths.monitorStatus)).toBe(true);
	expect(readFileSync(node.paths.monitorStatus, "utf8").length).toBeLessThan(6_000);
});
