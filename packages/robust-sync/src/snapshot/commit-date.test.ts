import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { GitPath } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { cycleContext } from "../testing/cycle-context.ts";
import { commitDate } from "./commit-date.ts";

const day = 86_400;
const now = Math.floor(Date.now() / 1000);
let scratch: Scratch;
let base: string;
beforeEach(() => {
	scratch = new Scratch("commit-date");
	scratch.init("helios");
	scratch.write("helios/d/gone.txt", "1\n");
	base = scratch.commitAll("helios");
});
afterEach(() => scratch.remove());

/** A commit on an empty tree. @param header its date as the object has it */
function commitDated(header: string, message = "x"): string {
	const tree = scratch.git("helios", "write-tree").trim();
	scratch.write("commit", `tree ${tree}\nauthor A <a> ${header}\ncommitter A <a> ${header}\n\n${message}\n`);
	return scratch.git("helios", "hash-object", "-t", "commit", "-w", "--literally", scratch.path("commit")).trim();
}

function touch(name: string, seconds: number): GitPath {
	scratch.write(`helios/${name}`, "2\n");
	fs.utimesSync(scratch.path("helios", name), seconds, seconds);
	return name as GitPath;
}

test.each<[string, string, readonly [string, number][], number]>([
	["one file", `${now - 500} +0000`, [["a", now - 60]], now - 60],
	[
		"several files: the newest",
		`${now - 500} +0000`,
		[
			["a", now - 60],
			["b", now - 30],
			["c", now - 90],
		],
		now - 30,
	],
	["written in the future", `${now - 500} +0000`, [["a", now + day]], now + 30],
	["written before its base: when it came to its place", `${now - 500} +0000`, [["a", now - day]], now],
	["no file", `${now - 500} +0000`, [], now + 30],
	["base ahead by an hour", `${now + 3_600} +0000`, [["a", now - 60]], now + 3_600],
	["base ahead by years", "99999999999 +0000", [["a", now - 60]], now - 60],
	["base with a date that no number holds", "18446744073709551614 +0000", [["a", now - 60]], now - 60],
	["base before 1970", "-1 +0000", [["a", now - 60]], now - 60],
])("date of a commit: %s → between its base and now", async (_what, header, written, expected) => {
	const context = await cycleContext(scratch, "helios", { now: () => (now + 30) * 1000 });
	const names = written.map(([name, seconds]) => touch(name, seconds));
	const date = await commitDate(context, commitDated(header, "committer x 1 +0000"), names);
	expect(Math.abs(date - expected)).toBeLessThanOrEqual(expected === now ? 30 : 0);
});

test("date of a commit: a deletion → when its directory last changed", async () => {
	const context = await cycleContext(scratch, "helios");
	const old = commitDated(`${now - 500} +0000`);
	fs.rmSync(scratch.path("helios/d/gone.txt"));
	fs.utimesSync(scratch.path("helios/d"), now - 60, now - 60);
	expect(await commitDate(context, old, ["d/gone.txt" as GitPath])).toBe(now - 60);
	fs.rmdirSync(scratch.path("helios/d"));
	fs.utimesSync(scratch.path("helios"), now - 40, now - 40);
	expect(await commitDate(context, old, ["d/gone.txt" as GitPath])).toBe(now - 40);
});

test("date of a commit: a base in a pack → the same", async () => {
	const context = await cycleContext(scratch, "helios");
	const name = touch("a", now - day);
	const loose = await commitDate(context, base, [name]);
	scratch.git("helios", "gc", "-q");
	expect(await commitDate(context, base, [name])).toBe(loose);
});
