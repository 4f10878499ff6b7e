// Two workspaces and a hub in a temporary directory, daemons in them, and the bare git commands beside them.
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { withAllocatorSettings } from "@robust-sync/system/allocator-settings";
import { readState, type SyncState, syncStateSchema } from "@robust-sync/workspace";

export const root = path.resolve(import.meta.dirname, "..");

// Nothing of the caller's configuration or service manager may reach what is measured.
const inherited = Object.fromEntries(
	Object.entries(process.env).filter(([name]) => /^(PATH|HOME|LANG|TMPDIR|USER|NODE_NO_WARNINGS)$/.test(name)),
);
const identity = {
	GIT_AUTHOR_NAME: "bench",
	GIT_AUTHOR_EMAIL: "bench@localhost",
	GIT_COMMITTER_NAME: "bench",
	GIT_COMMITTER_EMAIL: "bench@localhost",
};

/** Runs a command to its end. @returns its standard output @throws when it fails */
export async function command(
	program: string,
	args: readonly string[],
	{ cwd, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<string> {
	const child = spawn(program, args, { cwd, env: { ...inherited, ...identity, ...env }, stdio: ["ignore", "pipe", "pipe"] });
	let [output, errors] = ["", ""];
	child.stdout.on("data", (chunk) => {
		output += chunk;
	});
	child.stderr.on("data", (chunk) => {
		errors += chunk;
	});
	const code = await new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
	if (code !== 0) throw new Error(`${program} ${args.join(" ")}: ${code}: ${errors}`);
	return output;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => unknown): Promise<number> {
	const started = performance.now();
	await work();
	return performance.now() - started;
}

/** Checks every millisecond until `isTrue`. @throws after 60 s, or BENCH_PATIENCE_S seconds (a million files take longer) */
export async function until(what: string, isTrue: () => boolean): Promise<void> {
	const deadline = performance.now() + Number(process.env.BENCH_PATIENCE_S ?? 60) * 1_000;
	while (!isTrue()) {
		if (performance.now() > deadline) throw new Error(`waited for ${what}`);
		await sleep(1);
	}
}

/** A workspace: a clone of the hub. */
export class Workspace {
	readonly directory: string;
	readonly name: string;
	#daemon: ChildProcess | undefined;

	constructor(directory: string) {
		this.directory = directory;
		this.name = path.basename(directory);
	}

	git(...args: string[]): Promise<string> {
		return command("git", args, { cwd: this.directory });
	}

	write(name: string, content: string): void {
		const file = path.join(this.directory, name);
		fs.mkdirSync(path.dirname(file), { recursive: true });
		fs.writeFileSync(file, content);
	}

	read(name: string): string | null {
		try {
			return fs.readFileSync(path.join(this.directory, name), "utf8");
		} catch {
			return null;
		}
	}

	/** Files of about 200 bytes, a hundred a directory. */
	fill(files: number): void {
		for (let i = 0; i < files; i++) this.write(`d${Math.floor(i / 100)}/f${i}.txt`, `${`file ${i} `.repeat(20)}\n`);
	}

	get state(): SyncState | null {
		const read = readState(path.join(this.directory, "sync/sync_state.json"), syncStateSchema);
		return read.kind === "ok" ? read.state : null;
	}

	/** What git has checked out, without asking git. */
	get head(): string | null {
		return readRefFile(path.join(this.directory, ".git"));
	}

	robustSync(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
		return command(path.join(root, "bin/robust-sync"), args, { cwd: this.directory, env: { ...this.#env, ...env } });
	}

	get #env(): Record<string, string> {
		return { NODE_NAME: this.name, SYNC_WORKSPACE: this.directory };
	}

	/** The daemon as a service manager runs it: one process. Its first cycle is done when this returns. */
	async start(env: Record<string, string> = {}): Promise<number> {
		const child = spawn(process.execPath, [path.join(root, "bin/robust-sync")], {
			cwd: this.directory,
			env: { ...withAllocatorSettings(inherited), ...identity, ...this.#env, INVOCATION_ID: "bench", ...env },
			stdio: ["ignore", "ignore", process.env.BENCH_VERBOSE ? "inherit" : "ignore"],
		});
		this.#daemon = child;
		await until(
			`the first cycle of ${this.name}`,
			() => this.state?.pid === child.pid && this.state?.last_cycle !== null && this.state?.status === "idle",
		);
		return child.pid ?? 0;
	}

	/** Wakes the daemon for a cycle, and waits until that cycle is recorded. */
	async cycle(): Promise<void> {
		const before = this.state?.totals.cycles ?? 0;
		this.#daemon?.kill("SIGUSR1");
		await until("a cycle", () => (this.state?.totals.cycles ?? 0) > before && this.state?.status === "idle");
	}

	async stop(): Promise<void> {
		const child = this.#daemon;
		this.#daemon = undefined;
		if (!child || child.exitCode !== null) return;
		const ended = new Promise((resolve) => child.once("close", resolve));
		child.kill("SIGTERM");
		await ended;
	}
}

function readRefFile(gitDirectory: string): string | null {
	try {
		return fs.readFileSync(path.join(gitDirectory, "refs/heads/main"), "utf8").trim();
	} catch {
		return null;
	}
}

/** A hub and workspaces of it, all gone after `close`. */
export class Lab {
	readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-bench-"));
	readonly hub = path.join(this.directory, "hub.git");
	readonly #workspaces: Workspace[] = [];

	/** The commit of `main` on the hub, without asking git. */
	get hubHead(): string | null {
		return readRefFile(this.hub);
	}

	async init(): Promise<void> {
		await command("git", ["init", "-q", "--bare", "-b", "main", this.hub]);
	}

	async workspace(name: string): Promise<Workspace> {
		const directory = path.join(this.directory, name);
		await command("git", ["clone", "-q", `file://${this.hub}`, directory]);
		const workspace = new Workspace(directory);
		await workspace.git("symbolic-ref", "HEAD", "refs/heads/main");
		this.#workspaces.push(workspace);
		return workspace;
	}

	async close(): Promise<void> {
		await Promise.all(this.#workspaces.map((workspace) => workspace.stop()));
		fs.rmSync(this.directory, { recursive: true, force: true });
	}

	/** A `git` for PATH that counts how often it is started. */
	gitCounter(): { env: Record<string, string>; count(): number } {
		const bin = path.join(this.directory, "counting");
		const file = path.join(this.directory, "started");
		const git =
			(process.env.PATH ?? "")
				.split(":")
				.map((entry) => path.join(entry, "git"))
				.find((entry) => fs.existsSync(entry)) ?? "/usr/bin/git";
		fs.mkdirSync(bin, { recursive: true });
		fs.writeFileSync(path.join(bin, "git"), `#!/bin/sh\nprintf '%s\\n' "$*" >>'${file}'\nexec ${git} "$@"\n`, { mode: 0o755 });
		fs.writeFileSync(file, "");
		return {
			env: { PATH: `${bin}:${process.env.PATH ?? ""}` },
			count: () => fs.readFileSync(file, "utf8").split("\n").length - 1,
		};
	}
}

/** Runs `work` in a new lab. */
export async function inLab<T>(work: (lab: Lab) => Promise<T>): Promise<T> {
	const lab = new Lab();
	try {
		await lab.init();
		return await work(lab);
	} finally {
		await lab.close();
	}
}
