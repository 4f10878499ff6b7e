import { spawn } from "node:child_process";

/** How a command ended. */
export interface Ended {
	/** The exit code; -1 when a signal ended it. */
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

export interface CommandOptions {
	/** Written to its standard input. */
	input?: string;
	/** On top of this process's environment. */
	env?: Record<string, string>;
	/** Time limit, after which it is killed. Default 2 minutes. */
	timeoutMs?: number;
}

/** Runs a command to its end, with any exit code. @throws when it cannot be started */
export function attempt(argv: readonly string[], options: CommandOptions = {}): Promise<Ended> {
	return new Promise((resolve, reject) => {
		const child = spawn(argv[0]!, argv.slice(1), {
			env: { ...process.env, ...options.env },
			stdio: "pipe",
			timeout: options.timeoutMs ?? 120_000,
			killSignal: "SIGKILL",
		});
		let stdout = "";
		let stderr = "";
		child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
		child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
		child.stdin.on("error", () => undefined).end(options.input ?? "");
		child.once("error", reject);
		child.once("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
	});
}

/** Runs a command that must succeed. @returns its standard output @throws with its output */
export async function must(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
	const { code, stdout, stderr } = await attempt(argv, options);
	if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
	return stdout;
}

/** Polls until there is a result. @returns the result, and how long it took in milliseconds @throws after the deadline, naming `what` */
export async function until<T>(
	what: string,
	look: () => Promise<T | undefined | false>,
	{ deadlineMs = 60_000, pauseMs = 50 } = {},
): Promise<{ seen: T; tookMs: number }> {
	const begun = performance.now();
	for (;;) {
		const seen = await look();
		const tookMs = performance.now() - begun;
		if (seen !== undefined && seen !== false) return { seen, tookMs };
		if (tookMs > deadlineMs) throw new Error(`not seen within ${deadlineMs / 1000} s: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, pauseMs));
	}
}
