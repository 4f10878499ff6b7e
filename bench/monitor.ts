// What watching costs: one round of all checks beside the bare reads that it makes, and the daemon at rest.
import { spawn } from "node:child_process";
import { lstatSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import path from "node:path";
import { processStartedAt } from "@robust-sync/system/process-table";
import { runChecks } from "../packages/monitor/src/checks/all.ts";
import { emptyHistory } from "../packages/monitor/src/readings/history.ts";
import { readFacts, systemSources } from "../packages/monitor/src/readings/read-facts.ts";
import { Executable } from "../packages/monitor/src/testing/executable.ts";
import { NodeFixture } from "../packages/monitor/src/testing/node-fixture.ts";

export interface BenchTable {
	name: string;
	rows: { what: string; ours: string; floor: string; ratio: string; target: string }[];
	notes?: string[];
}

const rounds = 400;
const restSeconds = 60;
const ticksPerSecond = 100;

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
const microseconds = (ms: number) => `${(ms * 1000).toFixed(0)} µs`;

/** Milliseconds each; the two take turns, so that a busy machine hits both. */
async function takeTurns(a: () => unknown, b: () => unknown): Promise<[number, number]> {
	const taken: [number[], number[]] = [[], []];
	for (let i = 0; i < rounds; i++) {
		for (const [index, run] of [a, b].entries()) {
			const before = performance.now();
			await run();
			if (i >= rounds / 4) taken[index]?.push(performance.now() - before);
		}
	}
	return [median(taken[0]), median(taken[1])];
}

/** One round against its floor: the same files read and parsed as JSON, the same questions to the kernel, nothing concluded. */
async function oneRound(peers: number): Promise<[number, number]> {
	const names = Array.from({ length: peers }, (_, i) => `peer-${i}`);
	const node = new NodeFixture({ CHAD_HOST: "", PEERS: names.map((name) => `${name}=192.0.2.1`).join(",") });
	try {
		const { paths, config } = node;
		// All is well: this process plays the services, and every peer was heard just now.
		node.clock.time = Date.now();
		const writer = { pid: process.pid, pid_started_at: processStartedAt(process.pid) as string, started_at: new Date().toISOString() };
		node.sync(writer);
		node.heartbeat(writer);
		node.put(paths.healthState, { ...node.writer("health-server"), ...writer, port: 8080 });
		for (const name of names) node.hear(name);
		const sources = { ...systemSources(paths, config.nodeName), units: async () => node.units };
		const files = [paths.syncState, paths.heartbeatState, paths.healthState, ...names.map((name) => paths.peerState(name))];
		const carried = { history: emptyHistory, clock: null };
		const options = { paths, config, sources, carried, isDaemon: true, channels: [], channelProblem: null, undelivered: 0 };
		const ours = async () => runChecks((await readFacts(options)).facts);
		const floor = () => {
			for (const file of files) {
				lstatSync(file);
				JSON.parse(readFileSync(file, "utf8"));
			}
			for (let service = 0; service < 3; service++) {
				readFileSync(`/proc/${process.pid}/stat`, "latin1");
				readFileSync("/proc/stat", "latin1");
			}
			readFileSync("/proc/uptime", "latin1");
			lstatSync(paths.root);
			statfsSync(paths.root);
			try {
				readdirSync(paths.pending);
			} catch {
				// An outbox that was never used.
			}
		};
		return await takeTurns(ours, floor);
	} finally {
		node.remove();
	}
}

/** CPU (percent of a core) and RSS (MiB) of a daemon with three services to watch and nothing to report. */
async function atRest(): Promise<{ cpu: number; rss: number; alerted_ms: number }> {
	const monitor = new Executable();
	try {
		const paths = monitor.workspace();
		const all = (["sync", "heartbeat", "health-server"] as const).map((service) => monitor.service(paths, service));
		const daemon = spawn(process.execPath, [path.resolve("bin/monitor"), "--daemon", "--workspace", paths.root], {
			env: { PATH: process.env.PATH, INVOCATION_ID: "bench" },
			stdio: "ignore",
		});
		const ticks = () => {
			const stat = readFileSync(`/proc/${daemon.pid}/stat`, "latin1");
			const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
			return Number(fields[11]) + Number(fields[12]);
		};
		const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
		try {
			await sleep(10_000);
			const before = ticks();
			for (let passed = 0; passed < restSeconds; passed += 20) {
				for (const service of all) service.beat();
				await sleep(20_000);
			}
			const cpu = ((ticks() - before) / ticksPerSecond / restSeconds) * 100;
			const rss = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${daemon.pid}/status`, "latin1"))?.[1]) / 1024;
			for (const service of all) service.beat();
			const killed = performance.now();
			all[0]?.kill("SIGKILL");
			const log = () => readFileSync(paths.logFile("monitor"), "utf8");
			while (!log().includes("sync died") && performance.now() - killed < 30_000) await sleep(5);
			return { cpu, rss, alerted_ms: performance.now() - killed };
		} finally {
			daemon.kill("SIGKILL");
		}
	} finally {
		await monitor.remove();
	}
}

/** Runs for about a minute and a half. The executables must be built (dist/). */
export async function run(): Promise<BenchTable> {
	const rows: BenchTable["rows"] = [];
	for (const peers of [1, 100]) {
		const [ours, floor] = await oneRound(peers);
		rows.push({
			what: `one round of all checks, ${peers} ${peers === 1 ? "peer" : "peers"}`,
			ours: microseconds(ours),
			floor: `${microseconds(floor)} (the same reads, bare)`,
			ratio: `${(ours / floor).toFixed(2)} ×`,
			target: "≤ 2 ×",
		});
	}
	const { cpu, rss, alerted_ms } = await atRest();
	rows.push(
		{ what: "daemon at rest, CPU", ours: `${cpu.toFixed(2)} % of a core`, floor: "", ratio: "", target: "≤ 0.1 %" },
		{ what: "daemon at rest, RSS", ours: `${rss.toFixed(0)} MiB`, floor: "", ratio: "", target: "≤ 70 MiB" },
		{ what: "SIGKILL of a service → alert", ours: `${(alerted_ms / 1000).toFixed(2)} s`, floor: "", ratio: "", target: "≤ 2 s" },
	);
	return { name: "monitor", rows };
}
