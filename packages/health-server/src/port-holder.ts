import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const askTimeout_ms = 2_000;

/** Picks the program and pid out of what `ss -ltnp` printed for one port; null: it does not say (not ours to see). */
export function parseHolder(output: string): string | null {
	const match = /users:\(\("([^"]*)",pid=(\d+)/.exec(output);
	return match ? `${match[1]} (pid ${match[2]})` : null;
}

/** Who listens on a TCP port of this machine, in words, or null when it cannot be known (no `ss`, another user's process). */
export async function portHolder(port: number): Promise<string | null> {
	try {
		const { stdout } = await run("ss", ["-Hltnp", `sport = :${port}`], { timeout: askTimeout_ms });
		return parseHolder(stdout);
	} catch {
		return null;
	}
}
