// Runs the chaos test by hand: `npm run chaos -- --nodes 5 --minutes 10 --seed 7`.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { root } from "./bootstrap.mjs";
import { build } from "./build.mjs";

await build();
const esbuild = await import("esbuild");
// As deep in the tree as its source, which finds bin/ from there.
const outfile = path.join(root, "packages/e2e/node_modules/.chaos/chaos.mjs");
await esbuild.build({
	absWorkingDir: root,
	entryPoints: ["packages/e2e/src/chaos/main.ts"],
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
process.exit(spawnSync(process.execPath, [outfile, ...process.argv.slice(2)], { stdio: "inherit" }).status ?? 1);
