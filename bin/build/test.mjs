// Runs one suite: `node bin/build/test.mjs fast|slow|systemd [jest arguments]`. Installs and builds first.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "./bootstrap.mjs";
import { build } from "./build.mjs";

/** Each suite by its files' names (jest.config.mjs), and its duration on two cores. */
const durations = { fast: "5 minutes", slow: "40 minutes", systemd: "12 minutes" };
export const suites = Object.keys(durations);

/** Optional programs of the fast suite: without one, its tests end at once, or check less. */
const optionalPrograms = ["fish", "fcgiwrap", "git-lfs", "groff", "ip", "nginx", "shellcheck", "sqlite3", "ss", "ssh", "sshd", "zsh"];

/** @returns the programs that are in no directory of the PATH, nor in the directories of servers */
function notInstalled(programs) {
	const directories = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/sbin", "/sbin"].filter(Boolean);
	return programs.filter((name) => !directories.some((directory) => existsSync(path.join(directory, name))));
}

/** Prints the suite, its duration, and the programs that are missing here. */
function announce(suite, args) {
	const time = args.some((arg) => !arg.startsWith("-")) ? "" : ` It takes about ${durations[suite]} on two cores.`;
	process.stderr.write(`The ${suite} suite.${time}\n`);
	const missing = suite === "fast" ? notInstalled(optionalPrograms) : [];
	if (missing.length > 0) process.stderr.write(`Not installed here, so not tested with: ${missing.join(", ")}.\n`);
}

/** Starts jest on one suite, in a process group of its own if `detached`. @returns the child process */
export function startJest(suite, args, { node = process.execPath, ...options } = {}) {
	const jest = path.join(root, "node_modules/jest/bin/jest.js");
	return spawn(node, ["--experimental-vm-modules", "--no-warnings", jest, ...args], {
		cwd: root,
		stdio: "inherit",
		...options,
		env: { ...process.env, ...options.env, ROBUST_SYNC_SUITE: suite },
	});
}

async function main() {
	const [suite = "fast", ...args] = process.argv.slice(2);
	if (!suites.includes(suite)) {
		process.stderr.write(`no suite '${suite}': ${suites.join(", ")}\n`);
		return 2;
	}
	announce(suite, args);
	try {
		await build();
	} catch (error) {
		process.stderr.write(`${error.message}\n`);
		return 1;
	}
	const jest = startJest(suite, args);
	// Ctrl-C reaches jest through the terminal; a signal for this process alone is passed on, so that no test is left running.
	for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => jest.kill(signal));
	process.on("SIGINT", () => undefined);
	return await new Promise((resolve) => {
		jest.on("error", (error) => {
			process.stderr.write(`jest cannot be started: ${error.message}\n`);
			resolve(1);
		});
		jest.on("close", (code) => resolve(code ?? 1));
	});
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main();
