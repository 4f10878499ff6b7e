import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { clockStep } from "../chaos/machine.ts";
import type { Node } from "../fixture/node.ts";
import { World } from "../fixture/world.ts";
import { cycleMsOf, median } from "./measured-cycle.ts";

/** A sample of one node at one time. */
export interface Sample {
	/** Simulated. */
	readonly hours: number;
	readonly rssMb: number;
	readonly descriptors: number;
	/** `.git`, everything in it. */
	readonly repositoryMb: number;
	readonly looseObjects: number;
	readonly packs: number;
	/** `sync/`: saved versions and kept files. */
	readonly keptMb: number;
	/** Median of the cycles since the last sample that had something to do. */
	readonly cycleMs: number;
	readonly commits: number;
}

export interface DayOptions {
	readonly hours: number;
	/** Called with every sample. */
	readonly onSample?: (sample: Sample) => void;
}

const minuteMs = 60_000;
/** Between two samples, in simulated minutes. */
const sampleEvery = 10;
/** Nodes must agree within this real time, or the soak has failed. */
const agreeMs = 60_000;

/** All files below a directory. Maintenance runs meanwhile: files that disappear are left out. */
function* filesBelow(directory: string): Generator<string> {
	let entries: fs.Dirent[] = [];
	try {
		entries = fs.readdirSync(directory, { withFileTypes: true });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
	}
	for (const entry of entries) {
		const file = path.join(directory, entry.name);
		if (entry.isDirectory()) yield* filesBelow(file);
		else if (entry.isFile()) yield file;
	}
}

/** Size of all files below a directory, and how many of them have such a path. */
function below(directory: string, pattern: RegExp): { megabytes: number; count: number } {
	let [bytes, count] = [0, 0];
	for (const file of filesBelow(directory)) {
		const stats = fs.lstatSync(file, { throwIfNoEntry: false });
		if (!stats) continue;
		bytes += stats.size;
		if (pattern.test(file)) count++;
	}
	return { megabytes: bytes / 1_048_576, count };
}

function look(node: Node, hours: number, cycles: readonly number[], commits: number): Sample {
	const pid = node.worker() ?? 0;
	const git = path.join(node.workspace, ".git");
	const { megabytes: repositoryMb, count: looseObjects } = below(git, /\/objects\/[0-9a-f]{2}\/[0-9a-f]{38}$/);
	return {
		hours,
		rssMb: Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024,
		descriptors: fs.readdirSync(`/proc/${pid}/fd`).length,
		repositoryMb,
		looseObjects,
		packs: below(path.join(git, "objects/pack"), /\.pack$/).count,
		keptMb: below(node.paths.sync, /^$/).megabytes,
		cycleMs: median(cycles),
		commits,
	};
}

/**
 * Lives through a day in minutes: two daemons whose clock is set ahead by a minute again and again, with interval to match, and a
 * program on each that writes something every simulated minute; once in ten both at once, into the same file.
 * @returns a sample of the first node for every ten simulated minutes
 */
export async function simulateDay({ hours, onSample = () => undefined }: DayOptions): Promise<Sample[]> {
	const world = new World("soak");
	const samples: Sample[] = [];
	try {
		const clock = world.path("clock");
		fs.writeFileSync(clock, "0");
		fs.writeFileSync(world.path("clock-step.mjs"), clockStep);
		const env = { SYNC_INTERVAL: "0.25", NODE_OPTIONS: `--import=${world.path("clock-step.mjs")}`, CHAOS_CLOCK: clock };
		const files = Object.fromEntries(
			Array.from({ length: 200 }, (_, index) => [`notes/${index % 10}/${index}.md`, `note ${index}\n`.repeat(50)]),
		);
		const nodes = await world.pair({ "state.json": "{}\n", ...files }, { env });
		const [helios, chad] = nodes;
		for (const node of nodes) await node.start();
		let cycles: number[] = [];
		let commits = 1;
		for (let minute = 1; minute <= hours * 60; minute++) {
			fs.writeFileSync(clock, String(minute * minuteMs));
			const writers = minute % 10 === 0 ? nodes : [minute % 2 === 0 ? chad : helios];
			for (const node of writers) {
				const state = JSON.parse(node.read("state.json")) as Record<string, unknown>;
				const temporary = `${node.workspace}.state.tmp`;
				fs.writeFileSync(temporary, `${JSON.stringify({ ...state, [node.name]: minute }, null, "\t")}\n`);
				fs.renameSync(temporary, node.path("state.json"));
				node.write(`notes/${minute % 10}/${minute % 200}.md`, `minute ${minute}\n`.repeat(50));
			}
			if (minute % 30 === 0) await helios.run(["--send", "-"], { input: `minute ${minute}\n`, env: { NODE_OPTIONS: "" } });
			const deadline = performance.now() + agreeMs;
			const isThere = () =>
				nodes.every((node) => writers.every((writer) => node.read("state.json").includes(`"${writer.name}": ${minute}`))) &&
				helios.state()?.head === chad.state()?.head &&
				helios.state()?.status === "idle";
			while (!isThere()) {
				if (performance.now() > deadline) throw new Error(`minute ${minute}: the nodes do not agree: ${helios.log().slice(-1_000)}`);
				const duration = cycleMsOf(helios);
				if (duration !== null) cycles.push(duration);
				await sleep(10);
			}
			if (minute % sampleEvery !== 0) continue;
			commits = Number(world.git("hub.git", "rev-list", "--count", "main"));
			const sample = look(helios, minute / 60, [...new Set(cycles)], commits);
			samples.push(sample);
			onSample(sample);
			cycles = [];
		}
		return samples;
	} finally {
		await world.remove();
	}
}
