// Taking a value out of a long history, beside git rewriting the same history: `git fast-export | git fast-import`.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { command, inLab, root } from "./lab.ts";
import { type BenchTable, timeRow } from "./table.ts";

const commits = Number(/--commits=(\d+)/.exec(process.env.BENCH_FLAGS ?? "")?.[1] ?? 10_000);
const files = 400;
/** As many commits write the value. */
const withValue = 100;
const value = "tok_9sK2mQ7vXcL4rT8w";

/** A history in which each commit changes one of 400 files (git-fast-import(1)). */
function* longHistory(): Generator<string> {
	for (let index = 0; index < commits; index++) {
		const name = `d${index % 20}/f${index % files}.txt`;
		const content = `line ${index}\n${index % Math.ceil(commits / withValue) === 1 ? `token = ${value}\n` : ""}`;
		const message = `helios: 1 file (${name})`;
		const who = `helios <helios@localhost> ${1_600_000_000 + index} +0000`;
		yield `commit refs/heads/main\ncommitter ${who}\ndata ${message.length}\n${message}\nM 100644 inline ${name}\ndata ${content.length}\n${content}\n`;
	}
	yield "done\n";
}

/** What a command line took, with all the processes that it started. */
interface Cost {
	cpuMs: number;
	wallMs: number;
}

/** @throws when it fails */
function cost(line: string, cwd: string, env: Record<string, string> = {}): Cost {
	const started = performance.now();
	const { status, stdout, stderr } = spawnSync("bash", ["-c", `set -o pipefail; ( ${line} ) >/dev/null || exit 1; times`], {
		cwd,
		encoding: "utf8",
		env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
	});
	if (status !== 0) throw new Error(`${line}: ${stderr}`);
	const seconds = [...(stdout.trim().split("\n").at(-1) ?? "").matchAll(/(\d+)m([\d.]+)s/g)].map(
		([, minutes, rest]) => Number(minutes) * 60 + Number(rest),
	);
	return { cpuMs: 1000 * seconds.reduce((sum, one) => sum + one, 0), wallMs: performance.now() - started };
}

export async function run(): Promise<BenchTable> {
	return await inLab(async (lab) => {
		const workspace = await lab.workspace("helios");
		const copy = path.join(lab.directory, "copy.git");
		spawnSync("git", ["-c", "core.fsync=none", "fast-import", "--quiet", "--done", "--force"], {
			cwd: workspace.directory,
			input: [...longHistory()].join(""),
			maxBuffer: 2 ** 30,
		});
		await workspace.git("reset", "--quiet", "--hard", "main");
		await workspace.git("push", "--quiet", "origin", "main");
		await command("git", ["init", "-q", "--bare", copy]);
		const floor = cost(`git fast-export --all | git --git-dir '${copy}' fast-import --quiet --force`, workspace.directory);
		const env = {
			NODE_NAME: "helios",
			SYNC_WORKSPACE: workspace.directory,
			SYNC_SECRETS: "off",
			HEARTBEAT_KEY: "a key for the bench only",
		};
		const program = `'${process.execPath}' '${path.join(root, "bin/robust-sync")}'`;
		cost(`${program} --once`, workspace.directory, env);
		const other = await lab.workspace("chad");
		const otherEnv = { ...env, NODE_NAME: "chad", SYNC_WORKSPACE: other.directory };
		cost(`${program} --once`, other.directory, otherEnv);
		const dry = cost(`printf '${value}' | ${program} --forget-value - --dry-run`, workspace.directory, env);
		const ours = cost(`printf '${value}' | ${program} --forget-value -`, workspace.directory, env);
		const theirs = cost(`${program} --once`, other.directory, otherEnv);
		for (const { directory } of [workspace, other]) {
			const left = spawnSync("git", ["log", "--oneline", "--all", "-S", value], { cwd: directory, encoding: "utf8" }).stdout;
			if (left !== "") throw new Error(`the value is still in ${left}`);
		}
		return {
			name: `A value forgotten in ${commits.toLocaleString("en-US")} commits over ${files} files`,
			rows: [
				timeRow("the new history worked out (--dry-run), CPU with that of git's processes", dry.cpuMs, floor.cpuMs, "≤ 1.5 ×"),
				timeRow("… time", dry.wallMs, floor.wallMs, "≤ 1.5 ×"),
				timeRow(
					"all of --forget-value: here, pushed, and the old objects removed here and on a hub beside it, CPU",
					ours.cpuMs,
					floor.cpuMs,
					"≤ 1.5 ×",
				),
				timeRow("… time", ours.wallMs, floor.wallMs, "≤ 1.5 ×"),
				timeRow("the next cycle of another node, which fetches it and does the same, CPU", theirs.cpuMs, floor.cpuMs, "≤ 1.5 ×"),
				timeRow("… time", theirs.wallMs, floor.wallMs, "≤ 1.5 ×"),
			],
			notes: ["floor: git fast-export --all | git fast-import of the same; --commits=100000 for as many commits"],
		};
	});
}
