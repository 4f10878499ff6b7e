// What every peer is asked to be: two directories that it keeps the same, one process group a side.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface Peer {
	readonly name: string;
	/** Debian package; null: nothing beyond what this project needs. */
	readonly package: string | null;
	/** The program that shows whether it is installed. */
	readonly program: string;
	version(): string;
	/** One line that does by hand what is measured. */
	readonly reproduce: string;
	/** What must be known to read its figures. */
	readonly note?: string;
	/** Makes two directories that are the same, below `directory`; nothing runs yet. */
	prepare(directory: string): Promise<Pair>;
}

export interface Pair {
	readonly directories: readonly [string, string];
	/** Starts one side, or both where one process does it all (then the other side does nothing). */
	start(side: 0 | 1): Promise<void>;
	readonly groups: readonly [Group, Group];
	/** Where a write has arrived, when that is not the other directory. */
	readonly arrived?: (name: string) => string | null;
}

/** Variables of the caller's environment that must not reach the tools. */
export function cleanEnvironment(home: string): Record<string, string> {
	return {
		PATH: process.env.PATH ?? "/usr/bin:/bin",
		HOME: home,
		LANG: "C.UTF-8",
		GIT_AUTHOR_NAME: "bench",
		GIT_AUTHOR_EMAIL: "bench@localhost",
		GIT_COMMITTER_NAME: "bench",
		GIT_COMMITTER_EMAIL: "bench@localhost",
	};
}

/** Runs a command to its end. @throws when it fails */
export function run(program: string, args: readonly string[], cwd: string, env = cleanEnvironment(cwd)): string {
	const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, env, encoding: "utf8", timeout: 60_000 });
	if (error || status !== 0) throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? status}: ${stderr}`);
	return stdout;
}

let groups = 0;

/** The processes of one side, each started in a session of its own. */
export class Group {
	readonly #children: ChildProcess[] = [];
	/** In the environment of all of them: a daemon leaves its session, but keeps this. */
	readonly #mark = `BENCH_GROUP=${process.pid}-${groups++}`;

	spawn(program: string, args: readonly string[], cwd: string, env = cleanEnvironment(cwd)): number {
		const [name = "", value] = this.#mark.split("=");
		const child = spawn(program, args, {
			cwd,
			env: { ...env, [name]: value },
			detached: true,
			stdio: process.env.BENCH_VERBOSE ? "inherit" : "ignore",
		});
		child.on("error", () => undefined);
		this.#children.push(child);
		return child.pid ?? 0;
	}

	async end(signal: NodeJS.Signals): Promise<void> {
		const processes = this.#processes();
		const children = this.#children.splice(0);
		for (const { pid } of processes) {
			try {
				process.kill(pid, signal);
			} catch {
				// Ended by itself.
			}
		}
		await Promise.all(
			children.map((child) =>
				child.exitCode !== null || child.signalCode !== null ? null : new Promise((resolve) => child.once("close", resolve)),
			),
		);
		// Processes without a parent: they get this time to end by a signal, and are then killed.
		const deadline = performance.now() + 10_000;
		for (let left = processes; left.length > 0; left = left.filter(({ pid }) => statOf(pid) !== null)) {
			if (performance.now() > deadline) for (const { pid } of left) kill(pid);
			await sleep(10);
		}
	}

	/** All processes of the sessions that were started, whatever group or session they made for themselves. */
	#processes(): { pid: number; fields: number[] }[] {
		const sessions = new Set(this.#children.map(({ pid }) => pid));
		return fs
			.readdirSync("/proc")
			.filter((name) => /^\d+$/.test(name))
			.map((name) => ({ pid: Number(name), fields: statOf(Number(name)) ?? [] }))
			.filter(({ pid, fields }) => fields.length > 0 && (sessions.has(fields[3] ?? 0) || this.#hasMark(pid)));
	}

	#hasMark(pid: number): boolean {
		try {
			return fs.readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(this.#mark);
		} catch {
			return false;
		}
	}

	/** Seconds of CPU so far, of all processes and those that they waited for; and their resident memory. */
	cost(): { seconds: number; rss: number } {
		let [seconds, rss] = [0, 0];
		for (const { pid, fields } of this.#processes()) {
			seconds += fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0) / 100;
			try {
				rss += Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
			} catch {
				// Gone between two looks.
			}
		}
		return { seconds, rss };
	}
}

/** The fields of proc(5) about a process, from its state on (the session is the fourth); null: it is gone. */
function statOf(pid: number): number[] | null {
	try {
		const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
		const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
		return fields[0] === "Z" ? null : fields.map(Number);
	} catch {
		return null;
	}
}

function kill(pid: number): void {
	try {
		process.kill(pid, "SIGKILL");
	} catch {
		// Gone by now.
	}
}

/** A bare hub and two clones of it with one file, for what works through git. */
export function gitPair(directory: string, prepareClone?: (clone: string) => void): readonly [string, string] {
	const hub = path.join(directory, "hub.git");
	run("git", ["init", "-q", "--bare", "-b", "main", hub], directory);
	const clones = ["helios", "chad"].map((name) => path.join(directory, name)) as [string, string];
	for (const [index, clone] of clones.entries()) {
		run("git", ["clone", "-q", `file://${hub}`, clone], directory);
		if (index === 0) {
			run("git", ["symbolic-ref", "HEAD", "refs/heads/main"], clone);
			fs.writeFileSync(path.join(clone, "first.txt"), "first\n");
			run("git", ["add", "-A"], clone);
			run("git", ["commit", "-q", "-m", "first"], clone);
			run("git", ["push", "-q", "-u", "origin", "main"], clone);
		}
		prepareClone?.(clone);
	}
	return clones;
}

/** Two directories with the same file, for what works without git. */
export function plainPair(directory: string): readonly [string, string] {
	return ["helios", "chad"].map((name) => {
		const side = path.join(directory, name);
		fs.mkdirSync(side);
		fs.writeFileSync(path.join(side, "first.txt"), "first\n");
		return side;
	}) as unknown as readonly [string, string];
}

export const firstLine = (program: string, args: readonly string[]): string => run(program, args, "/").split("\n")[0]?.trim() ?? "";
