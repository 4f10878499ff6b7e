// What a cycle costs beside the bare git commands that do the same.
import { setTimeout as sleep } from "node:timers/promises";

import { command, inLab, type Lab, root, timed, type Workspace } from "./lab.ts";
import { type BenchTable, median, timeRow } from "./table.ts";

const rounds = 30;
const files = 100;
const quietMs = 100;

/** What robust-sync makes durable as well (git-environment.ts); git by itself fsyncs neither loose objects nor refs. */
const durable = ["-c", "core.fsync=committed,loose-object,reference"] as const;

/** The sequence by hand: commit and push on one side, fetch and fast-forward on the other. @param options of git itself */
async function bareSequence(from: Workspace, to: Workspace, options: readonly string[] = []): Promise<void> {
	await from.git(...options, "add", "-A");
	await from.git(...options, "commit", "-q", "-m", "change");
	await from.git(...options, "push", "-q", "origin", "main");
	await to.git(...options, "fetch", "-q", "origin");
	await to.git(...options, "merge", "-q", "--ff-only", "origin/main");
}

async function pair(lab: Lab, one: string, other: string): Promise<[Workspace, Workspace]> {
	const from = await lab.workspace(one);
	from.fill(files);
	await from.git("add", "-A");
	await from.git("commit", "-q", "-m", "first");
	await from.git("push", "-q", "-u", "origin", "main");
	return [from, await lab.workspace(other)];
}

const noWatch = { SYNC_WATCH: "0", SYNC_INTERVAL: "3600" };

/** Medians of milliseconds. */
interface Taken {
	readonly full: number;
	readonly fullFloor: number;
	readonly durableFloor: number;
	readonly idle: number;
	readonly idleFloor: number;
	readonly once: number;
}

/** Medians of what running daemons take, and of the floor, in turns. */
async function measure(): Promise<Taken> {
	return await inLab(async (ours) =>
		inLab(async (bare) => {
			const [a, b] = await pair(ours, "helios", "chad");
			const [c, d] = await pair(bare, "one", "other");
			await a.start(noWatch);
			await b.start(noWatch);
			const taken = {
				full: [] as number[],
				fullFloor: [] as number[],
				durableFloor: [] as number[],
				idle: [] as number[],
				idleFloor: [] as number[],
				once: [] as number[],
			};
			for (let round = 0; round < rounds; round++) {
				const name = `d0/f${round % files}.txt`;
				a.write(name, `changed ${round}\n`);
				// A file that changed this instant is left alone for a moment: that is not what a cycle costs.
				await sleep(quietMs);
				taken.full.push(
					await timed(async () => {
						await a.cycle();
						await b.cycle();
					}),
				);
				if (b.read(name) !== `changed ${round}\n`) throw new Error("the change did not arrive in one cycle");
				c.write(name, `changed ${round}\n`);
				taken.fullFloor.push(await timed(() => bareSequence(c, d)));
				c.write(name, `changed durably ${round}\n`);
				taken.durableFloor.push(await timed(() => bareSequence(c, d, durable)));
				taken.idle.push(await timed(() => a.cycle()));
				taken.idleFloor.push(
					await timed(async () => {
						await c.git("status", "--porcelain");
						await c.git("ls-remote", "-q", "origin", "refs/heads/main");
					}),
				);
			}
			await a.stop();
			await b.stop();
			for (let round = 0; round < rounds / 3; round++) {
				a.write("d0/f0.txt", `once ${round}\n`);
				taken.once.push(
					await timed(async () => {
						await a.robustSync(["--once"]);
						await b.robustSync(["--once"]);
					}),
				);
			}
			return Object.fromEntries(Object.entries(taken).map(([name, values]) => [name, median(values)])) as Record<
				keyof typeof taken,
				number
			>;
		}),
	);
}

/** How many git processes each side of a cycle starts. */
async function countProcesses(): Promise<{ send: number; receive: number; idle: number }> {
	return await inLab(async (lab) => {
		const [a, b] = await pair(lab, "helios", "chad");
		const counter = lab.gitCounter();
		await a.start({ ...noWatch, ...counter.env });
		await b.start({ ...noWatch, ...counter.env });
		const count = async (work: () => Promise<void>) => {
			const before = counter.count();
			await work();
			return counter.count() - before;
		};
		// The first of each kind also reads what is remembered afterwards.
		for (let warm = 0; warm < 2; warm++) {
			a.write("d0/f0.txt", `warm ${warm}\n`);
			await sleep(quietMs);
			await a.cycle();
			await b.cycle();
		}
		a.write("d0/f1.txt", "counted\n");
		await sleep(quietMs);
		const send = await count(() => a.cycle());
		const receive = await count(() => b.cycle());
		return { send, receive, idle: await count(() => a.cycle()) };
	});
}

export async function run(): Promise<BenchTable> {
	const { full, fullFloor, durableFloor, idle, idleFloor, once } = await measure();
	const { send, receive, idle: idleProcesses } = await countProcesses();
	const node = median(
		await Promise.all(Array.from({ length: 1 }, () => timed(() => command(process.execPath, ["-e", "0"], { cwd: root })))),
	);
	return {
		name: `A cycle (1 of ${files} files changed, hub over file://, medians of ${rounds})`,
		rows: [
			timeRow("full cycle, write to the other side's disk, two running daemons", full, fullFloor, "≤ 1.3 ×"),
			timeRow("  … beside a floor that makes objects and refs as durable", full, durableFloor, "printed"),
			timeRow("the same as two whole processes, robust-sync --once", once, fullFloor, "-"),
			{
				what: "git processes of the full cycle (sender + receiver)",
				ours: `${send} + ${receive}`,
				floor: "3 + 2",
				ratio: "",
				target: "printed",
			},
			timeRow("idle cycle", idle, idleFloor, "≤ 2.5 ×"),
			{ what: "git processes of an idle cycle", ours: String(idleProcesses), floor: "2", ratio: "", target: "≤ 3" },
		],
		notes: [
			"floor: git add -A, commit, push; fetch, merge --ff-only. Idle: git status, git ls-remote. One after the other, without waiting.",
			`a daemon is woken by a signal, and is done when sync_state.json has the result; --once also starts node twice (${node.toFixed(0)} ms each here).`,
		],
	};
}
