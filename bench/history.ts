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
		const env = { PATH: process.env.PATH, HOME: process.env.HOME, SYNC_WORKSPACE: workspace.directory };
		const every = ["--json", "--limit", "1000000"];
		const ours = (...args: string[]) => [process.execPath, path.join(root, "bin/robust-sync"), "--history", ...args];
		const log = (...args: string[]) => ["git", "log", "--raw", "--numstat", "-M", ...args];
		const file = "d0/f7.txt";
		const several = [file, "d1/f8.txt", "d2"];
		const questions: readonly (readonly [what: string, ours: string[], floor: string[], target: string])[] = [
			["all of one file, --json", ours(file, ...every), log("--follow", "--", file), "≤ 1.5 ×"],
			["all of one directory, --json", ours("d0", ...every), log("--", "d0"), "≤ 1.5 ×"],
			["all of two files and a directory, --json", ours(...several, ...every), log("--", ...several), "≤ 1.5 ×"],
			["all of everything, --json", ours(...every), log(), "-"],
			["the newest 50 of one file", ours(file), log("-50", "--follow", "--", file), "-"],
			["the newest 50 of everything", ours(), log("-50"), "-"],
		];
		const taken = new Map<string, number[]>();
		for (let round = -1; round < rounds; round++)
			for (const [what, own, floor] of questions)
				for (const [index, [program = "", ...args]] of [own, floor].entries()) {
					const started = performance.now();
					const { status } = spawnSync(program, args, { cwd: workspace.directory, env, maxBuffer: 2 ** 30 });
					if (status !== 0) throw new Error(`${what}: ${status}`);
					const key = `${what} ${index}`;
					if (round >= 0) taken.set(key, [...(taken.get(key) ?? []), performance.now() - started]);
				}
		const of = (what: string, index: number) => median(taken.get(`${what} ${index}`) ?? []);
		const started = performance.now();
		for (let look = 0; look < looks; look++)
			isWorthALook({ files: 50, percent: 30 }, 1, 0, indexEntries({ gitDirectory: path.join(workspace.directory, ".git") }));
		const lookMs = (performance.now() - started) / looks;
		return {
			name: `History of ${commits.toLocaleString("en-US")} commits (medians of ${rounds}, in turns), and the guard`,
			rows: [
				...questions.map(([what, , , target]) => timeRow(what, of(what, 0), of(what, 1), target)),
				{
					what: "the guard in a cycle that changes one file",
					ours: `${(lookMs * 1000).toFixed(1)} µs`,
					floor: "-",
					ratio: "-",
					target: "-",
				},
			],
			notes: ["floor: git log --raw --numstat -M of the same, with --follow for one file"],
		};
	});
}
