import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { timestamp } from "@robust-sync/system/timestamps";
import { eventually, NodeFixture, quietRepository, type Served } from "./testing/node-fixture.ts";

let node: NodeFixture;
beforeEach(() => {
	node = new NodeFixture();
});
afterEach(() => node.remove());

/** Sends bytes unchanged and collects the answer until the server closes. */
function raw(served: Served, text: string, { halfClose = false } = {}): Promise<string> {
	return new Promise((resolve) => {
		let received = "";
		const socket = connect(served.port, "127.0.0.1", () => {
			socket.write(text);
			if (halfClose) socket.end();
		});
		socket.on("data", (chunk) => {
			received += chunk.toString("latin1");
		});
		socket.on("close", () => resolve(received));
		socket.on("error", () => resolve(received));
	});
}

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

describe("probes", () => {
	test("probes: /livez and /readyz → always, and once state can be read", async () => {
		const served = await node.serve();
		expect((await served.ask("/livez")).code).toBe(200);
		expect((await served.ask("/readyz")).code).toBe(200);
		rmSync(node.paths.sync, { recursive: true });
		expect((await served.ask("/livez")).code).toBe(200);
		expect((await served.ask("/readyz")).code).toBe(503);
	});
});

describe("methods and targets", () => {
	const paths = ["/health", "/status", "/metrics", "/livez", "/readyz", "/", "/view", "/saved"];

	test.each(paths)("methods: HEAD %s → headers of GET, no body", async (target) => {
		node.healthy();
		const served = await node.serve();
		const get = await served.ask(target);
		const head = await served.ask(target, { method: "HEAD" });
		expect([head.code, head.text]).toEqual([get.code, ""]);
		expect(head.headers["content-type"]).toBe(get.headers["content-type"]);
		if (target !== "/health" && target !== "/status") expect(head.headers["content-length"]).toBe(get.headers["content-length"]);
	});

	test.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "QUERY"])("methods: %s → 405 with Allow", async (method) => {
		const served = await node.serve();
		for (const target of [...paths, "/nowhere"]) {
			const reply = await served.ask(target, { method });
			expect([reply.code, reply.headers.allow]).toEqual([405, "GET, HEAD"]);
		}
	});

	test("methods: CONNECT → 405 too", async () => {
		const served = await node.serve();
		expect(await raw(served, "CONNECT example.org:443 HTTP/1.1\r\nHost: localhost\r\n\r\n")).toMatch(
			/^HTTP\/1.1 405 [\s\S]*Allow: GET, HEAD/,
		);
	});

	test.each([
		"//",
		"//health",
		"/health/",
		"/HEALTH",
		"/%68ealth",
		"/%2e%2e/etc/passwd",
		"/../../etc/passwd",
		"/constructor",
		"/__proto__",
		"/favicon.ico",
		"/health%00",
		"/metrics;x",
		"/diff/20260218T020000.000Z/0",
	])("targets: %s → 404 as JSON", async (target) => {
		const served = await node.serve();
		const reply = await served.ask(target);
		expect([reply.code, typeof reply.json.error]).toEqual([404, "string"]);
		expect(reply.headers["content-type"]).toBe("application/json; charset=utf-8");
	});

	test("targets: a query that means nothing → ignored", async () => {
		node.healthy();
		const served = await node.serve();
		expect((await served.ask("/health?x=1&y")).code).toBe(200);
		expect((await served.ask("/?before=nonsense")).code).toBe(200);
	});

	test("targets: an error of ours → shows nothing of the inside", async () => {
		const errors: unknown[] = [];
		node.healthy();
		const served = await node.serve({
			onError: (error) => errors.push(error),
			repository: {
				...quietRepository,
				indexStamp() {
					throw new Error("secret detail");
				},
			},
		});
		const reply = await served.ask("/status");
		expect(reply.code).toBe(500);
		expect(reply.text).not.toMatch(/secret|\.ts|at /);
		expect(errors).toHaveLength(1);
	});
});

describe("Host", () => {
	test.each([
		"localhost",
		"LOCALHOST:8080",
		"127.0.0.1",
		"127.0.0.1:8080",
		"127.9.9.9",
		"[::1]",
		"[::1]:8080",
		"localhost.",
		"ip6-localhost",
	])("Host: %s → answered", async (host) => {
		const served = await node.serve();
		expect((await served.ask("/livez", { headers: { Host: host } })).code).toBe(200);
	});

	test.each([
		"evil.example",
		"evil.example:8080",
		"127.0.0.1.evil.example",
		"localhost.evil.example",
		"128.0.0.1",
		"192.168.1.5",
		"0.0.0.0",
		"[::]",
		"user@localhost",
		"127.0.0.1/",
		" ",
	])("Host: %p → 403", async (host) => {
		const served = await node.serve();
		expect((await served.ask("/livez", { headers: { Host: host } })).code).toBe(403);
	});

	test("Host: an empty one → 403", async () => {
		const served = await node.serve();
		expect(await raw(served, "GET /livez HTTP/1.1\r\nHost:\r\n\r\n")).toMatch(/^HTTP\/1.1 403 /);
	});

	test("Host: none → fine for HTTP/1.0, 400 for HTTP/1.1", async () => {
		const served = await node.serve();
		expect(await raw(served, "GET /livez HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1.1 200 /);
		expect(await raw(served, "GET /livez HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
	});

	test("Host: two → 400, for any names", async () => {
		const served = await node.serve();
		expect(await raw(served, "GET /livez HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
	});

	test("Host: an absolute target → has to name this machine as well", async () => {
		const served = await node.serve();
		expect((await served.ask("http://evil.example/livez")).code).toBe(403);
		expect((await served.ask("http://localhost/livez")).code).toBe(200);
	});
});

describe("connections", () => {
	test("connections: more than 8 KiB of headers → 431", async () => {
		const served = await node.serve();
		const answer = await raw(served, `GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(10_000)}\r\n\r\n`);
		expect(answer).toMatch(/^HTTP\/1.1 431 /);
	});

	test.each([
		"nonsense\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
		"GET /livez HTTP/9.9\r\n\r\n",
		"GET  HTTP/1.1\r\nHost: localhost\r\n\r\n",
	])("connections: no HTTP: %p → 400", async (bytes) => {
		const served = await node.serve();
		expect(await raw(served, bytes, { halfClose: true })).toMatch(/^HTTP\/1.1 400 /);
		expect((await served.ask("/livez")).code).toBe(200);
	});

	test("connections: keep-alive and pipelining → answers in order on one connection", async () => {
		node.healthy();
		const served = await node.serve();
		const one = (target: string, more = "") => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
		const answer = await raw(served, one("/health") + one("/nowhere") + one("/status") + one("/livez", "Connection: close\r\n"));
		expect([...answer.matchAll(/^HTTP\/1.1 (\d+)/gm)].map((match) => match[1])).toEqual(["200", "404", "200", "200"]);
	});

	test("connections: a hundred slow clients → closed in time, others are served", async () => {
		const served = await node.serve({ clientTimeoutMs: 1_000 });
		const closed: Promise<string>[] = [];
		const sockets: Socket[] = [];
		for (let n = 0; n < 100; n++) {
			closed.push(
				new Promise((resolve) => {
					const socket = connect(served.port, "127.0.0.1", () => socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: "));
					sockets.push(socket);
					let text = "";
					socket.on("data", (chunk) => (text += chunk.toString("latin1")));
					socket.on("error", () => {});
					socket.on("close", () => resolve(text));
				}),
			);
		}
		const drip = setInterval(() => sockets.forEach((socket) => void (socket.writable && socket.write("a"))), 100);
		const start = performance.now();
		expect((await served.ask("/livez")).code).toBe(200);
		const answers = await Promise.all(closed);
		clearInterval(drip);
		expect(performance.now() - start).toBeLessThan(15_000);
		expect(answers[0]).toMatch(/^HTTP\/1.1 408 |^$/);
	});

	test("connections: the 257th → not taken", async () => {
		const served = await node.serve();
		const sockets = Array.from({ length: 256 }, () => connect(served.port, "127.0.0.1"));
		await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.on("connect", resolve))));
		await expect(served.ask("/livez")).rejects.toThrow(/hang up|ECONNRESET/);
		for (const socket of sockets) socket.destroy();
		await eventually(() =>
			served.ask("/livez").then(
				({ code }) => code === 200,
				() => false,
			),
		);
	});
});

describe("the page", () => {
	test("page: asked for → one self-contained document under a strict policy", async () => {
		node.healthy();
		const served = await node.serve();
		const { text, headers } = await served.ask("/");
		expect(headers["content-type"]).toBe("text/html; charset=utf-8");
		expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'sha256-[\w+/=]+'; style-src 'sha256-/);
		expect(headers["content-security-policy"]).not.toMatch(/unsafe/);
		expect(text).not.toMatch(/(src|href)="https?:/);
		expect(text).toContain("All is well");
		expect(text).toContain("chad");
	});

	test("page: its ETag → 304 to the same, 200 again after a change", async () => {
		node.healthy();
		const served = await node.serve();
		const first = await served.ask("/");
		const etag = String(first.headers.etag);
		const second = await served.ask("/", { headers: { "If-None-Match": `"other", W/${etag}` } });
		expect([second.code, second.text, second.headers.etag]).toEqual([304, "", etag]);
		node.peer("chad", { status: "down" });
		const third = await served.ask("/", { headers: { "If-None-Match": etag } });
		expect(third.code).toBe(200);
		expect(third.text).toContain("Degraded");
	});

	test("page: hostile names → shown as text only", async () => {
		const evil = `<img src=x onerror=alert(1)>"'&`;
		node.sync({ skipped: [{ path: evil, reason: "too-large" }], branch: evil });
		node.pending("<script>alert(1)<!--");
		node.saved(Date.now(), { "<b>bold<": { ours: "<script>1", theirs: "</table><script>2" } });
		const served = await node.serve();
		const { text } = await served.ask("/");
		expect(text).not.toMatch(/<img|<script>alert|<b>bold/);
		expect(text).toContain("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;");
	});

	test("page: alerts → by which way, nothing claimed that it cannot know", async () => {
		const served = await node.serve();
		const { text: fresh } = await served.ask("/");
		expect(fresh).not.toContain("every file of the workspace is synced");
		expect(fresh).not.toContain("Delivery:");
		node.healthy();
		const since = timestamp(Date.now());
		node.monitor({ checks: [{ name: "alerts", status: "ok", message: "no channel is configured", since }] });
		node.peer("chad", { status: "down", received_at: timestamp(Date.now() - 600_000) });
		const { text } = await served.ask("/");
		expect(text).toContain("Delivery: no channel is configured.");
		expect(text).toMatch(/odes have the same head, as far as they were heard\./);
		expect(text).toContain("every file of the workspace is synced");
	});

	test("page: 100 peers, 1,000 resolutions, a day of cycles → below 150 KB", async () => {
		node.healthy();
		for (let n = 0; n < 100; n++) node.peer(`peer-${n}`);
		for (let n = 0; n < 1_000; n++) node.saved(Date.now() - n * 60_000, { "notes/state.json": { ours: "1", theirs: "2", base: "0" } });
		for (let n = 0; n < 2_880; n++) node.cycle(Date.now() - n * 30_000, 100 + n, n % 50 === 0);
		const served = await node.serve();
		expect((await served.ask("/")).text.length).toBeLessThan(150_000);
	});
});

describe("events", () => {
	interface Seen {
		event: string;
		data: { sections: [string, { id: string }][] };
	}

	async function* eventsOf(served: Served): AsyncGenerator<Seen, undefined, undefined> {
		const response = await fetch(`${served.url}/events`);
		expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
		let text = "";
		for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
			text += new TextDecoder().decode(chunk);
			for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
				const [, event = "", data = ""] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
				text = text.slice(end + 2);
				yield { event, data: JSON.parse(data) };
			}
		}
	}

	test("events: a change → the whole view first, then changes, within a second", async () => {
		node.healthy();
		const served = await node.serve();
		const events = eventsOf(served);
		const first = (await events.next()).value;
		expect(first?.event).toBe("view");
		expect(first?.data.sections.map((section) => section[1].id)).toEqual(
			expect.arrayContaining(["headline", "facts", "nodes", "cycles", "alerts", "services", "saved", "outbox", "skipped"]),
		);
		node.pending("message.json");
		const start = performance.now();
		const second = (await events.next()).value;
		expect(performance.now() - start).toBeLessThan(5_000);
		expect(second?.data.sections.map((section) => section[1].id)).toEqual(["facts", "nodes", "outbox"]);
		await events.return(undefined);
	});

	test("events: the 33rd open page → asked to poll", async () => {
		const served = await node.serve();
		const aborts = Array.from({ length: 32 }, () => new AbortController());
		await Promise.all(aborts.map((abort) => fetch(`${served.url}/events`, { signal: abort.signal })));
		expect((await served.ask("/events")).code).toBe(503);
		for (const abort of aborts) abort.abort();
		await eventually(async () => (await served.ask("/events", { method: "HEAD" })).code === 200);
	});

	test("events: the server ends → they end", async () => {
		const served = await node.serve();
		const events = eventsOf(served);
		await events.next();
		await served.http.close();
		expect((await events.next()).done).toBe(true);
	});
});

describe("saved versions", () => {
	test("saved versions: asked for → served as they are, and only those", async () => {
		const name = node.saved(Date.now(), {
			"notes/a b?.json": { ours: '{"a":1}\n', theirs: "\0\xff" },
			"page.html": { ours: "<script>1</script>" },
		});
		const served = await node.serve();
		const ours = await served.ask(`/saved/${name}/files/notes/a%20b%3F.json.ours`);
		expect([ours.code, ours.text, ours.headers["content-type"]]).toEqual([200, '{"a":1}\n', "text/plain; charset=utf-8"]);
		const html = await served.ask(`/saved/${name}/files/page.html.ours`);
		expect(html.headers["content-type"]).toBe("text/plain; charset=utf-8");
		expect(html.headers["content-security-policy"]).toMatch(/sandbox/);
		expect((await served.ask(`/saved/${name}/files/notes/a%20b%3F.json.theirs`)).headers["content-type"]).toBe("application/octet-stream");
	});

	test("/saved: a browser asks → a page; a program asks → JSON", async () => {
		const names = Array.from({ length: 60 }, (_, n) =>
			node.saved(1_770_000_000_000 + n, { "<b>.json": { ours: "1", theirs: "2" } }),
		).reverse();
		const served = await node.serve();
		const browser = { headers: { Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" } };
		const page = await served.ask("/saved", browser);
		expect([page.code, page.headers["content-type"], page.headers.vary]).toEqual([200, "text/html; charset=utf-8", "Accept"]);
		expect(page.headers["content-security-policy"]).toMatch(/default-src 'none'/);
		expect(page.text).toContain(`<code>&lt;b&gt;.json</code>`);
		expect(page.text).toContain(`href="/saved?before=${names[39]}#saved-title"`);
		const older = await served.ask(`/saved?before=${names[39]}`, browser);
		expect(older.text).toContain(names[59]);
		expect(older.text).not.toContain(names[39]);
		expect(older.text).not.toContain("Older resolutions");
		for (const Accept of ["*/*", "application/json"]) {
			const data = await served.ask("/saved", { headers: { Accept } });
			expect([data.headers.vary, data.json.saved.length]).toEqual(["Accept", 50]);
		}
	});

	test("saved versions: any spelling, any link → nothing outside of sync/conflicts", async () => {
		const name = node.saved(Date.now(), { "a.json": { ours: "1" } });
		const directory = path.join(node.paths.conflicts, name);
		writeFileSync(path.join(node.paths.sync, "secret"), "secret");
		symlinkSync("../../secret", path.join(directory, "link"));
		symlinkSync("../..", path.join(directory, "up"));
		symlinkSync(directory, path.join(node.paths.conflicts, "20200101T000000.000Z"));
		const served = await node.serve();
		for (const target of [
			`/saved/${name}/../../secret`,
			`/saved/${name}/%2e%2e/%2e%2e/secret`,
			`/saved/${name}/..%2f..%2fsecret`,
			`/saved/${name}/files/../../../secret`,
			`/saved/../secret`,
			`/saved/%2e%2e/secret`,
			`/saved/${name}//etc/passwd`,
			`/saved/${name}/link`,
			`/saved/${name}/up/secret`,
			`/saved/20200101T000000.000Z/manifest.json`,
			`/saved/${name}/files`,
			`/saved/${name}/`,
			`/saved/${name}/files/a.json.ours%00`,
			`/saved/${name}/files/%ff`,
		]) {
			const reply = await served.ask(target);
			expect([target, reply.code]).toEqual([target, 404]);
			expect(reply.text).not.toContain("secret\n");
		}
	});

	test("saved versions: beside the result → as a page and as data", async () => {
		const name = node.saved(Date.now(), { "a.txt": { ours: "one\nours\nresult\n", theirs: "one\ntheirs\nresult\n" } });
		const asked: string[] = [];
		const served = await node.serve({
			repository: {
				...quietRepository,
				async fileAt(commit, file) {
					asked.push(`${commit.slice(0, 4)}:${file}`);
					return Buffer.from("one\nresult\n");
				},
			},
		});
		const page = await served.ask(`/diff/${name}/0`, { headers: { Accept: "text/html" } });
		expect(page.text).toMatch(/<td class="line lost">ours<\/td>/);
		expect(page.text).toMatch(/<th scope="colgroup" colspan="2">result<\/th>/);
		const data = await served.ask(`/diff/${name}/0`, { headers: { Accept: "application/json" } });
		expect(data.json[0]).toBe("div");
		expect(asked).toEqual(["dddd:a.txt", "dddd:a.txt"]);
		expect((await served.ask(`/diff/${name}/1`)).code).toBe(404);
	});

	test("saved versions: a result that git does not give → left out", async () => {
		const name = node.saved(Date.now(), { "a.txt": { ours: "1\n", theirs: "2\n" } });
		const served = await node.serve({ repository: { ...quietRepository, fileAt: () => Promise.reject(new Error("gone")) } });
		const page = await served.ask(`/diff/${name}/0`);
		expect(page.code).toBe(200);
		expect(page.text).not.toContain(">result<");
	});
});
