// The rules of ARCHITECTURE.md about who may import, start or know what: pure functions from sources to the places that break them.
import path from "node:path";

/** An arrow points only downwards: a package may import the packages of lower layers. Executables never import each other. */
const layers = {
	// The services of the operating system, for all other packages.
	system: -1,
	merge: 0,
	git: 0,
	secrets: 0,
	guard: 1,
	workspace: 1,
	resolve: 2,
	service: 2,
	history: 2.5,
	"robust-sync": 3,
	heartbeat: 3,
	"health-server": 3,
	monitor: 3,
	"conflict-resolver": 3,
	// Tests over several executables, and measurements: above everything, imported by nothing.
	e2e: 4,
	bench: 4,
};

/** The root package's: every test may use them. */
const testTools = new Set(["@jest/globals", "fast-check"]);

const ownPrefix = "@robust-sync/";

/** Sources that never get into a bundle: tests, and what only they use. */
export function isTestSupport(file) {
	return /\.test\.ts$|\/(fixtures?|testing|cases)\/|-fixture\.ts$/.test(file) || /^(packages\/e2e|bench)\//.test(file);
}

/** Removes comments; keeps strings and line numbers. */
function withoutComments(text) {
	return text.replaceAll(/^\s*(\/\/|\/\*|\*(\s|\/|$)).*$/gm, "").replaceAll(/(\s)\/\/ .*$/gm, "$1");
}

/** Names of all imports of a source, types included. */
export function importsOf(text) {
	const code = withoutComments(text);
	const statements = /^\s*(?:import|export)\s(?:[^"';`]*?\sfrom\s)?\s*"([^"]+)"/gm;
	const calls = /\bimport\(\s*"([^"]+)"\s*\)/g;
	return [...code.matchAll(statements), ...code.matchAll(calls)].map(([, name]) => name);
}

/** `@scope/name/sub` → `@scope/name`. */
function packageOf(specifier) {
	return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function checkDirection({ name, sources }) {
	const problems = [];
	if (layers[name] === undefined)
		problems.push(`packages/${name}: has no layer: add it to bin/build/dependency-rules.mjs and ARCHITECTURE.md`);
	for (const { file, text } of sources) {
		for (const specifier of importsOf(text)) {
			if (!specifier.startsWith(ownPrefix)) continue;
			const other = packageOf(specifier).slice(ownPrefix.length);
			if (other !== name && !(layers[other] < layers[name])) problems.push(`${file}: ${name} must not import ${specifier}`);
		}
	}
	return problems;
}

/** Relative imports of a source that load code, not only types: the sources of the package that it needs. */
function neededBy({ file, text }) {
	const code = withoutComments(text);
	const statements = /^\s*(?:import|export)\s(?!type\b)(?:[^"';`]*?\sfrom\s)?\s*"(\.[^"]+)"/gm;
	const calls = /\bimport\(\s*"(\.[^"]+)"\s*\)/g;
	return [...code.matchAll(statements), ...code.matchAll(calls)].map(([, name]) => path.posix.join(path.posix.dirname(file), name));
}

/** A cycle of a graph, as `[a, b, a]`; null: there is none. */
function findCycle(graph) {
	const done = new Set();
	const visit = (node, above) => {
		if (above.includes(node)) return [...above.slice(above.indexOf(node)), node];
		if (done.has(node)) return null;
		for (const next of graph.get(node) ?? []) {
			const cycle = visit(next, [...above, node]);
			if (cycle) return cycle;
		}
		done.add(node);
		return null;
	};
	for (const node of graph.keys()) {
		const cycle = visit(node, []);
		if (cycle) return cycle;
	}
	return null;
}

/** Finds import cycles between files, and between folders: the folders of a package are layers, too. Files outside of folders may be above or below all. */
function checkCycles({ name, sources }) {
	const root = `packages/${name}/src`;
	const files = new Map();
	const folders = new Map();
	for (const source of sources.filter(({ file }) => !isTestSupport(file))) {
		const needed = neededBy(source);
		files.set(source.file, needed);
		const folder = path.posix.dirname(source.file);
		const others = needed.map((file) => path.posix.dirname(file)).filter((other) => other !== folder && other !== root);
		if (folder !== root) folders.set(folder, new Set([...(folders.get(folder) ?? []), ...others]));
	}
	return [files, folders]
		.map(findCycle)
		.filter((cycle) => cycle !== null)
		.map((cycle) => `packages/${name}: imports go in a cycle: ${cycle.join(" → ")}`);
}

const mostLines = 400;
/** On the first line; in a script of the shell after the lines for other programs. */
const lengthReason = /^(?:#.*\n){0,2}(?:\/\/|#) Above 400 lines: /;

/** A source of more than 400 lines, product or test, begins with the reason: `// Above 400 lines: …`. */
export function checkLength({ sources }) {
	return sources
		.filter(({ text }) => text.split("\n").length > mostLines + 1 && !lengthReason.test(text))
		.map(
			({ file }) => `${file}: has more than ${mostLines} lines: split it, or give the reason on its first line ("// Above 400 lines: …")`,
		);
}

function checkDeclared({ name, manifest, readme, sources }) {
	const problems = [];
	const runtime = Object.keys(manifest.dependencies ?? {});
	const development = Object.keys(manifest.devDependencies ?? {});
	const used = new Set();
	for (const { file, text } of sources) {
		for (const specifier of importsOf(text)) {
			if (specifier.startsWith(".") || specifier.startsWith("node:")) continue;
			const dependency = packageOf(specifier);
			used.add(dependency);
			if (dependency === `${ownPrefix}${name}` || runtime.includes(dependency)) continue;
			if (isTestSupport(file) && (testTools.has(dependency) || development.includes(dependency))) continue;
			problems.push(`${file}: imports ${dependency}, which ${name}'s package.json does not list`);
		}
	}
	for (const dependency of [...runtime, ...development]) {
		const typesFor = dependency.startsWith("@types/") ? dependency.slice("@types/".length) : null;
		if (!used.has(dependency) && !(typesFor !== null && used.has(typesFor)))
			problems.push(`packages/${name}: ${dependency} is listed and never imported`);
		if (typesFor === null && !dependency.startsWith(ownPrefix) && !readme.includes(dependency))
			problems.push(`packages/${name}/README.md: does not say why ${dependency} is there`);
	}
	return problems;
}

/** Versions are exact, so that a manifest is as precise as a lockfile. */
export function checkExactVersions(where, manifest) {
	return Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
		.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$|^workspace:\*$/.test(version))
		.map(([dependency, version]) => `${where}: ${dependency} is ${version}: write the exact version`);
}

/** Forbidden patterns: the pattern, the packages that may have it, and the alternative. */
const reserved = [
	{
		pattern: /\b(?:spawn|spawnSync|execFile|execFileSync|exec|execSync|execa|execaSync|fork)\(\s*["'`]git\b/,
		allowed: ["git"],
		instead: "only packages/git starts git",
	},
	{
		pattern: /\bprocess\s*\.\s*(?:on|once|addListener|prependListener)\(\s*["'`]SIG/,
		allowed: ["service"],
		instead: "only packages/service handles process signals",
	},
	{
		pattern:
			/["'`](?:sync_state|heartbeat_state|health_state|monitor_status|silences|journal|outbox)\.json["'`]|["'`]cycle_history\.ring["'`]|peer_\$\{[^}]*\}_state\.json|\b(?:join|resolve)\([^)]*["'`](?:sync|logs|\.sync_env)["'`]|\$\{[^}]*\}\/(?:sync|logs)(?:\/|["'`])/,
		allowed: ["workspace"],
		instead: "only packages/workspace knows the file names of a workspace (WorkspacePaths)",
	},
	{
		pattern: /\\p\{(?:Cc|Cf|Zl|Zp|Default_Ignorable_Code_Point)\}|\\u202[89a-e]|\\u206[0-9]|\\u009f/,
		allowed: ["service", "resolve", "merge", "workspace"],
		instead: "one function makes text printable: printable() of @robust-sync/service/printable",
	},
];

/** Only packages/git/src/paths/git-path.ts makes a GitPath: no unchecked text can be one. */
function checkGitPaths({ sources }) {
	return sources
		.filter(
			({ file, text }) =>
				!isTestSupport(file) &&
				!file.endsWith("git/src/paths/git-path.ts") &&
				/\bas (?:unknown as )?(?:GitPath|RawPath)\b/.test(withoutComments(text)),
		)
		.map(({ file }) => `${file}: casts to GitPath: make one with gitPathOf, gitPathIfAllowed or pathIn, which check it`);
}

function checkReserved({ name, sources }) {
	const problems = [];
	for (const { file, text } of sources) {
		if (isTestSupport(file)) continue;
		for (const { pattern, allowed, instead } of reserved) {
			if (allowed.includes(name)) continue;
			const found = pattern.exec(withoutComments(text));
			if (found) problems.push(`${file}: ${found[0]}: ${instead}`);
		}
	}
	return problems;
}

/** Sources that reach the file system only through `Files` (packages/system/src/files.ts): the checkout, and what it calls. */
const behindFiles =
	/^packages\/(?:git\/src\/(?:worktree|files)|robust-sync\/src\/checkout)\/|workspace\/src\/backup-manifest\.ts$|\/paths\/beneath\.ts$/;

/** This machine's Files. Outside of a checkout, `beneath` has them by default. */
const machineFiles = `${ownPrefix}system/disk-files`;

/** Modules with which a checkout would pass by the `Files` that it was given. */
const pastFiles = new Set(["node:fs", "node:fs/promises", machineFiles, `${ownPrefix}system/lstat`, `${ownPrefix}system/make-durable`]);

function checkFiles({ sources }) {
	return sources
		.filter(({ file }) => behindFiles.test(file) && !isTestSupport(file))
		.flatMap(({ file, text }) =>
			importsOf(text)
				.filter((specifier) => pastFiles.has(specifier) && !(specifier === machineFiles && file.endsWith("/paths/beneath.ts")))
				.map((specifier) => `${file}: imports ${specifier}: the checkout uses the Files of its repository`),
		);
}

/** `merge` does no I/O: no module of Node for the outside, no clock, no randomness. */
function checkPure({ name, sources }) {
	if (name !== "merge") return [];
	const problems = [];
	for (const { file, text } of sources) {
		if (isTestSupport(file)) continue;
		for (const specifier of importsOf(text)) {
			if (specifier.startsWith("node:") && specifier !== "node:buffer")
				problems.push(`${file}: merge does no I/O, and imports ${specifier}`);
			if (specifier.startsWith(ownPrefix)) problems.push(`${file}: merge imports no other package of ours, and imports ${specifier}`);
		}
		const effect = /\b(?:process\.|console\.|fetch\(|Date\.now|new Date\(\)|Math\.random|performance\.now|setTimeout\()/.exec(
			withoutComments(text),
		);
		if (effect) problems.push(`${file}: merge is pure, and uses ${effect[0]}`);
	}
	return problems;
}

/**
 * @param packages one for each package: `{ name, manifest, readme, sources: [{ file, text }] }`, files relative to the root
 * @returns the problems, one line each; empty if there are none
 */
export function checkPackages(packages) {
	return packages.flatMap((each) => [
		...checkDirection(each),
		...checkCycles(each),
		...checkLength(each),
		...checkDeclared(each),
		...checkExactVersions(`packages/${each.name}`, each.manifest),
		...checkReserved(each),
		...checkGitPaths(each),
		...checkPure(each),
		...checkFiles(each),
	]);
}

/** Names that a package's index offers and no other package has in its sources: an executable needs no index. */
export function checkOffered(packages) {
	return packages.flatMap(({ name, sources }) => {
		const index = sources.find(({ file }) => file === `packages/${name}/src/index.ts`)?.text ?? "";
		const others = packages.filter((other) => other.name !== name).flatMap((other) => other.sources);
		return [...index.matchAll(/^export (?:type )?\{([^}]*)\}/gm)]
			.flatMap(([, names = ""]) => names.split(","))
			.map((each) => each.trim().replace(/^(?:type )?(?:\w+ as )?/, ""))
			.filter((each) => each !== "" && !others.some(({ text }) => new RegExp(`\\b${each}\\b`).test(text)))
			.map((each) => `packages/${name}/src/index.ts: no other package uses ${each}: take it out`);
	});
}

/** Licences of code that is in our bundles. */
const bundledLicences = ["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "0BSD", "BlueOak-1.0.0", "CC0-1.0", "Unlicense"];
/** Licences of packages that are only for building and testing. */
const toolLicences = [...bundledLicences, "MPL-2.0", "CC-BY-4.0", "Python-2.0", "Zlib"];

/** Whether an SPDX expression can be met with allowed licences only. */
export function isAllowedLicence(expression, allowed = bundledLicences) {
	const plain = String(expression ?? "").replaceAll(/[()]/g, " ");
	return plain.split(/\sOR\s/).some((choice) => choice.split(/\sAND\s/).every((licence) => allowed.includes(licence.trim())));
}

/** @param installed `{ name, version, licence, bundled }` of each package that is installed */
export function checkLicences(installed) {
	return installed
		.filter(({ licence, bundled }) => !isAllowedLicence(licence, bundled ? bundledLicences : toolLicences))
		.map(({ name, version, licence }) => `${name}@${version}: its licence ${licence} is not on the list in bin/build/dependency-rules.mjs`);
}
