import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { cycleContext } from "../testing/cycle-context.ts";
import { findCandidates } from "./scan.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("scan");
	scratch.init("w");
	scratch.write("w/a", "1\n");
	scratch.commitAll("w");
});
afterEach(() => scratch.remove());

test("scan: a file in the place of a pipe that was found before → skipped no more", async () => {
	const context = await cycleContext(scratch, "w");
	const pipe = scratch.path("w/pipe");
	execFileSync("mkfifo", [pipe]);
	const scan = async () => {
		const found = await findCandidates(context);
		return { changed: [...found.changed], skipped: found.skipped };
	};
	expect(await scan()).toMatchObject({ changed: [], skipped: [{ path: "pipe", reason: "special-file" }] });
	fs.rmSync(pipe);
	scratch.write("w/pipe", "2\n");
	expect(await scan()).toMatchObject({ changed: ["pipe"], skipped: [] });
});
