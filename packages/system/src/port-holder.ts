import { execFile } from "node:child_process";

const askTimeoutMs = 2_000;

/** The process that listens on a port of this machine, as `name (pid N)`; null: ss(8) is missing, or this user cannot see the process. */
export function portHolder(protocol: "tcp" | "udp", port: number): Promise<string | null> {
	return new Promise((resolve) => {
		execFile("ss", [protocol === "tcp" ? "-Hltnp" : "-Hulnp", `sport = :${port}`], { timeout: askTimeoutMs }, (error, stdout) => {
			const match = error ? null : /users:\(\("([^"]*)",pid=(\d+)/.exec(stdout);
			resolve(match ? `${match[1]} (pid ${match[2]})` : null);
		});
	});
}
