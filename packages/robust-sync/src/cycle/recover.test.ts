import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import type { CycleContext } from "../context/cycle-context.ts";
import { cycleContext } from "../testing/cycle-context.ts";
import { recover } from "./recover.ts";

let scratch: Scratch;
let context: CycleContext;
beforeEach(async () => {
	scratch = new Scratch("recover");
	scratch.hub();
	scratch.init("w", scratch.path("hub.git"));
	scratch.write("w/a.txt", "a\n");
	scratch.commitAll("w");
	context = await cycleContext(scratch, "w");
});
afterEach(() => scratch.remove());

test("recover: staged files of a killed process → removed", async () => {
	for (const name of ["1/0", "4711/after/d/a.txt", "blobs-1/0"]) scratch.write(`w/sync/staging/${name}`, "staged\n");
	await recover(context);
	expect(fs.readdirSync(context.paths.staging)).toEqual([]);
});

test.each(["a link", "a file"])("recover: %s in place of the staging directory → only that removed", async (kind) => {
	scratch.write("w/sync/x", "");
	if (kind === "a link") fs.symlinkSync(scratch.path("w"), context.paths.staging);
	else scratch.write("w/sync/staging", "mine\n");
	await recover(context);
	expect(fs.existsSync(context.paths.staging)).toBe(false);
	expect(scratch.read("w/a.txt")).toBe("a\n");
});
