import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { GitPath } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { cycleContext } from "../testing/cycle-context.ts";
import { refreshIndex } from "./follow-head.ts";
import { takeSnapshot } from "./snapshot.ts";
import { separateVanished, type VanishedFiles } from "./vanished-files.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("vanished");
	for (const name of ["d/a", "d/b", "e/c", "top"]) scratch.write(`w/${name}`, "1");
});
afterEach(() => scratch.remove());

const look = (names: string[], options: { afterMs?: number; isNew?: readonly string[]; since?: VanishedFiles } = {}) =>
	separateVanished(scratch.path("w"), names as GitPath[], options.since ?? new Map(), Date.now() + (options.afterMs ?? 0), (name) =>
		(options.isNew ?? []).includes(name),
	).unconfirmed;

test("vanished name: just now → waits, half a second later → confirmed", () => {
	fs.rmSync(scratch.path("w/d/a"));
	fs.rmSync(scratch.path("w/top"));
	expect(look(["d/a", "d/b", "top"])).toEqual(["d/a", "top"]);
	expect(look(["d/a", "d/b", "top"], { afterMs: 600 })).toEqual([]);
});

test("vanished name: in a busy directory → waits half a second, no longer", () => {
	const since: VanishedFiles = new Map();
	fs.rmSync(scratch.path("w/d/a"));
	expect(look(["d/a"], { since })).toEqual(["d/a"]);
	for (const [name, at] of since) since.set(name, at - 600);
	scratch.write("w/d/other", "1");
	expect(look(["d/a"], { since })).toEqual([]);
});

test("vanished name: back again → forgotten", () => {
	const since: VanishedFiles = new Map();
	fs.rmSync(scratch.path("w/d/a"));
	expect(look(["d/a"], { since })).toEqual(["d/a"]);
	scratch.write("w/d/a", "2");
	expect(look(["d/a"], { since })).toEqual([]);
	expect(since.size).toBe(0);
});

test.each<[string, string, string, string]>([
	["file", "d/a", "d/z", "d/z"],
	["file into another directory", "d/a", "e/z", "e/z"],
	["directory", "d", "f", "f/a"],
	["directory into another one", "d", "e/d", "e/d/a"],
])("renamed %s → the new name waits for the old one", (_what, from, to, added) => {
	fs.renameSync(scratch.path("w", from), scratch.path("w", to));
	expect(look(["d/a", added], { isNew: [added] })).toEqual(["d/a", added]);
	expect(look([added], { isNew: [added] })).toEqual([]);
});

test("vanished directory: a scan → all that was in it waits", () => {
	fs.rmSync(scratch.path("w/d"), { recursive: true });
	expect(look(["d/a", "d/b", "e/c"])).toEqual(["d/a", "d/b"]);
});

const removeAsItIsCommitted = async () => {
	// Asserted after the scan or read, right before git stages it, or the commit is written.
	const lock = { assertHeld: () => fs.rmSync(scratch.path("w/d/a"), { force: true }), release: async () => undefined };
	const context = await cycleContext(scratch, "w", { lock, now: () => Date.now() + 5_000 });
	context.memory.ownTrackedChecked = true;
	return { context, snapshot: await takeSnapshot(context) };
};
const committedNames = () => scratch.git("w", "show", "--format=", "--name-status", "HEAD").trim().split("\n");

test.each([
	["of changed files", false],
	["with a new one", true],
])("vanished name: as git comes to it, a commit %s → no deletion of it", async (_what, hasNew) => {
	scratch.init("w");
	scratch.write("w/.git/info/exclude", "sync\n");
	// If attributes apply, git reads the files.
	scratch.write("w/.gitattributes", "*.txt text\n");
	scratch.commitAll("w");
	for (const name of ["d/a", "d/b", ...(hasNew ? ["new"] : [])]) scratch.write(`w/${name}`, "2");
	const { snapshot } = await removeAsItIsCommitted();
	expect(snapshot).toMatchObject({ busy: ["d/a"], unconfirmed: 0 });
	expect(committedNames()).toEqual(["M\td/b", ...(hasNew ? ["A\tnew"] : [])]);
	expect(scratch.git("w", "status", "--porcelain").trimEnd()).toBe(" D d/a");
});

test("vanished name: after it was read → committed as it was read", async () => {
	scratch.init("w");
	scratch.write("w/.git/info/exclude", "sync\n");
	scratch.commitAll("w");
	for (const name of ["d/a", "new"]) scratch.write(`w/${name}`, "2");
	const { context, snapshot } = await removeAsItIsCommitted();
	expect(snapshot).toMatchObject({ busy: [], committed: 2, deleted: 0 });
	expect(committedNames()).toEqual(["M\td/a", "A\tnew"]);
	await refreshIndex(context);
	expect(scratch.git("w", "show", "HEAD:d/a")).toBe("2");
	expect(scratch.git("w", "status", "--porcelain").trimEnd()).toBe(" D d/a");
});
