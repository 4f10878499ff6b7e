import { rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
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
