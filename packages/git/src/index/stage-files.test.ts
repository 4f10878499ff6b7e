import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch, until } from "../fixtures/scratch.ts";
import { gitPathFromText } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";
import { stageFiles } from "./stage-files.ts";

let scratch: Scratch;
let repository: Repository;
let writer: ChildProcess | null = null;
beforeEach(async () => {
	scratch = new Scratch("stage");
	scratch.init("w");
	scratch.write("w/a", "1\n");
	scratch.commitAll("w");
	repository = await scratch.open("w");
});
afterEach(async () => {
	writer?.kill("SIGKILL");
	await scratch.remove();
});

const staged = (name: string) => scratch.git("w", "cat-file", "blob", `:${name}`);

/** A program that empties and rewrites `w/restless` as fast as possible. */
async function rewriteForever(bytes: number): Promise<void> {
	const file = scratch.path("w/restless");
	const program = `const content = Buffer.alloc(${bytes}, "x"); for (;;) require("node:fs").writeFileSync(${JSON.stringify(file)}, content)`;
	writer = spawn(process.execPath, ["-e", program], { stdio: "ignore" });
	await until(() => fs.existsSync(file), "the restless file");
}

test("staging: files as they are on disk → in the index; deleted ones removed", async () => {
	scratch.write("w/b", "2\n");
	fs.rmSync(scratch.path("w/a"));
	await stageFiles(repository, ["a", "b"].map(gitPathFromText));
	expect(scratch.git("w", "ls-files")).toBe("b\n");
	expect(staged("b")).toBe("2\n");
});

test("staging: many, with empty ones and a filter → one pack, not a file each to fsync", async () => {
	const names = Array.from({ length: 2_000 }, (_, index) => `many/${index}.md`);
	for (const name of names) scratch.write(`w/${name}`, `${name}\n`);
	scratch.write("w/empty", "");
	scratch.write("w/crlf.txt", "1\r\n2\r\n");
	scratch.write("w/.gitattributes", "*.txt text\n");
	await stageFiles(repository, [...names, "empty", "crlf.txt", ".gitattributes"].map(gitPathFromText));
	expect(staged(names[1_999] ?? "")).toBe(`${names[1_999]}\n`);
	expect([staged("empty"), staged("crlf.txt")]).toEqual(["", "1\n2\n"]);
	expect(scratch.git("w", "count-objects", "-v")).toMatch(/^in-pack: 200\d$/m);
	scratch.git("w", "fsck", "--strict");
});

test.each([
	["small, so that git reads it", 20_000],
	["large, so that git maps it", 3_000_000],
])(
	"staging: a file emptied and written all the time → one moment of it, no lock: %s",
	async (_name, bytes) => {
		await rewriteForever(bytes);
		for (let round = 0; round < 10; round++) {
			scratch.write("w/b", `${round}\n`);
			await stageFiles(repository, ["b", "restless"].map(gitPathFromText));
			expect(staged("b")).toBe(`${round}\n`);
			expect(staged("restless")).toMatch(/^x*$/);
			expect(fs.existsSync(scratch.path("w/.git/index.lock"))).toBe(false);
		}
	},
	60_000,
);

test("stageFiles: one that git refuses → named, the others staged", async () => {
	fs.mkdirSync(scratch.path("w/directory"));
	scratch.write("w/a.md", "a");
	scratch.write("w/z.md", "z");
	const names = ["a.md", "directory", "z.md"].map(gitPathFromText);
	expect(await stageFiles(repository, names)).toEqual(["directory"]);
	expect(scratch.git("w", "diff", "--cached", "--name-only").split("\n")).toEqual(expect.arrayContaining(["a.md", "z.md"]));
});
