import { mkdirSync, rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { timestamp } from "@robust-sync/system/timestamps";
import { eventually, NodeFixture, quietRepository } from "./testing/node-fixture.ts";

let node: NodeFixture;
beforeEach(() => {
	node = new NodeFixture();
});
afterEach(() => node.remove());

describe("/health", () => {
	test("/health: all is well → exactly the documented fields and 200", async () => {
		node.healthy();
		const served = await node.serve();
		const { code, json, headers } = await served.ask("/health");
		expect(code).toBe(200);
		expect(Object.keys(json)).toEqual(["status", "node", "last_sync", "messages_pending", "uptime", "timestamp"]);
		expect(json).toMatchObject({ status: "ok", node: "helios", messages_pending: 0 });
		expect(Date.now() - Date.parse(json.last_sync)).toBeGreaterThan(10_000);
		expect(Number.isInteger(json.uptime)).toBe(true);
		expect(headers["content-type"]).toBe("application/json; charset=utf-8");
		expect(headers["cache-control"]).toBe("no-store");
		expect(headers["x-content-type-options"]).toBe("nosniff");
		expect(headers["access-control-allow-origin"]).toBeUndefined();
	});

	test.each<[string, (node: NodeFixture) => void, string, number]>([
		["a peer is down", (n) => n.peer("chad", { status: "down" }), "degraded", 200],
		["a peer is suspect", (n) => n.peer("chad", { status: "suspect" }), "degraded", 200],
		[
			"a peer's heartbeat stopped with the heartbeat service",
			(n) => n.peer("chad", { received_at: timestamp(Date.now() - 400_000) }),
			"degraded",
			200,
		],
		["sync is retrying", (n) => n.sync({ status: "retrying" }), "degraded", 200],
		[
			"a warning fires",
			(n) =>
				n.monitor({
					alerts: [
						{ id: "disk", severity: "warning", state: "firing", since: timestamp(Date.now()), last_notified: null, message: "disk" },
					],
				}),
			"degraded",
			200,
		],
		["sync stopped", (n) => n.sync({ status: "stopped" }), "error", 503],
		["sync's process is gone", (n) => n.sync({ pid: 4_194_000 }), "error", 503],
		["another process has sync's pid now", (n) => n.sync({ pid_started_at: "2020-01-01T00:00:00.000Z" }), "error", 503],
		["sync has not written for long", (n) => n.sync({ updated_at: timestamp(Date.now() - 600_000) }), "error", 503],
		["the last success is older than five intervals", (n) => n.sync({ last_sync: timestamp(Date.now() - 301_000) }), "error", 503],
		["sync failed", (n) => n.sync({ status: "failed" }), "error", 503],
		["sync never ran", (n) => rmSync(n.paths.syncState), "error", 503],
		["sync's state is not JSON", (n) => n.write(n.paths.syncState, '{"schema":1,'), "error", 503],
		[
			"a critical alert fires",
			(n) =>
				n.monitor({
					alerts: [{ id: "x", severity: "critical", state: "firing", since: timestamp(Date.now()), last_notified: null, message: "x" }],
				}),
			"error",
			503,
		],
	])("when %s", async (_what, change, status, code) => {
		node.healthy();
		change(node);
		const served = await node.serve();
		const reply = await served.ask("/health");
		expect([reply.json.status, reply.code]).toEqual([status, code]);
	});

	test("/health: an unresolved conflict → an error", async () => {
		node.healthy();
		const served = await node.serve({ repository: { ...quietRepository, unmergedPaths: async () => 2 } });
		expect(await served.ask("/health")).toMatchObject({ code: 503, json: { status: "error" } });
		expect((await served.ask("/status")).json.conflicts.unresolved).toBe(2);
	});

	test("/health: outbox → counted, without unfinished messages", async () => {
		node.healthy();
		for (const name of ["a.json", "b.md", ".hidden", "c.tmp"]) node.pending(name);
		const served = await node.serve();
		expect((await served.ask("/health")).json.messages_pending).toBe(2);
	});

	test("/health: state changes → every answer shows it as it is now", async () => {
		const served = await node.serve();
		expect((await served.ask("/health")).json).toMatchObject({ status: "error", last_sync: null });
		for (let round = 0; round < 20; round++) {
			const last_sync = timestamp(Date.now() - round);
			node.sync({ last_sync });
			expect((await served.ask("/health")).json).toMatchObject({ status: "ok", last_sync });
		}
		node.write(node.paths.syncState, "not JSON");
		expect((await served.ask("/health")).code).toBe(503);
		rmSync(node.paths.sync, { recursive: true });
		expect((await served.ask("/health")).code).toBe(503);
		mkdirSync(node.paths.sync);
		node.sync();
		expect((await served.ask("/health")).code).toBe(200);
	});

	test("/health: a state file replaced all the time → never seen half", async () => {
		const served = await node.serve();
		node.sync();
		let isOn = true;
		const writing = (async () => {
			while (isOn) {
				node.sync();
				await new Promise((resolve) => setImmediate(resolve));
			}
		})();
		for (let round = 0; round < 200; round++) expect((await served.ask("/health")).code).toBe(200);
		isOn = false;
		await writing;
	});
});

describe("git", () => {
	test("git: many requests → asked when the index moved, one question serves all", async () => {
		node.healthy();
		let asked = 0;
		let stamp = "1";
		const served = await node.serve({
			repository: {
				...quietRepository,
				indexStamp: () => stamp,
				async unmergedPaths() {
					asked++;
					await new Promise((resolve) => setTimeout(resolve, 50));
					return 0;
				},
			},
		});
		await Promise.all(Array.from({ length: 10 }, () => served.ask("/health")));
		await served.ask("/status");
		expect(asked).toBe(1);
		stamp = "2";
		await served.ask("/health");
		expect(asked).toBe(2);
	});

	test("git: hangs → one request waits one second, the next ones not at all", async () => {
		node.healthy();
		let release = () => {};
		const served = await node.serve({
			repository: { ...quietRepository, unmergedPaths: () => new Promise<number>((resolve) => (release = () => resolve(3))) },
		});
		const start = performance.now();
		expect((await served.ask("/status")).json.conflicts).toMatchObject({ unresolved: null, known_at: null });
		expect(performance.now() - start).toBeGreaterThan(900);
		expect(performance.now() - start).toBeLessThan(5_000);
		const again = performance.now();
		await served.ask("/health");
		expect(performance.now() - again).toBeLessThan(900);
		release();
		await eventually(async () => (await served.ask("/status")).json.conflicts.unresolved === 3);
	});

	test("git: fails → the last value stays, with its age and the reason", async () => {
		node.healthy();
		let stamp = "1";
		let works = true;
		const served = await node.serve({
			repository: {
				...quietRepository,
				indexStamp: () => stamp,
				async unmergedPaths() {
					if (works) return 1;
					throw new Error("the repository cannot be opened");
				},
			},
		});
		const { known_at } = (await served.ask("/status")).json.conflicts;
		works = false;
		stamp = "2";
		expect((await served.ask("/status")).json.conflicts).toMatchObject({
			unresolved: 1,
			known_at,
			problem: "the repository cannot be opened",
		});
	});
});

describe("/status", () => {
	test("/status: all services → every documented part", async () => {
		node.healthy();
		const served = await node.serve();
		const { json, code } = await served.ask("/status");
		expect(code).toBe(200);
		for (const field of ["node", "status", "timestamp", "uptime", "sync", "heartbeat", "peers", "monitor", "services", "conflicts"]) {
			expect(json).toHaveProperty(field);
		}
		expect(json.sync).toMatchObject({ status: "idle", branch: "main", running: true, totals: { cycles: 120 } });
		expect(json.sync.age_seconds).toBeLessThan(5);
		expect(json.heartbeat).toMatchObject({ port: 8765, running: true });
		expect(json.peers).toMatchObject([{ peer: "chad", status: "alive", rtt_ms: 0.83, head_agrees: true }]);
		expect(json.services).toEqual({ sync: "up", heartbeat: "up", "health-server": "up", monitor: "up" });
	});

	test("/status: nothing ever ran → 200 with the reason", async () => {
		const served = await node.serve({ peers: "chad=192.0.2.7" });
		const { json, code } = await served.ask("/status");
		expect(code).toBe(200);
		expect(json).toMatchObject({ status: "error", sync: null, heartbeat: null, monitor: null, services: { sync: "unknown" } });
		expect(json.service_reasons.sync).toMatch(/never started/);
		expect(json.peers).toEqual([{ peer: "chad", status: "unknown", received_at: null, age_seconds: null }]);
	});

	test("/status and page: sync stopped by its configuration → the variable and its value", async () => {
		node.healthy();
		node.sync({ status: "stopped" });
		const served = await node.serve();
		expect((await served.ask("/status")).json.service_reasons.sync).toBe("stopped");
		node.write(node.paths.envFile, "export SYNC_INTERVAL=abc\n");
		const reason = /stopped; its configuration is not accepted: SYNC_INTERVAL="abc" is not accepted: give/;
		const { json } = await served.ask("/status");
		expect(json.service_reasons).toEqual({ sync: expect.stringMatching(reason) });
		expect(json.reasons).toContainEqual({ name: "sync", severity: "critical", message: expect.stringMatching(reason) });
		const { text } = await served.ask("/");
		expect(text).toMatch(/SYNC_INTERVAL=(&quot;|")abc/);
		expect(text).toContain("Correct <code>.sync_env</code>, then start them");
		// The variable is named, never the value of a secret.
		node.write(node.paths.envFile, "export HEARTBEAT_KEY=short\n");
		const secret = JSON.stringify((await served.ask("/status")).json);
		expect(secret).toContain("HEARTBEAT_KEY has a value that is not accepted");
		expect(secret).not.toContain("short");
		node.write(node.paths.envFile, "export SYNC_INTERVAL=60\n");
		expect((await served.ask("/status")).json.service_reasons.sync).toBe("stopped");
	});

	test("/status: a dead writer → never shown as alive", async () => {
		node.sync({ status: "syncing", pid: 4_194_000, updated_at: timestamp(Date.now() - 50_000) });
		node.peer("chad", { status: "alive", received_at: timestamp(Date.now() - 500_000) });
		const served = await node.serve();
		const { json } = await served.ask("/status");
		expect(json.services.sync).toBe("down");
		expect(json.sync).toMatchObject({ running: false, status: "syncing" });
		expect(json.sync.age_seconds).toBeGreaterThanOrEqual(50);
		expect(json.peers[0]).toMatchObject({ status: "down", reported_status: "alive" });
	});

	test("/status: peers → configured or talked to, none that was left behind", async () => {
		node.healthy();
		node.peer("gone", { status: "down" });
		node.heartbeat({ peers: ["chad", "vega", "../evil"] });
		const served = await node.serve({ peers: "nova=192.0.2.9" });
		const { peers, status } = (await served.ask("/status")).json;
		expect(peers.map(({ peer, status: how }: { peer: string; status: string }) => `${peer} ${how}`)).toEqual([
			"chad alive",
			"nova unknown",
			"vega unknown",
		]);
		expect(status).toBe("ok");
	});

	test("/status: saved versions → newest first, 50 of them, older ones on request", async () => {
		const names = Array.from({ length: 60 }, (_, n) =>
			node.saved(1_770_000_000_000 + n, { "a.json": { ours: "1", theirs: "2" } }),
		).reverse();
		const served = await node.serve();
		const { conflicts } = (await served.ask("/status")).json;
		expect(conflicts.saved_total).toBe(60);
		expect(conflicts.saved.map((saved: { saved: string }) => saved.saved)).toEqual(names.slice(0, 50));
		expect(conflicts.saved[0].files).toMatchObject([{ path: "a.json", winner: "merged" }]);
		const older = (await served.ask(`/saved?before=${names[49]}`)).json.saved;
		expect(older.map((saved: { saved: string }) => saved.saved)).toEqual(names.slice(50));
	});

	test("/status: hostile state files → change nothing but their own part", async () => {
		node.healthy();
		const hostile: unknown[] = [
			"",
			"null",
			"[]",
			"[".repeat(100_000),
			'{"__proto__":{"status":"ok"}}',
			JSON.stringify({ schema: 9 }),
			"\0\0\0",
		];
		const served = await node.serve();
		for (const text of hostile) {
			node.write(node.paths.monitorStatus, text);
			node.write(node.paths.peerState("evil"), text);
			const reply = await served.ask("/status");
			expect(reply.code).toBe(200);
			expect(reply.json.services).toMatchObject({ sync: "up", monitor: "unknown" });
			expect((await served.ask("/")).code).toBe(200);
			expect((await served.ask("/metrics")).code).toBe(200);
		}
		rmSync(node.paths.monitorStatus);
		mkdirSync(node.paths.monitorStatus);
		expect((await served.ask("/status")).code).toBe(200);
	});
});
