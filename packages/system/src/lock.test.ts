import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { bundleFixture } from "./fixtures/bundle.ts";
import { acquireLock, askHolder, isHolderAlive, LockedError, type LockHolder, LockLostError, readLockHolder } from "./lock.ts";
import { kernelProcessTable, type ProcessTable, processStartedAt } from "./process-table.ts";

let stage: string;
let contender: string;
let directory: string;
let file: string;
const running: ChildProcess[] = [];

beforeAll(() => {
	stage = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-lock-"));
	contender = bundleFixture("lock-contender", stage);
});
afterAll(() => fs.rmSync(stage, { recursive: true, force: true }));
beforeEach(() => {
	directory = fs.mkdtempSync(path.join(stage, "t-"));
	file = path.join(directory, "sync/x.lock");
});
afterEach(() => {
	for (const child of running.splice(0)) child.kill("SIGKILL");
});

function start(
	how: string,
	rounds = 0,
): { child: ChildProcess; lines: string[]; prints(text: string): Promise<void>; ended: Promise<void> } {
	const child = spawn(process.execPath, [contender, file, path.join(directory, "counter"), String(rounds), how], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	running.push(child);
	const lines: string[] = [];
	child.stdout?.setEncoding("utf8").on("data", (text: string) => lines.push(...text.split("\n").filter(Boolean)));
	const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
	return {
		child,
		lines,
		ended,
		async prints(text) {
			const deadline = performance.now() + 10_000;
			while (!lines.some((line) => line.startsWith(text))) {
				if (performance.now() > deadline) throw new Error(`waited in vain for '${text}'`);
				await sleep(5);
			}
		},
	};
}

test("lock: taken → the file names its holder, and goes with it", async () => {
	const lock = await acquireLock(file, { purpose: "a cycle" });
	expect(readLockHolder(file)).toMatchObject({ pid: process.pid, pid_started_at: processStartedAt(process.pid), purpose: "a cycle" });
	lock.assertHeld();
	await lock.release();
	expect(fs.readdirSync(path.dirname(file))).toEqual([]);
});

test("lock: a live holder, however old its lock → named, not robbed", async () => {
	const holder = start("hold");
	await holder.prints("held");
	const longAgo = new Date("2001-01-01T00:00:00Z");
	for (let attempt = 0; attempt < 3; attempt++) {
		fs.utimesSync(file, longAgo, longAgo);
		await expect(acquireLock(file, { purpose: "a test", waitMs: 60 })).rejects.toMatchObject({
			exitCode: 4,
			holder: { pid: holder.child.pid },
			message: expect.stringContaining(`pid ${holder.child.pid}`),
		});
	}
	expect(readLockHolder(file)?.pid).toBe(holder.child.pid);
	expect(holder.lines).not.toContain("lost");
});

test("lock: a stopped (SIGSTOP) holder → keeps its lock", async () => {
	const holder = start("hold");
	await holder.prints("held");
	holder.child.kill("SIGSTOP");
	await expect(acquireLock(file, { purpose: "a test" })).rejects.toBeInstanceOf(LockedError);
	holder.child.kill("SIGCONT");
	await expect(acquireLock(file, { purpose: "a test" })).rejects.toBeInstanceOf(LockedError);
});

test("lock: a dead holder → never blocks", async () => {
	const dead = start("die");
	await dead.ended;
	expect(readLockHolder(file)?.pid).toBe(dead.child.pid);
	const lock = await acquireLock(file, { purpose: "a test" });
	lock.assertHeld();
	await lock.release();
});

test("lock: holder before a reboot, reused pid, torn or empty file → never blocks", async () => {
	const real = await acquireLock(file, { purpose: "a test" });
	const holder = readLockHolder(file);
	await real.release();
	const ticks = kernelProcessTable.startTicks(process.pid) ?? 0;
	for (const content of [
		JSON.stringify({ ...holder, token: "x", boot_id: "another boot" }),
		JSON.stringify({ ...holder, token: "x", start_ticks: ticks + 1 }),
		JSON.stringify(holder).slice(0, 40),
		"",
		"\0\0\0\0",
	]) {
		fs.writeFileSync(file, content);
		const lock = await acquireLock(file, { purpose: "a test" });
		lock.assertHeld();
		await lock.release();
	}
	expect(fs.readdirSync(path.dirname(file))).toEqual([]);
});

test("lock: a directory in its place → set aside", async () => {
	fs.mkdirSync(path.join(file, "inside"), { recursive: true });
	const lock = await acquireLock(file, { purpose: "a test" });
	lock.assertHeld();
	await lock.release();
});

test("lock: released while its directory was away → does not block afterwards", async () => {
	const lock = await acquireLock(file, { purpose: "a test" });
	fs.renameSync(path.dirname(file), `${path.dirname(file)}.away`);
	expect(() => lock.assertHeld()).toThrow(LockLostError);
	await lock.release();
	fs.renameSync(`${path.dirname(file)}.away`, path.dirname(file));
	expect(readLockHolder(file)?.pid).toBe(process.pid);
	const again = await acquireLock(file, { purpose: "a test" });
	again.assertHeld();
	await expect(acquireLock(file, { purpose: "a test" })).rejects.toBeInstanceOf(LockedError);
	await again.release();
});

test("lock: a holder that lets go → waited for", async () => {
	const first = await acquireLock(file, { purpose: "a test" });
	const waiting = acquireLock(file, { purpose: "another", waitMs: 10_000 });
	await sleep(60);
	await first.release();
	const second = await waiting;
	expect(readLockHolder(file)?.purpose).toBe("another");
	await second.release();
});

describe("a lock that was lost is noticed before anything is touched", () => {
	test("lock lost: it was removed → noticed before anything is touched", async () => {
		let lostCalls = 0;
		const lock = await acquireLock(file, { purpose: "a test", onLost: () => lostCalls++ });
		fs.rmSync(file);
		expect(() => lock.assertHeld()).toThrow(LockLostError);
		expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ exitCode: 75 }));
		expect(lostCalls).toBe(1);
		await lock.release();
	});

	test("lock lost: another process has it → noticed; letting go leaves the other's alone", async () => {
		const lock = await acquireLock(file, { purpose: "a test" });
		fs.rmSync(file);
		const other = start("hold");
		await other.prints("held");
		expect(() => lock.assertHeld()).toThrow(LockLostError);
		await lock.release();
		expect(readLockHolder(file)?.pid).toBe(other.child.pid);
	});
});

test("lock: many race for a dead holder's → exactly one wins, and keeps it", async () => {
	for (let round = 0; round < 3; round++) {
		fs.rmSync(path.join(directory, "counter"), { force: true });
		const dead = start("die");
		await dead.ended;
		const racers = Array.from({ length: 4 }, () => start("once"));
		await Promise.all(racers.map((racer) => racer.prints("ready")));
		fs.writeFileSync(path.join(directory, "counter"), "");
		await Promise.all(racers.map((racer) => racer.ended));
		const outcomes = racers.map((racer) => racer.lines.filter((line) => line !== "ready").join(" "));
		const winner = racers[outcomes.indexOf("won kept")]?.child.pid;
		expect(outcomes.sort()).toEqual([...Array(3).fill(`refused ${winner}`), "won kept"]);
	}
});

test("lock: work under it → never done twice at once", async () => {
	fs.writeFileSync(path.join(directory, "counter"), "0");
	const counters = Array.from({ length: 3 }, () => start("count", 15));
	await Promise.all(counters.map((counter) => counter.ended));
	expect(counters.map((counter) => counter.lines.at(-1))).toEqual(Array(3).fill("done"));
	expect(fs.readFileSync(path.join(directory, "counter"), "utf8")).toBe("45");
});

test("process: died or lives → distinguished", async () => {
	const holder = start("hold");
	await holder.prints("held");
	const written = readLockHolder(file);
	expect(written && (await isHolderAlive(file, written))).toBe(true);
	holder.child.kill("SIGKILL");
	await holder.ended;
	expect(written && (await isHolderAlive(file, written))).toBe(false);
});

describe("lock, whatever the process table shows", () => {
	// As another pid namespace, a hidden /proc, or a bind-mounted boot id show it: nothing of the holder.
	const elsewhere: ProcessTable = {
		startTicks: () => null,
		bootTimeMs: () => 0,
		bootId: () => "another boot",
		pidNamespace: () => "1",
	};
	const table = { ...kernelProcessTable, ...elsewhere, startTicks: (pid: number) => (pid === process.pid ? 1 : null) };

	test("lock: live holder in another namespace → refused, whatever its age", async () => {
		const holder = start("hold");
		await holder.prints("held");
		fs.utimesSync(file, 0, 0);
		await expect(acquireLock(file, { purpose: "a test", table })).rejects.toMatchObject({ holder: { pid: holder.child.pid } });
		holder.child.kill("SIGSTOP");
		await expect(acquireLock(file, { purpose: "a test", table })).rejects.toBeInstanceOf(LockedError);
	});

	test("lock: dead holder in another namespace → taken at once", async () => {
		const dead = start("die");
		await dead.ended;
		const lock = await acquireLock(file, { purpose: "a test", table });
		lock.assertHeld();
		await lock.release();
		expect(fs.readdirSync(path.dirname(file))).toEqual([]);
	});

	test("lock: holder that cannot be asked, other namespace → its file's age decides", async () => {
		fs.mkdirSync(path.dirname(file), { recursive: true });
		const holder = { pid: 1, pid_started_at: "", start_ticks: 5, boot_id: "x", pid_namespace: "7", token: "t", purpose: "a test" };
		fs.writeFileSync(file, JSON.stringify(holder));
		await expect(acquireLock(file, { purpose: "a test", table })).rejects.toBeInstanceOf(LockedError);
		const minutesAgo = Date.now() / 1000 - 120;
		fs.utimesSync(file, minutesAgo, minutesAgo);
		await (await acquireLock(file, { purpose: "a test", table })).release();
	});

	test("lock: holder's boot id differs in the same namespace → still refused", async () => {
		const holder = start("hold");
		await holder.prints("held");
		const { socket: _, ...written } = readLockHolder(file) as LockHolder;
		fs.writeFileSync(file, JSON.stringify({ ...written, boot_id: "a bind mount" }));
		await expect(acquireLock(file, { purpose: "a test" })).rejects.toBeInstanceOf(LockedError);
	});

	test("lock: holder asked to stop through its socket → it ends by SIGTERM", async () => {
		const holder = start("hold");
		await holder.prints("held");
		expect(await askHolder(file, readLockHolder(file) as LockHolder, "stop")).toBe(true);
		await holder.ended;
		expect(holder.child.signalCode).toBe("SIGTERM");
	});

	test("lock: directory path longer than a socket's → works", async () => {
		const deep = path.join(directory, "d".repeat(120));
		fs.mkdirSync(deep);
		const lock = await acquireLock(path.join(deep, "sync/x.lock"), { purpose: "a test" });
		expect(readLockHolder(path.join(deep, "sync/x.lock"))?.socket).toMatch(/^\./);
		await lock.release();
		expect(fs.readdirSync(path.join(deep, "sync"))).toEqual([]);
	});

	test.each(["../../x", ".0123456789abcdef.sock/../x", "", 7, "a".repeat(300)])(
		"lock file: a hostile socket name (%#) → not a lock",
		(socket) => {
			fs.mkdirSync(path.dirname(file), { recursive: true });
			fs.writeFileSync(file, JSON.stringify({ pid: 1, token: "t", socket }));
			expect(readLockHolder(file)).toBe(null);
		},
	);
});

test("lock: a dead holder's, its breaker was killed → taken after a while", async () => {
	const dead = start("die");
	await dead.ended;
	fs.writeFileSync(`${file}.breaker`, "");
	await expect(Promise.race([acquireLock(file, { purpose: "a test" }), sleep(200, "waits")])).resolves.toBe("waits");
	fs.utimesSync(`${file}.breaker`, 0, 0);
	await until(() => readLockHolder(file)?.pid === process.pid);
});

async function until(condition: () => boolean): Promise<void> {
	const deadline = performance.now() + 10_000;
	while (!condition()) {
		if (performance.now() > deadline) throw new Error("waited in vain");
		await sleep(10);
	}
}
