import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { redact } from "@robust-sync/service/redact";
import { secretVariables } from "@robust-sync/workspace";
import { ChannelError } from "../delivery/channel.ts";
import { oneLine } from "../plain-text.ts";

export interface ProgramOptions {
	readonly timeoutMs: number;
	/** Standard input of the program; absent: none. */
	readonly input?: string | undefined;
	/** Content that it can read from descriptor 3, which no list of processes shows. */
	readonly private?: string | undefined;
	/** Values that must not appear in our messages. */
	readonly secrets: readonly string[];
	readonly env: NodeJS.ProcessEnv;
	readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a program that sends messages. No shell is involved; secrets that only this program needs (keys, tokens) are not passed on.
 * @throws ChannelError with the last line that it printed
 */
export async function runProgram(program: string, args: readonly string[], options: ProgramOptions): Promise<void> {
	const { timeoutMs, input, private: hidden, secrets, env, signal } = options;
	const { execa } = await import("execa");
	const childEnv = Object.fromEntries(Object.entries(env).filter(([name]) => !secretVariables.has(name)));
	const file = hidden === undefined ? null : openNameless(hidden);
	try {
		const result = await execa(program, args, {
			env: childEnv,
			extendEnv: false,
			timeout: timeoutMs,
			forceKillAfterDelay: 2_000,
			reject: false,
			maxBuffer: 65_536,
			...(input === undefined ? {} : { input }),
			// Always descriptor 3: execa's types accept literal numbers only.
			stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe", ...(file === null ? [] : [file as 3])],
			...(signal ? { cancelSignal: signal } : {}),
		});
		if (result.failed) throw new ChannelError(redact(reasonOf(program, result, timeoutMs), [...secrets]));
	} finally {
		if (file !== null) closeSync(file);
	}
}

/** A file without a name, reachable by its descriptor only: a pipe of Node is a socket, which cannot be opened as /dev/fd/3. */
function openNameless(content: string): number {
	const directory = mkdtempSync(path.join(tmpdir(), "robust-sync-"));
	try {
		const file = path.join(directory, "private");
		const writing = openSync(file, "wx", 0o600);
		try {
			writeSync(writing, content);
			return openSync(file, "r");
		} finally {
			closeSync(writing);
		}
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
}

/** The last line of a program's output, without a time and severity in front of the text. */
function lastLine(output: unknown): string {
	const line = typeof output === "string" ? (output.split("\n").findLast((one) => one.trim() !== "") ?? "") : "";
	return line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,.]\d+ - (?:[A-Z]+ - )?/, "");
}

function reasonOf(
	program: string,
	result: {
		timedOut: boolean;
		exitCode?: number | undefined;
		signal?: string | undefined;
		code?: string | undefined;
		stdout?: unknown;
		stderr?: unknown;
	},
	timeoutMs: number,
): string {
	if (result.timedOut) return `${program} did not finish within ${timeoutMs / 1000} s`;
	if (result.code === "ENOENT") return `the command ${program} is no longer on PATH`;
	const reason = oneLine(lastLine(result.stderr) || lastLine(result.stdout), 200);
	const how = result.exitCode === undefined ? `ended by ${result.signal ?? result.code ?? "an error"}` : `exit code ${result.exitCode}`;
	return `${program} failed (${how})${reason === "" ? "" : `: ${reason}`}`;
}
