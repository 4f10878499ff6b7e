import { execFileSync } from "node:child_process";

/** Runs git, also in a repository of another user. @returns what it printed @throws if it fails */
export function git(directory: string, args: readonly string[], input?: string): string {
	return execFileSync("git", args, {
		cwd: directory,
		encoding: "utf8",
		maxBuffer: 2 ** 30,
		stdio: ["pipe", "pipe", "pipe"],
		...(input === undefined ? {} : { input }),
		env: { PATH: process.env.PATH, LC_ALL: "C", GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "safe.directory", GIT_CONFIG_VALUE_0: "*" },
	});
}
