// Checks the rules of ARCHITECTURE.md and docs/glossary.md on the present sources, and the licences of the installed packages. Part of `npm run lint`.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "./bootstrap.mjs";
import { checkExactVersions, checkLength, checkLicences, checkOffered, checkPackages } from "./dependency-rules.mjs";
import { checkLanguage } from "./language.mjs";

function readJson(file) {
	return JSON.parse(readFileSync(file, "utf8"));
}

function sourcesBelow(directory, names = /\.tsx?$/) {
	if (!existsSync(directory)) return [];
	return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
		const file = path.join(directory, entry.name);
		if (entry.name === "node_modules") return [];
		if (entry.isDirectory()) return sourcesBelow(file, names);
		return names.test(entry.name) ? [{ file: path.relative(root, file), text: readFileSync(file, "utf8") }] : [];
	});
}

/** All packages with their sources. */
export function readPackages() {
	const directories = [...readdirSync(path.join(root, "packages")).map((name) => `packages/${name}`), "bench"];
	return directories
		.filter((directory) => existsSync(path.join(root, directory, "package.json")))
		.map((directory) => {
			const readme = path.join(root, directory, "README.md");
			return {
				name: path.basename(directory),
				manifest: readJson(path.join(root, directory, "package.json")),
				readme: existsSync(readme) ? readFileSync(readme, "utf8") : "",
				sources: sourcesBelow(path.join(root, directory)),
			};
		});
}

/** The sources outside of packages. */
export function readScripts() {
	return ["bin", "deploy"].flatMap((directory) => sourcesBelow(path.join(root, directory), /\.(?:[cm]?[jt]s|sh)$/));
}

/** Everything that pnpm installed into node_modules, with its licence, and whether the build bundles it. */
export function readInstalled() {
	const bundled = new Set(readJson(path.join(root, "dist/sbom.cdx.json")).components.map(({ name, version }) => `${name}@${version}`));
	const store = path.join(root, "node_modules/.pnpm");
	const installed = new Map();
	for (const entry of readdirSync(store)) {
		const modules = path.join(store, entry, "node_modules");
		if (entry === "node_modules" || !existsSync(modules)) continue;
		for (const name of readdirSync(modules).flatMap((scope) =>
			scope.startsWith("@") ? readdirSync(path.join(modules, scope)).map((part) => `${scope}/${part}`) : [scope],
		)) {
			const manifest = path.join(modules, name, "package.json");
			if (!existsSync(manifest) || statSync(manifest).isDirectory()) continue;
			const { version, license, licenses } = readJson(manifest);
			const licence = typeof license === "object" ? license.type : (license ?? licenses?.map(({ type }) => type).join(" OR "));
			installed.set(`${name}@${version}`, { name, version, licence, bundled: bundled.has(`${name}@${version}`) });
		}
	}
	return [...installed.values()];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const packages = readPackages();
	const problems = [
		...checkPackages(packages),
		...checkOffered(packages),
		...checkLength({ sources: readScripts() }),
		...checkExactVersions("package.json", readJson(path.join(root, "package.json"))),
		...checkLicences(readInstalled()),
		...checkLanguage(),
	];
	for (const problem of problems) process.stderr.write(`${problem}\n`);
	process.stderr.write(
		problems.length === 0 ? "the rules of ARCHITECTURE.md and docs/glossary.md hold\n" : `${problems.length} problems\n`,
	);
	process.exitCode = problems.length === 0 ? 0 : 1;
}
