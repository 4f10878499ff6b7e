import { spawn } from "node:child_process";
import { setMaxListeners } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort, SshServer } from "@robust-sync/git/fixtures/ssh-server";
import { Machines, namespacesProblem } from "@robust-sync/heartbeat/testing/network-namespaces";
import { SmallDisk } from "../fixture/small-disk.ts";
import { World } from "../fixture/world.ts";
import { checkAlerts, type Incident, readNotifications, receiverScript } from "./alerts.ts";
import { check, evidence, type Problem } from "./checker.ts";
import { Ledger } from "./ledger.ts";
import { clockStep, Machine, processesOf, type Service, services } from "./machine.ts";
import { type Arena, cutOff, heal, hubAway, troubles } from "./nemesis.ts";
import { Random } from "./random.ts";
import { programs, writers } from "./writers.ts";

const bin = fileURLToPath(new URL("../../../../bin/", import.meta.url));

export interface ChaosOptions {
	readonly nodes: number;
	readonly seconds: number;
	readonly seed: number;
	/** Namespaces, ssh and disks of their own; false: all on loopback, a hub in the file system, robust-sync alone. */
	readonly isReal: boolean;
	/** The system under test: robust-sync, a build of it from another directory, or the cron one-liner. */
	readonly system?: { readonly dist: string } | "one-liner";
	/** Called with every event, and the milliseconds since the start. */
	readonly log?: (line: string) => void;
}

export interface ChaosResult {
	/** Empty: nothing was lost. */
	readonly problems: readonly string[];
	readonly writes: number;
	readonly troubles: number;
	readonly commits: number;
	/** Kept for examination when there are problems; else removed. */
	readonly directory: string;
}

/** Nodes agree this long after everything was healed, or something is wrong. */
const quiesceMs = 120_000;
/** Alerts are over this long after that. */
const alertsOverMs = 60_000;
/** A killed process leaves its ssh connection behind, which ssh ends 90 s later. */
const processesOverMs = 100_000;
/** Long enough for an alert to be required: PEER_TIMEOUT and MAX_SYNC_FAILURES below, and the monitors' rounds. */
const outageMs = 25_000;

/** The command of a crontab that syncs with git, many people's first attempt. */
const oneLiner = "while :; do git add -A; git commit -qm sync; git pull -q --rebase origin main; git push -q origin main; sleep 1; done";

const key = "chaos-needs-sixteen-characters";

function settings(names: readonly string[], addressOf: (name: string) => string, portOf: (name: string) => number, name: string) {
	return {
		SYNC_INTERVAL: "1",
		GIT_TIMEOUT: "15",
		HEARTBEAT_KEY: key,
		HEARTBEAT_INTERVAL: "1",
		HEARTBEAT_PORT: String(portOf(name)),
		HEARTBEAT_BIND: addressOf(name),
		PEER_TIMEOUT: "8",
		PEERS: names
			.filter((other) => other !== name)
			.map((other) => `${other}=${addressOf(other)}:${portOf(other)}`)
			.join(","),
		MONITOR_INTERVAL: "1",
		ALERT_COOLDOWN: "5",
	};
}

/** One line of each node and of the hub; equal when they agree and nothing waits. */
function standOf(world: World, hub: string, machines: readonly Machine[]): string[] {
	const ask = (directory: string, ...args: string[]) => {
		try {
			return world.git(directory, ...args).trim();
		} catch {
			return "busy";
		}
	};
	return [
		ask(hub, "rev-parse", "main"),
		...machines.map(({ workspace }) => {
			const pending = path.join(workspace, "sync/pending");
			const waits = fs.existsSync(pending) && fs.readdirSync(pending).length > 0;
			return ask(workspace, "rev-parse", "HEAD") + ask(workspace, "status", "--porcelain") + (waits ? " messages wait" : "");
		}),
	];
}

async function waitUntil(condition: () => boolean, limitMs: number): Promise<boolean> {
	for (const deadline = Date.now() + limitMs; Date.now() < deadline; await sleep(250)) if (condition()) return true;
	return condition();
}

/** Nodes with writers, troubled for a while, healed, at rest by themselves, and checked. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
	const { nodes: count, seconds, seed, system, log = () => undefined } = options;
	const random = new Random(seed);
	const world = new World("chaos");
	const start = performance.now();
	const elapsed = () => performance.now() - start;
	const say = (line: string) => log(`${String(Math.round(elapsed())).padStart(8)} ms  ${line}`);
	const ledger = new Ledger(elapsed);
	const stop = new AbortController();
	setMaxListeners(100, stop.signal);
	const incidents: Incident[] = [];
	const outages: Incident[] = [];
	const found: Problem[] = [];
	const names = Array.from({ length: count }, (_, index) => `node${index}`);
	const isOneLiner = system === "one-liner";
	const running: readonly Service[] = isOneLiner ? [] : options.isReal ? services : ["robust-sync"];
	let failure: unknown = null;
	try {
		const cannot = options.isReal ? namespacesProblem() : null;
		const network = options.isReal && cannot === null ? new Machines(["server", ...names]) : null;
		if (network) world.atEnd(() => network.remove());
		else say(cannot === null ? "on loopback: nothing is cut off" : `on loopback, nothing is cut off and no disk is full: ${cannot}`);
		const hubDisk = network ? SmallDisk.mount(world, "disk-hub", "size=1g") : null;
		const hub = world.hub(hubDisk ? "disk-hub/hub.git" : "hub.git");
		const addressOf = (name: string) => network?.ipv4(name) ?? "127.0.0.1";
		const under = (name: string) => network?.on(name) ?? [];
		const ssh = options.isReal ? await SshServer.start(world.path("ssh"), { address: addressOf("server"), under: under("server") }) : null;
		if (ssh) world.atEnd(() => ssh.stop({ connections: true }));
		fs.writeFileSync(world.path("clock-step.mjs"), clockStep);
		const notified = world.path("notifications");
		const receiverPort = network ? 9_000 : await freePort();
		if (running.includes("monitor")) {
			fs.writeFileSync(world.path("receiver.mjs"), receiverScript);
			const [command = "", ...args] = [
				...under("server"),
				process.execPath,
				world.path("receiver.mjs"),
				addressOf("server"),
				String(receiverPort),
				notified,
			];
			const receiver = spawn(command, args, { stdio: "ignore" });
			world.atEnd(() => void receiver.kill("SIGKILL"));
			await waitUntil(() => fs.existsSync(notified), 10_000);
		}
		const ports = new Map<string, number>();
		for (const name of names) ports.set(name, network ? 8_765 : await freePort());
		const receiverUrl = `http://${addressOf("server")}:${receiverPort}/alerts`;
		const machines = names.map(
			(name) =>
				new Machine(world, name, {
					hubUrl: ssh?.url(hub) ?? hub,
					env: {
						...settings(names, addressOf, (other) => ports.get(other) ?? 0, name),
						...(running.includes("monitor") ? { ALERT_WEBHOOK_URL: receiverUrl, NO_PROXY: addressOf("server") } : {}),
						...(ssh ? { GIT_SSH_COMMAND: ssh.command() } : {}),
						...(isOneLiner ? { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: name, GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: name } : {}),
					},
					under: under(name),
					ownDisk: network !== null,
					command: (service) =>
						typeof system === "object" ? [process.execPath, path.join(system.dist, `${service}.mjs`)] : [path.join(bin, service)],
				}),
		);
		const workspaces = machines.map(({ workspace }) => workspace);
		world.atEnd(() => {
			for (const { pid } of workspaces.flatMap(processesOf)) {
				try {
					process.kill(pid, "SIGKILL");
				} catch {
					// It has ended by itself.
				}
			}
		});

		const first = workspaces[0] ?? "";
		fs.writeFileSync(path.join(first, "state.json"), "{}\n");
		fs.writeFileSync(path.join(first, "shared.log"), "start\n");
		world.git(first, "add", "-A");
		world.git(first, "commit", "-qm", "start");
		world.git(first, "push", "-q", hub, "main");
		for (const workspace of workspaces.slice(1)) {
			world.git(workspace, "pull", "-q", hub, "main");
		}
		for (const workspace of workspaces) fs.mkdirSync(path.join(workspace, "sync/pending"), { recursive: true });
		for (const machine of machines) for (const service of running) machine.start(service);
		const loops = isOneLiner ? machines.map((machine) => machine.spawn(["bash", "-c", oneLiner], `${machine.name}-one-liner.out`)) : [];
		say(`${count} nodes run, seed ${seed}`);

		const busy = workspaces.flatMap((workspace, index) =>
			Object.values(isOneLiner ? programs : writers).map((writer, kind) =>
				writer(workspace, names[index] ?? "", ledger, new Random(seed + 97 * index + 13 * kind), stop.signal).catch((error: unknown) => {
					failure ??= error;
				}),
			),
		);
		const beside: Promise<void>[] = [];
		const arena: Arena = {
			world,
			hub,
			hubDisk,
			machines,
			network,
			ledger,
			random,
			services: running,
			background: (work) => void beside.push(work.then(say)),
			incident: (incident, to = Date.now()) => void incidents.push({ ...incident, to }),
		};
		let made = 0;
		const possible = troubles.filter(
			({ name, isPossible }) => (isPossible?.(arena) ?? true) && (!isOneLiner || !/service|supervisor|once|clock/.test(name)),
		);
		// Two outages for which alerts are required, in a run that is long enough for them.
		const isLong = running.includes("monitor") && seconds >= 180;
		const due = isLong
			? [{ at: seconds * 0.3, kind: "hub" as const }, ...(network ? [{ at: seconds * 0.6, kind: "cut" as const }] : [])]
			: [];
		// In turns and not by chance, so that a short run has all of them too; in another order with every seed.
		let queue: (typeof possible)[number][] = [];
		while (elapsed() < seconds * 1000 && failure === null) {
			await sleep(random.between(300, 2_000));
			if (due[0] && elapsed() > due[0].at * 1000) {
				const { kind } = due.shift() as (typeof due)[number];
				// Alerts of earlier incidents have been sent and resolved.
				await sleep(15_000);
				say(`a long outage: ${kind}`);
				const from = Date.now();
				const victim = random.pick(machines);
				if (kind === "hub") await hubAway(arena, outageMs);
				else await cutOff(arena, victim, outageMs);
				incidents.pop();
				const outage: Incident = { kind, node: kind === "cut" ? victim.name : null, from, to: Date.now() };
				incidents.push(outage);
				outages.push(outage);
				made++;
				continue;
			}
			if (queue.length === 0)
				queue = possible
					.map((trouble) => ({ trouble, at: random.next() }))
					.sort((a, b) => a.at - b.at)
					.map(({ trouble }) => trouble);
			const trouble = queue.pop();
			if (trouble) say(`${trouble.name} ${await trouble.make(arena)}`);
			made++;
		}
		stop.abort();
		await Promise.all(busy);
		await Promise.all(beside);
		if (failure) throw failure;
		heal(arena);
		const healedAt = elapsed();
		say(`healed after ${made} troubles; ${ledger.size} writes`);

		const isAtRest = await waitUntil(() => new Set(standOf(world, hub, machines)).size === 1, isOneLiner ? quiesceMs / 4 : quiesceMs);
		const restMs = elapsed() - healedAt;
		if (isAtRest) say(`at rest ${Math.round(restMs)} ms after that`);
		else
			found.push({
				what: `not at rest: ${standOf(world, hub, machines)
					.map((stand) => stand.slice(0, 60).split("\n")[0])
					.join(" | ")}`,
			});
		if (running.includes("monitor")) {
			await waitUntil(
				() => checkAlerts(readNotifications(notified, incidents), incidents, [], []).every(({ what }) => !what.includes("never over")),
				alertsOverMs,
			);
			found.push(...checkAlerts(readNotifications(notified, incidents), incidents, outages, names, restMs));
		}
		for (const loop of loops) if (loop.pid) process.kill(-loop.pid, "SIGKILL");
		for (const problems of await Promise.all(machines.map((machine) => machine.stop(40_000))))
			found.push(...problems.map((what) => ({ what })));
		const isAlone = await waitUntil(() => workspaces.flatMap(processesOf).length === 0, processesOverMs);
		if (!isAlone)
			found.push({
				what: `processes are left: ${workspaces
					.flatMap(processesOf)
					.map(({ command }) => command.slice(0, 120))
					.join(" | ")}`,
			});
		found.push(...check(workspaces, hub, ledger));

		const commits = Number(world.git(hub, "rev-list", "--count", "main"));
		for (const problem of found.slice(0, 30)) {
			say(`PROBLEM ${problem.what}`);
			for (const line of evidence(hub, problem)) say(`        ${line}`);
		}
		const result = {
			problems: found.map(({ what }) => what),
			writes: ledger.size,
			troubles: made,
			commits,
			directory: world.directory,
		};
		if (found.length === 0 || process.env.CHAOS_KEEP !== "1") await world.remove();
		return result;
	} catch (error) {
		stop.abort();
		await world.remove();
		throw error;
	}
}
