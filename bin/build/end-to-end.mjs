// Bundles a program of the end-to-end tests and runs it.
import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { root } from "./bootstrap.mjs";
import { build, bundle } from "./build.mjs";
import { sabotagePlugin } from "./sabotage.mjs";

/**
 * Builds, bundles `packages/e2e/src/<name>/main.ts` and runs it to its end.
 * @param run what it reads from its argument, as JSON
 * @param sabotage name of the fault in the executables that it tests: their directory is `run.system.dist`
 * @returns its exit code
 */
export async function runEndToEnd(name, run, sabotage) {
	await build();
	const esbuild = await import("esbuild");
	// As deep in the tree as its source, which finds bin/ from there.
	const directory = path.join(root, `packages/e2e/node_modules/.${name}-${process.pid}`);
	const outfile = path.join(directory, `${name}.mjs`);
	try {
		await esbuild.build({
			absWorkingDir: root,
			entryPoints: [`packages/e2e/src/${name}/main.ts`],
			outfile,
			bundle: true,
			platform: "node",
			format: "esm",
			target: "node20",
			banner: {
				js: 'import { createRequire as __createRequire } from "node:module";import { fileURLToPath as __fileURLToPath } from "node:url";const require = __createRequire(import.meta.url), __filename = __fileURLToPath(import.meta.url);',
			},
			logLevel: "warning",
		});
		const dist = path.join(directory, "dist");
		if (sabotage) {
			mkdirSync(dist);
			await bundle(dist, root, [sabotagePlugin(sabotage)]);
		}
		const argument = JSON.stringify(sabotage ? { ...run, system: { dist } } : run);
		const child = spawn(process.execPath, [outfile, argument], { stdio: "inherit" });
		for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"]) process.on(signal, () => child.kill(signal));
		return await new Promise((resolve) => child.on("close", (status) => resolve(status ?? 1)));
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
}
