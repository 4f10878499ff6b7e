// The same work given to what one would use instead, on the loopback: `npm run bench -- peers [--install] [--only=unison,…]`.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pair, Peer } from "./peers/peer.ts";
import { type BenchTable, mib, ms, percentile } from "./table.ts";

/** One file a peer, in the order of the table. */
const files = ["robust-sync", "cron-line", "gitwatch-loop", "syncthing", "unison", "git-annex", "lsyncd"];
const flags = (process.env.BENCH_FLAGS ?? "").split(" ");

const rounds = 15;
const latencyBudgetMs = 45_000;
const timeoutMs = 60_000;
const manyFiles = 1_000;
const idleMs = 20_000;
const killFiles = 400;

/** Looks every few milliseconds. @returns the time it took; null: not within that time */
async function waitFor(isTrue: () => boolean, within = timeoutMs): Promise<number | null> {
	const started = performance.now();
	while (!isTrue()) {
		if (performance.now() - started > within) return null;
		await sleep(3);
	}
	return performance.now() - started;
}

function read(file: string): string | null {
	try {
		return fs.readFileSync(file, "utf8");
	} catch {
		return null;
	}
}

const startBoth = async (pair: Pair) => {
	for (const side of [0, 1] as const) await pair.start(side);
};
const endBoth = async (pair: Pair, signal: NodeJS.Signals) => {
	await Promise.all(pair.groups.map((group) => group.end(signal)));
};
const arrivedAt = (pair: Pair, name: string) => (pair.arrived ? pair.arrived(name) : read(path.join(pair.directories[1], name)));

/** Gives a pair of its own to `work`, and ends everything after it. */
async function withPair<T>(peer: Peer, work: (pair: Pair) => Promise<T>): Promise<T> {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-peers-"));
	let pair: Pair | undefined;
	try {
		pair = await peer.prepare(directory);
		await startBoth(pair);
		fs.writeFileSync(path.join(pair.directories[0], "ready.txt"), "ready\n");
		const running = pair;
		if ((await waitFor(() => arrivedAt(running, "ready.txt") === "ready\n")) === null)
			throw new Error(`${peer.name} did not start to sync`);
		await sleep(2_000);
		return await work(pair);
	} finally {
		if (pair) await endBoth(pair, "SIGKILL");
		fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
	}
}

/** Times of single writes, of a thousand at once, and what it costs to do nothing. */
async function speed(peer: Peer): Promise<Record<string, string>> {
	return await withPair(peer, async (pair) => {
		const [a, b] = pair.directories;
		const before = pair.groups.map((group) => group.cost());
		await sleep(idleMs);
		const after = pair.groups.map((group) => group.cost());
		const seconds = after.reduce((sum, cost, i) => sum + cost.seconds - (before[i]?.seconds ?? 0), 0);
		const rss = after.reduce((sum, cost) => sum + cost.rss, 0);
		const taken: number[] = [];
		const started = performance.now();
		for (let round = 0; round < rounds && performance.now() - started < latencyBudgetMs; round++) {
			// Not in step with a tool that polls once a second.
			await sleep(200 + ((round * 383) % 1_000));
			fs.writeFileSync(path.join(a, "one.txt"), `write ${round}\n`);
			taken.push((await waitFor(() => arrivedAt(pair, "one.txt") === `write ${round}\n`)) ?? Number.POSITIVE_INFINITY);
		}
		const name = (i: number) => `many/d${i % 10}/f${i}.txt`;
		for (let d = 0; d < 10; d++) fs.mkdirSync(path.join(a, `many/d${d}`), { recursive: true });
		for (let i = 0; i < manyFiles; i++) fs.writeFileSync(path.join(a, name(i)), `file ${i}\n`);
		let next = 0;
		const many = await waitFor(() => {
			while (next < manyFiles && (pair.arrived ? pair.arrived(name(next)) : read(path.join(b, name(next)))) === `file ${next}\n`) next++;
			return next === manyFiles;
		});
		const said = (value: number | null) => (value === null || !Number.isFinite(value) ? `> ${timeoutMs / 1_000} s` : ms(value));
		return {
			"write → readable p50": said(percentile(taken, 0.5)),
			p95: said(percentile(taken, 0.95)),
			"1,000 files": said(many),
			"idle CPU (both)": `${((seconds * 100_000) / idleMs).toFixed(2)} %`,
			"RSS (both)": mib(rss),
		};
	});
}

const isJson = (text: string | null) => {
	try {
		return typeof JSON.parse(text ?? "") === "object";
	} catch {
		return false;
	}
};

/** Every text below a directory, git's own store left out; what robust-sync saved counts: a person finds it there. */
function texts(directory: string): string[] {
	return fs
		.readdirSync(directory, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile() || entry.isSymbolicLink())
		.map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
		.filter((file) => !file.includes("/.git/"))
		.map((file) => read(file) ?? "");
}

/** Both sides edit one JSON file while nothing runs; then both start again. What is there when things are quiet? */
async function offline(peer: Peer): Promise<Record<string, string>> {
	return await withPair(peer, async (pair) => {
		const [a, b] = pair.directories;
		const document = (value: object) => `${JSON.stringify(value, null, 2)}\n`;
		const file = (side: string) => path.join(side, "state.json");
		fs.writeFileSync(file(a), document({ count: 1, name: "both" }));
		if (pair.arrived) {
			await waitFor(() => arrivedAt(pair, "state.json") !== null);
			// It receives when it writes.
			fs.writeFileSync(path.join(b, "poke.txt"), "poke\n");
		}
		await waitFor(() => read(file(b)) !== null);
		await sleep(2_000);
		await endBoth(pair, "SIGTERM");
		fs.writeFileSync(file(a), document({ count: 20, name: "both", helios: true }));
		await sleep(1_100);
		fs.writeFileSync(file(b), document({ count: 30, name: "both", chad: true }));
		await startBoth(pair);
		let last = "";
		let since = performance.now();
		await waitFor(() => {
			const now = JSON.stringify([read(file(a)), read(file(b))]);
			if (now !== last) [last, since] = [now, performance.now()];
			return performance.now() - since > 20_000;
		}, 90_000);
		const both = [read(file(a)), read(file(b))];
		const hasBoth = (text: string | null) => text?.includes('"helios"') === true && text.includes('"chad"');
		const [ofHelios, ofChad] = [/"count": 20/, /"count": 30/];
		const all = pair.directories.map((side) => texts(side).join("\n"));
		const everywhere = all.join("\n");
		const kept = all.every((text) => ofHelios.test(text) && ofChad.test(text))
			? "on both"
			: ofHelios.test(everywhere) && ofChad.test(everywhere)
				? "each its own"
				: "no";
		fs.writeFileSync(path.join(a, "after.txt"), "after\n");
		const goesOn = (await waitFor(() => arrivedAt(pair, "after.txt") === "after\n", 30_000)) !== null;
		const yes = (value: boolean) => (value ? "yes" : "no");
		return {
			"valid JSON on both": yes(both.every(isJson)),
			"both added keys there": yes(both.every((text) => isJson(text) && hasBoth(text))),
			"loser kept": kept,
			"the same on both": yes(both[0] === both[1]),
			"goes on by itself": yes(goesOn),
		};
	});
}

/** Everything is killed with -9 in the middle of a transfer, and started again. */
async function killed(peer: Peer): Promise<Record<string, string>> {
	return await withPair(peer, async (pair) => {
		const [a, b] = pair.directories;
		const content = (i: number) => `${`line of file ${i}\n`.repeat(2_000)}`;
		fs.mkdirSync(path.join(a, "kill"));
		for (let i = 0; i < killFiles; i++) fs.writeFileSync(path.join(a, `kill/f${i}.txt`), content(i));
		const name = (i: number) => `kill/f${i}.txt`;
		await waitFor(() => fs.existsSync(path.join(b, "kill")) || (pair.arrived !== undefined && arrivedAt(pair, name(0)) !== null), 30_000);
		await endBoth(pair, "SIGKILL");
		const torn = Array.from({ length: killFiles }, (_, i) => i).filter((i) => {
			const text = read(path.join(b, name(i)));
			return text !== null && text !== content(i);
		}).length;
		await startBoth(pair);
		let next = 0;
		const done = await waitFor(() => {
			while (next < killFiles && arrivedAt(pair, name(next)) === content(next)) next++;
			return next === killFiles;
		});
		return { "kill -9: torn files": String(torn), "recovers by itself": done === null ? "no" : `yes, ${ms(done)}` };
	});
}

const isInstalled = (program: string) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

export async function run(): Promise<BenchTable> {
	const only = flags
		.find((flag) => flag.startsWith("--only="))
		?.slice("--only=".length)
		.split(",");
	const rows: Record<string, string>[] = [];
	const notes: string[] = [];
	for (const file of files.filter((name) => only?.includes(name) ?? true)) {
		const { peer } = (await import(`./peers/${file}.ts`)) as { peer: Peer };
		if (!isInstalled(peer.program) && peer.package !== null && flags.includes("--install"))
			spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", peer.package], { stdio: "ignore" });
		if (!isInstalled(peer.program)) {
			notes.push(`${peer.name}: not installed (apt-get install ${peer.package}, or --install)`);
			continue;
		}
		const row: Record<string, string> = { what: peer.name, version: peer.version() };
		for (const part of [speed, offline, killed]) {
			try {
				Object.assign(row, await part(peer));
			} catch (error) {
				notes.push(`${peer.name}, ${part.name}: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
			}
		}
		rows.push(row);
		notes.push(`${peer.name}: ${peer.reproduce}${peer.note ? ` — ${peer.note}` : ""}`);
	}
	return {
		name: "What one would use instead (loopback, two directories on one machine)",
		columns: [...new Set(rows.flatMap(Object.keys))],
		rows,
		notes,
	};
}
