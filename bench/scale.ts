// How far it goes: what one thing costs as another grows. `npm run bench -- scale [--only=files,history,nodes,size,messages]`.
// BENCH_FILES (and so on) take other sizes than the usual ones; bench/results/scale.svg shows the curves.
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inLab, type Lab, root, timed, until, type Workspace } from "./lab.ts";
import { type Curve, drawCurves } from "./scale-plot.ts";
import { type BenchRow, type BenchTable, median, mib, ms, ratio } from "./table.ts";

const rounds = 5;
/** A file that changed this instant is left alone for a moment. */
const quietMs = 100;
const calm = { SYNC_WATCH: "0", SYNC_INTERVAL: "3600" };
const watching = { SYNC_INTERVAL: "3600" };

const sizesOf = (what: string, usual: readonly number[]): number[] =>
	process.env[`BENCH_${what.toUpperCase()}`]?.split(",").map(Number) ?? [...usual];

function memoryOf(pid: number): { now: number; peak: number } {
	const status = fs.readFileSync(`/proc/${pid}/status`, "utf8");
	const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0) * 1024;
	return { now: field("VmRSS"), peak: field("VmHWM") };
}

async function pair(lab: Lab, fill: (workspace: Workspace) => void | Promise<void>): Promise<[Workspace, Workspace]> {
	const a = await lab.workspace("helios");
	await fill(a);
	await a.git("add", "-A");
	await a.git("commit", "-q", "--allow-empty", "-m", "first");
	await a.git("push", "-q", "-u", "origin", "main");
	return [a, await lab.workspace("chad")];
}

interface OneChange {
	idle: number;
	hub: number;
	disk: number;
}

/**
 * One file changes on `a`: how long until it is on the hub, and, after a wake-up, on the disk of `b`. Also a cycle without any change.
 * @param isWatched the daemon sees the change by itself
 */
async function oneChange(lab: Lab, a: Workspace, b: Workspace, isWatched = false): Promise<OneChange> {
	const taken: Record<keyof OneChange, number[]> = { idle: [], hub: [], disk: [] };
	for (let round = -2; round < rounds; round++) {
		const before = lab.hubHead;
		const cycles = a.state?.totals.cycles ?? 0;
		if (!isWatched) {
			a.write("changing.txt", `change ${round}\n`);
			await sleep(quietMs);
		}
		const started = performance.now();
		if (isWatched) a.write("changing.txt", `change ${round}\n`);
		const cycle = isWatched
			? until("the sender's cycle", () => (a.state?.totals.cycles ?? 0) > cycles && a.state?.status === "idle")
			: a.cycle();
		await until("the hub to move", () => lab.hubHead !== null && lab.hubHead !== before);
		const hub = performance.now() - started;
		const receiving = b.cycle();
		await until("the change on the other disk", () => b.read("changing.txt") === `change ${round}\n`);
		const disk = performance.now() - started;
		await Promise.all([cycle, receiving]);
		const idle = await timed(() => a.cycle());
		if (round < 0) continue;
		taken.hub.push(hub);
		taken.disk.push(disk);
		taken.idle.push(idle);
	}
	return { idle: median(taken.idle), hub: median(taken.hub), disk: median(taken.disk) };
}

interface Findings {
	rows: BenchRow[];
	curves: Curve[];
}

/** A row a size; the ratio is to the smallest. */
class Series {
	readonly rows: BenchRow[] = [];
	readonly #curves = new Map<string, [number, number][]>();
	readonly #first = new Map<string, number>();

	add(what: string, unit: string, size: number, value: number, target = "-"): void {
		const first = this.#first.get(what) ?? value;
		this.#first.set(what, first);
		this.rows.push({
			what: `${what}, ${size.toLocaleString("en")} ${unit}`,
			ours: ms(value),
			floor: ms(first),
			ratio: ratio(value, first),
			target,
		});
		this.#curves.set(what, [...(this.#curves.get(what) ?? []), [size, value]]);
	}

	memory(what: string, unit: string, size: number, bytes: number, target = "-"): void {
		this.rows.push({ what: `${what}, ${size.toLocaleString("en")} ${unit}`, ours: mib(bytes), floor: "", ratio: "", target });
	}

	get findings(): Findings {
		return { rows: this.rows, curves: [...this.#curves].map(([name, points]) => ({ name, points })) };
	}
}

async function files(): Promise<Findings> {
	const series = new Series();
	for (const size of sizesOf("files", [1_000, 10_000, 100_000, 1_000_000])) {
		await inLab(async (lab) => {
			await fastImport(lab.hub, filesAtOnce(size));
			const [a, b] = [await lab.workspace("helios"), await lab.workspace("chad")];
			const pid = await a.start(watching);
			await b.start(watching);
			// The first look with the watcher at work.
			for (const node of [a, b]) await node.cycle();
			const { idle, hub, disk } = await oneChange(lab, a, b, true);
			series.add("idle cycle", "files", size, idle);
			series.add("one change, on the hub", "files", size, hub, "1 M: ≤ 3 ×");
			series.add("one change, on the other disk", "files", size, disk, "1 M: ≤ 12 ×");
			series.memory("memory of the daemon", "files", size, memoryOf(pid).now);
		});
	}
	return series.findings;
}

/** Feeds git fast-import on the hub, and waits until all is there. */
async function fastImport(hub: string, parts: Iterable<string>): Promise<void> {
	const child = spawn("git", ["--git-dir", hub, "fast-import", "--quiet"], { stdio: ["pipe", "ignore", "inherit"] });
	const ended = new Promise<void>((resolve, reject) =>
		child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`fast-import: ${code}`)))),
	);
	for (const part of parts) if (!child.stdin.write(part)) await new Promise((resolve) => child.stdin.once("drain", resolve));
	child.stdin.end();
	await ended;
}

/** One commit with this many files, a thousand a directory. */
function* filesAtOnce(files: number): Generator<string> {
	yield "commit refs/heads/main\ncommitter bench <bench@localhost> 1700000000 +0000\ndata 1\nx\n";
	for (let i = 0; i < files; i++) {
		const text = `file ${i} `.repeat(20);
		yield `M 100644 inline d${Math.floor(i / 1_000)}/f${i}.txt\ndata ${text.length}\n${text}\n`;
	}
}

/** Commits that each change one file. */
function* commitsInARow(commits: number): Generator<string> {
	for (let i = 0; i < commits; i++) {
		const text = `commit ${i}\n`;
		const from = i === 0 ? "from refs/heads/main^0\n" : "";
		yield `commit refs/heads/main\ncommitter bench <bench@localhost> ${1_700_000_000 + i} +0000\ndata 1\nx\n${from}M 100644 inline d0/f${i % 100}.txt\ndata ${text.length}\n${text}\n`;
	}
}

async function history(): Promise<Findings> {
	const series = new Series();
	for (const size of sizesOf("history", [1, 1_000, 10_000, 100_000])) {
		await inLab(async (lab) => {
			const first = await lab.workspace("first");
			first.fill(100);
			await first.git("add", "-A");
			await first.git("commit", "-q", "-m", "first");
			await first.git("push", "-q", "-u", "origin", "main");
			await fastImport(lab.hub, commitsInARow(size));
			const [a, b] = [await lab.workspace("helios"), await lab.workspace("chad")];
			const pid = await a.start(calm);
			await b.start(calm);
			const { idle, disk } = await oneChange(lab, a, b);
			series.add("idle cycle with history", "commits", size, idle);
			series.add("one change with history, on the other disk", "commits", size, disk, "≤ 1.3 ×");
			series.memory("memory of the daemon", "commits", size, memoryOf(pid).now);
		});
	}
	return series.findings;
}

/** Processes that serve the hub right now: git names the repository as their last argument. */
function countHubProcesses(hub: string): number {
	return fs.readdirSync("/proc").filter((pid) => {
		if (!/^\d+$/.test(pid)) return false;
		try {
			const args = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
			return args[0]?.startsWith("git") === true && /(upload|receive)-pack/.test(args.join(" ")) && args.includes(hub);
		} catch {
			return false;
		}
	}).length;
}

async function nodes(): Promise<Findings> {
	const series = new Series();
	for (const size of sizesOf("nodes", [2, 5, 10, 20, 50])) {
		await inLab(async (lab) => {
			const [first] = await pair(lab, (workspace) => workspace.fill(100));
			const all = [first];
			for (let i = 1; i < size; i++) all.push(await lab.workspace(`node${i}`));
			// As often as announcements would arrive, and not at the same instant.
			for (const workspace of all) await workspace.start({ SYNC_WATCH: "0", SYNC_INTERVAL: "2", LOG_LEVEL: "debug" });
			const started = performance.now();
			for (const workspace of all) workspace.write(`from-${workspace.name}.txt`, "written at once\n");
			const published = new Map<string, number>();
			let hubProcesses = 0;
			const sampler = setInterval(() => {
				hubProcesses = Math.max(hubProcesses, countHubProcesses(lab.hub));
			}, 100);
			await until("all nodes to have all files", () => {
				for (const { name } of all)
					if (!published.has(name) && all.some((other) => other.name !== name && other.read(`from-${name}.txt`) !== null))
						published.set(name, performance.now() - started);
				return all.every((workspace) => all.every(({ name }) => workspace.read(`from-${name}.txt`) !== null));
			});
			const total = performance.now() - started;
			clearInterval(sampler);
			const times = [...published.values()];
			const worst = Math.max(...times);
			const rejected = all
				.map(
					({ directory }) => fs.readFileSync(path.join(directory, "logs/sync.log"), "utf8").split("another node pushed first").length - 1,
				)
				.reduce((sum, count) => sum + count, 0);
			series.add("all nodes write at once, all have all", "nodes", size, total);
			series.rows.push({
				what: `  a node's write is out: worst beside median; pushes that lost a race, hub processes at most, ${size} nodes`,
				ours: ms(worst),
				floor: ms(median(times)),
				ratio: ratio(worst, median(times)),
				target: `≤ 4 ×; ${rejected} lost; ${hubProcesses}`,
			});
		});
	}
	return series.findings;
}

async function size(): Promise<Findings> {
	const series = new Series();
	for (const megabytes of sizesOf("size", [1, 10, 50, 90])) {
		await inLab(async (lab) => {
			const [a, b] = await pair(lab, (workspace) => workspace.fill(10));
			const [sender, receiver] = [await a.start(calm), await b.start(calm)];
			const content = Buffer.alloc(megabytes * 1_048_576);
			for (let at = 0; at < content.length; at += 4) content.writeUInt32LE((Math.imul(at, 2_654_435_761) ^ (at >>> 7)) >>> 0, at);
			fs.writeFileSync(path.join(a.directory, "large.bin"), content);
			await sleep(2_500);
			const isThere = () => fs.statSync(path.join(b.directory, "large.bin"), { throwIfNoEntry: false })?.size === content.length;
			const taken = await timed(async () => {
				while (!isThere()) {
					await a.cycle();
					await b.cycle();
				}
			});
			series.add("one file, to the other disk", "MiB", megabytes, taken);
			series.memory("  peak memory of the sender", "MiB", megabytes, memoryOf(sender).peak);
			series.memory("  peak memory of the receiver", "MiB", megabytes, memoryOf(receiver).peak);
		});
	}
	return series.findings;
}

async function messages(): Promise<Findings> {
	const series = new Series();
	for (const count of sizesOf("messages", [1, 100, 1_000, 10_000, 100_000])) {
		await inLab(async (lab) => {
			const [a] = await pair(lab, (workspace) => workspace.fill(10));
			const pid = await a.start(calm);
			const pending = path.join(a.directory, "sync/pending");
			fs.mkdirSync(pending, { recursive: true });
			for (let i = 0; i < count; i++) fs.writeFileSync(path.join(pending, `message-${i}.json`), `{"message":${i}}\n`);
			await sleep(quietMs);
			const taken = await timed(async () => {
				while (fs.readdirSync(pending).some((name) => name.endsWith(".json"))) await a.cycle();
			});
			series.add("pending messages, delivered", "messages", count, taken);
			series.memory("  peak memory", "messages", count, memoryOf(pid).peak);
		});
	}
	return series.findings;
}

export async function run(): Promise<BenchTable> {
	const parts = { files, history, nodes, size, messages };
	const only = process.env.BENCH_FLAGS?.match(/--only=(\S+)/)?.[1]?.split(",");
	const found: Findings[] = [];
	for (const [name, part] of Object.entries(parts)) if (only?.includes(name) ?? true) found.push(await part());
	const curves = found.flatMap(({ curves }) => curves);
	fs.writeFileSync(path.join(root, "bench/results/scale.svg"), drawCurves(curves));
	return {
		name: `Scale (medians of ${rounds}; floor: the same at the smallest size)`,
		rows: found.flatMap(({ rows }) => rows),
		notes: ["two running daemons, woken by a signal, hub over file://", "heartbeats with up to 1,000 peers: npm run bench -- heartbeat"],
	};
}
