import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { diskFiles } from "@robust-sync/system/disk-files";
import { Scratch } from "../fixtures/scratch.ts";
import { peek } from "./on-disk.ts";
import { OpenDatabases, openFilesBelow } from "./open-files.ts";

let scratch: Scratch;
let descriptor: number | null = null;
beforeEach(() => {
	scratch = new Scratch("open");
});
afterEach(async () => {
	if (descriptor !== null) fs.closeSync(descriptor);
	descriptor = null;
	await scratch.remove();
});

const magic = "SQLite format 3\0";

test.each<[string, string, string | null, boolean, boolean]>([
	["database that is not open", `${magic}x`, null, false, false],
	["database that a program has open", `${magic}x`, null, true, true],
	["database with a write-ahead log", `${magic}x`, "-wal", false, true],
	["database with a journal", `${magic}x`, "-journal", false, false],
	["database with unfinished work in a journal", `${magic}x`, "-journal hot", false, true],
	["database with another file beside it", `${magic}x`, "-log", false, false],
	["other file that a program has open", "x", "-wal", true, false],
	["file shorter than a header", "SQLite", "-wal", true, false],
])("open databases: %s → %s", (_what, content, companion, opened, expected) => {
	const file = scratch.path("a.db");
	fs.writeFileSync(file, content);
	const [suffix, isHot] = companion?.split(" ") ?? [];
	if (suffix !== undefined) fs.writeFileSync(`${file}${suffix}`, isHot ? Buffer.from("d9d505f920a163d700", "hex") : "");
	if (opened) descriptor = fs.openSync(file, "r");
	const isOpen = (name: string) => {
		const found = peek(diskFiles, Buffer.from(scratch.path(name)));
		return found !== null && new OpenDatabases(diskFiles).isOpen(Buffer.from(scratch.path(name)), found);
	};
	expect(isOpen("a.db")).toBe(expected);
	fs.symlinkSync("a.db", scratch.path("link"));
	expect(isOpen("link")).toBe(false);
});

test("open files: one open below a directory → named, also below a link to it", () => {
	scratch.write("d/e/f", "1");
	scratch.write("other", "1");
	descriptor = fs.openSync(scratch.path("d/e/f"), "a");
	fs.symlinkSync("d", scratch.path("link"));
	expect([openFilesBelow(diskFiles, [scratch.path("d")]), openFilesBelow(diskFiles, [scratch.path("link")])]).toEqual([["e/f"], ["e/f"]]);
	expect(openFilesBelow(diskFiles, [scratch.path("nowhere")])).toEqual([]);
	fs.closeSync(descriptor);
	descriptor = null;
	expect(openFilesBelow(diskFiles, [scratch.path("d")])).toEqual([]);
});
