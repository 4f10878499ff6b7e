// What answering costs, beside a bare node:http server in a process of its own that sends the same bytes.
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import autocannon, { type Result } from "autocannon";
import { NodeFixture } from "../packages/health-server/src/testing/node-fixture.ts";

export interface BenchTable {
	name: string;
	rows: { what: string; ours: string; floor: string; ratio: string; target: string }[];
	notes?: string[];
}

const connections = 50;
const rounds = 5;
const seconds = 3;
const warmupSeconds = 2;

const bareServer = `
const { createServer } = require("node:http");
const { status, headers, body } = JSON.parse(process.env.REPLY);
const bytes = Buffer.from(body, "base64");
createServer((request, response) => {
	response.writeHead(status, headers);
	response.end(bytes);
}).listen(0, "127.0.0.1", function () {
	console.log("http://127.0.0.1:" + this.address().port + "/");
});`;

/** Starts a server and waits for the line that names its address. */
function start(args: string[], env: NodeJS.ProcessEnv): Promise<{ child: ChildProcess; url: string }> {
	const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "ignore"] });
	return new Promise((resolve, reject) => {
		let text = "";
		child.stdout?.on("data", (chunk) => {
			text += chunk;
			const url = /http:\/\/\S+(?=\/\s)/.exec(text)?.[0];
			if (url) resolve({ child, url });
		});
		child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
	});
}

async function end(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = new Promise((resolve) => child.once("exit", resolve));
	child.kill();
	await ended;
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

async function reply(url: string): Promise<{ status: number; headers: [string, string][]; body: string }> {
	const response = await fetch(url);
	const headers = [...response.headers].filter(([name]) => !["date", "connection", "keep-alive"].includes(name));
	return { status: response.status, headers, body: Buffer.from(await response.arrayBuffer()).toString("base64") };
}

/** Requests one after the other, milliseconds each. */
async function oneByOne(url: string, times: number): Promise<number[]> {
	const taken: number[] = [];
	for (let n = 0; n < times; n++) {
		const before = performance.now();
		await (await fetch(url)).arrayBuffer();
		taken.push(performance.now() - before);
	}
	return taken;
}

/** Runs for about a minute. The executables must be built (dist/). */
export async function run(): Promise<BenchTable> {
	const node = new NodeFixture();
	const children: ChildProcess[] = [];
	const rows: BenchTable["rows"] = [];
	const notes: string[] = [];
	try {
		node.healthy();
		const ours = await start([path.resolve("bin/health-server"), "--workspace", node.paths.root, "--port", "18099"], {
			INVOCATION_ID: "bench",
			NODE_NAME: "helios",
		});
		children.push(ours.child);

		for (const target of ["/health", "/metrics"]) {
			const same = await reply(`${ours.url}${target}`);
			const bare = await start(["-e", bareServer], { REPLY: JSON.stringify({ ...same, headers: Object.fromEntries(same.headers) }) });
			children.push(bare.child);
			const results: Record<"ours" | "bare", Result[]> = { ours: [], bare: [] };
			for (let round = 0; round <= rounds; round++) {
				for (const [who, url] of [
					["ours", `${ours.url}${target}`],
					["bare", `${bare.url}${target}`],
				] as const) {
					// Writers that are alive: none counts as dead in the middle of a run.
					node.healthy();
					const result = await autocannon({ url, connections, duration: round === 0 ? warmupSeconds : seconds });
					if (result.errors > 0 || result.non2xx > 0)
						throw new Error(`${who} ${target}: ${result.errors} errors, ${result.non2xx} other answers`);
					if (round > 0) results[who].push(result);
				}
			}
			await end(bare.child);
			const rate = (who: "ours" | "bare") => median(results[who].map((result) => result.requests.average));
			const tail = (who: "ours" | "bare") => median(results[who].map((result) => result.latency.p99));
			// Of rounds that follow each other: what else the machine does meets both.
			const pairwise = (of: (result: Result) => number) =>
				median(results.ours.map((result, n) => of(result) / of(results.bare[n] as Result)));
			rows.push({
				what: `GET ${target}, requests a second, ${connections} connections`,
				ours: rate("ours").toFixed(0),
				floor: `${rate("bare").toFixed(0)} (bare node:http, same bytes)`,
				ratio: pairwise((result) => result.requests.average).toFixed(2),
				target: "≥ 0.8",
			});
			rows.push({
				what: `GET ${target}, p99`,
				ours: `${tail("ours")} ms`,
				floor: `${tail("bare")} ms`,
				ratio: pairwise((result) => result.latency.p99).toFixed(2),
				target: "≤ 2",
			});
		}

		for (let n = 0; n < 100; n++) node.peer(`peer-${n}`);
		for (let n = 0; n < 1_000; n++) node.saved(Date.now() - n * 60_000, { "notes/state.json": { ours: "1", theirs: "2", base: "0" } });
		for (let n = 0; n < 2_880; n++) node.cycle(Date.now() - n * 30_000, 100 + (n % 60));
		node.healthy();
		for (const [what, target, limit] of [
			["/status with 100 peers and 1,000 saved resolutions", "/status", "≤ 20 ms"],
			["the page with the same", "/", "usable: ≤ 150 KB"],
		] as const) {
			const [first = 0, ...rest] = await oneByOne(`${ours.url}${target}`, 200);
			const { body } = await reply(`${ours.url}${target}`);
			rows.push({
				what: `${what}, one after the other`,
				ours: `${median(rest).toFixed(1)} ms (first ${first.toFixed(1)} ms, ${Math.round((body.length * 0.75) / 1024)} KiB)`,
				floor: "–",
				ratio: "–",
				target: limit,
			});
		}
		return { name: "health-server", rows, notes };
	} finally {
		await Promise.all(children.map(end));
		await node.remove();
	}
}
