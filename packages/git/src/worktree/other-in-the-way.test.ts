import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { expect, test } from "@jest/globals";
import { canIgnoreCase, mountIgnoringCase } from "../fixtures/ignoring-case.ts";
import { backedUp, expectArrived, history, move, put, read, scratch } from "../fixtures/moves.ts";
import { listIgnored } from "../objects/tree-paths.ts";
import type { GitPath } from "../paths/git-path.ts";

const makeSpecial = (file: string) => execFileSync("mkfifo", [file]);

test("checkout: a pipe where a file or a directory comes in → held, the pipe stays", async () => {
	const ids = await history({ a: "1", changed: "1", gone: "1" }, { a: "2", changed: "2", new: "2", "d/e": "2" });
	for (const name of ["new", "d", "changed", "gone"]) {
		fs.rmSync(scratch.path(`w/${name}`), { force: true });
		makeSpecial(scratch.path(`w/${name}`));
	}
	const report = await move(ids);
	expect(report.held.map(({ path, obstacle }) => `${path} ${obstacle}`).sort()).toEqual([
		"changed in-the-way",
		"d/e in-the-way",
		"new in-the-way",
	]);
	for (const name of ["new", "d", "changed", "gone"]) expect(fs.lstatSync(scratch.path(`w/${name}`)).isFIFO()).toBe(true);
	expect(fs.readFileSync(scratch.path("w/a"), "utf8")).toBe("2");
	expect(scratch.head("w")).toBe(ids.to);
});

test.each(["swap", "swapped"])("checkout: a pipe that is made at the %s → held, the pipe stays", async (step) => {
	const ids = await history({ a: "1" }, { a: "2" });
	let isMade = false;
	const report = await move(ids, {
		checkpoint: (now) => {
			if (now !== step || isMade) return;
			isMade = true;
			fs.rmSync(scratch.path("w/a"));
			makeSpecial(scratch.path("w/a"));
		},
	});
	expect({ isMade, isPipe: fs.lstatSync(scratch.path("w/a")).isFIFO() }).toEqual({ isMade: true, isPipe: true });
	if (step === "swap") expect(report.held.map(({ obstacle }) => obstacle)).toEqual(["in-the-way"]);
});

test("ignored files: in a directory whose name is not UTF-8 → of that one alone", async () => {
	scratch.write("w/.gitignore", "*.log\n");
	scratch.write("w/x.log", "");
	const directory = Buffer.concat([Buffer.from(`${scratch.path("w")}/`), Buffer.of(0xff)]);
	fs.mkdirSync(directory);
	const list = async () => await listIgnored(await scratch.open("w"), "\xff" as GitPath);
	expect(await list()).toEqual({ ignored: [], untracked: [] });
	fs.writeFileSync(Buffer.concat([directory, Buffer.from("/y.log")]), "");
	fs.writeFileSync(Buffer.concat([directory, Buffer.from("/y")]), "");
	expect(await list()).toEqual({ ignored: ["\xff/y.log"], untracked: ["\xff/y"] });
});

test.each<[what: string, replace: (directory: string) => void]>([
	["removed", () => undefined],
	["a file", (directory) => fs.writeFileSync(directory, "in the way")],
])("checkout: a directory is %s before the next below it is made → the rest arrives", async (_what, replace) => {
	const ids = await history({ "d/a": "1" }, { "d/a": "2", "d/e/f": "2", g: "2" });
	let files = 0;
	await move(ids, {
		checkpoint: (step) => {
			if (step !== "file" || ++files !== 2) return;
			fs.rmSync(scratch.path("w/d"), { recursive: true });
			replace(scratch.path("w/d"));
		},
	});
	expect([read("d/e/f"), read("g"), scratch.head("w")]).toEqual(["2", "2", ids.to]);
});

(canIgnoreCase ? test : test.skip)("checkout: a removed file is there under another name only → that file stays", async () => {
	const other = { "data/f.md": "1\n", "data/deep/x": "1\n" };
	const ids = await history({ ...other, "data/F.md": "1\n", "data/Deep/x": "1\n" }, other);
	fs.rmSync(scratch.path("w/data"), { recursive: true });
	mountIgnoringCase(scratch, scratch.path("w/data"));
	for (const [name, content] of Object.entries(other)) put(name, content);
	await move(ids);
	for (const [name, content] of Object.entries(other)) expect(read(name)).toBe(content);
	expectArrived(ids.to);
	expect(backedUp()).toEqual([]);
});
