// Bundles each executable to one file: dist/<name>.mjs. `node bin/build/build.mjs [--if-missing]`.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { bootstrap, root } from "./bootstrap.mjs";
import { sbom } from "./sbom.mjs";
import { withLock } from "./single-file-lock.mjs";

const dist = path.join(root, "dist");

/** Bundles that are no executable: what deploy/setup.sh asks about a configuration. */
const helpers = { "print-config": "packages/workspace/src/print-config.ts" };

export const executables = readdirSync(path.join(root, "bin")).filter((name) => statSync(path.join(root, "bin", name)).isFile());

/**
 * Bundles every executable of the clone at `from` into the directory `out`, with `sbom.cdx.json` beside them: what is in them.
 * The same sources and dependencies give the same bytes, wherever the clone lies.
 */
export async function bundle(out, from = root) {
	const esbuild = await import("esbuild");
	const { version } = JSON.parse(readFileSync(path.join(from, "package.json"), "utf8"));
	const { metafile } = await esbuild.build({
		absWorkingDir: from,
		entryPoints: { ...Object.fromEntries(executables.map((name) => [name, `packages/${name}/src/cli.ts`])), ...helpers },
		outdir: out,
		outExtension: { ".js": ".mjs" },
		bundle: true,
		platform: "node",
		format: "esm",
		target: "node20",
		minifySyntax: true,
		minifyWhitespace: true,
		legalComments: "none",
		define: { __ROBUST_SYNC_VERSION__: JSON.stringify(version) },
		loader: { ".html": "text", ".css": "text" },
		// CommonJS dependencies inside an ES module bundle still call require() and ask for __filename.
		banner: {
			js: 'import { createRequire as __createRequire } from "node:module";import { fileURLToPath as __fileURLToPath } from "node:url";const require = __createRequire(import.meta.url), __filename = __fileURLToPath(import.meta.url);',
		},
		logLevel: "warning",
		metafile: true,
	});
	writeFileSync(path.join(out, "sbom.cdx.json"), `${JSON.stringify(sbom(metafile, from, version), null, "\t")}\n`);
}

/** Installs what is locked and bundles every executable into dist/. Files appear whole, by rename: a running process never sees half a bundle. */
export async function build() {
	await bootstrap();
	const temporary = path.join(dist, `.build-${process.pid}`);
	mkdirSync(temporary, { recursive: true });
	try {
		await bundle(temporary);
		for (const name of readdirSync(temporary)) renameSync(path.join(temporary, name), path.join(dist, name));
	} finally {
		rmSync(temporary, { recursive: true, force: true });
	}
}

/** Builds unless another process is at it; then waits for that one. Ends the process with one line when it cannot. */
export async function buildOnce() {
	const isBuilt = () => executables.every((name) => existsSync(path.join(dist, `${name}.mjs`)));
	try {
		await withLock(path.join(dist, ".building"), isBuilt, async () => {
			process.stderr.write("robust-sync: this clone was never built: building now, this takes some seconds\n");
			await build();
		});
	} catch (error) {
		process.stderr.write(`robust-sync: the build failed: ${error.message}\n`);
		process.exit(1);
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await (process.argv.includes("--if-missing") ? buildOnce() : build());
