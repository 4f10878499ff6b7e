import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Node } from "../fixture/node.ts";
import type { World } from "../fixture/world.ts";
import type { Random } from "./random.ts";

/** One kind of trouble: does it, and undoes what does not end by itself. */
export interface Trouble {
	readonly name: string;
	make(world: World, nodes: readonly Node[], random: Random): Promise<string>;
}

function pidsBelow(directory: string, command: RegExp): number[] {
	return fs
		.readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.filter((name) => {
			try {
				return (
					command.test(fs.readFileSync(`/proc/${name}/comm`, "utf8").trim()) && fs.readlinkSync(`/proc/${name}/cwd`).startsWith(directory)
				);
			} catch {
				return false;
			}
		})
		.map(Number);
}

function signal(pid: number, name: NodeJS.Signals): void {
	try {
		process.kill(pid, name);
	} catch {
		// It has ended by itself.
	}
}

export const troubles: readonly Trouble[] = [
	{
		name: "kill -9 of a daemon",
		async make(_world, nodes, random) {
			const node = random.pick(nodes);
			const pid = node.worker();
			if (pid !== null) signal(pid, "SIGKILL");
			return `${node.name} ${pid}`;
		},
	},
	{
		name: "kill -9 of every git of a node",
		async make(_world, nodes, random) {
			const node = random.pick(nodes);
			const pids = pidsBelow(node.workspace, /^git/);
			for (const pid of pids) signal(pid, "SIGKILL");
			return `${node.name} ${pids.length} processes`;
		},
	},
	{
		name: "SIGSTOP of a daemon for some seconds",
		async make(_world, nodes, random) {
			const node = random.pick(nodes);
			const pid = node.worker();
			if (pid === null) return `${node.name} was not running`;
			signal(pid, "SIGSTOP");
			await sleep(random.between(1_000, 4_000));
			signal(pid, "SIGCONT");
			return `${node.name} ${pid}`;
		},
	},
	{
		name: "the hub is away",
		async make(world, _nodes, random) {
			// Without its HEAD it is no repository; a hub that is renamed would be made again, in part, by whoever writes into it.
			fs.renameSync(world.path("hub.git/HEAD"), world.path("hub.git/HEAD.away"));
			await sleep(random.between(1_000, 4_000));
			fs.renameSync(world.path("hub.git/HEAD.away"), world.path("hub.git/HEAD"));
			return "";
		},
	},
	{
		name: "a stale index.lock",
		async make(_world, nodes, random) {
			const node = random.pick(nodes);
			try {
				fs.writeFileSync(path.join(node.workspace, ".git/index.lock"), "", { flag: "wx" });
			} catch {
				return `${node.name} had one`;
			}
			return node.name;
		},
	},
	{
		name: "a person commits by hand",
		async make(_world, nodes, random) {
			const node = random.pick(nodes);
			const name = `by-hand-${Math.floor(random.between(0, 1e9))}.txt`;
			try {
				fs.writeFileSync(path.join(node.workspace, name), "by hand\n");
				node.git("add", "--", name);
				node.git("commit", "-q", "-m", "by hand", "--", name);
			} catch {
				return `${node.name}: git was busy`;
			}
			return node.name;
		},
	},
	{
		name: "a person force-pushes an older commit to the hub",
		async make(world) {
			try {
				const tip = world.git("hub.git", "rev-parse", "refs/heads/main").trim();
				const older = world.git("hub.git", "rev-parse", "refs/heads/main~3").trim();
				world.git("hub.git", "update-ref", "refs/heads/main", older, tip);
				return `${tip.slice(0, 8)} → ${older.slice(0, 8)}`;
			} catch {
				return "it moved meanwhile";
			}
		},
	},
	{
		name: "--once beside the daemon",
		async make(_world, nodes, random) {
			const node = random.pick(nodes);
			const { code } = await node.run(["--once"]);
			return `${node.name} exit ${code}`;
		},
	},
];

/** After this nothing is stopped, and the hub is where it belongs. */
export function heal(world: World, nodes: readonly Node[]): void {
	if (fs.existsSync(world.path("hub.git/HEAD.away"))) fs.renameSync(world.path("hub.git/HEAD.away"), world.path("hub.git/HEAD"));
	for (const node of nodes) {
		const pid = node.worker();
		if (pid !== null) signal(pid, "SIGCONT");
	}
	execFileSync("sync");
}
