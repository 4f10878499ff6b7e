import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { diskFiles } from "@robust-sync/system/disk-files";
import { Scratch } from "../fixtures/scratch.ts";
import type { GitPath } from "../paths/git-path.ts";
import { checkOutTree } from "../worktree/working-tree.ts";
import { inheritingDirectories, keepPermissions, keptBits } from "./permissions.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("permissions");
});
afterEach(() => scratch.remove());

const isRoot = process.getuid?.() === 0;

test.each([
	[0o600, "100644", 0o600],
	[0o600, "100755", 0o700],
	[0o664, "100755", 0o775],
	[0o700, "100644", 0o600],
	[0o710, "100755", 0o710],
	[0o755, "100644", 0o644],
	[0o4755, "100755", 0o755],
	[0o444, "100644", 0o444],
	[0o640, "100755", 0o750],
])("permissions: %o replaced by git mode %s → %o", (bits, mode, expected) => {
	expect(keptBits(bits, mode).toString(8)).toBe(expected.toString(8));
});

test("permissions: a new file in the place of another → its owner, group and bits", () => {
	scratch.write("old", "1", 0o640);
	scratch.write("new", "2", 0o666);
	if (isRoot) fs.chownSync(scratch.path("old"), 1234, 2345);
	const old = fs.statSync(scratch.path("old"));
	keepPermissions(diskFiles, scratch.path("new"), old, "100644");
	const { mode, uid, gid } = fs.statSync(scratch.path("new"));
	expect({ mode, uid, gid }).toEqual({ mode: old.mode, uid: old.uid, gid: old.gid });
});

test("permissions: directories with setgid, new ones below → handed down there only", async () => {
	for (const name of ["plain", "group", "group/inner"]) fs.mkdirSync(scratch.path(name));
	fs.chmodSync(scratch.path("group"), 0o2775);
	fs.chmodSync(scratch.path("group/inner"), 0o755);
	const parents = [null, "plain", "group", "group/new/deep", "group/inner", "none"] as (GitPath | null)[];
	expect([...(await inheritingDirectories({ root: scratch.directory, files: diskFiles }, parents))].sort()).toEqual([
		"group",
		"group/new/deep",
	]);
});

describe("a checkout", () => {
	async function checkOut(change: () => void): Promise<void> {
		const from = scratch.head("w");
		change();
		const to = scratch.commitAll("w");
		scratch.git("w", "reset", "-q", "--hard", from);
		before();
		await checkOutTree(
			await scratch.open("w"),
			{
				from,
				to,
				ref: "refs/heads/main",
				staging: scratch.path("staging"),
				backup: scratch.path("backup"),
			},
			false,
		);
	}
	let before: () => void = () => undefined;
	const bitsOf = (name: string) => (fs.lstatSync(scratch.path("w", name)).mode & 0o7777).toString(8);
	const umask = process.umask();

	beforeEach(() => {
		scratch.init("w");
		for (const name of ["secret", "group", "script", "d/x"]) scratch.write(`w/${name}`, "1\n");
		scratch.commitAll("w");
	});

	test("permissions: checkout of changed files → bits, owner, group stay; x follows git", async () => {
		before = () => {
			fs.chmodSync(scratch.path("w/secret"), 0o600);
			fs.chmodSync(scratch.path("w/group"), 0o664);
			fs.chmodSync(scratch.path("w/script"), 0o600);
			if (isRoot) fs.chownSync(scratch.path("w/secret"), 1234, 2345);
		};
		await checkOut(() => {
			for (const name of ["secret", "group", "script"]) scratch.write(`w/${name}`, "2\n");
			fs.chmodSync(scratch.path("w/script"), 0o755);
		});
		expect([bitsOf("secret"), bitsOf("group"), bitsOf("script")]).toEqual(["600", "664", "700"]);
		if (isRoot) expect(fs.statSync(scratch.path("w/secret"))).toMatchObject({ uid: 1234, gid: 2345 });
		expect(scratch.read("w/secret")).toBe("2\n");
	});

	(isRoot ? test : test.skip)("permissions: checkout of a new file → the group of its setgid directory", async () => {
		before = () => {
			fs.chownSync(scratch.path("w/d"), 0, 2345);
			fs.chmodSync(scratch.path("w/d"), 0o2775);
		};
		await checkOut(() => {
			scratch.write("w/d/new", "2\n");
			scratch.write("w/d/deep/new", "3\n");
			scratch.write("w/plain", "4\n");
		});
		expect(["d/new", "d/deep/new", "plain"].map((name) => fs.statSync(scratch.path("w", name)).gid)).toEqual([2345, 2345, 0]);
		expect(["d/new", "d/deep/new", "plain"].map((name) => scratch.read(`w/${name}`))).toEqual(["2\n", "3\n", "4\n"]);
		expect(bitsOf("d/new")).toBe((0o666 & ~umask).toString(8));
		expect(fs.readdirSync(scratch.path("w/d")).sort()).toEqual(["deep", "new", "x"]);
	});

	test("permissions: a replaced file with a hard link → a write there is not this path's", async () => {
		before = () => fs.linkSync(scratch.path("w/secret"), scratch.path("other"));
		await checkOut(() => scratch.write("w/secret", "2\n"));
		const backup = fs.lstatSync(scratch.path("backup/files/secret"));
		fs.appendFileSync(scratch.path("other"), "more\n");
		expect(fs.lstatSync(scratch.path("backup/files/secret"))).toMatchObject({ size: backup.size, mtimeMs: backup.mtimeMs, nlink: 1 });
		expect(scratch.read("w/secret")).toBe("2\n");
	});
});
