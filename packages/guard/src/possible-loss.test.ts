import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { indexEntries, isPossibleLoss } from "./possible-loss.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("guard-index");
});
afterAll(() => scratch.remove());

test.each([
	[0, 0, 1_000, false],
	[50, 50, 1_000, false],
	[51, 0, 1_000, true],
	[4, 4, 0, false],
	[5, 5, 0, true],
	[5, 0, 5, true],
	[5, 0, 100, false],
	[9, 9, 1, true],
	[8, 8, 2, false],
	[5, 5, null, true],
])("guard: %i paths changed, %i deleted, %s files left → possible loss: %s", (changed, deleted, tracked, expected) => {
	expect(isPossibleLoss({ files: 50, percent: 30 }, changed, deleted, tracked)).toBe(expected);
	expect(isPossibleLoss(null, changed, deleted, tracked)).toBe(false);
});

test("index: entries in its header → as git counts them; none or damaged → not known", async () => {
	scratch.init("node");
	const repository = await scratch.open("node");
	expect(indexEntries(repository)).toBeNull();
	for (const name of ["a", "b", "c/d"]) scratch.write(`node/${name}`, name);
	scratch.commitAll("node");
	expect(indexEntries(repository)).toBe(3);
	writeFileSync(scratch.path("node/.git/index"), "DIR");
	expect(indexEntries(repository)).toBeNull();
});
