import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureExcluded } from "@robust-sync/workspace";
import type { Node } from "../fixture/node.ts";
import { World } from "../fixture/world.ts";
import { cycleMsOf, median } from "./measured-cycle.ts";

/** Medians in milliseconds of a cycle with one change. */
export interface HistoryCost {
	readonly commits: number;
	/** The change is only published. */
	readonly publishMs: number;
	/** The hub has moved on meanwhile, so that it is merged first. */
	readonly mergeMs: number;
}

const files = 50;

/** A history of this many commits that all change one of fifty files, by one process (git-fast-import(1)). */
function makeHistory(world: World, hub: string, commits: number): void {
	const parts: string[] = [];
	const file = (index: number, content: string) => `M 100644 inline notes/${index % files}.md\ndata ${content.length}\n${content}\n`;
	for (let index = 0; index < commits; index++) {
		parts.push(`commit refs/heads/main\ncommitter helios <helios@robust-sync> ${1_700_000_000 + index} +0000\ndata 2\nx\n`);
		if (index === 0) for (let number = 0; number < files; number++) parts.push(file(number, "start\n"));
		else parts.push(file(index, `change ${index}\n`));
	}
	execFileSync("git", ["-c", "core.fsync=none", "fast-import", "--quiet"], {
		cwd: hub,
		input: parts.join(""),
		env: world.environment(),
		maxBuffer: 2 ** 30,
	});
}

/** One node on a hub of its own with a history of this length, and a person's clone that pushes to the hub. */
function makeNode(world: World, commits: number): Node {
	const name = `after-${commits}`;
	const hub = world.hub(`${name}.git`);
	makeHistory(world, hub, commits);
	world.git(".", "clone", "--quiet", hub, `${name}-person`);
	const node = world.node(name, { hub: `${name}.git`, env: { SYNC_INTERVAL: "60" } });
	// As a clone of the same disk does it: a fetch of 100,000 commits would take longer than all that is measured.
	fs.cpSync(`${hub}/objects`, node.path(".git/objects"), { recursive: true });
	node.git("fetch", "--quiet", "origin");
	node.git("reset", "--quiet", "--hard", "origin/main");
	fs.mkdirSync(node.path("sync"), { recursive: true });
	ensureExcluded(node.workspace);
	return node;
}

async function nextCycle(node: Node, change: () => void): Promise<number> {
	const before = node.state()?.totals.cycles ?? 0;
	change();
	for (const deadline = performance.now() + 60_000; performance.now() < deadline; await sleep(5)) {
		const state = node.state();
		const duration = state && state.totals.cycles > before && state.status === "idle" ? cycleMsOf(node) : null;
		if (duration !== null) return duration;
	}
	throw new Error(`${node.name}: no cycle came: ${node.log().slice(-1_000)}`);
}

/**
 * Measures the cost of a cycle after histories of different lengths. The nodes take turns, so that other load of the machine affects
 * all of them.
 */
export async function measureHistory(lengths: readonly number[], rounds: number): Promise<HistoryCost[]> {
	const world = new World("history");
	try {
		const nodes = lengths.map((commits) => ({ commits, node: makeNode(world, commits), publish: [] as number[], merge: [] as number[] }));
		for (const { node } of nodes) await node.start();
		// Maintenance, as it has been done by then.
		for (const { node } of nodes) await node.run(["--once"]);
		for (let round = -2; round < rounds; round++) {
			for (const { node, publish, merge } of nodes) {
				const published = await nextCycle(node, () => node.write("notes/0.md", `publish ${round}\n`));
				const person = `${node.name}-person`;
				world.git(person, "pull", "--quiet", "--no-rebase", "origin", "main");
				world.write(`${person}/notes/1.md`, `person ${round}\n`);
				world.git(person, "commit", "--quiet", "-am", "person");
				world.git(person, "push", "--quiet", "origin", "main");
				const merged = await nextCycle(node, () => node.write("notes/2.md", `merge ${round}\n`));
				if (round < 0) continue;
				publish.push(published);
				merge.push(merged);
			}
		}
		return nodes.map(({ commits, publish, merge }) => ({ commits, publishMs: median(publish), mergeMs: median(merge) }));
	} finally {
		await world.remove();
	}
}
