import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { cleanEntries } from "../index/clean-entries.ts";
import { indexModes, stageFiles, storeCopy } from "../index/stage-files.ts";
import { readStatus } from "../index/status.ts";
import { gitPathFromText as path } from "../paths/git-path.ts";
import { hasModes, mountsWithoutModes, storedMode } from "./file-modes.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("modes");
	scratch.init("w");
	scratch.write("w/d/plain", "1\n");
	scratch.write("w/d/run", "1\n", 0o755);
	scratch.commitAll("w");
});
afterEach(() => scratch.remove());

const [plain, run, fresh] = [path("d/plain"), path("d/run"), path("d/fresh")];

test("file modes: core.fileMode=false → each door stores the mode of the index", async () => {
	scratch.git("w", "config", "core.fileMode", "false");
	const repository = await scratch.open("w");
	const entries = new Map([plain, run].map((name) => [name, { mode: name === run ? "100755" : "100644", oid: "" }]));
	fs.chmodSync(scratch.path("w/d/plain"), 0o755);
	fs.chmodSync(scratch.path("w/d/run"), 0o644);
	scratch.write("w/d/fresh", "1\n", 0o755);
	const expected = new Map([
		[plain, "100644"],
		[run, "100755"],
		[fresh, "100644"],
	]);
	expect(await indexModes(repository, [plain, run, fresh])).toEqual(new Map([...expected].filter(([name]) => name !== fresh)));
	const clean = await cleanEntries(repository, [...expected.keys()], false, entries);
	expect(new Map([...clean].map(([name, { mode }]) => [name, mode]))).toEqual(expected);
	for (const [name, mode] of expected) expect((await storeCopy(repository, name))?.mode).toBe(mode);
	await stageFiles(repository, [...expected.keys()]);
	expect(await indexModes(repository, [...expected.keys()])).toEqual(expected);
});

test("file modes: the workspace's own file system → modes as on disk", async () => {
	const repository = await scratch.open("w");
	expect(hasModes(repository, plain)).toBe(true);
	expect(storedMode(repository, plain, "100755", "100644")).toBe("100755");
	expect(storedMode(repository, plain, "120000", "100644")).toBe("120000");
	fs.chmodSync(scratch.path("w/d/plain"), 0o755);
	expect((await storeCopy(repository, plain))?.mode).toBe("100755");
});

(process.getuid?.() === 0 ? describe : describe.skip)("file modes: mounts", () => {
	test("file modes: a mounted tmpfs → probed, mode changes seen, no file left", async () => {
		execFileSync("mount", ["-t", "tmpfs", "tmpfs", scratch.path("w/d")]);
		scratch.atEnd(() => {
			execFileSync("umount", ["-l", scratch.path("w/d")]);
		});
		scratch.write("w/d/plain", "1\n", 0o755);
		scratch.write("w/d/run", "1\n", 0o755);
		const repository = await scratch.open("w");
		expect(mountsWithoutModes(repository, [plain, run])).toEqual(new Set());
		expect(fs.readdirSync(scratch.path("w/d/.robust-sync"))).toEqual([]);
		expect((await readStatus(repository)).entries.map((entry) => entry.path)).toEqual([plain]);
		expect(storedMode(repository, plain, "100755", "100644")).toBe("100755");
	});

	test("file modes: a read-only mount that cannot be probed → modes as on disk", async () => {
		execFileSync("mount", ["-t", "tmpfs", "-o", "ro", "tmpfs", scratch.path("w/d")]);
		scratch.atEnd(() => {
			execFileSync("umount", ["-l", scratch.path("w/d")]);
		});
		expect(hasModes(await scratch.open("w"), plain)).toBe(true);
	});
});
