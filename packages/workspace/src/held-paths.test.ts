import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type GitPath, gitPathFromText } from "@robust-sync/git/git-path";
import { type HeldPath, heldAbove, holdReasons, holdRemedies, nothingHeld, readHeld, writeHeld } from "./held-paths.ts";
import { mountPointsBelow } from "./mount-points.ts";
import { WorkspacePaths } from "./paths.ts";

let paths: WorkspacePaths;
beforeEach(() => {
	paths = new WorkspacePaths(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-held-")));
	fs.mkdirSync(paths.sync);
});
afterEach(() => fs.rmSync(paths.root, { recursive: true }));

const oid = "1".repeat(40);
const held = (name: string, more: Partial<HeldPath> = {}): HeldPath => ({
	path: name as GitPath,
	reason: "not-permitted",
	base: { mode: "100644", oid },
	target: null,
	seen: "absent",
	...more,
});

test("held paths: written and read → the same, for its owner only", () => {
	const entries = [held("a/b"), held("\xff\xfe", { reason: "ignored-here", covered: true, flag: "skip-worktree" })];
	const state = { paths: new Map(entries.map((entry) => [entry.path, entry])), mounts: new Set([gitPathFromText("data")]) };
	writeHeld(paths, state);
	expect(readHeld(paths)).toEqual(state);
	expect(fs.statSync(paths.held).mode & 0o777).toBe(0o600);
});

test("held paths: nothing held → no file is made", () => {
	writeHeld(paths, nothingHeld);
	expect(fs.existsSync(paths.held)).toBe(false);
});

test.each([
	["not JSON", "{"],
	["a path that leads outside", JSON.stringify({ schema: 1, paths: [held("../x")], mounts: [] })],
	["an absolute path", JSON.stringify({ schema: 1, paths: [held("/etc/passwd")], mounts: [] })],
	["an empty component", JSON.stringify({ schema: 1, paths: [held("a//b")], mounts: [] })],
	["a path that git refuses", JSON.stringify({ schema: 1, paths: [held("a/.GIT/hooks/x")], mounts: [] })],
	["a mount in .git", JSON.stringify({ schema: 1, paths: [], mounts: [".git/hooks"] })],
	["NUL in a path", JSON.stringify({ schema: 1, paths: [held("a\0b")], mounts: [] })],
	["an id that is an option", JSON.stringify({ schema: 1, paths: [held("a", { base: { mode: "100644", oid: "--help" } })], mounts: [] })],
	["an unknown reason", JSON.stringify({ schema: 1, paths: [{ ...held("a"), reason: "whatever" }], mounts: [] })],
	["a mount that leads outside", JSON.stringify({ schema: 1, paths: [], mounts: [".."] })],
	["a list", "[]"],
])("held paths: a file with %s → holds nothing", (_what, text) => {
	fs.writeFileSync(paths.held, text);
	expect(readHeld(paths)).toEqual(nothingHeld);
});

test("held paths: a held directory → covers the paths below it", () => {
	const state = { paths: new Map([[gitPathFromText("d"), held("d")]]), mounts: new Set<GitPath>() };
	expect(["d", "d/x", "d/x/y", "dx", "x/d"].map((name) => heldAbove(state, gitPathFromText(name))?.path ?? null)).toEqual([
		"d",
		"d",
		"d",
		null,
		null,
	]);
});

test("held paths: every reason → has a remedy", () => {
	for (const reason of holdReasons) expect(holdRemedies[reason]).toMatch(/^[a-z].{30,}[^.]$/);
});

test("mount points: mountinfo with blanks and neighbours → those below the directory", () => {
	const file = path.join(paths.root, "mountinfo");
	const line = (point: string) => `36 35 98:0 / ${point} rw,noatime master:1 - ext4 /dev/sda rw\n`;
	fs.writeFileSync(file, ["/", "/w", "/w/data", "/w/a\\040b", "/w/a\\040b/c", "/work", "/w2/x"].map(line).join(""));
	expect(mountPointsBelow("/w", file)).toEqual(new Set(["data", "a b", "a b/c"]));
	expect(mountPointsBelow("/w", `${file}-none`)).toEqual(new Set());
	expect(mountPointsBelow("/w/data", file)).toEqual(new Set());
	expect(mountPointsBelow("/w/a b", file)).toEqual(new Set(["c"]));
});
