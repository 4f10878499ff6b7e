// Bundles each executable: dist/<name>.mjs, and parts that only some verbs need in dist/parts/. `node bin/build/build.mjs [--if-missing|--to-pack]`.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { readArguments } from "./arguments.mjs";
import { bootstrap, root } from "./bootstrap.mjs";
import { writeDocuments } from "./documents.mjs";
import { sbom } from "./sbom.mjs";
import { withLock } from "./single-file-lock.mjs";

const dist = path.join(root, "dist");

/** The source of the merge thread (packages/resolve/src/merge/merge-thread.ts), and the executables that start it. */
const mergeWorker = { source: "packages/resolve/src/merge/merge-worker.ts", startedBy: ["robust-sync", "conflict-resolver"] };

/** The same for the thread that searches for secrets (packages/secrets/src/scan-thread.ts). */
const scanWorker = { source: "packages/secrets/src/scan-worker.ts", startedBy: ["robust-sync"] };

/** Bundles that are not executables: deploy/setup.sh checks a configuration with it. */
const helpers = { "print-config": "packages/workspace/src/print-config.ts" };

export const executables = Object.keys(JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")).bin);

/**
 * Bundles every executable of the clone at `from` into the directory `out`, with a bill of materials beside them, `sbom.cdx.json`.
 * The same sources and dependencies give the same bytes, wherever the clone is.
 * @param plugins of esbuild, such as those that insert a fault for a test
 */
export async function bundle(out, from = root, plugins = []) {
	const esbuild = await import("esbuild");
	const { version } = JSON.parse(readFileSync(path.join(from, "package.json"), "utf8"));
	const entries = { ...Object.fromEntries(executables.map((name) => [name, `packages/${name}/src/cli.ts`])), ...helpers };
	/** For each executable its sources. */
	const inputsOf = new Map();
	// Their names have a hash: a running process continues with the one that it was built with.
	const workerOf = async (name, { source }) =>
		await bundleOne(esbuild, { [name]: source }, { out, from, version, splitting: false, plugins, entryNames: "parts/[name]-[hash]" });
	const workers = [
		{ ...mergeWorker, built: await workerOf("merge-worker", mergeWorker) },
		{ ...scanWorker, built: await workerOf("scan-worker", scanWorker) },
	];
	const [mergeWorkerName, scanWorkerName] = workers.map(({ built }) => path.basename(Object.keys(built.outputs)[0]));
	// One by one: parts shared by several executables would be many more and smaller files to load.
	for (const [name, entry] of Object.entries(entries)) {
		const parts = partsOf(entry, from);
		const elsewhere = partsElsewhere(name, parts);
		const options = { out, from, version, splitting: parts.length === 0, mergeWorkerName, scanWorkerName };
		const results = [await bundleOne(esbuild, { [name]: entry }, { ...options, plugins: [...plugins, ...elsewhere("./parts/")] })];
		for (const part of parts) {
			const source = path.join(path.dirname(entry), `${part}.ts`);
			results.push(
				await bundleOne(esbuild, { [`parts/${name}-${part}`]: source }, { ...options, plugins: [...plugins, ...elsewhere("./")] }),
			);
		}
		results.push(...workers.filter(({ startedBy }) => startedBy.includes(name)).map(({ built }) => built));
		inputsOf.set(name, results.flatMap(inputsIn));
	}
	writeFileSync(path.join(out, "sbom.cdx.json"), `${JSON.stringify(sbom(inputsOf, from, version), null, "\t")}\n`);
}

const inputsIn = (metafile) => Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));

/** commander starts other executables for subcommands; ours has none, and node:child_process costs 4 ms to load. */
const lazyChildProcess = {
	name: "lazy-child-process",
	setup(build) {
		build.onLoad({ filter: /commander\/lib\/command\.js$/ }, ({ path: file }) => ({
			contents: readFileSync(file, "utf8").replace(
				/const childProcess = require\('node:child_process'\)(\.default)?;/,
				"const childProcess = { get spawn() { return require('node:child_process').spawn; } };",
			),
			loader: "js",
		}));
	},
};

/** Code that only some calls need is in files of its own: the verbs, except for the fastest one. */
function partsOf(entry, from) {
	const directory = path.join(from, path.dirname(entry));
	const sources = readdirSync(directory).filter((name) => name === "cli.ts" || name === "program.ts");
	const text = sources.map((name) => readFileSync(path.join(directory, name), "utf8")).join("");
	return ["program", "verbs", "mcp"].filter((part) => text.includes(`import("./${part}.ts")`));
}

const partsElsewhere = (name, parts) => (below) =>
	parts.map((part) => ({
		name: `${part}-elsewhere`,
		setup(build) {
			build.onResolve({ filter: new RegExp(`^\\./${part}\\.ts$`) }, ({ kind }) =>
				kind === "dynamic-import" ? { path: `${below}${name}-${part}.mjs`, external: true } : undefined,
			);
		},
	}));

async function bundleOne(
	esbuild,
	entryPoints,
	{ out, from, version, splitting, plugins, entryNames = "[dir]/[name]", mergeWorkerName, scanWorkerName },
) {
	const { metafile } = await esbuild.build({
		absWorkingDir: from,
		entryPoints,
		outdir: out,
		outExtension: { ".js": ".mjs" },
		bundle: true,
		// Parts for some verbs only: `--status` must not parse the whole daemon.
		splitting,
		chunkNames: "parts/[name]-[hash]",
		entryNames,
		platform: "node",
		// jsonc-parser's entry for require() loads its parts in a way that no bundler follows; its entry for import is this field.
		mainFields: ["module", "main"],
		format: "esm",
		target: "node20",
		minifySyntax: true,
		minifyWhitespace: true,
		legalComments: "none",
		define: {
			__ROBUST_SYNC_VERSION__: JSON.stringify(version),
			__ROBUST_SYNC_COMMIT__: JSON.stringify(commitOf(from)),
			...(mergeWorkerName ? { __MERGE_WORKER__: JSON.stringify(mergeWorkerName), __SCAN_WORKER__: JSON.stringify(scanWorkerName) } : {}),
		},
		loader: { ".html": "text", ".css": "text" },
		// CommonJS dependencies inside an ES module bundle still call require() and ask for __filename.
		banner: {
			js: 'import { createRequire as __createRequire } from "node:module";import { fileURLToPath as __fileURLToPath } from "node:url";const require = __createRequire(import.meta.url), __filename = __fileURLToPath(import.meta.url);',
		},
		logLevel: "warning",
		metafile: true,
		plugins: [lazyChildProcess, ...plugins],
	});
	return metafile;
}

/** The commit of the clone at `from`, abbreviated; "" for sources without one. */
function commitOf(from) {
	// Sources unpacked inside another repository are not of that repository's commit.
	if (!existsSync(path.join(from, ".git"))) return "";
	try {
		return execFileSync("git", ["-C", from, "rev-parse", "--short=12", "HEAD"], {
			encoding: "utf8",
			stdio: ["ignore", "pipe", "ignore"],
		}).trim();
	} catch {
		return "";
	}
}

/**
 * Installs the locked dependencies and bundles every executable into dist/. Files appear whole, by rename: a running process never sees half a bundle.
 * @param keepMs how long parts of earlier builds are kept; 0: not at all, for a package
 */
export async function build({ keepMs = keepPartsMs } = {}) {
	await bootstrap();
	const temporary = path.join(dist, `.build-${process.pid}`);
	mkdirSync(temporary, { recursive: true });
	try {
		await bundle(temporary);
		const parts = readdirSync(path.join(temporary, "parts"));
		mkdirSync(path.join(dist, "parts"), { recursive: true });
		for (const name of parts) renameSync(path.join(temporary, "parts", name), path.join(dist, "parts", name));
		rmSync(path.join(temporary, "parts"), { recursive: true });
		for (const name of readdirSync(temporary)) renameSync(path.join(temporary, name), path.join(dist, name));
		removeOldParts(new Set(parts), keepMs);
		await writeDocuments(dist, executables, JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")).version);
	} finally {
		rmSync(temporary, { recursive: true, force: true });
	}
}

/** A running process may still load a part of the build that it was started from. */
const keepPartsMs = 24 * 60 * 60_000;

function removeOldParts(current, keepMs) {
	for (const name of readdirSync(path.join(dist, "parts"))) {
		const file = path.join(dist, "parts", name);
		if (!current.has(name) && Date.now() - statSync(file).mtimeMs >= keepMs) rmSync(file);
	}
}

/** Builds unless another process does; then waits for that one. Ends the process with one line when it cannot. */
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

const usage = `usage: npm run build -- [--if-missing | --to-pack]
  --if-missing  builds only what was never built
  --to-pack     keeps no parts of earlier builds
`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const found = readArguments({ usage, options: { "if-missing": { type: "boolean" }, "to-pack": { type: "boolean" } } });
	if (found?.values["if-missing"]) await buildOnce();
	else if (found !== null) await build(found.values["to-pack"] ? { keepMs: 0 } : {});
}
