import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { diskFiles } from "@robust-sync/system/disk-files";
import { Scratch } from "../fixtures/scratch.ts";
import { readIndexEntries } from "../index/index-entries.ts";
import { writeIndexEntries } from "../index/index-file.ts";
import { type KnownFile, writeIndexStats } from "../index/index-stats.ts";
import { type GitPath, gitPathFromText } from "../paths/git-path.ts";
import { accessTimesTell, type PlacedVersion, PlacedVersions } from "./placed-versions.ts";

let scratch: Scratch;
let versions: PlacedVersions;
beforeEach(() => {
	scratch = new Scratch("versions");
	versions = new PlacedVersions(diskFiles, scratch.path("versions"));
	versions.prepare(1);
});
afterEach(() => scratch.remove());

function place(content = "content\n".repeat(5_000)): PlacedVersion {
	scratch.write("file", content);
	diskFiles.markUnread(scratch.path("file"));
	return versions.keep(scratch.path("file")) as PlacedVersion;
}

const file = () => scratch.path("file");
const tell = () => accessTimesTell(diskFiles, scratch.path());

test.each<readonly [string, boolean, () => void]>([
	["nothing", true, () => undefined],
	["a read of ours", true, () => void diskFiles.readUnseen(file())],
	["a write in place", true, () => fs.writeFileSync(fs.openSync(file(), "r+"), "other!!\n")],
	["a write that truncates", true, () => fs.writeFileSync(file(), "other\n")],
	["an append", true, () => fs.appendFileSync(file(), "more\n")],
	["chmod", true, () => fs.chmodSync(file(), 0o600)],
	[
		"a rename over it",
		true,
		() => {
			scratch.write("new", "new\n");
			fs.renameSync(scratch.path("new"), file());
		},
	],
	[
		"unlink and create",
		true,
		() => {
			fs.rmSync(file());
			scratch.write("file", "again\n");
			fs.readFileSync(file());
		},
	],
	["a read", false, () => void fs.readFileSync(file())],
	["cat", false, () => void execFileSync("cat", [file()])],
	["cp", false, () => void execFileSync("cp", [file(), scratch.path("copy")])],
	["sed -i", false, () => void execFileSync("sed", ["-i", "s/c/d/", file()])],
	// git maps files above 32 KiB into memory.
	["a read by mmap", false, () => void execFileSync("git", ["hash-object", "--no-filters", file()])],
	[
		"a read, then a rename over it",
		false,
		() => {
			scratch.write("new", `${fs.readFileSync(file(), "utf8")}new\n`);
			fs.renameSync(scratch.path("new"), file());
		},
	],
])("placed version: %s → unread %s", (_what, isUnread, act) => {
	if (!tell()) throw new Error("the tests need a file system that keeps access times (relatime)");
	const version = place();
	expect(versions.isUnread(version)).toBe(true);
	act();
	expect(versions.isUnread(version)).toBe(isUnread);
});

test("placed version: its link is gone or another file's → unknown", () => {
	const version = place();
	expect([versions.has(file()), versions.has(scratch.path("versions"))]).toEqual([true, false]);
	expect(versions.isUnread({ ...version, ino: "1" })).toBe(false);
	versions.drop(version.ino);
	expect([versions.has(file()), versions.isUnread(version)]).toEqual([false, false]);
});

test("placed versions: an hour later, or too many → the oldest links go", () => {
	const kept = [0, 1, 2].map((number) => {
		scratch.write(`file${number}`, "x");
		diskFiles.markUnread(scratch.path(`file${number}`));
		return versions.keep(scratch.path(`file${number}`));
	});
	expect(versions.prune(Date.now(), 2)).toBe(2);
	expect(kept.filter((version) => version && versions.isUnread(version))).toHaveLength(2);
	expect(versions.prune(Date.now() + 61 * 60_000)).toBe(0);
	expect(fs.readdirSync(scratch.path("versions"))).toEqual([]);
});

const isRead = (name: string) => fs.statSync(scratch.path(name)).atimeMs > Date.now() - 60_000;

/** Index entries as after a checkout, for files that were written two seconds ago. */
async function checkedOut(objectFormat: string, indexVersion: number, names: readonly string[]) {
	fs.mkdirSync(scratch.path("w"));
	execFileSync("git", ["init", "-q", "-b", "main", `--object-format=${objectFormat}`, scratch.path("w")]);
	scratch.git("w", "config", "index.version", String(indexVersion));
	const entries = names.map((name) => {
		scratch.write(`w/${name}`, `content of ${name}\n`);
		const time = Date.now() / 1000 - 2;
		fs.utimesSync(scratch.path(`w/${name}`), time, time);
		diskFiles.markUnread(scratch.path(`w/${name}`));
		const oid = scratch.git("w", "hash-object", "-w", "--no-filters", name).trim();
		diskFiles.markUnread(scratch.path(`w/${name}`));
		return { path: gitPathFromText(name), mode: "100644", oid, stats: fs.lstatSync(scratch.path(`w/${name}`), { bigint: true }) };
	});
	await writeIndexEntries(
		await scratch.open("w"),
		entries.map(({ path, mode, oid }) => ({ path, entry: { mode, oid } })),
	);
	return entries;
}

test.each([
	["sha1", 2],
	["sha1", 4],
	["sha256", 3],
] as const)("index stats: %s, version %d → git reads none of the files", async (objectFormat, version) => {
	const names = ["a", "dir/b with blanks", "dir/b2", "z".repeat(200)];
	const entries = await checkedOut(objectFormat, version, names);
	expect(writeIndexStats(await scratch.open("w"), entries)).toBe(true);
	expect(scratch.git("w", "status", "--porcelain", "-uno").trim().split("\n")).toHaveLength(names.length);
	expect(names.filter((name) => isRead(`w/${name}`))).toEqual([]);
	expect(scratch.git("w", "fsck", "--strict").trim()).toBe("");
	// A write with the same length and an older time is found even so.
	scratch.write("w/a", "CONTENT of a\n");
	fs.utimesSync(scratch.path("w/a"), 1, 1);
	expect(scratch.git("w", "status", "--porcelain", "-uno", "a").trim()).toBe("AM a");
});

test("index stats: another blob, mode or a split index → entries stay as they are", async () => {
	const [one, two] = (await checkedOut("sha1", 2, ["a", "b"])) as [KnownFile, KnownFile];
	const repository = await scratch.open("w");
	const before = readIndexEntries(fs.readFileSync(scratch.path("w/.git/index")), 20)?.map(({ path }) => path);
	expect(before).toEqual(["a", "b"]);
	writeIndexStats(repository, [
		{ ...one, mode: "100755" },
		{ ...two, oid: "1".repeat(40) },
	]);
	scratch.git("w", "status", "--porcelain");
	expect(["a", "b"].filter((name) => isRead(`w/${name}`))).toEqual(["a", "b"]);
	scratch.git("w", "update-index", "--split-index");
	expect(writeIndexStats(repository, [one])).toBe(false);
	fs.writeFileSync(scratch.path("w/.git/index.lock"), "");
	expect(writeIndexStats(repository, [two])).toBe(false);
	expect(fs.existsSync(scratch.path("w/.git/index.lock"))).toBe(true);
});

test("index stats: a file written in the index's own second → compared again", async () => {
	const [first] = (await checkedOut("sha1", 2, ["a", "b"])) as [KnownFile];
	// Written, added to the index and written again within one second: only the content differs.
	const time = Math.floor(fs.statSync(scratch.path("w/.git/index")).mtimeMs / 1000);
	scratch.write("w/racy", "one\n");
	fs.utimesSync(scratch.path("w/racy"), time, time);
	scratch.git("w", "add", "racy");
	fs.writeFileSync(fs.openSync(scratch.path("w/racy"), "r+"), "two\n");
	fs.utimesSync(scratch.path("w/racy"), time, time);
	fs.utimesSync(scratch.path("w/.git/index"), time, time);
	expect(writeIndexStats(await scratch.open("w"), [first])).toBe(true);
	scratch.git("w", "config", "core.trustctime", "false");
	expect(scratch.git("w", "status", "--porcelain", "racy").trim()).toBe("AM racy");
});

test("index entries: torn anywhere → refused, never an exception", async () => {
	await checkedOut("sha1", 4, ["a", "dir/b", "dir/c"]);
	const index = fs.readFileSync(scratch.path("w/.git/index"));
	for (let length = 0; length < index.length; length++) {
		const found = readIndexEntries(index.subarray(0, length), 20);
		expect(found === null || found.every(({ path }) => path.length < 10)).toBe(true);
	}
	expect(readIndexEntries(index, 20)?.map(({ path }) => path as GitPath)).toEqual(["a", "dir/b", "dir/c"]);
});
