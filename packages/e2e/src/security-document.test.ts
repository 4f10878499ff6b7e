import fs from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { projectDirectory, projectFile, sourceFiles } from "./fixture/sources.ts";

const document = projectFile("SECURITY.md");
const [model = "", promises = ""] = document.split("## Promises");
const rows = (markdown: string) =>
	markdown
		.split("\n")
		.filter((line) => /^\| /.test(line) && !/^\| ?-|^\| (promise|who) \|/.test(line))
		.map((line) =>
			line
				.slice(1, -1)
				.split(" | ")
				.map((cell) => cell.trim()),
		);
const named = (cell: string) => [...cell.matchAll(/"([^"]+)"/g)].map(([, name]) => name ?? "");

test("threat model: each party of the document → its trust, and the limits of it", () => {
	for (const party of ["the hub", "a peer with", "a peer without", "another user", "the programs"]) {
		const row = rows(model).find(([who]) => who?.startsWith(party));
		expect({ party, cells: row?.length }).toEqual({ party, cells: 3 });
	}
});

test("SECURITY.md: every promise → names at least one test", () => {
	const all = rows(promises);
	expect(all.filter((cells) => cells.length !== 3 || named(cells.at(-1) ?? "").length === 0)).toEqual([]);
	expect(all.length).toBeGreaterThan(20);
});

test("SECURITY.md: every test that a promise names → exists", () => {
	const packages = fs.readdirSync(path.join(projectDirectory, "packages"));
	const deploy = fs.readdirSync(path.join(projectDirectory, "deploy")).filter((name) => name.endsWith(".test.ts"));
	const files = [...sourceFiles(packages, /\.test\.ts$/), ...deploy.map((name) => path.join(projectDirectory, "deploy", name))];
	const sources = files.map((file) => fs.readFileSync(file, "utf8")).join("\n");
	const missing = rows(promises)
		.flatMap((cells) => named(cells.at(-1) ?? ""))
		.filter((name) => ![`"${name}"`, `'${name}'`, `\`${name}\``].some((quoted) => sources.includes(quoted)));
	expect(missing).toEqual([]);
});
