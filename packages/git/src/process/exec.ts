import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { classify, GitError } from "./errors.ts";

/** How one git process is run. */
export interface GitRunOptions {
	/** What it reads on standard input. */
	input?: string | Uint8Array | Iterable<string | Uint8Array> | Readable;
	/** Killed with its whole process group after this many milliseconds. */
	timeoutMs?: number;
	/** Exit codes that are an answer and not a failure. Default [0]. */
	accept?: readonly number[];
	/** Variables on top of the repository's environment. */
	env?: Readonly<Record<string, string>>;
	/** Standard output is handed over in pieces and not collected. Where the answer is "enough", git is ended, and that is no failure. */
	// biome-ignore lint/suspicious/noConfusingVoidType: who takes everything answers nothing
	onOutput?: (chunk: Buffer) => "enough" | undefined | void;
	/** Called before git is started once more (Repository.run): what was handed over before is void. Without it, output in pieces is not repeated. */
	onRepeat?: () => void;
	/** Standard output goes straight to this open file descriptor: none of it is ever in our memory. */
	outputTo?: number;
	/** Called with the process's id once it runs; what that answers is called when it has ended. */
	onRunning?: ((pid: number) => () => void) | undefined;
	/** Ends git early, which is no failure. */
	signal?: AbortSignal;
	/** The most memory that git may allocate (RLIMIT_DATA; packs are mapped, and not counted): it fails where it needs more. */
	maxDataBytes?: number;
	/** Names a failure. Default: classify, from standard error and the exit code alone. */
	explain?: typeof classify;
}

export interface GitResult {
	readonly stdout: Buffer;
	readonly stderr: string;
	readonly exitCode: number;
}

/** Local commands only ever take this long on a disk that does not answer. */
export const localTimeoutMs = 600_000;
/** Time from SIGTERM to SIGKILL: git removes its lock files on SIGTERM. */
const killGraceMs = 2_000;

const running = new Set<ChildProcess>();
let started = 0;

/** The number of git processes that this process has started: the unit of a cycle's cost. */
export function gitProcessesStarted(): number {
	return started;
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
	if (child.pid === undefined) return;
	try {
		process.kill(-child.pid, signal);
	} catch {
		// The whole group is gone.
	}
}

/** Ends every git process that runs, with its children (ssh, hooks, …). For the last moment of our own. */
export function killRunningGit(signal: NodeJS.Signals = "SIGTERM"): void {
	for (const child of running) signalGroup(child, signal);
}

/** A shell sets the limit, and becomes git. */
function limited(args: readonly string[], bytes: number): [string, string[]] {
	return ["/bin/sh", ["-c", `ulimit -S -d ${Math.floor(bytes / 1024)} 2>/dev/null; exec git "$@"`, "git", ...args]];
}

/**
 * The one door to git: starts `git` in `directory` with `args`, in a process group of its own, and waits for its end.
 * @param env the whole environment (git-environment.ts)
 * @throws GitError with the code that its failure means; GIT_TIMEOUT when it was killed for its time
 */
export async function runGit(
	directory: string,
	args: readonly string[],
	env: Readonly<Record<string, string>>,
	options: GitRunOptions = {},
): Promise<GitResult> {
	const { input, timeoutMs = localTimeoutMs, accept = [0], onOutput, signal: ender, maxDataBytes } = options;
	const command = args.find((arg) => !arg.startsWith("-")) ?? "";
	if (started++ === 0) process.once("exit", () => killRunningGit());
	return await new Promise<GitResult>((resolve, reject) => {
		const [program, all] = maxDataBytes === undefined ? ["git", args] : limited(args, maxDataBytes);
		const child = spawn(program, all, {
			cwd: directory,
			env: options.env ? { ...env, ...options.env } : env,
			detached: true,
			stdio: [input === undefined ? "ignore" : "pipe", options.outputTo ?? "pipe", "pipe"],
		});
		running.add(child);
		const stdout: Buffer[] = [];
		const stderr: Buffer[] = [];
		let stderrBytes = 0;
		let timedOut = false;
		let enough = false;
		let killer: NodeJS.Timeout | undefined;
		const timer = setTimeout(() => {
			timedOut = true;
			signalGroup(child, "SIGTERM");
			killer = setTimeout(() => signalGroup(child, "SIGKILL"), killGraceMs);
		}, timeoutMs);
		const ended = child.pid === undefined ? undefined : options.onRunning?.(child.pid);
		const endEarly = () => {
			enough = true;
			signalGroup(child, "SIGTERM");
		};
		if (ender?.aborted) endEarly();
		ender?.addEventListener("abort", endEarly);
		const settle = () => {
			ended?.();
			ender?.removeEventListener("abort", endEarly);
			running.delete(child);
			clearTimeout(timer);
			clearTimeout(killer);
		};
		child.stdout?.on("data", (chunk: Buffer) => {
			if (!onOutput) stdout.push(chunk);
			else if (!enough && onOutput(chunk) === "enough") endEarly();
		});
		child.stderr?.on("data", (chunk: Buffer) => {
			// A remote can send any amount of text.
			if (stderrBytes < 65_536) stderr.push(chunk);
			stderrBytes += chunk.length;
		});
		child.on("error", (error: NodeJS.ErrnoException) => {
			settle();
			if (error.code === "ENOENT") {
				reject(
					new GitError("INTERNAL", `git cannot be started: install git 2.38 or newer, and check that ${directory} exists`, "", null, {
						cause: error,
					}),
				);
			} else if (error.code === "EMFILE" || error.code === "ENFILE") {
				reject(
					new GitError(
						"INTERNAL",
						`git cannot be started: the limit of open files is reached (${error.code}); raise it (ulimit -n, LimitNOFILE=)`,
						"",
						null,
						{ cause: error },
					),
				);
			} else reject(new GitError("INTERNAL", `git cannot be started (${error.code})`, "", null, { cause: error }));
		});
		const end = (exitCode: number | null, signal: NodeJS.Signals | null) => {
			settle();
			if (timedOut) {
				// What it started (ssh, a remote helper) must not outlive it.
				signalGroup(child, "SIGKILL");
				child.stdout?.destroy();
				child.stderr?.destroy();
			}
			const text = Buffer.concat(stderr).toString("utf8");
			if (timedOut) {
				reject(
					new GitError(
						"GIT_TIMEOUT",
						`git ${command} was killed after ${timeoutMs / 1000} s: the remote or the disk does not answer (GIT_TIMEOUT sets the time)`,
						text,
					),
				);
			} else if (enough) resolve({ stdout: Buffer.alloc(0), stderr: text, exitCode: 0 });
			else if (exitCode !== null && accept.includes(exitCode)) resolve({ stdout: Buffer.concat(stdout), stderr: text, exitCode });
			else reject((options.explain ?? classify)(command, signal ? `${text}\nkilled by ${signal}` : text, exitCode, signal));
		};
		child.on("close", end);
		// A shared ssh connection that is dead holds our ends of the pipes open until it notices: they are not waited for.
		child.on("exit", (exitCode, signal) => {
			if (timedOut) end(exitCode, signal);
		});
		if (input !== undefined && child.stdin) {
			// A process that ends without reading everything is judged by its exit code.
			child.stdin.on("error", () => undefined);
			feed(child.stdin, input);
		}
	});
}

function feed(stdin: NodeJS.WritableStream, input: NonNullable<GitRunOptions["input"]>): void {
	if (typeof input === "string" || input instanceof Uint8Array) stdin.end(input);
	else if ("pipe" in input && typeof input.pipe === "function") input.pipe(stdin);
	else {
		const parts = (input as Iterable<string | Uint8Array>)[Symbol.iterator]();
		const push = () => {
			for (;;) {
				const { value, done } = parts.next();
				if (done) {
					stdin.end();
					return;
				}
				if (!stdin.write(value)) {
					stdin.once("drain", push);
					return;
				}
			}
		};
		push();
	}
}
