import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import type { GitPath } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";
import { excludedAmong, excludePatterns, setExcludePatterns, trackedExcluded, wouldExclude, writeExcludeLines } from "./excluded-paths.ts";

const names = [
	"media/a.mp4",
	"media/deep/b",
	"media/keep/c",
	"notes/media/d",
	"notes/e.md",
	"a b",
	"[x]",
	".gitignore",
	"notes/.gitattributes",
];
let scratch: Scratch;
let repository: Repository;
beforeAll(async () => {
	scratch = new Scratch("excluded");
	scratch.init("node");
	for (const name of names) scratch.write(`node/${name}`, "");
	// No other ignore rule counts.
	scratch.write("node/.gitignore", "!media/**\nnotes/e.md\n");
	scratch.git("node", "add", "--all", "--force");
	repository = await scratch.open("node");
});
afterAll(() => scratch.remove());

test.each<[patterns: string[], excluded: string[]]>([
	[["media/"], ["media/a.mp4", "media/deep/b", "media/keep/c", "notes/media/d"]],
	[["/media"], ["media/a.mp4", "media/deep/b", "media/keep/c"]],
	[
		["/media/*", "!/media/keep/"],
		["media/a.mp4", "media/deep/b"],
	],
	[
		["/media/", "!/media/keep/"],
		["media/a.mp4", "media/deep/b", "media/keep/c"],
	],
	[
		["/*", "!/notes/"],
		["media/a.mp4", "media/deep/b", "media/keep/c", "a b", "[x]"],
	],
	[
		["a\\ b", "\\[x\\]"],
		["a b", "[x]"],
	],
	[["*", ".gitignore"], names.filter((name) => name !== ".gitignore")],
	[
		["*.*", ".gitignore"],
		["media/a.mp4", "notes/e.md"],
	],
	[["nothing"], []],
])("excluded paths: %j → the same among names and in the index", async (patterns, excluded) => {
	setExcludePatterns(repository, patterns);
	expect(excludePatterns(repository)).toEqual(patterns);
	expect([...(await excludedAmong(repository, names as GitPath[]))].sort()).toEqual([...excluded].sort());
	expect([...(await trackedExcluded(repository)).keys()].sort()).toEqual([...excluded].sort());
	setExcludePatterns(repository, []);
	expect(await excludedAmong(repository, names as GitPath[])).toEqual(new Set());
	expect([...(await wouldExclude(repository, patterns, names as GitPath[]))].sort()).toEqual([...excluded].sort());
});

test("info/exclude: patterns come and go → lines of others stay as they are", () => {
	const file = scratch.path("node/.git/info/exclude");
	fs.rmSync(file, { force: true });
	writeExcludeLines(repository, []);
	expect(fs.existsSync(file)).toBe(false);
	scratch.write("node/.git/info/exclude", "mine\n*.own");
	writeExcludeLines(repository, ["größe/", "b"]);
	expect(fs.readFileSync(file, "utf8")).toMatch(/^mine\n\*\.own\n# .*begins\ngröße\/\nb\n# .*ends\n$/);
	fs.appendFileSync(file, "later\n");
	writeExcludeLines(repository, ["c"]);
	writeExcludeLines(repository, []);
	expect(fs.readFileSync(file, "utf8")).toBe("mine\n*.own\nlater\n");
});
