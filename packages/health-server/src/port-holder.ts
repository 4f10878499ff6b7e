import { execFile } from "node:child_process";
import { createServer, type Server } from "node:net";
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

/** Starts listening. @throws the system's error, such as EADDRINUSE */
export function listen(server: Server, port: number, host: string): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.listen({ port, host: host.replace(/^\[|\]$/g, "") }, () => {
			server.off("error", reject);
			resolve();
		});
	});
}

/** Whether the port can be had now. @throws the system's error when not */
export async function tryPort(port: number, host: string): Promise<void> {
	const probe = createServer();
	await listen(probe, port, host);
	await new Promise((resolve) => probe.close(resolve));
}
