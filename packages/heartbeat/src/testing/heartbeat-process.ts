import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import {
	type HeartbeatState,
	heartbeatStateSchema,
	type PeerState,
	peerStateSchema,
	readState,
	WorkspacePaths,
} from "@robust-sync/workspace";

const executable = fileURLToPath(new URL("../../../../bin/heartbeat", import.meta.url));

/** The result of a finished command. */
export interface Finished {
	code: number | null;
	stdout: string;
	stderr: string;
}

/** A workspace, and `bin/heartbeat` run in it as a real process. */
export class HeartbeatWorkspace {
	readonly paths = new WorkspacePaths(mkdtempSync(path.join(tmpdir(), "heartbeat-process-")));
	readonly #env: NodeJS.ProcessEnv;
	readonly #prefix: readonly string[];
	readonly #children = new Set<ChildProcess>();

	/**
	 * @param env configuration by variable
	 * @param prefix a command to run it under, such as `ip netns exec NAME`
	 */
	constructor(env: Record<string, string> = {}, prefix: readonly string[] = []) {
		mkdirSync(this.paths.sync);
		this.#env = { PATH: process.env.PATH, HOME: this.paths.root, SYNC_WORKSPACE: this.paths.root, ...env };
		this.#prefix = prefix;
	}

	/**
	 * Starts it.
	 * @param unit as a service manager does: without a supervisor of its own
	 */
	start(args: readonly string[] = [], { unit = true }: { unit?: boolean } = {}): { child: ChildProcess; finished: Promise<Finished> } {
		const [command, ...rest] = [...this.#prefix, process.execPath, executable, ...args];
		const child = spawn(command!, rest, {
			env: { ...this.#env, ...(unit ? { INVOCATION_ID: "test" } : {}) },
			stdio: ["ignore", "pipe", "pipe"],
		});
		this.#children.add(child);
		const output = { stdout: "", stderr: "" };
		child.stdout.on("data", (chunk) => (output.stdout += chunk));
		child.stderr.on("data", (chunk) => (output.stderr += chunk));
		const finished = new Promise<Finished>((resolve) =>
			child.on("close", (code) => {
				this.#children.delete(child);
				resolve({ code, ...output });
			}),
		);
		return { child, finished };
	}

	/** Runs it to its end. */
	run(...args: string[]): Promise<Finished> {
		return this.start(args).finished;
	}

	peer(name: string): PeerState | null {
		const read = readState(this.paths.peerState(name), peerStateSchema);
		return read.kind === "ok" ? read.state : null;
	}

	state(): HeartbeatState | null {
		const read = readState(this.paths.heartbeatState, heartbeatStateSchema);
		return read.kind === "ok" ? read.state : null;
	}

	log(): string {
		return readFileSync(this.paths.logFile("heartbeat"), "utf8");
	}

	/** Ends the running processes and removes the directory. */
	async remove(): Promise<void> {
		await Promise.all(
			[...this.#children].map((child) => {
				const ended = new Promise((resolve) => child.once("close", resolve));
				child.kill("SIGCONT");
				child.kill("SIGTERM");
				return ended;
			}),
		);
		rmSync(this.paths.root, { recursive: true, force: true });
	}
}
