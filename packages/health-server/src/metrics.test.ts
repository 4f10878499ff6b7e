import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { timestamp } from "@robust-sync/system/timestamps";
import { metricNames } from "./metrics.ts";
import { NodeFixture, quietRepository } from "./testing/node-fixture.ts";

let node: NodeFixture;
beforeEach(() => {
	node = new NodeFixture();
});
afterEach(() => node.remove());

/** Samples by name with labels, as `name{a="b"} value` has them. */
async function scrape(options: Parameters<NodeFixture["serve"]>[0] = {}): Promise<Map<string, number>> {
	const { code, text, headers } = await (await node.serve(options)).ask("/metrics");
	expect(code).toBe(200);
	expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
	const samples = text
		.split("\n")
		.filter((line) => line !== "" && !line.startsWith("#"))
		.map((line): [string, number] => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]);
	return new Map(samples);
}

const deployed = (file: string) => readFileSync(fileURLToPath(new URL(`../../../deploy/${file}`, import.meta.url)), "utf8");

describe("metrics", () => {
	test("metrics: their names → exactly those of the contract", () => {
		expect(metricNames).toEqual(
			[
				"build_info last_success_timestamp_seconds cycles_total failures_total consecutive_failures",
				"last_cycle_duration_seconds commits_ahead commits_behind paused messages_pending conflicts_resolved_total conflicts_unresolved mirror_up",
				"mirror_last_push_timestamp_seconds skipped_files held_files",
				"peer_up peer_last_seen_timestamp_seconds peer_rtt_seconds peer_clock_offset_seconds peer_phi",
				"heartbeats_sent_total heartbeats_received_total heartbeats_rejected_total service_up alerts_firing alerts_undelivered",
			]
				.join(" ")
				.split(" ")
				.map((name) => `robust_sync_${name}`),
		);
	});

	test("metrics: their values → of the state files, in base units", async () => {
		node.healthy();
		node.pending("a.json");
		const last = "2026-02-18T02:00:00.500Z";
		const counts = { files: 60, deleted: 60, emptied: 0, replaced: 0, tracked: 100 };
		const loss = { direction: "outgoing" as const, commit: "a".repeat(40), since: last, ...counts, paths: ["d/a"] };
		node.sync({
			last_sync: last,
			ahead: 2,
			behind: 1,
			consecutive_failures: 3,
			skipped: [{ path: "a", reason: "too-large" }],
			held: [loss],
		});
		node.peer("chad", { rtt_ms: 12.5, clock_offset_ms: -250, phi: 1.5, received_at: timestamp(Date.now()) });
		const samples = await scrape({ repository: { ...quietRepository, unmergedPaths: async () => 4 } });
		expect(Object.fromEntries(samples)).toMatchObject({
			'robust_sync_build_info{version="1.2.3",node="helios"}': 1,
			robust_sync_last_success_timestamp_seconds: Date.parse(last) / 1000,
			robust_sync_cycles_total: 120,
			robust_sync_failures_total: 2,
			robust_sync_consecutive_failures: 3,
			robust_sync_last_cycle_duration_seconds: 0.184,
			robust_sync_commits_ahead: 2,
			robust_sync_commits_behind: 1,
			robust_sync_messages_pending: 1,
			robust_sync_conflicts_resolved_total: 4,
			robust_sync_conflicts_unresolved: 4,
			robust_sync_skipped_files: 1,
			'robust_sync_held_files{direction="outgoing"}': 60,
			'robust_sync_held_files{direction="incoming"}': 0,
			'robust_sync_peer_up{peer="chad"}': 1,
			'robust_sync_peer_rtt_seconds{peer="chad"}': 0.0125,
			'robust_sync_peer_clock_offset_seconds{peer="chad"}': -0.25,
			'robust_sync_peer_phi{peer="chad"}': 1.5,
			robust_sync_heartbeats_sent_total: 120,
			robust_sync_heartbeats_received_total: 118,
			'robust_sync_heartbeats_rejected_total{reason="mac"}': 2,
			'robust_sync_service_up{service="sync"}': 1,
			'robust_sync_service_up{service="health-server"}': 1,
			'robust_sync_alerts_firing{severity="critical"}': 0,
			robust_sync_alerts_undelivered: 0,
		});
	});

	test("metrics: not known → left out, not 0", async () => {
		const samples = await scrape({
			peers: "chad=192.0.2.7",
			repository: { ...quietRepository, unmergedPaths: () => Promise.reject(new Error("no git")) },
		});
		expect([...samples.keys()]).toEqual([
			'robust_sync_build_info{version="1.2.3",node="helios"}',
			"robust_sync_messages_pending",
			'robust_sync_peer_up{peer="chad"}',
			'robust_sync_service_up{service="sync"}',
			'robust_sync_service_up{service="heartbeat"}',
		]);
		expect(samples.get('robust_sync_peer_up{peer="chad"}')).toBe(0);
		expect(samples.get('robust_sync_service_up{service="sync"}')).toBe(0);
	});

	test("metrics: any state → all named with their help", async () => {
		const { text } = await (await node.serve()).ask("/metrics");
		const named = Array.from(text.matchAll(/^# HELP (\S+) .+\n# TYPE \1 (gauge|counter)$/gm), ([, name]) => name);
		expect(named).toEqual(metricNames);
	});

	test("metrics: a dead writer → not up, its alerts not claimed to fire", async () => {
		node.healthy();
		node.monitor({
			pid: 4_194_000,
			alerts: [{ id: "x", severity: "critical", state: "firing", since: timestamp(Date.now()), last_notified: null, message: "x" }],
		});
		node.peer("chad", { received_at: timestamp(Date.now() - 400_000) });
		const samples = await scrape();
		expect(samples.get('robust_sync_service_up{service="monitor"}')).toBe(0);
		expect(samples.has('robust_sync_alerts_firing{severity="critical"}')).toBe(false);
		expect(samples.get('robust_sync_peer_up{peer="chad"}')).toBe(0);
	});

	test("metrics: label values → escaped", async () => {
		node.healthy();
		node.heartbeat({ totals: { sent: 1, received: 1, acked: 1, rejected: { 'a"b\\c\nd': 7 } } });
		expect((await scrape()).get('robust_sync_heartbeats_rejected_total{reason="a\\"b\\\\c\\nd"}')).toBe(7);
	});
});

describe("deployed files for Prometheus and Grafana", () => {
	/** Every metric of ours that a text mentions; recorded series have colons and are judged by promtool. */
	const mentioned = (text: string) => new Set([...text.matchAll(/(?<![:\w])robust_sync_\w+(?![:\w])/g)].map(([name]) => name));

	test.each(["prometheus/alerts.yml", "prometheus/recording.yml", "prometheus/rules.test.yml", "grafana/robust-sync.json"])(
		"deployed: %s → only metrics that are exposed",
		(file) => {
			const names = mentioned(deployed(file));
			expect(names.size).toBeGreaterThan(3);
			expect([...names].filter((name) => !metricNames.includes(name))).toEqual([]);
		},
	);

	test("deployed: the board → every metric, each panel somewhere of its own", () => {
		const board = JSON.parse(deployed("grafana/robust-sync.json"));
		expect(metricNames.filter((name) => !mentioned(JSON.stringify(board)).has(name))).toEqual([]);
		const places = board.panels.map(({ gridPos }: { gridPos: { x: number; y: number; w: number; h: number } }) => gridPos);
		for (const [n, a] of places.entries()) {
			expect(a.x + a.w).toBeLessThanOrEqual(24);
			for (const b of places.slice(n + 1)) {
				expect(a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y).toBe(true);
			}
		}
		expect(new Set(board.panels.map(({ id }: { id: number }) => id)).size).toBe(board.panels.length);
	});

	test("deployed: alert rules → each has a unit test", () => {
		const rules = [...deployed("prometheus/alerts.yml").matchAll(/- alert: (\w+)/g)].map((match) => match[1]);
		const tested = new Set([...deployed("prometheus/rules.test.yml").matchAll(/alertname: (\w+)/g)].map((match) => match[1]));
		expect(rules.length).toBeGreaterThan(10);
		expect(rules.filter((rule) => !tested.has(rule))).toEqual([]);
	});
});
