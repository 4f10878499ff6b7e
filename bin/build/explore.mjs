// Explores the checkout by hand: `npm run explore -- --bound 1 --kind notes`. With `--mutant NAME` in a build with a fault, which
// must be found. With `--model` in memory, the checkout alone.
import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./bootstrap.mjs";
import { explorerMutants, modelMutants } from "./explorer-mutants.mjs";
import { mistakePlugin } from "./sabotage.mjs";

const allMutants = { ...explorerMutants, ...modelMutants };

/** @param mutant name of a mistake; none by default @returns the exit code and, where it is collected, what was printed */
export async function runExplorer(args, { mutant, stdio = "inherit" } = {}) {
	const esbuild = await import("esbuild");
	const directory = path.join(root, `packages/robust-sync/node_modules/.explore-${process.pid}-${mutant ?? "none"}`);
	const outfile = path.join(directory, "explore.mjs");
	mkdirSync(directory, { recursive: true });
	try {
		await esbuild.build({
			absWorkingDir: root,
			entryPoints: [`packages/${args.includes("--model") ? "git" : "robust-sync"}/src/testing/explore/main.ts`],
			outfile,
			bundle: true,
			platform: "node",
			format: "esm",
			// As in build.mjs: no bundler follows what jsonc-parser has for require().
			mainFields: ["module", "main"],
			target: "node20",
			banner: {
				js: 'import { createRequire as __createRequire } from "node:module";import { fileURLToPath as __fileURLToPath } from "node:url";const require = __createRequire(import.meta.url), __filename = __fileURLToPath(import.meta.url);',
			},
			plugins: mutant === undefined ? [] : [mistakePlugin(mutant, allMutants[mutant])],
			logLevel: "warning",
		});
		const child = spawn(process.execPath, [outfile, ...args], { stdio });
		for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"]) process.once(signal, () => child.kill(signal));
		let output = "";
		child.stdout?.on("data", (chunk) => {
			output += chunk;
		});
		return await new Promise((resolve) => child.on("close", (status) => resolve({ status: status ?? 1, output })));
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
}

async function main() {
	const args = process.argv.slice(2);
	const at = args.indexOf("--mutant");
	const [, mutant] = at < 0 ? [] : args.splice(at, 2);
	if (at >= 0 && !Object.hasOwn(allMutants, mutant ?? "")) {
		process.stderr.write(`explore: --mutant is one of ${Object.keys(allMutants).join(", ")}\n`);
		return 2;
	}
	return (await runExplorer(args, { mutant })).status;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.exitCode = await main();
