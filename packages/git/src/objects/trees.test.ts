import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { gitPathOf } from "../paths/git-path.ts";
import { readTreePaths } from "./trees.ts";

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
