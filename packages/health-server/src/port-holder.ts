import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const askTimeoutMs = 2_000;

/** The program and pid in the output of `ss -ltnp` for one port; null: not visible to this user. */
export function parseHolder(output: string): string | null {
	const match = /users:\(\("([^"]*)",pid=(\d+)/.exec(output);
	return match ? `${match[1]} (pid ${match[2]})` : null;
}

/** The process that listens on a TCP port of this machine, in words, or null if unknown (no `ss`, another user's process). */
export async function portHolder(port: number): Promise<string | null> {
	try {
		const { stdout } = await run("ss", ["-Hltnp", `sport = :${port}`], { timeout: askTimeoutMs });
		return parseHolder(stdout);
	} catch {
		return null;
	}
}
