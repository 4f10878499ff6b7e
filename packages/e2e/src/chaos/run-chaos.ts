import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Node } from "../fixture/node.ts";
import { World } from "../fixture/world.ts";
import { check } from "./checker.ts";
import { Ledger } from "./ledger.ts";
import { heal, troubles } from "./nemesis.ts";
import { Random } from "./random.ts";
import { writers } from "./writers.ts";

export interface ChaosOptions {
	nodes: number;
	seconds: number;
	seed: number;
	/** Told every event, with the milliseconds since the start. */
	log?: (line: string) => void;
}

export interface ChaosResult {
	/** Empty: nothing was lost. */
	readonly problems: readonly string[];
	readonly writes: number;
	readonly troubles: number;
	readonly commits: number;
	/** Kept for a look when there are problems; else removed. */
	readonly directory: string;
}

/** Nodes agree this long after everything was healed, or something is wrong. */
const quiesceMs = 180_000;

async function settle(world: World, nodes: readonly Node[]): Promise<void> {
	const deadline = Date.now() + quiesceMs;
	let agreed = 0;
	while (agreed < 2) {
		if (Date.now() > deadline) return;
		let same = true;
		for (const node of nodes) {
			const { code } = await node.run(["--once"], { timeoutMs: 120_000 });
			same &&= code === 0;
		}
		const heads = new Set([...nodes.map((node) => node.git("rev-parse", "HEAD").trim()), world.git("hub.git", "rev-parse", "main").trim()]);
		const clean = nodes.every((node) => node.git("status", "--porcelain") === "");
		agreed = same && clean && heads.size === 1 ? agreed + 1 : 0;
	}
}

/** Nodes with writers, troubled for a while, healed, settled, and checked. */
export async function runChaos({ nodes: count, seconds, seed, log = () => undefined }: ChaosOptions): Promise<ChaosResult> {
	const random = new Random(seed);
	const world = new World("chaos");
	const start = performance.now();
	const say = (line: string) => log(`${String(Math.round(performance.now() - start)).padStart(8)} ms  ${line}`);
	const ledger = new Ledger();
	const stop = new AbortController();
	try {
		const nodes = Array.from({ length: count }, (_, index) => world.node(`node${index}`, { env: { SYNC_INTERVAL: "1" } }));
		const [first] = nodes;
		first?.write("state.json", "{}\n");
		first?.write("shared.log", "start\n");
		for (const node of nodes) {
			await node.once();
			fs.mkdirSync(node.paths.pending, { recursive: true });
		}
		for (const node of nodes) await node.start({ ready: false });
		say(`${count} nodes run, seed ${seed}`);
		const busy = nodes.flatMap((node, index) =>
			writers.map((writer, kind) => writer(node.workspace, node.name, ledger, new Random(seed + 97 * index + 13 * kind), stop.signal)),
		);
		let made = 0;
		while (performance.now() - start < seconds * 1000) {
			await sleep(random.between(500, 3_000));
			const trouble = random.pick(troubles);
			say(`${trouble.name} ${await trouble.make(world, nodes, random)}`);
			made++;
		}
		stop.abort();
		await Promise.all(busy);
		heal(world, nodes);
		say(`healed after ${made} troubles; ${ledger.size} writes`);
		for (const node of nodes) await node.run(["--stop"]);
		await Promise.all(nodes.map((node) => node.killAll()));
		await settle(world, nodes);
		say("settled");
		const problems = check(
			nodes.map((node) => node.workspace),
			world.path("hub.git"),
			ledger,
		);
		const commits = Number(world.git("hub.git", "rev-list", "--count", "main"));
		for (const problem of problems.slice(0, 50)) say(`PROBLEM ${problem}`);
		const result = { problems, writes: ledger.size, troubles: made, commits, directory: world.directory };
		if (problems.length === 0) await world.remove();
		return result;
	} catch (error) {
		stop.abort();
		await world.remove();
		throw error;
	}
}
