import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { diskFiles } from "./disk-files.ts";
import { addUpToAll, fsyncEachUpTo } from "./files.ts";

let directory: string;
beforeEach(() => {
	directory = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-disk-files-"));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

test("remove a tree: files, odd names, directories, links → all gone, nothing else", () => {
	const [tree, other] = [path.join(directory, "tree"), path.join(directory, "other")];
	fs.mkdirSync(path.join(tree, "below/deep"), { recursive: true });
	fs.mkdirSync(other);
	for (const file of [path.join(other, "stays"), path.join(tree, "below/deep/file")]) fs.writeFileSync(file, "x");
	for (let number = 0; number < 3_000; number++) fs.writeFileSync(path.join(tree, String(number)), "");
	fs.writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.of(0xff, 0xe9)]), "");
	fs.symlinkSync(other, path.join(tree, "link"));
	diskFiles.removeTree(tree);
	expect([fs.readdirSync(directory), fs.readdirSync(other)]).toEqual([["other"], ["stays"]]);
});

test("remove a tree: a link to a directory → the link alone is gone", () => {
	fs.mkdirSync(path.join(directory, "other"));
	fs.writeFileSync(path.join(directory, "other/stays"), "x");
	fs.symlinkSync("other", path.join(directory, "link"));
	diskFiles.removeTree(path.join(directory, "link"));
	expect([fs.readdirSync(directory), fs.readdirSync(path.join(directory, "other"))]).toEqual([["other"], ["stays"]]);
});

test("remove a tree: missing, or a file → no error, and the file is gone", () => {
	diskFiles.removeTree(path.join(directory, "missing"));
	fs.writeFileSync(path.join(directory, "file"), "");
	diskFiles.removeTree(path.join(directory, "file"));
	expect(fs.readdirSync(directory)).toEqual([]);
});

test("names to make durable: one a hundred times → once; many → no more than mean all", () => {
	const directories: Buffer[] = [];
	for (let number = 0; number < 100; number++) addUpToAll(directories, Buffer.from("the same"));
	expect(directories).toHaveLength(1);
	const files: string[] = [];
	for (let number = 0; number < 100; number++) addUpToAll(files, String(number));
	expect(files).toHaveLength(fsyncEachUpTo + 1);
});
