import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { lockLostAt, readLockHolder } from "@robust-sync/system/lock";
import { bin } from "./fixture/executables.ts";
import type { Ended, Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

// Containers as their engines make them, without one: mounts, process ids, network and IPC of their own, a /proc of their own, the
// workspace at another path, and a boot id that is not the kernel's.

const separate = ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"];
const asUser = ["--user", "--map-root-user"];
const isAllowed = (flags: readonly string[]) => spawnSync("unshare", [...flags, ...separate, "true"]).status === 0;
const all: readonly (readonly [kind: string, flags: readonly string[]])[] = [
	["a user namespace of its own", asUser],
	["the machine's users", []],
];
const kinds = all.filter(([, flags]) => isAllowed(flags));
const [tried, each] = kinds.length > 0 ? [kinds, describe.each] : [all, describe.skip.each];
if (kinds.length < 2)
	process.stderr.write(`containers.slow.test.ts: ${kinds.length} of 2 kinds of containers are tried: this user may not make the others\n`);

let world: World;
let node: Node;
const started: ChildProcess[] = [];
beforeEach(async () => {
	world = new World("containers");
	node = world.node("helios");
	node.write("a", "1");
	node.write(".sync_env", "export NODE_NAME=helios\nexport SYNC_INTERVAL=1\n", 0o600);
	await node.once();
});
afterEach(async () => {
	for (const child of started.splice(0)) await killed(child);
	await world.remove();
});

async function killed(child: ChildProcess): Promise<void> {
	const ended = new Promise((resolve) => child.once("close", resolve));
	if (child.exitCode !== null || child.signalCode !== null) return;
	child.kill("SIGKILL");
	await ended;
}

/** The command line that runs an executable in a container; null: on the machine itself. */
function commandIn(name: string | null, flags: readonly string[], executable: string, args: readonly string[]): string[] {
	const program = [path.join(bin, executable), "--workspace", name === null ? node.workspace : world.path(`in-${name}`), ...args];
	if (name === null) return program;
	const place = world.path(`in-${name}`);
	fs.mkdirSync(place, { recursive: true });
	const bootId = world.path(`boot-${name}`);
	fs.writeFileSync(bootId, `00000000-0000-4000-8000-${Buffer.from(name).toString("hex").padStart(12, "0")}\n`);
	const mounts = `mount --bind '${bootId}' /proc/sys/kernel/random/boot_id && mount --bind '${node.workspace}' '${place}' && cd '${place}' && exec "$@"`;
	return ["unshare", ...flags, ...separate, "sh", "-c", mounts, "sh", ...program];
}

const environment = () => world.environment({ SYNC_WORKSPACE: undefined });

function run(name: string | null, flags: readonly string[], executable: string, ...args: string[]): Ended {
	const [program = "", ...rest] = commandIn(name, flags, executable, args);
	const { status, signal, stdout, stderr } = spawnSync(program, rest, { env: environment(), encoding: "utf8", timeout: 60_000 });
	return { code: status ?? signal ?? 0, stdout, stderr };
}

function start(name: string, flags: readonly string[], executable: string, ...args: string[]): ChildProcess {
	const [program = "", ...rest] = commandIn(name, flags, executable, args);
	const child = spawn(program, rest, { env: environment(), stdio: "ignore" });
	started.push(child);
	return child;
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

each(tried)("containers on one workspace, with %s", (_kind, flags) => {
	test("containers: robust-sync runs in one → one instance, answers right from all", async () => {
		const first = start("one", flags, "robust-sync");
		await node.untilState((state) => state.status === "idle" && state.totals.cycles > 1, "a cycle of the first container");
		const pid = node.state()?.pid;

		for (const other of ["two", null]) {
			const status = run(other, flags, "robust-sync", "--status", "--json");
			expect([other, status.code, JSON.parse(status.stdout)]).toMatchObject([other, 0, { running: true, pid }]);
			const second = run(other, flags, "robust-sync");
			expect([other, second]).toMatchObject([other, { code: 4, stderr: expect.stringMatching(/already runs with pid \d+ .*\n$/) }]);
			// One cycle beside the daemon waits for its turn.
			expect([other, run(other, flags, "robust-sync", "--once")]).toMatchObject([other, { code: 0 }]);
			expect([other, run(other, flags, "conflict-resolver", "--check")]).toMatchObject([other, { code: 0 }]);
		}
		expect(hasEnded(first)).toBe(false);
		expect(node.state()?.pid).toBe(pid);
		expect(lockLostAt(node.paths.instanceLock("sync"))).toBeNull();

		expect(run("two", flags, "robust-sync", "--stop")).toMatchObject({ code: 0, stdout: expect.stringMatching(/^stopped/) });
		await until(() => hasEnded(first), "the first container to end");
		expect(first.exitCode).toBe(0);
		for (const other of ["two", null]) {
			expect(run(other, flags, "robust-sync", "--status")).toMatchObject({ code: 3, stdout: expect.stringContaining("(stopped)") });
			expect(run(other, flags, "robust-sync", "--stop")).toMatchObject({ code: 0, stdout: "robust-sync was not running\n" });
		}
	}, 300_000);

	test("containers: the one that runs is killed → known at once, the other takes over", async () => {
		const first = start("one", flags, "robust-sync");
		await node.untilState((state) => state.status === "idle" && state.totals.cycles > 1, "a cycle of the first container");
		await killed(first);
		for (const other of ["two", null]) {
			const { code, stdout } = run(other, flags, "robust-sync", "--status");
			expect([other, code, stdout]).toEqual([other, 3, expect.stringMatching(/^robust-sync is not running \(its process \d+ is gone\)/)]);
		}
		const before = readLockHolder(node.paths.instanceLock("sync"))?.token;
		const second = start("two", flags, "robust-sync");
		await until(() => readLockHolder(node.paths.instanceLock("sync"))?.token !== before, "the second container to take the lock");
		await node.untilState(({ updated_at }) => Date.parse(updated_at) > Date.now() - 2_000, "the second container's state");
		expect(hasEnded(second)).toBe(false);
	}, 180_000);
});

// The lock is the same: one kind of container is enough.
each(tried.slice(0, 1))("containers on one workspace, once more with %s", (_kind, flags) => {
	test.each([
		["heartbeat", [], "heartbeat"],
		["health-server", ["--port", "18080"], "health-server"],
		["monitor", ["--daemon"], "monitor"],
	] as const)(
		"containers: %s runs in one → exit 4 in the other and outside",
		async (executable, args, service) => {
			const first = start("one", flags, executable, ...args);
			const lock = node.paths.instanceLock(service);
			await until(() => readLockHolder(lock) !== null && readLockHolder(lock)?.socket !== undefined, `${executable} to hold its lock`);
			for (const other of ["two", null]) {
				const second = run(other, flags, executable, ...args);
				expect([other, second]).toMatchObject([other, { code: 4, stderr: expect.stringMatching(/pid \d+/) }]);
			}
			expect(hasEnded(first)).toBe(false);
		},
		180_000,
	);

	test("containers: path of 200 characters, read-only workspace → the same answers", async () => {
		const deep = path.join(world.directory, "d".repeat(100), "e".repeat(100));
		fs.mkdirSync(deep, { recursive: true });
		const first = start("one", flags, "robust-sync");
		await node.untilState((state) => state.totals.cycles > 1, "a cycle");
		const at = (mounts: string, ...args: string[]) => {
			const script = `${mounts} && exec "$@"`;
			const program = [path.join(bin, "robust-sync"), "--workspace", deep, ...args];
			return spawnSync("unshare", [...flags, ...separate, "sh", "-c", script, "sh", ...program], { env: environment(), encoding: "utf8" });
		};
		const bind = `mount --bind '${node.workspace}' '${deep}'`;
		const readOnly = `${bind} && mount -o remount,bind,ro '${deep}'`;
		for (const mounts of [bind, readOnly]) {
			expect(at(mounts, "--status")).toMatchObject({ status: 0 });
			expect(at(mounts)).toMatchObject({ status: 4 });
		}
		expect(at(readOnly, "--stop")).toMatchObject({ status: 0, stdout: expect.stringMatching(/^stopped/) });
		await until(() => hasEnded(first), "the first to end");
	}, 180_000);
});
