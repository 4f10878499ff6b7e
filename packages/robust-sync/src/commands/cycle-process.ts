import { spawn } from "node:child_process";
import { realpathSync } from "node:fs";
import { withRemoteMessage } from "@robust-sync/workspace";
import * as z from "zod/mini";

const maxOutputBytes = 8 * 1_048_576;

/** The part of the answer of `--once --json` that has the reason for a failure. */
const answerSchema = z.object({
	last_error: z.nullable(z.object({ code: z.string(), message: z.string(), remote_message: z.optional(z.nullable(z.string())) })),
});

/** A cycle in a process of its own: the caller can stop waiting for it at any time, and the cycle still finishes. */
export interface CycleProcess {
	/** Resolves to the reason for its failure; null: it succeeded. Never rejects. */
	readonly ended: Promise<string | null>;
	/** Detaches from the cycle: this process can end while it continues. */
	leave(): void;
}

function problemOf(exitCode: number | null, stdout: string, stderr: string): string | null {
	if (exitCode === 0) return null;
	try {
		const { last_error: error } = answerSchema.parse(JSON.parse(stdout));
		if (error !== null) return `${error.code}: ${withRemoteMessage(error.message, error.remote_message ?? null)}`;
	} catch {
		// The process ended before it had a state to print: its last line on standard error has the reason.
	}
	const line = stderr.trim().split("\n").at(-1) ?? "";
	return line.replace(/^robust-sync: /, "") || `the cycle ended with ${exitCode === null ? "a signal" : `exit code ${exitCode}`}`;
}

/** Starts `robust-sync --once` in a workspace. @param root the workspace @param program the file that this process runs */
export function startCycle(root: string): CycleProcess {
	const child = spawn(process.execPath, [realpathSync(process.argv[1] ?? ""), "--once", "--json", `--workspace=${root}`], {
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
