import fs from "node:fs";
import { expect, test } from "@jest/globals";
import { projectFile, sourceFiles } from "./fixture/sources.ts";

/** Rows of the tables: their cells. */
function rows(markdown: string): string[][] {
	return markdown
		.split("\n")
		.filter((line) => /^\| /.test(line) && !/^\| ?-/.test(line))
		.map((line) =>
			line
				.slice(1, -1)
				.split(" | ")
				.map((cell) => cell.trim()),
		)
		.filter(([first]) => first !== "promise" && first !== "what happens");
}

const document = projectFile("docs/reliability.md");
const sources = (pattern: RegExp) =>
	sourceFiles(["e2e", "robust-sync", "git", "workspace", "system", "resolve", "service", "conflict-resolver"], pattern)
		.map((file) => fs.readFileSync(file, "utf8"))
		.join("\n");
const named = (cell: string) => [...cell.matchAll(/(\*?)"([^"]+)"/g)].map(([, slow, name]) => ({ slow: slow === "*", name: name ?? "" }));

test("reliability document: every promise and every row → names a test", () => {
	for (const cells of rows(document))
		expect({ row: cells[0], tests: named(cells.at(-1) ?? "").length, cells: cells.length }).toEqual({
			row: cells[0],
			tests: expect.any(Number),
			cells: 3,
		});
	expect(rows(document).filter((cells) => named(cells.at(-1) ?? "").length === 0)).toEqual([]);
	expect(rows(document).length).toBeGreaterThan(50);
});

test("reliability document: every test named → exists, in the stated suite", () => {
	const fast = sources(/^(?!.*\.slow\.test\.ts$).*\.test\.ts$/);
	const slow = sources(/\.slow\.test\.ts$/);
	// Names are in the sources verbatim, in double quotes or, if they contain some, in others.
	const missing = rows(document)
		.flatMap((cells) => named(cells.at(-1) ?? ""))
		.filter(
			({ slow: isSlow, name }) => ![`"${name}"`, `'${name}'`, `\`${name}\``].some((quoted) => (isSlow ? slow : fast).includes(quoted)),
		);
	expect(missing).toEqual([]);
});

test("reliability document: limits → listed", () => {
	expect(document).toMatch(/## Not promised\n\n(- .*\n){5,}/);
});
