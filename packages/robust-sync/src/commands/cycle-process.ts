import { spawn } from "node:child_process";
import { realpathSync } from "node:fs";
import { withRemoteMessage } from "@robust-sync/workspace";
import * as z from "zod/mini";

const maxOutputBytes = 8 * 1_048_576;

/** What of the answer of `--once --json` says why it failed. */
const answerSchema = z.object({
	last_error: z.nullable(z.object({ code: z.string(), message: z.string(), remote_message: z.optional(z.nullable(z.string())) })),
});

/** A cycle in a process of its own: nobody has to wait for it longer than they want to, and it still ends what it began. */
export interface CycleProcess {
	/** Resolves with why it failed, null where it did not. Never rejects. */
	readonly ended: Promise<string | null>;
	/** Lets it go on alone: this process may end now. */
	leave(): void;
}

function problemOf(exitCode: number | null, stdout: string, stderr: string): string | null {
	if (exitCode === 0) return null;
	try {
		const { last_error: error } = answerSchema.parse(JSON.parse(stdout));
		if (error !== null) return `${error.code}: ${withRemoteMessage(error.message, error.remote_message ?? null)}`;
	} catch {
		// It ended before it had a state to print: its own line says why.
	}
	const line = stderr.trim().split("\n").at(-1) ?? "";
	return line.replace(/^robust-sync: /, "") || `the cycle ended with ${exitCode === null ? "a signal" : `exit code ${exitCode}`}`;
}

/** Starts `robust-sync --once` in a workspace. @param root the workspace @param program the file that this process runs */
export function startCycle(root: string, program = process.argv[1] ?? ""): CycleProcess {
	const child = spawn(process.execPath, [realpathSync(program), "--once", "--json", `--workspace=${root}`], {
		stdio: ["ignore", "pipe", "pipe"],
	});
	const texts = { stdout: "", stderr: "" };
	for (const name of ["stdout", "stderr"] as const)
		child[name].setEncoding("utf8").on("data", (chunk: string) => {
			if (texts[name].length < maxOutputBytes) texts[name] += chunk;
		});
	const ended = new Promise<string | null>((resolve) => {
		child.on("error", (error) => resolve(error.message));
		child.on("close", (exitCode) => resolve(problemOf(exitCode, texts.stdout, texts.stderr)));
	});
	return {
		ended,
		leave() {
			child.unref();
			child.stdout.destroy();
			child.stderr.destroy();
		},
	};
}
