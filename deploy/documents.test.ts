import fs from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { blockName, blocks, commandLanguages, notRun, run } from "./testing/documents.ts";

const root = path.resolve(import.meta.dirname, "..");

test("documents: a command block neither run nor listed with a reason → named here", () => {
	// A block without a language may hide commands; those of other languages are data.
	const commands = blocks.filter(({ language }) => language === "" || commandLanguages.includes(language));
	const known = [
		...Object.values(run).map(([file, first]) => blockName({ file, first })),
		...notRun.map(([file, first]) => blockName({ file, first })),
	];
	expect(commands.map(({ file, first }) => blockName({ file, first })).sort()).toEqual([...known].sort());
	expect(new Set(blocks.map(({ language }) => language))).toEqual(new Set(["", "sh", "json", "mermaid"]));
});

test("documents: npm scripts and files that CONTRIBUTING.md names → they are there", () => {
	const { text } = blocks.find(({ file }) => file === "CONTRIBUTING.md")!;
	const { scripts } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
	const named = [...text.matchAll(/^npm (?:run )?([\w:]+)/gm)].map(([, name]) => name);
	expect(named.length).toBeGreaterThan(4);
	for (const name of named) expect(Object.keys(scripts)).toContain(name);
	expect(fs.statSync(path.join(root, ".ci/run")).mode & 0o111).not.toBe(0);
	expect(fs.existsSync(path.join(root, "packages/merge"))).toBe(true);
});
