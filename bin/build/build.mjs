// Bundles each executable to one file: dist/<name>.mjs. `node bin/build/build.mjs [--if-missing]`.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { bootstrap, root } from "./bootstrap.mjs";

export const executables = readdirSync(path.join(root, "bin")).filter((name) => statSync(path.join(root, "bin", name)).isFile());

/** Bundles every executable into dist/. The files appear whole, by rename: a running process never sees half a bundle. */
export async function build() {
	bootstrap();
	const esbuild = await import("esbuild");
	const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
	const out = path.join(root, "dist");
	const temporary = path.join(out, `.build-${process.pid}`);
	mkdirSync(temporary, { recursive: true });
	try {
		await esbuild.build({
			absWorkingDir: root,
			entryPoints: Object.fromEntries(executables.map((name) => [name, `packages/${name}/src/cli.ts`])),
			outdir: temporary,
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
		});
		for (const name of executables) renameSync(path.join(temporary, `${name}.mjs`), path.join(out, `${name}.mjs`));
	} finally {
		rmSync(temporary, { recursive: true, force: true });
	}
}

/** Builds unless another process is at it; then waits for that one. A builder that died is replaced. */
export async function buildOnce() {
	const lock = path.join(root, "node_modules/.robust-sync-build");
	const missing = () => executables.some((name) => !existsSync(path.join(root, "dist", `${name}.mjs`)));
	for (;;) {
		if (!missing()) return;
		try {
			mkdirSync(path.dirname(lock), { recursive: true });
			writeFileSync(lock, String(process.pid), { flag: "wx" });
		} catch (error) {
			if (error.code !== "EEXIST") throw error;
			const holder = Number(readFileSync(lock, { encoding: "utf8", flag: "a+" }));
			if (holder > 0 && !existsSync(`/proc/${holder}`)) rmSync(lock, { force: true });
			await sleep(100);
			continue;
		}
		try {
			process.stderr.write("robust-sync: this clone was never built: building now, this takes some seconds\n");
			await build();
		} finally {
			rmSync(lock, { force: true });
		}
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await (process.argv.includes("--if-missing") ? buildOnce() : build());
