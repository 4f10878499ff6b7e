import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { writeIndexEntries } from "../index/index-file.ts";
import { gitPathOf } from "../paths/git-path.ts";
import { readTreeFiles, readTreePaths } from "./trees.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("tree-paths");
	scratch.init("repository");
});
afterEach(() => scratch.remove());

test("tree paths: longer in all than one command line may be → each is found", async () => {
	for (const name of ["first", "last"]) scratch.write(`repository/${name}`, `${name}\n`);
	const commit = scratch.commitAll("repository");
	const missing = Array.from({ length: 1_000 }, (_, index) => `${"d/".repeat(1_900)}${index}`);
	const found = await readTreePaths(await scratch.open("repository"), commit, ["first", ...missing, "last"].map(gitPathOf));
	expect([...found.keys()].map(String)).toEqual(["first", "last"]);
});

test("tree paths: a file that is a directory by now → no entry, and none in the index", async () => {
	scratch.write("repository/data.md/inner.md", "1\n");
	const commit = scratch.commitAll("repository");
	const repository = await scratch.open("repository");
	const names = ["data.md", "data.md/inner.md"].map(gitPathOf);
	expect([...(await readTreeFiles(repository, commit, names)).keys()]).toEqual([names[1]]);
	const entries = await readTreePaths(repository, commit, names);
	expect(entries.get(names[0] as (typeof names)[0])?.mode).toBe("040000");
	await writeIndexEntries(
		repository,
		names.map((path) => ({ path, entry: entries.get(path) ?? null })),
	);
	expect(scratch.git("repository", "ls-files")).toBe("data.md/inner.md\n");
});
