import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { personEnvironment, Scratch } from "../fixtures/scratch.ts";
import { writeIndexEntries } from "../index/index-file.ts";
import { gitPathFromText } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";
import { diffTrees } from "./diff.ts";
import { withObjectReader } from "./object-reader.ts";
import { countTreeFiles, readTreeWhole } from "./tree-paths.ts";

// Lists of thousands of paths and objects pass in pieces. A record at the border of two pieces must not be lost.

const count = 6_000;
const name = (index: number) => `${index % 7}/${"ä \n\"'".repeat(index % 11)}${index}`;
const content = (index: number, version: number) => `${version} ${index % 100}\n`;

let scratch: Scratch;
let repository: Repository;
let commits: string[];

beforeAll(async () => {
	scratch = new Scratch("many");
	scratch.init("w");
	const commit = (version: number, indexes: number[]) => {
		const files = indexes.map((index) => {
			const data = content(index, version);
			const quoted = `"${name(index).replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
			return `M ${index % 5 === version ? "100755" : "100644"} inline ${quoted}\ndata ${data.length}\n${data}\n`;
		});
		return `commit refs/heads/main\ncommitter x <x@x> ${version} +0000\ndata 0\ndeleteall\n${files.join("")}\n`;
	};
	const all = [...Array(count).keys()];
	const first = all.filter((index) => index % 3 !== 0);
	const second = all.filter((index) => index % 4 !== 0);
	const input = commit(1, first) + commit(2, second);
	execFileSync("git", ["fast-import", "--quiet", "--force"], { cwd: scratch.path("w"), env: personEnvironment(scratch.directory), input });
	repository = await scratch.open("w");
	commits = scratch.git("w", "rev-list", "--reverse", "main").trim().split("\n");
}, 20_000);
afterAll(() => scratch.remove());

test("tree diff: thousands of odd names → every change as git lists it", async () => {
	const [before = "", after = ""] = commits;
	const { stdout } = await repository.run(["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", before, after]);
	const tokens = stdout.toString("latin1").split("\0");
	const side = (mode = "", oid = "") => (mode === "000000" ? null : { mode, oid });
	const expected = Array.from({ length: (tokens.length - 1) / 2 }, (_, index) => {
		const [modeBefore, modeAfter, oidBefore, oidAfter] = (tokens[2 * index] ?? "").slice(1).split(" ");
		return { path: tokens[2 * index + 1], before: side(modeBefore, oidBefore), after: side(modeAfter, oidAfter) };
	});
	const changes = await diffTrees(repository, before, after);
	expect(stdout.length).toBeGreaterThan(4 * 65_536);
	expect(JSON.stringify([...changes]) === JSON.stringify(expected)).toBe(true);
});

test("reader: thousands of names, some missing → each answered in its order", async () => {
	const missing = (index: number) => index % 1_000 === 999;
	const oids = scratch.git("w", "ls-tree", "-r", "-z", "main").split("\0").filter(Boolean);
	const known = oids.map((line) => line.split(/[ \t]/)[2] ?? "");
	const names = Array.from({ length: 10_000 }, (_, index) => (missing(index) ? "0".repeat(40) : (known[index % known.length] ?? "")));
	const found: [number, string | undefined, number][] = [];
	const infos = await withObjectReader(repository, async (reader) => {
		await reader.each(names, (info, bytes, index) => found.push([index, info?.oid, bytes?.length ?? -1]));
		return await reader.infos(names);
	});
	const expected = names.map((oid, index) => (missing(index) ? undefined : oid));
	expect(found.map(([index]) => index)).toEqual([...names.keys()]);
	expect(found.map(([, oid]) => oid)).toEqual(expected);
	expect(infos.map((info) => info?.oid)).toEqual(expected);
	expect(found.map(([, , size]) => size)).toEqual(infos.map((info) => info?.size ?? -1));
});

test("index: thousands of entries while another git holds the lock → all are written", async () => {
	const changes = await diffTrees(repository, repository.emptyTree, commits[1] ?? "");
	const lock = scratch.path("w/.git/index.lock");
	fs.writeFileSync(lock, "");
	setTimeout(() => fs.rmSync(lock), 100);
	// A file becomes a directory.
	await writeIndexEntries(repository, [
		{ path: gitPathFromText("0"), entry: null },
		...changes.map(({ path, after }) => ({ path, entry: after })),
	]);
	expect(scratch.git("w", "write-tree").trim()).toBe(scratch.git("w", "rev-parse", "main^{tree}").trim());
});

test("tree: thousands of odd names and a submodule → files counted without it", async () => {
	const [, after = ""] = commits;
	scratch.git("w", "read-tree", after);
	scratch.git("w", "update-index", "--add", "--cacheinfo", `160000,${after},module`);
	const tree = scratch.git("w", "write-tree").trim();
	const names = scratch.git("w", "ls-tree", "-r", "-z", "--name-only", after).split("\0").filter(Boolean);
	expect(await countTreeFiles(repository, tree)).toBe(names.length);
	expect((await readTreeWhole(repository, tree)).size).toBe(names.length + 1);
});
