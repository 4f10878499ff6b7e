import path from "node:path";
import { describe, expect, test } from "@jest/globals";
// @ts-expect-error: plain JavaScript, so that it runs before anything is installed
import {
	checkExactVersions,
	checkLength,
	checkLicences,
	checkOffered,
	checkPackages,
	importsOf,
	isAllowedLicence,
} from "./dependency-rules.mjs";

interface Package {
	name: string;
	manifest?: object;
	readme?: string;
	text: string;
	file?: string;
}

/** Problems of a package with one source file. */
function problemsOf({ name, manifest = {}, readme = "", text, file = `packages/${name}/src/idea.ts` }: Package): string[] {
	return checkPackages([{ name, manifest, readme, sources: [{ file, text }] }]);
}

const workspaceDependency = (name: string) => ({ dependencies: { [`@robust-sync/${name}`]: "workspace:*" } });

describe("dependency direction", () => {
	test("imports: an executable, the packages below it → allowed", () => {
		expect(problemsOf({ name: "monitor", manifest: workspaceDependency("git"), text: 'import { x } from "@robust-sync/git";' })).toEqual(
			[],
		);
	});

	test.each([
		["an executable that imports another", "monitor", "heartbeat"],
		["a lower layer that imports a higher one", "git", "service"],
		["neighbours in one layer", "merge", "git"],
		["a product package that imports the tests", "monitor", "e2e"],
	])("imports: %s → found", (_what, name, other) => {
		const text = `import { x } from "@robust-sync/${other}/part";`;
		expect(problemsOf({ name, manifest: workspaceDependency(other), text }).join()).toContain(
			`${name} must not import @robust-sync/${other}/part`,
		);
	});

	test("paths: a cast to GitPath outside of its own file → found", () => {
		const text = "const name = record.slice(3) as GitPath;";
		expect(problemsOf({ name: "git", text }).join()).toContain("casts to GitPath");
		expect(problemsOf({ name: "git", file: "packages/git/src/paths/git-path.ts", text })).toEqual([]);
	});

	test("files: node:fs in a part of the checkout → found, in a test of it not", () => {
		const text = 'import fs from "node:fs";';
		const inFile = (file: string) => problemsOf({ name: "git", file: `packages/git/src/${file}`, text }).join();
		for (const file of ["worktree/place.ts", "files/stat.ts", "paths/beneath.ts"]) expect(inFile(file)).toContain("imports node:fs");
		for (const file of ["worktree/place.test.ts", "index/entries.ts"]) expect(inFile(file)).toBe("");
		const cycle = (folder: string) =>
			problemsOf({
				name: "robust-sync",
				file: `packages/robust-sync/src/${folder}/held.ts`,
				text: 'import { diskFiles } from "@robust-sync/system/disk-files";',
			}).join();
		expect(cycle("checkout")).toContain("imports @robust-sync/system/disk-files");
		expect(cycle("forget")).not.toContain("the checkout uses the Files");
	});

	test.each([
		["files", { "a.ts": "b.ts", "b.ts": "a.ts" }],
		["folders", { "low/a.ts": "high/b.ts", "high/c.ts": "low/d.ts" }],
	])("imports: %s in a cycle → found, unless only types are imported", (_what, imports) => {
		const root = "packages/git/src";
		const problems = (keyword: string) =>
			checkPackages([
				{
					name: "git",
					manifest: {},
					readme: "",
					sources: Object.entries(imports).map(([file, other]) => {
						const relative = path.posix.relative(path.posix.dirname(file), other);
						return { file: `${root}/${file}`, text: `${keyword} { x } from "${relative.startsWith(".") ? relative : `./${relative}`}";` };
					}),
				},
			]).join();
		expect(problems("import")).toContain("imports go in a cycle");
		expect(problems("import type")).toBe("");
	});

	test("length: more than 400 lines → found, unless the first line has a reason", () => {
		const lines = "\n".repeat(401);
		expect(problemsOf({ name: "git", text: lines }).join()).toContain("has more than 400 lines");
		expect(problemsOf({ name: "git", text: "\n".repeat(400) })).toEqual([]);
		expect(problemsOf({ name: "git", text: `// Above 400 lines: one table.${lines}` })).toEqual([]);
		const script = (text: string) => checkLength({ sources: [{ file: "deploy/x.sh", text }] });
		expect(script(`# shellcheck shell=bash\n# Above 400 lines: one table.${lines}`)).toEqual([]);
		expect(script(`# shellcheck shell=bash${lines}`)).toHaveLength(1);
	});

	test("index: a name that no other package has → found", () => {
		const of = (name: string, file: string, text: string) => ({ name, sources: [{ file: `packages/${name}/src/${file}`, text }] });
		const git = of("git", "index.ts", 'export { readRef, type Oid } from "./refs.ts";\nexport type { A as Status } from "./status.ts";');
		const user = of("resolve", "a.ts", 'import { readRef, type Status } from "@robust-sync/git";');
		expect(checkOffered([git, user])).toEqual([expect.stringContaining("uses Oid")]);
		expect(checkOffered([git])).toHaveLength(3);
	});

	test("layers: a package without a layer → found", () => {
		expect(problemsOf({ name: "utils", text: "" }).join()).toContain("has no layer");
	});
});

describe("declared dependencies", () => {
	test("dependencies: listed and never imported → found", () => {
		expect(problemsOf({ name: "monitor", manifest: { dependencies: { chalk: "5.6.2" } }, readme: "chalk", text: "" }).join()).toContain(
			"chalk is listed and never imported",
		);
	});

	test("dependencies: imported and not listed → found", () => {
		expect(problemsOf({ name: "monitor", text: 'const { default: got } = await import("got");' }).join()).toContain("imports got");
	});

	test("dependencies: not justified in the README → found", () => {
		expect(
			problemsOf({ name: "monitor", manifest: { dependencies: { chalk: "5.6.2" } }, text: 'import chalk from "chalk";' }).join(),
		).toContain("does not say why chalk is there");
	});

	test("test tools: imported by a product source → found; by a test → allowed", () => {
		const text = 'import fc from "fast-check";';
		expect(problemsOf({ name: "monitor", text, file: "packages/monitor/src/idea.test.ts" })).toEqual([]);
		expect(problemsOf({ name: "monitor", text }).join()).toContain("imports fast-check");
	});

	test("versions: a range instead of a version → found", () => {
		expect(checkExactVersions("here", { dependencies: { a: "^1.2.3", b: "1.2.3", c: "workspace:*" } })).toEqual([
			"here: a is ^1.2.3: write the exact version",
		]);
	});
});

describe("rights of a single package", () => {
	test.each([
		["starting git", "packages/git starts git", 'spawn("git", ["status"]);'],
		["taking a signal", "packages/service handles", 'process.on("SIGTERM", stop);'],
		["naming a state file", "packages/workspace knows", 'readFileSync(path.join(root, x, "sync_state.json"));'],
		["naming our directory", "packages/workspace knows", 'path.join(root, "sync");'],
		["naming our directory in a template", "packages/workspace knows", ["`$", "{root}/logs`"].join("")],
	])("reserved: %s elsewhere → found", (_what, expected, text) => {
		expect(problemsOf({ name: "monitor", text }).join()).toContain(expected);
		expect(problemsOf({ name: "monitor", text: `// ${text}\n` })).toEqual([]);
	});

	test.each([
		["a module that does I/O", 'import fs from "node:fs";'],
		["the clock", "const at = Date.now();"],
		["chance", "Math.random();"],
		["the environment", "process.env.HOME;"],
	])("purity: merge with %s → found", (_what, text) => {
		expect(problemsOf({ name: "merge", text })).toHaveLength(1);
	});

	test("purity: merge with buffers → allowed", () => {
		expect(problemsOf({ name: "merge", text: 'import { Buffer } from "node:buffer";' })).toEqual([]);
	});
});

describe("licences", () => {
	test.each([
		["MIT", true],
		["(MIT OR GPL-3.0)", true],
		["Apache-2.0 AND MIT", true],
		["MIT AND GPL-3.0", false],
		["GPL-3.0-only", false],
		[undefined, false],
	])("licences: %s → %s", (expression, allowed) => {
		expect(isAllowedLicence(expression)).toBe(allowed);
	});

	test("licences: fine for a tool → not fine in a bundle", () => {
		const axe = { name: "axe-core", version: "4.0.0", licence: "MPL-2.0" };
		expect(checkLicences([{ ...axe, bundled: false }])).toEqual([]);
		expect(checkLicences([{ ...axe, bundled: true }])).toHaveLength(1);
	});
});

test("importsOf: any form, comments, other strings → imports only", () => {
	const text = `
import a from "a";
import type { B } from "b";
import {
	c,
} from "c";
export * from "d";
import "e";
const f = await import("f");
// import g from "g";
/** import h from "h" */
const text = 'from "i"';
`;
	expect(importsOf(text)).toEqual(["a", "b", "c", "d", "e", "f"]);
});
