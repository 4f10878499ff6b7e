// From a write on one machine to the same bytes on the other, both daemons and heartbeats running, beside the bare git sequence without a pause.
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fetchBranch, openRepository, pushCommit, SshConnections } from "@robust-sync/git";
import { peerStateSchema, readState } from "@robust-sync/workspace";
import { SshServer } from "../packages/git/src/fixtures/ssh-server.ts";
import { freeUdpPort } from "../packages/heartbeat/src/testing/daemon-fixture.ts";
import { command, inLab, type Lab, root, timed, until, type Workspace } from "./lab.ts";
import { type BenchRow, type BenchTable, median, ms, percentile, ratio } from "./table.ts";

/** The most writes of one route, and the time after which fewer are enough: a round over ssh takes one second or several. */
const mostWrites = 200;
const writesBudgetMs = 75_000;
/** The floor with fsync is measured in every fourth round: its median needs fewer. */
const roundsPerDurable = 4;
const warmUp = 5;
const bursts = 7;
const burstFiles = 1_000;
/** Longer than what an announcement repeats, so that no write begins within the wake of another. */
const settleMs = 30;
const names = ["helios", "chad"] as const;

/** How both sides reach the hub. */
interface Route {
	readonly name: string;
	url(hub: string): string;
	/** Value of core.sshCommand; null: not over ssh. */
	readonly sshCommand: string | null;
}

/** Two workspaces with one commit in common. */
async function pair(lab: Lab, route: Route): Promise<[Workspace, Workspace]> {
	const first = await lab.workspace("helios");
	first.fill(100);
	await first.git("add", "-A");
	await first.git("commit", "-q", "-m", "first");
	await first.git("push", "-q", "-u", "origin", "main");
	const second = await lab.workspace("chad");
	for (const workspace of [first, second]) {
		await workspace.git("remote", "set-url", "origin", route.url(lab.hub));
		if (route.sshCommand !== null) await workspace.git("config", "core.sshCommand", route.sshCommand);
	}
	return [first, second];
}

/** Starts both daemons and both heartbeats of two workspaces. @returns what ends the heartbeats */
async function startServices(workspaces: readonly [Workspace, Workspace]): Promise<() => Promise<void>> {
	const ports = [await freeUdpPort(), await freeUdpPort()];
	for (const [i, workspace] of workspaces.entries()) {
		const settings = [
			`NODE_NAME=${names[i]}`,
			`PEERS=${names[1 - i]}=127.0.0.1:${ports[1 - i]}`,
			`HEARTBEAT_PORT=${ports[i]}`,
			"HEARTBEAT_KEY='a secret of sixteen or more'",
		];
		fs.writeFileSync(path.join(workspace.directory, ".sync_env"), `${settings.map((line) => `export ${line}`).join("\n")}\n`, {
			mode: 0o600,
		});
	}
	for (const workspace of workspaces) await workspace.start();
	const heartbeats = workspaces.map(({ directory }) =>
		spawn(process.execPath, [path.join(root, "bin/heartbeat"), "--workspace", directory], {
			env: { PATH: process.env.PATH, HOME: process.env.HOME, INVOCATION_ID: "bench" },
			stdio: "ignore",
		}),
	);
	await until("both heartbeats to hear each other", () =>
		workspaces.every(({ directory }, i) => {
			const read = readState(path.join(directory, `sync/peer_${names[1 - i]}_state.json`), peerStateSchema);
			return read.kind === "ok" && read.state.hears_us === true;
		}),
	);
	return async () => {
		await Promise.all(heartbeats.map(ended));
	};
}

async function ended(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null) return;
	const closed = new Promise((resolve) => child.once("close", resolve));
	child.kill("SIGTERM");
	await closed;
}

/** Both have the hub's head and nothing to do. */
async function atRest(lab: Lab, workspaces: readonly Workspace[]): Promise<void> {
	const isAtRest = ({ state }: Workspace) => state?.status === "idle" && state.ahead === 0 && state.head === lab.hubHead;
	await until("both daemons to be at rest", () => workspaces.every(isAtRest));
	await sleep(settleMs);
}

/** What robust-sync makes durable as well (git-environment.ts); git by itself fsyncs neither loose objects nor refs. */
const durable = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "core.fsync", GIT_CONFIG_VALUE_0: "committed,loose-object,reference" };

/** The commands that carry a change from one to the other, one after the other. */
async function bareSequence(from: Workspace, to: Workspace, env: Record<string, string> = {}): Promise<void> {
	const script = (workspace: Workspace, text: string) => command("sh", ["-ec", text], { cwd: workspace.directory, env });
	await script(from, "git add -A && git commit -q -m change && git push -q origin main");
	await script(to, "git fetch -q origin && git merge -q --ff-only origin/main");
}

const burst = (workspace: Workspace, round: number) => {
	for (let i = 0; i < burstFiles; i++) workspace.write(`burst${round}/d${i % 10}/f${i}.txt`, `small file ${i} of burst ${round}\n`);
};
const isBurstComplete = (workspace: Workspace, round: number, from: { next: number }): boolean => {
	for (; from.next < burstFiles; from.next++) {
		const i = from.next;
		if (workspace.read(`burst${round}/d${i % 10}/f${i}.txt`) !== `small file ${i} of burst ${round}\n`) return false;
	}
	return true;
};

async function measure(route: Route): Promise<BenchRow[]> {
	return await inLab((ours) =>
		inLab(async (bare) => {
			const [a, b] = await pair(ours, route);
			const [c, d] = await pair(bare, route);
			const stopHeartbeats = await startServices([a, b]);
			try {
				const [taken, floor, durableFloor]: [number[], number[], number[]] = [[], [], []];
				const started = performance.now();
				for (let round = -warmUp; round < mostWrites; round++) {
					if (taken.length > 0 && performance.now() - started > writesBudgetMs) break;
					const file = `d0/f${(round + warmUp) % 100}.txt`;
					const text = `write ${round}\n`;
					await atRest(ours, [a, b]);
					const oursMs = await timed(async () => {
						a.write(file, text);
						await until(`write ${round} on the other side`, () => b.read(file) === text);
					});
					await atRest(ours, [a, b]);
					const floorMs = await timed(async () => {
						c.write(file, text);
						await bareSequence(c, d);
					});
					if (round < 0) continue;
					taken.push(oursMs);
					floor.push(floorMs);
					if (round % roundsPerDurable !== 0) continue;
					durableFloor.push(
						await timed(async () => {
							c.write(file, `${text}again\n`);
							await bareSequence(c, d, durable);
						}),
					);
				}
				const [burstTaken, burstFloor]: [number[], number[]] = [[], []];
				for (let round = 0; round < bursts; round++) {
					await atRest(ours, [a, b]);
					burstTaken.push(
						await timed(async () => {
							burst(a, round);
							const from = { next: 0 };
							await until("the whole burst on the other side", () => isBurstComplete(b, round, from));
						}),
					);
					await atRest(ours, [a, b]);
					burstFloor.push(
						await timed(async () => {
							burst(c, round);
							await bareSequence(c, d);
						}),
					);
				}
				const limit = (of: readonly number[], slackMs: number) => `≤ 2 × floor + ${slackMs} ms = ${ms(2 * median(of) + slackMs)}`;
				const row = (what: string, oursMs: number, floorMs: number, target: string): BenchRow => ({
					what: `${route.name}: ${what}`,
					ours: ms(oursMs),
					floor: ms(floorMs),
					ratio: ratio(oursMs, floorMs),
					target,
				});
				const share = (p: number, target: string) =>
					row(`one write, p${p * 100} of ${taken.length}`, percentile(taken, p), percentile(floor, p), target);
				return [
					share(0.5, limit(floor, 30)),
					row("… beside a floor that makes objects and refs as durable", median(taken), median(durableFloor), "printed"),
					share(0.95, ""),
					share(0.99, limit(floor, 300)),
					row(`${burstFiles} small files, median of ${bursts}`, median(burstTaken), median(burstFloor), limit(burstFloor, 300)),
				];
			} finally {
				await stopHeartbeats();
			}
		}),
	);
}

const exchanges = 30;

/** What one fetch and one push cost over the connection that a daemon keeps open, beside one ssh that connects, does nothing and ends. */
async function overKeptConnection(lab: Lab, server: SshServer): Promise<BenchRow[]> {
	const route: Route = { name: "ssh", url: (hub) => server.url(hub), sshCommand: server.command() };
	const [a, b] = await pair(lab, route);
	const { hostname, port, username } = new URL(server.url(lab.hub));
	const roundTrip = ["-ec", `${server.command()} -o BatchMode=yes -p ${port} ${username}@${hostname} true`];
	const ssh = new SshConnections();
	try {
		const [ours, theirs] = await Promise.all(
			[a, b].map(({ directory }, i) => openRepository({ directory, node: names[i] as string, sshOptions: ssh.options })),
		);
		if (!ours || !theirs) throw new Error("two workspaces");
		const taken: Record<"push" | "fetch" | "bare", number[]> = { push: [], fetch: [], bare: [] };
		for (let round = -warmUp; round < exchanges; round++) {
			a.write("d0/f0.txt", `exchange ${round}\n`);
			await a.git("commit", "-q", "-a", "-m", `exchange ${round}`);
			const head = (await a.git("rev-parse", "HEAD")).trim();
			const push = await timed(() => pushCommit(ours, "origin", "main", head));
			const fetch = await timed(() => fetchBranch(theirs, "origin", "main"));
			const bare = await timed(() => command("sh", roundTrip));
			if (round < 0) continue;
			taken.push.push(push);
			taken.fetch.push(fetch);
			taken.bare.push(bare);
		}
		const bare = median(taken.bare);
		return (["push", "fetch"] as const).map((what) => ({
			what: `ssh: one ${what} of a commit over the kept connection, median of ${exchanges} (floor: ssh host true)`,
			ours: ms(median(taken[what])),
			floor: ms(bare),
			ratio: ratio(median(taken[what]), bare),
			target: "≤ 1.3 ×",
		}));
	} finally {
		await ssh.dispose();
	}
}

export async function run(): Promise<BenchTable> {
	const rows = await measure({ name: "file://", url: (hub) => `file://${hub}`, sshCommand: null });
	await inLab(async (lab) => {
		const server = await SshServer.start(path.join(lab.directory, "ssh"));
		try {
			rows.push(...(await inLab((kept) => overKeptConnection(kept, server))));
			rows.push(...(await measure({ name: "ssh", url: (hub) => server.url(hub), sshCommand: server.command() })));
		} finally {
			await server.stop({ connections: true });
		}
	});
	return {
		name: "Write on one node → same bytes on the other (both daemons and heartbeats with a key, SYNC_INTERVAL=60)",
		rows,
		notes: [
			"floor: write, git add -A, commit, push; then git fetch, merge --ff-only in the other clone: nothing waits for anything. In turns with ours.",
			"the targets count from the median of the floor, those of p99 as well",
		],
	};
}
