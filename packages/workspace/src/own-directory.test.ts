import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { writeAtomicSync } from "@robust-sync/system/atomic-write";
import { acquireLock } from "@robust-sync/system/lock";
import { assertOurs, makeOwnDirectory, NotOursError } from "@robust-sync/system/own-directory";
import { recordCycle } from "./cycle-history.ts";
import { ensureExcluded } from "./exclude.ts";
import { WorkspacePaths } from "./paths.ts";
import { readStateText } from "./read-state.ts";

let root: string;
let paths: WorkspacePaths;
beforeEach(() => {
	root = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-own-"));
	paths = new WorkspacePaths(root);
});
afterEach(() => fs.rmSync(root, { recursive: true }));

const isRoot = process.getuid?.() === 0;

test("own directory: made here → for the owner only, with its content", async () => {
	makeOwnDirectory(paths.sync);
	writeAtomicSync(paths.journal, "{}");
	recordCycle(paths, Date.now(), 1, false);
	const lock = await acquireLock(paths.cycleLock, { purpose: "test" });
	const modes = ["", "journal.json", "cycle_history.ring", "cycle.lock"].map(
		(name) => fs.statSync(path.join(paths.sync, name)).mode & 0o777,
	);
	await lock.release();
	expect(modes).toEqual([0o700, 0o600, 0o600, 0o600]);
});

test("own directory: a link in its place → nothing is written through it", async () => {
	fs.mkdirSync(path.join(root, "outside"));
	fs.symlinkSync("outside", paths.sync);
	expect(() => makeOwnDirectory(paths.sync)).toThrow(NotOursError);
	expect(() => writeAtomicSync(paths.journal, "{}")).toThrow("is a symbolic link");
	await expect(acquireLock(paths.cycleLock, { purpose: "test" })).rejects.toThrow("is a symbolic link");
	expect(fs.readdirSync(path.join(root, "outside"))).toEqual([]);
});

test("state files: a link in the place of one → neither read nor written through", () => {
	makeOwnDirectory(paths.sync);
	const outside = path.join(root, "outside");
	fs.writeFileSync(outside, "{}");
	fs.symlinkSync(outside, paths.cycleHistory);
	fs.symlinkSync(outside, paths.journal);
	recordCycle(paths, Date.now(), 1, false);
	expect(readStateText(paths.journal)).toEqual({ kind: "invalid", problem: "not a regular file" });
	writeAtomicSync(paths.journal, "new");
	expect(fs.readFileSync(outside, "utf8")).toBe("{}");
});

test("own directory: another user's, and we are root → one line that names the user", () => {
	expect(() => assertOurs(root, process.getuid?.())).not.toThrow();
	if (!isRoot) return;
	fs.chownSync(root, 65534, 65534);
	fs.mkdirSync(path.join(root, ".git/info"), { recursive: true });
	fs.chownSync(path.join(root, ".git"), 65534, 65534);
	for (const attempt of [() => makeOwnDirectory(paths.sync), () => writeAtomicSync(paths.journal, "{}"), () => ensureExcluded(root)]) {
		expect(attempt).toThrow(
			expect.objectContaining({ exitCode: 2, message: expect.stringMatching(/belongs to user 65534.*sudo -u '#65534'/) }),
		);
	}
	expect(fs.readdirSync(root)).toEqual([".git"]);
	expect(fs.readdirSync(path.join(root, ".git/info"))).toEqual([]);
});
