import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { eventually, NodeFixture } from "./testing/node-fixture.ts";

/** Less of it where time is limited (.ci/run): from 0 to 1. */
const share = Number(process.env.SLOW_SHARE ?? 1);

const executable = fileURLToPath(new URL("../../../bin/health-server", import.meta.url));
const port = 18_600 + (process.pid % 500);

let node: NodeFixture;
beforeEach(() => {
	node = new NodeFixture();
});
afterEach(() => node.remove());

/** Starts the built health server, as a service manager would. */
async function start(): Promise<ChildProcess> {
	const child = spawn(process.execPath, [executable, "--workspace", node.paths.root, "--port", String(port)], {
		env: { PATH: process.env.PATH, HOME: node.paths.root, NODE_NAME: "helios", INVOCATION_ID: "test" },
		stdio: ["ignore", "pipe", "ignore"],
	});
	node.onCleanup(async () => {
		const ended = new Promise((resolve) => child.once("exit", resolve));
		child.kill();
		await ended;
	});
	await new Promise((resolve) => child.stdout?.once("data", resolve));
	return child;
}

const rssMiB = (pid: number | undefined) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** Sends `requests` over one connection, a batch at a time, and waits for every answer. */
function burst(requests: number, targets: readonly string[]): Promise<void> {
	const batch = 40;
	let [sent, answered, tail] = [0, 0, ""];
	return new Promise((resolve, reject) => {
		const socket = connect(port, "127.0.0.1");
		const send = () => {
			let text = "";
			for (let n = 0; n < batch && sent < requests; n++)
				text += `GET ${targets[sent++ % targets.length]} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
			socket.write(text);
		};
		socket.on("connect", send);
		socket.on("error", reject);
		socket.on("close", () => (answered < requests ? reject(new Error(`closed after ${answered} answers`)) : resolve()));
		socket.on("data", (chunk) => {
			const text = tail + chunk.toString("latin1");
			answered += text.split("HTTP/1.1 ").length - 1;
			// A status line that is cut in two is counted when it is whole.
			tail = text.slice(Math.max(text.length - 8, text.lastIndexOf("HTTP/1.1 ") + 9));
			if (answered >= requests) socket.end();
			else if (answered >= sent) send();
		});
	});
}

test("endurance: a million requests → does not grow", async () => {
	node.healthy();
	for (let n = 0; n < 10; n++) node.peer(`peer-${n}`);
	const child = await start();
	const targets = [
		...Array(90).fill("/health"),
		"/status",
		"/metrics",
		"/metrics",
		"/metrics",
		"/",
		"/view",
		"/nowhere",
		"/livez",
		"/readyz",
		"/health?x=1",
	];
	const measured: number[] = [];
	for (let round = 0; round < 10; round++) {
		node.healthy();
		await Promise.all(Array.from({ length: 20 }, () => burst(5_000 * share, targets)));
		measured.push(rssMiB(child.pid));
	}
	process.stderr.write(`RSS after each ${100_000 * share} requests: ${measured.map((rss) => rss.toFixed(0)).join(" ")} MiB\n`);
	const early = Math.max(...measured.slice(1, 4));
	const late = Math.max(...measured.slice(-3));
	expect(late).toBeLessThan(early * 1.1 + 4);
});

test("endurance: its state file → rewritten at least every 30 s, shown as up", async () => {
	await start();
	const updatedAt = () => JSON.parse(readFileSync(node.paths.healthState, "utf8")).updated_at;
	const first = updatedAt();
	const before = performance.now();
	await eventually(() => updatedAt() !== first, 30_000);
	expect(performance.now() - before).toBeLessThan(30_000);
	expect((await (await fetch(`http://127.0.0.1:${port}/status`)).json()).services["health-server"]).toBe("up");
});

test("slow clients: a hundred send a byte now and then → closed within 10 s", async () => {
	await start();
	const started = performance.now();
	const lived = await Promise.all(
		Array.from(
			{ length: 100 },
			() =>
				new Promise<number>((resolve) => {
					const socket = connect(port, "127.0.0.1", () => socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\nX: "));
					const drip = setInterval(() => socket.writable && socket.write("x"), 500);
					socket.on("data", () => {});
					socket.on("error", () => {});
					socket.on("close", () => {
						clearInterval(drip);
						resolve(performance.now() - started);
					});
				}),
		),
	);
	expect(Math.max(...lived)).toBeLessThan(30_000);
	expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
});
