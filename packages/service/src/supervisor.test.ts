import { spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "@jest/globals";
import { isProcessAlive } from "@robust-sync/system/process-alive";
import { Running, Stage, until } from "./fixtures/processes.ts";
import type { Logger } from "./log.ts";
import { stopProcess } from "./stop-process.ts";
import { supervise, type WorkerProcess } from "./supervisor.ts";
import { needsSupervisor } from "./worker.ts";

const stage = new Stage("service");
const strays: number[] = [];
afterAll(async () => {
	for (const pid of strays) if (isProcessAlive(pid)) process.kill(pid, "SIGKILL");
	await stage.remove();
});

test.each([
	[{}, true],
	[{ INVOCATION_ID: "x" }, false],
	[{ NOTIFY_SOCKET: "/run/x" }, false],
	[{ ROBUST_SYNC_WORKER: "1" }, false],
])("supervisor: %j around it → a command needs one: %j", (env, needed) => {
	expect(needsSupervisor(env)).toBe(needed);
});

describe("with a clock of our own", () => {
	/** A supervisor whose workers die on request, in simulated time. */
	function staged() {
		let now = 0;
		let timers: { at: number; callback: () => void }[] = [];
		const workers: (EventEmitter & { pid: number; signals: string[] })[] = [];
		const silent = () => {};
		const logger = { debug: silent, info: silent, warn: silent, error: silent } as unknown as Logger;
		const result = supervise({
			logger,
			argv: [],
			stallMs: 0,
			clock: {
				now: () => now,
				after(ms, callback) {
					const timer = { at: now + ms, callback };
					timers.push(timer);
					return () => {
						timers = timers.filter((other) => other !== timer);
					};
				},
			},
			startWorker() {
				const worker = Object.assign(new EventEmitter(), {
					pid: 1_000 + workers.length,
					signals: [] as string[],
					kill: (s: string) => worker.signals.push(s) > 0,
				});
				workers.push(worker);
				return worker as unknown as WorkerProcess;
			},
		});
		const pass = (ms: number) => {
			now += ms;
			const due = timers.filter((timer) => timer.at <= now);
			timers = timers.filter((timer) => timer.at > now);
			for (const timer of due) timer.callback();
		};
		const die = (code: number | null, signal: string | null = null) => workers.at(-1)!.emit("exit", code, signal);
		return { result, workers, pass, die };
	}

	test("supervisor: dead worker → replaced after 1 s, 2 s, after 5 min of health 1 s", async () => {
		const { result, workers, pass, die } = staged();
		for (const [lived, pause] of [
			[10, 1_000],
			[10, 2_000],
			[10, 4_000],
			[300_000, 1_000],
		] as const) {
			const before = workers.length;
			pass(lived);
			die(null, "SIGKILL");
			pass(pause - 1);
			expect(workers).toHaveLength(before);
			pass(1);
			expect(workers).toHaveLength(before + 1);
		}
		die(75);
		expect(workers).toHaveLength(6);
		die(0);
		expect(await result).toBe(0);
	});

	test("supervisor: a worker that cannot be started → counts as a dead one", async () => {
		const { result, workers, pass, die } = staged();
		Object.assign(workers[0]!, { pid: undefined });
		workers[0]!.emit("error", new Error("EAGAIN"));
		workers[0]!.emit("exit", -1, null);
		pass(1_000);
		expect(workers).toHaveLength(2);
		die(4);
		expect(await result).toBe(4);
	});
});

/** Starts the service under its own supervisor and waits for its first worker. */
async function supervised(behaviour: string[] = [], env: Record<string, string> = {}) {
	const supervisor = stage.start("service", ["supervised", ...behaviour], env);
	await supervisor.prints("started");
	return { supervisor, worker: workerOf(supervisor) };
}

function workerOf(supervisor: Running): number {
	const pid = Number(/.*started (\d+)/s.exec(supervisor.stdout)![1]);
	strays.push(pid);
	return pid;
}

const gone = (pid: number) =>
	until(
		() => !isProcessAlive(pid),
		() => `the end of ${pid}`,
	);

describe("with real processes", () => {
	test("supervisor: a worker killed with -9 → replaced, by one worker", async () => {
		const { supervisor, worker } = await supervised();
		process.kill(worker, "SIGKILL");
		await supervisor.prints("started", 2);
		expect(workerOf(supervisor)).not.toBe(worker);
		expect(isProcessAlive(worker)).toBe(false);
		expect(supervisor.stderr).toMatch(/worker died of SIGKILL; starting it again pid=\d+ lived_ms=\d+ restart_in_ms=1000/);
		supervisor.kill("SIGTERM");
		expect(await supervisor.ended).toBe(0);
		expect(supervisor.stdout).toMatch(/stop SIGTERM\nstopped\n$/);
		await gone(workerOf(supervisor));
	});

	test("supervisor: SIGHUP and SIGUSR1, even early → reach the worker", async () => {
		const supervisor = stage.start("service", ["supervised"]);
		await supervisor.prints("supervisor");
		await until(
			() => workersOf(supervisor.child.pid!).length === 1,
			() => "a worker",
		);
		supervisor.kill("SIGHUP");
		supervisor.kill("SIGUSR1");
		await supervisor.prints("reload");
		await supervisor.prints("wake");
		workerOf(supervisor);
		supervisor.kill("SIGINT");
		expect(await supervisor.ended).toBe(0);
	});

	test("Ctrl-C: sent to the whole process group → one orderly stop", async () => {
		const child = spawn(process.execPath, [stage.file("service.mjs"), "supervised", "slow-stop"], {
			env: { PATH: process.env.PATH },
			stdio: ["ignore", "pipe", "pipe"],
			detached: true,
		});
		const supervisor = new Running(child);
		strays.push(child.pid!);
		await supervisor.prints("started");
		workerOf(supervisor);
		process.kill(-child.pid!, "SIGINT");
		expect(await supervisor.ended).toBe(0);
		expect(supervisor.stdout).toMatch(/stop SIGINT\nstopped\n$/);
	});

	test("supervisor: killed with -9 → its worker finishes, and ends as killed, too", async () => {
		const { supervisor, worker } = await supervised();
		supervisor.kill("SIGKILL");
		expect(await supervisor.ended).toBe("SIGKILL");
		await gone(worker);
		expect(supervisor.stdout).toMatch(/aborted\ndrain\ndrained\n$/);
	});

	test("supervisor: a worker hangs → killed and replaced", async () => {
		const { supervisor, worker } = await supervised(["hang-on-wake"], { STALL: "1500" });
		supervisor.kill("SIGUSR1");
		await supervisor.prints("started", 2);
		expect(isProcessAlive(worker)).toBe(false);
		expect(supervisor.stderr).toContain(`worker hangs; killing it pid=${worker} silent_ms=1500`);
		workerOf(supervisor);
		supervisor.kill("SIGTERM");
		expect(await supervisor.ended).toBe(0);
	});

	test("supervisor: asked to stop between two workers → ends without another one", async () => {
		const { supervisor, worker } = await supervised();
		process.kill(worker, "SIGKILL");
		await until(
			() => supervisor.stderr.includes("starting it again"),
			() => supervisor.stderr,
		);
		supervisor.kill("SIGTERM");
		expect(await supervisor.ended).toBe(0);
		expect(supervisor.stdout.match(/started/g)).toHaveLength(1);
	});

	test("supervisor: a worker does not stop → killed, exit 1", async () => {
		const { supervisor, worker } = await supervised(["endless-stop"], { KILL_AFTER: "300" });
		supervisor.kill("SIGTERM");
		expect(await supervisor.ended).toBe(1);
		expect(isProcessAlive(worker)).toBe(false);
	});

	test("worker: wrong configuration, or lock held → ends with its code and message", async () => {
		expect(await stage.start("service", ["supervised", "usage"]).ended).toBe(2);
		const locked = stage.start("service", ["supervised", "fail-start"]);
		expect(await locked.ended).toBe(4);
		expect(locked.stderr).toBe("demo: another instance (pid 42) holds the lock\n");
	});

	test("worker: exits to be restarted → replaced at once; while stopping → not", async () => {
		const { supervisor } = await supervised(["restart"]);
		await supervisor.prints("started", 2);
		workerOf(supervisor);
		expect(supervisor.stderr).toMatch(/worker exited with 75; starting it again .*restart_in_ms=0/);
		supervisor.kill("SIGTERM");
		expect(await supervisor.ended).toBe(0);
	});
});

/** The children of a process, from /proc. */
function workersOf(pid: number): number[] {
	return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
}

describe("stopProcess", () => {
	test("stopProcess: a worker and its supervisor → stopped together", async () => {
		const { supervisor, worker } = await supervised();
		expect(await stopProcess(worker)).toBe("stopped");
		expect(await supervisor.ended).toBe(0);
		expect(supervisor.stdout.match(/started/g)).toHaveLength(1);
		expect(await stopProcess(worker)).toBe("not-running");
	});

	test("stopProcess: a service without a supervisor → stopped", async () => {
		const service = stage.start("service");
		await service.prints("started");
		const stopping = stopProcess(service.child.pid!);
		expect(await service.ended).toBe(0);
		expect(await stopping).toBe("stopped");
	});

	test("stopProcess: one that hangs → killed", async () => {
		const service = stage.start("service", ["endless-stop"]);
		await service.prints("started");
		const stopping = stopProcess(service.child.pid!, { killAfterMs: 300 });
		expect(await service.ended).toBe("SIGKILL");
		expect(await stopping).toBe("killed");
	});
});
