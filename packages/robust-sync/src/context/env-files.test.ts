import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { EnvFileSearch } from "./env-files.ts";

let root: string;
beforeEach(() => {
	root = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-env-"));
});
afterEach(() => {
	jest.restoreAllMocks();
	fs.rmSync(root, { recursive: true });
});

const at = (name: string) => path.join(root, name);
function write(name: string): void {
	fs.mkdirSync(path.dirname(at(name)), { recursive: true });
	fs.writeFileSync(at(name), "");
}
const inOrder = (search: EnvFileSearch) => search.find(root).sort();

test("env files: every change of the tree → found as by a new search", () => {
	const kept = new EnvFileSearch();
	const changes = [
		() => ["a.txt", "b/c/.env", "b/prod.env", ".git/.env", "node_modules/.env", "sync/.env"].map(write),
		() => write(".env.local"),
		() => fs.renameSync(at("b"), at("d")),
		() => write("b/.env"),
		() => fs.rmSync(at("d/c/.env")),
		() => fs.rmSync(at("d"), { recursive: true }),
		() => fs.symlinkSync("b", at("d")),
		() => write("x/.env"),
		() => fs.rmSync(at("b"), { recursive: true }),
		() => write("b"),
	];
	const found = changes.map((change) => {
		change();
		expect(inOrder(kept)).toEqual(inOrder(new EnvFileSearch()));
		return kept.find(root).length;
	});
	expect(found).toEqual([2, 3, 3, 4, 3, 2, 2, 3, 2, 2]);
});

test("env files: nothing changed for some seconds → no directory is listed again", () => {
	["a/.env", "b/c/d.txt"].map(write);
	jest.spyOn(Date, "now").mockReturnValue(Date.now() + 10_000);
	const listed = jest.spyOn(fs, "readdirSync");
	const search = new EnvFileSearch();
	expect(search.find(root)).toEqual(["a/.env"]);
	expect(listed).toHaveBeenCalledTimes(4);
	expect(search.find(root)).toEqual(["a/.env"]);
	expect(listed).toHaveBeenCalledTimes(4);
	// A file system's clock has steps of a few milliseconds.
	const before = fs.statSync(at("b"), { bigint: true }).ctimeNs;
	for (let i = 0; fs.statSync(at("b"), { bigint: true }).ctimeNs === before; i++) write(`b/${i}.env`);
	expect(search.find(root)).toContain("b/0.env");
	expect(listed).toHaveBeenCalledTimes(5);
});
