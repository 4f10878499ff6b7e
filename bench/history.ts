// The history of one file of a long history, beside `git log` of the same; and what the guard adds to a cycle.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { indexEntries, isWorthALook } from "@robust-sync/guard";
import { inLab, root } from "./lab.ts";
import { type BenchTable, median, timeRow } from "./table.ts";

const commits = 100_000;
const files = 50;
const rounds = 5;
const looks = 1_000;

/** A history in which each commit changes one of fifty files (git-fast-import(1)). */
function* longHistory(): Generator<string> {
	for (let index = 0; index < commits; index++) {
		const name = `d${index % 7}/f${index % files}.txt`;
		const content = `line ${index}\n`;
		const message = `helios: 1 file (${name})`;
		const who = `helios <helios@localhost> ${1_600_000_000 + index} +0000`;
		yield `commit refs/heads/main\ncommitter ${who}\ndata ${message.length}\n${message}\nM 100644 inline ${name}\ndata ${content.length}\n${content}\n`;
	}
	yield "done\n";
}

export async function run(): Promise<BenchTable> {
	return await inLab(async (lab) => {
		const workspace = await lab.workspace("helios");
		const git = (...args: string[]) => spawnSync("git", args, { cwd: workspace.directory, encoding: "utf8", maxBuffer: 2 ** 30 });
		spawnSync("git", ["-c", "core.fsync=none", "fast-import", "--quiet", "--done", "--force"], {
			cwd: workspace.directory,
			input: [...longHistory()].join(""),
			maxBuffer: 2 ** 30,
		});
		git("reset", "--quiet", "--hard", "main");
		const name = "d0/f7.txt";
		const env = { PATH: process.env.PATH, HOME: process.env.HOME, SYNC_WORKSPACE: workspace.directory };
		const ours = (...args: string[]) => [process.execPath, path.join(root, "bin/robust-sync"), "--history", name, ...args];
		const log = ["git", "log", "--follow", "--raw", "--numstat", "-M"];
		const commands: Record<string, string[]> = {
			"all of one file, --json": ours("--json", "--limit", "1000000"),
			"  git log --follow --raw --numstat": [...log, "--", name],
			"the newest 50 of one file": ours(),
			"  git log --follow --raw --numstat -50": [...log, "-50", "--", name],
		};
		const taken = new Map<string, number[]>(Object.keys(commands).map((key) => [key, []]));
		for (let round = -1; round < rounds; round++)
			for (const [key, [program = "", ...args]] of Object.entries(commands)) {
				const started = performance.now();
				const { status } = spawnSync(program, args, { cwd: workspace.directory, env, maxBuffer: 2 ** 30 });
				if (status !== 0) throw new Error(`${key}: ${status}`);
				if (round >= 0) taken.get(key)?.push(performance.now() - started);
			}
		const of = (key: string) => median(taken.get(key) ?? []);
		const [all = "", allFloor = "", few = "", fewFloor = ""] = Object.keys(commands);
		const started = performance.now();
		for (let look = 0; look < looks; look++)
			isWorthALook({ files: 50, percent: 30 }, 1, 0, indexEntries({ gitDirectory: path.join(workspace.directory, ".git") }));
		const lookMs = (performance.now() - started) / looks;
		return {
			name: `History of ${commits.toLocaleString("en-US")} commits (medians of ${rounds}, in turns), and the guard`,
			rows: [
				timeRow(all, of(all), of(allFloor), "≤ 1.5 ×"),
				timeRow(few, of(few), of(fewFloor), "-"),
				{
					what: "the guard in a cycle that changes one file",
					ours: `${(lookMs * 1000).toFixed(1)} µs`,
					floor: "-",
					ratio: "-",
					target: "-",
				},
			],
			notes: ["floor: git log --follow --raw --numstat of the same"],
		};
	});
}
