import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Machines } from "@robust-sync/heartbeat/testing/network-namespaces";
import type { SmallDisk } from "../fixture/small-disk.ts";
import type { World } from "../fixture/world.ts";
import type { Incident } from "./alerts.ts";
import type { Ledger } from "./ledger.ts";
import { type Machine, processesOf, type Service, signal } from "./machine.ts";
import type { Random } from "./random.ts";

/** Where the nemesis is at work. */
export interface Arena {
	readonly world: World;
	readonly hub: string;
	/** The hub's disk, where it has one of its own. */
	readonly hubDisk: SmallDisk | null;
	readonly machines: readonly Machine[];
	/** Null: all on loopback, nothing can be cut. */
	readonly network: Machines | null;
	readonly ledger: Ledger;
	readonly random: Random;
	/** The programs of every machine. */
	readonly services: readonly Service[];
	/** An activity beside the next trouble; logged when it is done. */
	background(work: Promise<string>): void;
	/** Records an incident, for the check of the alerts. */
	incident(incident: Omit<Incident, "to">, to?: number): void;
}

/** One kind of trouble: causes it, and undoes it if it does not end by itself. */
export interface Trouble {
	readonly name: string;
	/** Whether it can be made here. */
	readonly isPossible?: (arena: Arena) => boolean;
	make(arena: Arena): Promise<string>;
}

/** Takes the hub away for a while. Without its HEAD it is no repository; a renamed one would be made again, in part, by a process that writes to it. */
export async function hubAway({ hub, incident }: Arena, forMs: number): Promise<void> {
	const from = Date.now();
	fs.renameSync(path.join(hub, "HEAD"), path.join(hub, "HEAD.away"));
	await sleep(forMs);
	fs.renameSync(path.join(hub, "HEAD.away"), path.join(hub, "HEAD"));
	incident({ kind: "hub", node: null, from });
}

/** Cuts a machine off from all others, both ways. */
export async function cutOff({ network, machines, incident }: Arena, machine: Machine, forMs: number): Promise<void> {
	const from = Date.now();
	for (const other of ["server", ...machines.filter(({ name }) => name !== machine.name).map(({ name }) => name)]) {
		network?.cut(machine.name, other);
		network?.cut(other, machine.name);
	}
	await sleep(forMs);
	network?.heal();
	incident({ kind: "cut", node: machine.name, from });
}

/** A person's commands. Any answer of git is fine: it may be busy. */
const persons: readonly ((machine: Machine, arena: Arena) => string[][])[] = [
	({ name, workspace }, { ledger, random }) => {
		const file = `by-hand-${name}-${Math.floor(random.between(0, 1e9))}.txt`;
		fs.writeFileSync(path.join(workspace, file), "by hand\n");
		ledger.own(file, name, Buffer.from("by hand\n"));
		return [
			["add", "--", file],
			["commit", "-q", "-m", "by hand", "--", file],
		];
	},
	() => [["commit", "-q", "--amend", "--no-edit", "--allow-empty"]],
	() => [["gc", "-q"]],
	(_machine, { random }) => [
		["branch", "-f", `idea-${Math.floor(random.between(0, 5))}`],
		["tag", "-f", "-m", "a tag", `tag-${Math.floor(random.between(0, 5))}`],
	],
	() => [
		["fetch", "-q"],
		["merge", "-q", "--no-edit", "FETCH_HEAD"],
	],
	() => [["status"], ["log", "-n", "5", "--stat"], ["diff"]],
	(_machine, { random }) => {
		const branch = `away-${Math.floor(random.between(0, 1e9))}`;
		return [
			["checkout", "-q", "-b", branch],
			["checkout", "-q", "main"],
			["branch", "-q", "-D", branch],
		];
	},
];

const lockNames = ["index.lock", "HEAD.lock", "refs/heads/main.lock", "config.lock", "packed-refs.lock", "shallow.lock"];

export const troubles: readonly Trouble[] = [
	{
		name: "kill -9 of a service",
		async make({ machines, random, services, incident }) {
			const machine = random.pick(machines);
			const service = random.pick(["robust-sync", ...services] as Service[]);
			const pid = machine.pid(service);
			if (pid !== null) signal(pid, "SIGKILL");
			incident({ kind: "killed", node: machine.name, service, from: Date.now() });
			return `${machine.name} ${service} ${pid}`;
		},
	},
	{
		name: "kill -9 of robust-sync's supervisor",
		async make({ machines, random, incident }) {
			const machine = random.pick(machines);
			const pid = machine.supervisor("robust-sync");
			if (pid !== null) signal(pid, "SIGKILL");
			incident({ kind: "killed", node: machine.name, service: "robust-sync", from: Date.now() });
			return `${machine.name} ${pid}`;
		},
	},
	{
		name: "kill -9 of every git of a node",
		async make({ machines, random }) {
			const machine = random.pick(machines);
			const pids = processesOf(machine.workspace).filter(({ command }) => /^(\S*\/)?git\b/.test(command));
			for (const { pid } of pids) signal(pid, "SIGKILL");
			return `${machine.name} ${pids.length} processes`;
		},
	},
	{
		name: "kill -9 of every git on the hub",
		async make({ hub }) {
			const pids = fs
				.readdirSync("/proc")
				.map(Number)
				.filter((pid) => {
					try {
						return (
							/^git-(receive|upload)-pack$/.test(fs.readFileSync(`/proc/${pid}/comm`, "utf8").trim()) &&
							fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(hub)
						);
					} catch {
						return false;
					}
				});
			for (const pid of pids) signal(pid, "SIGKILL");
			return `${pids.length} processes`;
		},
	},
	{
		name: "SIGSTOP of a service for some seconds",
		async make({ machines, random, services, incident }) {
			const machine = random.pick(machines);
			const service = random.pick(services);
			const pid = machine.pid(service);
			if (pid === null) return `${machine.name} ${service} was not running`;
			const from = Date.now();
			signal(pid, "SIGSTOP");
			await sleep(random.between(1_000, 5_000));
			signal(pid, "SIGCONT");
			incident({ kind: "stopped", node: machine.name, service, from });
			return `${machine.name} ${service} ${pid}`;
		},
	},
	{
		name: "the hub is away",
		async make(arena) {
			await hubAway(arena, arena.random.between(1_000, 4_000));
			return "";
		},
	},
	{
		name: "the hub's disk is full",
		isPossible: ({ hubDisk }) => hubDisk !== null,
		async make({ hubDisk, random, incident }) {
			const from = Date.now();
			fillUp(hubDisk);
			await sleep(random.between(1_000, 5_000));
			hubDisk?.remount("size=1g");
			incident({ kind: "hub", node: null, from });
			return "";
		},
	},
	{
		name: "a disk is full",
		isPossible: ({ machines }) => machines.every(({ disk }) => disk !== null),
		async make({ machines, random, incident }) {
			const machine = random.pick(machines);
			const from = Date.now();
			fillUp(machine.disk);
			await sleep(random.between(1_000, 5_000));
			machine.disk?.remount("size=1g");
			incident({ kind: "disk", node: machine.name, from });
			return machine.name;
		},
	},
	{
		name: "a node is cut off",
		isPossible: ({ network }) => network !== null,
		async make(arena) {
			const machine = arena.random.pick(arena.machines);
			await cutOff(arena, machine, arena.random.between(2_000, 6_000));
			return machine.name;
		},
	},
	{
		name: "nothing gets through one way",
		isPossible: ({ network }) => network !== null,
		async make({ network, machines, random, incident }) {
			const machine = random.pick(machines);
			const others = ["server", ...machines.filter(({ name }) => name !== machine.name).map(({ name }) => name)];
			const other = random.next() < 0.5 ? "server" : random.pick(others);
			const [sender, receiver] = random.next() < 0.5 ? [machine.name, other] : [other, machine.name];
			const from = Date.now();
			network?.cut(sender, receiver);
			await sleep(random.between(2_000, 6_000));
			network?.heal();
			incident({ kind: "cut", node: machine.name, from });
			return `from ${sender} to ${receiver}`;
		},
	},
	{
		name: "a clock is set ahead, and back",
		async make({ machines, random, incident }) {
			const machine = random.pick(machines);
			const aheadMs = Math.round(random.between(60_000, 1_800_000));
			const from = Date.now();
			machine.setClock(aheadMs);
			await sleep(random.between(2_000, 6_000));
			machine.setClock(0);
			incident({ kind: "clock", node: machine.name, from, aheadMs });
			return `${machine.name} by ${Math.round(aheadMs / 1000)} s`;
		},
	},
	{
		name: "a stale lock",
		async make({ machines, random, incident }) {
			const machine = random.pick(machines);
			const name = random.pick(lockNames);
			try {
				fs.writeFileSync(path.join(machine.workspace, ".git", name), "", { flag: "wx" });
			} catch {
				return `${machine.name} had one`;
			}
			incident({ kind: "person", node: machine.name, from: Date.now() });
			return `${machine.name} ${name}`;
		},
	},
	{
		name: "a person uses git",
		async make(arena) {
			const machine = arena.random.pick(arena.machines);
			const from = Date.now();
			const said: string[] = [];
			for (const args of arena.random.pick(persons)(machine, arena)) {
				const code = await machine.run(["git", "-c", "user.name=Person", "-c", "user.email=person@example.org", ...args], 20_000);
				said.push(`${args.slice(0, 2).join(" ")}: ${code}`);
			}
			arena.incident({ kind: "person", node: machine.name, from });
			return `${machine.name} ${said.join(", ")}`;
		},
	},
	{
		name: "a person force-pushes an older commit to the hub",
		async make({ world, hub, incident }) {
			try {
				const tip = world.git(hub, "rev-parse", "refs/heads/main").trim();
				const older = world.git(hub, "rev-parse", "refs/heads/main~3").trim();
				world.git(hub, "update-ref", "refs/heads/main", older, tip);
				incident({ kind: "rewritten", node: null, from: Date.now() });
				return `${tip.slice(0, 8)} → ${older.slice(0, 8)}`;
			} catch {
				return "it moved meanwhile";
			}
		},
	},
	{
		name: "--once beside the daemon",
		async make({ machines, random, background }) {
			const machine = random.pick(machines);
			// It waits for its turn; meanwhile there is other trouble.
			background(machine.runOnce(90_000).then((code) => `--once of ${machine.name} ended with ${code}`));
			return machine.name;
		},
	},
];

/** No space is left but a few pages; or, where someone writes so fast that the kernel finds more used than that, a few more. */
function fillUp(disk: SmallDisk | null): void {
	if (!disk) return;
	for (let spareKb = 16; ; spareKb *= 4) {
		const { blocks, bavail, bsize } = fs.statfsSync(disk.directory);
		try {
			disk.remount(`size=${Math.ceil(((blocks - bavail) * bsize) / 1024) + spareKb}k`);
			return;
		} catch (error) {
			if (spareKb > 4_096) throw error;
		}
	}
}

/** After this nothing is stopped, cut or full, and the hub is where it belongs. */
export function heal({ hub, hubDisk, machines, network }: Arena): void {
	if (fs.existsSync(path.join(hub, "HEAD.away"))) fs.renameSync(path.join(hub, "HEAD.away"), path.join(hub, "HEAD"));
	network?.heal();
	hubDisk?.remount("size=1g");
	for (const machine of machines) {
		machine.disk?.remount("size=1g");
		machine.setClock(0);
		for (const { pid } of processesOf(machine.workspace)) signal(pid, "SIGCONT");
	}
	execFileSync("sync");
}
