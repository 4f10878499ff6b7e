// Runs one suite: `node bin/build/test.mjs fast|slow|systemd [jest arguments]`. Installs and builds first.
import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "./bootstrap.mjs";
import { build } from "./build.mjs";

/** One suite a run, by the file's name (jest.config.mjs). */
export const suites = ["fast", "slow", "systemd"];

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
	try {
		await build();
	} catch (error) {
		process.stderr.write(`${error.message}\n`);
		return 1;
	}
	const jest = startJest(suite, args);
	// Ctrl-C reaches jest through the terminal; a signal for us alone is passed on, so that no test is left running.
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

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(await main());
