import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { canIgnoreCase, mountIgnoringCase } from "@robust-sync/git/fixtures/ignoring-case";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { cycleContext } from "../testing/cycle-context.ts";
import { removeWorkingCopies } from "./working-copies.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("working-copies");
	scratch.init("w");
});
afterEach(() => scratch.remove());

(canIgnoreCase ? test : test.skip)("working copies: the path finds a file of another name → that file stays", async () => {
	scratch.write("w/data/F.md", "upper\n");
	scratch.write("w/data/f.md", "lower\n");
	scratch.write("w/data/gone.md", "gone\n");
	scratch.commitAll("w");
	fs.rmSync(scratch.path("w/data"), { recursive: true });
	mountIgnoringCase(scratch, scratch.path("w/data"));
	for (const name of ["f.md", "gone.md"]) scratch.write(`w/data/${name}`, name);
	await removeWorkingCopies(await cycleContext(scratch, "w"), ["data/F.md", "data/gone.md"]);
	expect(fs.readdirSync(scratch.path("w/data"))).toEqual(["f.md"]);
});
