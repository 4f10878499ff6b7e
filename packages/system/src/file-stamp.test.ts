import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { fileStamp } from "./file-stamp.ts";

let directory: string;
let file: string;
beforeEach(() => {
	directory = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-stamp-"));
	file = path.join(directory, "state.json");
	fs.writeFileSync(file, "one");
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

test("file stamp: nothing happens → the same; no file, or below a file → null", () => {
	expect(fileStamp(file)).toBe(fileStamp(file));
	expect(fileStamp(path.join(directory, "none"))).toBeNull();
	for (const stat of [fs.statSync, fs.lstatSync]) expect(fileStamp(path.join(file, "below"), stat)).toBeNull();
});

test("file stamp: written, replaced, or written with its time set back → another", () => {
	const { atime, mtime } = fs.statSync(file);
	const stamps = [fileStamp(file)];
	fs.writeFileSync(file, "other");
	stamps.push(fileStamp(file));
	fs.copyFileSync(file, `${file}.new`);
	fs.utimesSync(`${file}.new`, atime, mtime);
	fs.renameSync(`${file}.new`, file);
	stamps.push(fileStamp(file));
	expect(new Set(stamps).size).toBe(3);
});
