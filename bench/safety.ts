// What it costs that nothing is lost: a cycle beside the same one without fsync and without anything to keep; a start after a crash.
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inLab, type Lab, timed, until, type Workspace } from "./lab.ts";
import { type BenchTable, median, timeRow } from "./table.ts";

const rounds = 15;
const starts = 6;
const files = 100;
const quietMs = 100;
/** After a checkout, or a late write, a daemon looks once more by itself: that cycle would commit what comes next. */
const restMs = 600;
const noWatch = { SYNC_WATCH: "0", SYNC_INTERVAL: "3600" };

// Loaded into our own processes: nothing waits for the disk any more, neither they nor the git that they start.
const withoutFsync = `
import child_process from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
fs.fsyncSync = fs.fdatasyncSync = () => undefined;
fs.fsync = fs.fdatasync = (_file, done) => process.nextTick(done, null);
const handle = await fs.promises.open(process.execPath);
const prototype = Object.getPrototypeOf(handle);
await handle.close();
prototype.sync = prototype.datasync = async () => undefined;
const spawn = child_process.spawn;
child_process.spawn = (program, args, options) => {
	const env = { ...options?.env };
	for (const name of Object.keys(env))
		if (env[name] === "core.fsync") env[name.replace("_KEY_", "_VALUE_")] = "none";
	return spawn(program, args, options?.env ? { ...options, env } : options);
};
syncBuiltinESMExports();
`;

async function pair(lab: Lab, env: Record<string, string>): Promise<[Workspace, Workspace]> {
	const from = await lab.workspace("helios");
	from.fill(files);
	await from.git("add", "-A");
	await from.git("commit", "-q", "-m", "first");
	await from.git("push", "-q", "-u", "origin", "main");
	const to = await lab.workspace("chad");
	await from.start({ ...noWatch, ...env });
	await to.start({ ...noWatch, ...env });
	return [from, to];
}

/** One change from one disk to the other's. */
async function cycle([from, to]: [Workspace, Workspace], name: string, content: string): Promise<number> {
	from.write(name, content);
	// A file that changed this instant is left alone for a moment: that is not what a cycle costs.
	await sleep(quietMs);
	const taken = await timed(async () => {
		await from.cycle();
		await to.cycle();
	});
	if (to.read(name) !== content) throw new Error("the change did not arrive in one cycle");
	return taken;
}

interface Cycles {
	safe: number;
	bare: number;
	noFsync: number;
	nothingKept: number;
}

async function measureCycles(): Promise<Cycles> {
	return await inLab(async (safeLab) =>
		inLab(async (bareLab) => {
			const preload = path.join(bareLab.directory, "without-fsync.mjs");
			fs.writeFileSync(preload, withoutFsync);
			const safe = await pair(safeLab, {});
			const bare = await pair(bareLab, { NODE_OPTIONS: `--import ${preload}` });
			const taken: Record<keyof Cycles, number[]> = { safe: [], bare: [], noFsync: [], nothingKept: [] };
			for (let round = -2; round < rounds; round++) {
				const changed = `d0/f${round + 2}.txt`;
				const added = `d0/new${round}.txt`;
				const times: Cycles = {
					safe: await cycle(safe, changed, `changed ${round}\n`),
					bare: await cycle(bare, added, `changed ${round}\n`),
					noFsync: await cycle(bare, changed, `changed ${round}\n`),
					nothingKept: await cycle(safe, added, `changed ${round}\n`),
				};
				if (round >= 0) for (const [name, time] of Object.entries(times)) taken[name as keyof Cycles].push(time);
			}
			return Object.fromEntries(Object.entries(taken).map(([name, values]) => [name, median(values)])) as unknown as Cycles;
		}),
	);
}

interface Starts {
	normal: number;
	atRest: number;
	withLock: number;
	normalIncoming: number;
	inCheckout: number;
}

/** Until the first cycle is done and recorded. */
async function start(workspace: Workspace): Promise<{ pid: number; taken: number }> {
	const before = workspace.state?.totals.cycles ?? 0;
	let pid = 0;
	const taken = await timed(async () => {
		pid = await workspace.start(noWatch);
		await until("the first cycle", () => (workspace.state?.totals.cycles ?? 0) > before && workspace.state?.status === "idle");
	});
	return { pid, taken };
}

async function kill(pid: number): Promise<void> {
	process.kill(pid, "SIGKILL");
	await until("it to be gone", () => !fs.existsSync(`/proc/${pid}`));
}

async function measureStarts(): Promise<Starts> {
	return await inLab(async (lab) => {
		const [from, to] = await pair(lab, {});
		await to.stop();
		const taken: Record<keyof Starts, number[]> = { normal: [], atRest: [], withLock: [], normalIncoming: [], inCheckout: [] };
		/** A change of ten files that waits on the hub. */
		const incoming = async (text: string) => {
			for (let file = 0; file < 10; file++) from.write(`d0/f${file}.txt`, `${text}\n`);
			await sleep(quietMs);
			await from.cycle();
		};
		for (let round = -1; round < starts; round++) {
			const times = {} as Starts;
			let pid: number;
			({ taken: times.normal } = await start(to));
			await to.stop();
			({ pid } = await start(to));
			await kill(pid);
			({ pid, taken: times.atRest } = await start(to));
			await kill(pid);
			fs.writeFileSync(path.join(to.directory, ".git/index.lock"), "");
			({ taken: times.withLock } = await start(to));
			await to.stop();
			await incoming(`normal ${round}`);
			({ pid, taken: times.normalIncoming } = await start(to));
			await kill(pid);
			await incoming(`crash ${round}`);
			// Killed by itself, as if from outside, when the files are swapped and the index is not written.
			await to.robustSync(["--once"], { ROBUST_SYNC_FAULT: "move-files" }).then(
				() => {
					throw new Error("it should have been killed");
				},
				() => undefined,
			);
			({ taken: times.inCheckout } = await start(to));
			if (to.read("d0/f9.txt") !== `crash ${round}\n`) throw new Error("the checkout was not finished");
			await to.stop();
			if (round >= 0) for (const [name, time] of Object.entries(times)) taken[name as keyof Starts].push(time);
		}
		return Object.fromEntries(Object.entries(taken).map(([name, values]) => [name, median(values)])) as unknown as Starts;
	});
}

/** A cycle that merges what a program wrote into a replaced file that it still has open; and one that commits the same change. */
async function measureForeignWrites(): Promise<{ foreign: number; normal: number }> {
	return await inLab(async (lab) => {
		const [from, to] = await pair(lab, {});
		const taken = { foreign: [] as number[], normal: [] as number[] };
		const cycleOf = async (write: () => void) => {
			write();
			await sleep(quietMs);
			return await timed(() => to.cycle());
		};
		for (let round = -2; round < rounds; round++) {
			const name = `d0/f${round + 2}.txt`;
			const descriptor = fs.openSync(path.join(to.directory, name), "a");
			await cycle([from, to], name, `${to.read(name)}their line ${round}\n`);
			const foreign = await cycleOf(() => fs.writeSync(descriptor, `a late line ${round}\n`));
			fs.closeSync(descriptor);
			if (!to.read(name)?.includes(`a late line ${round}`)) throw new Error("the late line was not merged in one cycle");
			await sleep(restMs);
			const normal = await cycleOf(() => fs.appendFileSync(path.join(to.directory, name), `a line ${round}\n`));
			await sleep(restMs);
			await from.cycle();
			await to.cycle();
			if (round < 0) continue;
			taken.foreign.push(foreign);
			taken.normal.push(normal);
		}
		return { foreign: median(taken.foreign), normal: median(taken.normal) };
	});
}

/** How many files come in at once, and how often that is measured. */
const checkouts = [
	{ count: 1, times: 9 },
	{ count: 100, times: 5 },
	{ count: 10_000, times: 1 },
];

/** A cycle that fetches and checks out a number of changed files, and `git fetch`, `git merge --ff-only` of the same commit. */
async function measureCheckouts(): Promise<{ count: number; ours: number; floor: number }[]> {
	return await inLab(async (lab) => {
		const from = await lab.workspace("helios");
		from.fill(10_000);
		await from.git("add", "-A");
		await from.git("commit", "-q", "-m", "first");
		await from.git("push", "-q", "-u", "origin", "main");
		const [to, bare] = [await lab.workspace("chad"), await lab.workspace("bare")];
		await to.start({ ...noWatch, GUARD: "0" });
		const found = [];
		for (const { count, times } of checkouts) {
			const taken = { ours: [] as number[], floor: [] as number[] };
			for (let round = 0; round < times; round++) {
				for (let i = 0; i < count; i++) from.write(`d${Math.floor(i / 100)}/f${i}.txt`, `changed ${count} ${round} ${i}\n`);
				await from.git("commit", "-q", "-a", "-m", "change");
				await from.git("push", "-q");
				taken.ours.push(await timed(() => to.cycle()));
				taken.floor.push(
					await timed(async () => {
						await bare.git("fetch", "-q");
						await bare.git("merge", "-q", "--ff-only", "origin/main");
					}),
				);
				if (to.read("d0/f0.txt") !== bare.read("d0/f0.txt")) throw new Error("the change did not arrive in one cycle");
			}
			found.push({ count, ours: median(taken.ours), floor: median(taken.floor) });
		}
		return found;
	});
}

export async function run(): Promise<BenchTable> {
	const checkedOut = await measureCheckouts();
	const foreignWrites = await measureForeignWrites();
	const cycles = await measureCycles();
	const after = await measureStarts();
	return {
		name: `What safety costs (1 of ${files} files, hub over file://, medians of ${rounds}; starts: medians of ${starts})`,
		rows: [
			timeRow("a cycle that replaces a file, with fsync and backup", cycles.safe, cycles.bare, "-"),
			timeRow("  the same without fsync", cycles.noFsync, cycles.bare, "-"),
			timeRow("  with fsync, a new file: nothing to keep", cycles.nothingKept, cycles.bare, "-"),
			timeRow("start after kill -9 at rest", after.atRest, after.normal, "≤ 1.5 ×"),
			timeRow("start after kill -9 that left index.lock", after.withLock, after.normal, "≤ 1.5 ×"),
			timeRow("start after kill -9 in the middle of a checkout of 10 files", after.inCheckout, after.normalIncoming, "≤ 1.5 ×"),
			timeRow("a cycle after a write into a replaced file", foreignWrites.foreign, foreignWrites.normal, "≤ 3 ×"),
			...checkedOut.map(({ count, ours, floor }) =>
				timeRow(`fetch and check out ${count.toLocaleString("en")} of 10,000 files`, ours, floor, "-"),
			),
		],
		notes: [
			"floor of the cycles: a new file (so that nothing is replaced and kept), with fsync made a no-op in our processes and core.fsync=none in git's.",
			"a start ends with its first cycle, recorded; floor: after SIGTERM, with the same work to do.",
			"floor of the cycle after a write into a replaced file: one that commits the same line written to the path; of the checkouts: git fetch, git merge --ff-only.",
		],
	};
}
