import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { processStartedAt } from "@robust-sync/system/process-table";
import { timestamp } from "@robust-sync/system/timestamps";
import { type HeartbeatState, WorkspacePaths } from "@robust-sync/workspace";
import { syncStateAt } from "@robust-sync/workspace/testing/sync-state";

const here = path.dirname(fileURLToPath(import.meta.url));
const banner =
	'import { createRequire as __createRequire } from "node:module";import { fileURLToPath as __fileURLToPath } from "node:url";const require = __createRequire(import.meta.url), __filename = __fileURLToPath(import.meta.url);';

/** The result of a finished command. */
export interface Finished {
	readonly code: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

/** Resolves when `condition` holds. @throws after `withinMs` */
export async function becomes(condition: () => boolean, withinMs = 10_000): Promise<void> {
	const deadline = performance.now() + withinMs;
	while (!condition()) {
		if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${condition}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

/** `monitor` as an executable, bundled as the build does it, in a git working tree of its own. */
export class Executable {
	readonly #directory = mkdtempSync(path.join(tmpdir(), "robust-sync-monitor-"));
	readonly #bundle = path.join(this.#directory, "monitor.mjs");
	readonly #children: ChildProcess[] = [];
	#workspaces = 0;

	constructor() {
		const esbuild = createRequire(import.meta.url).resolve("esbuild/bin/esbuild");
		execFileSync(esbuild, [
			path.join(here, "../cli.ts"),
			`--outfile=${this.#bundle}`,
			"--bundle",
			"--platform=node",
			"--format=esm",
			"--target=node20",
			"--log-level=warning",
			`--banner:js=${banner}`,
		]);
	}

	/** A new workspace: a repository with one commit and `.sync_env`. */
	workspace(env: Record<string, string> = {}): WorkspacePaths {
		const root = path.join(this.#directory, `workspace-${this.#workspaces++}`);
		mkdirSync(path.join(root, "sync"), { recursive: true });
		const git = (...args: string[]) =>
			execFileSync("git", ["-C", root, "-c", "user.name=t", "-c", "user.email=t@t", ...args], { stdio: "ignore" });
		git("init", "-q");
		git("commit", "-q", "--allow-empty", "-m", "first");
		const paths = new WorkspacePaths(root);
		this.configure(paths, env);
		return paths;
	}

	configure(paths: WorkspacePaths, env: Record<string, string>): void {
		const lines = Object.entries({ NODE_NAME: "helios", ...env }).map(([name, value]) => `export ${name}=${value}\n`);
		writeFileSync(paths.envFile, lines.join(""), { mode: 0o600 });
	}

	#environment(env: Record<string, string>): NodeJS.ProcessEnv {
		// As under a service manager: no supervisor of its own unless the test wants one.
		return { PATH: process.env.PATH, HOME: this.#directory, INVOCATION_ID: "test", NO_PROXY: "127.0.0.1", ...env };
	}

	start(paths: WorkspacePaths, args: string[], env: Record<string, string> = {}): ChildProcess & { output: () => string } {
		const child = spawn(process.execPath, [this.#bundle, ...args], {
			cwd: paths.root,
			env: this.#environment(env),
			stdio: ["ignore", "pipe", "pipe"],
		});
		this.#children.push(child);
		let output = "";
		for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
		return Object.assign(child, { output: () => output });
	}

	run(paths: WorkspacePaths, args: string[], env: Record<string, string> = {}): Promise<Finished> {
		return new Promise((resolve) => {
			const child = spawn(process.execPath, [this.#bundle, ...args], {
				cwd: paths.root,
				env: this.#environment(env),
				stdio: ["ignore", "pipe", "pipe"],
			});
			this.#children.push(child);
			let stdout = "";
			let stderr = "";
			child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString("utf8")));
			child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString("utf8")));
			child.once("close", (code) => resolve({ code, stdout, stderr }));
		});
	}

	/** A process in the place of a service, with the state that the service would write and its lock. */
	service(paths: WorkspacePaths, service: "sync" | "heartbeat" | "health-server"): ChildProcess & { beat: () => void } {
		const child = spawn("sleep", ["600"], { stdio: "ignore" });
		this.#children.push(child);
		const pid = child.pid ?? 0;
		const started = processStartedAt(pid) ?? timestamp(Date.now());
		const beat = () => writeState(paths, service, { pid, pid_started_at: started });
		beat();
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		const start_ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
		const boot_id = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
		writeFileSync(
			paths.instanceLock(service),
			JSON.stringify({ pid, pid_started_at: started, start_ticks, boot_id, token: "t", purpose: service }),
		);
		return Object.assign(child, { beat });
	}

	async remove(): Promise<void> {
		for (const child of this.#children) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
		rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 });
	}
}

function writeState(
	paths: WorkspacePaths,
	service: "sync" | "heartbeat" | "health-server",
	process: { pid: number; pid_started_at: string },
): void {
	const now = timestamp(Date.now());
	const writer = { schema: 1 as const, node: "helios", ...process, updated_at: now, started_at: process.pid_started_at };
	const sync = syncStateAt(now, { ...writer, head: "a".repeat(40) });
	const heartbeat: HeartbeatState = {
		...writer,
		boot_id: "b",
		sequence: 1,
		last_sent: null,
		port: 8765,
		authenticated: false,
		peers: [],
		totals: { sent: 0, received: 0, acked: 0, rejected: {} },
	};
	const files = {
		sync: [paths.syncState, sync],
		heartbeat: [paths.heartbeatState, heartbeat],
		"health-server": [paths.healthState, { ...writer, port: 8080 }],
	} as const;
	const [file, state] = files[service];
	writeFileSync(file, JSON.stringify(state));
}
