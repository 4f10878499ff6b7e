import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { diskFiles } from "@robust-sync/system/disk-files";
import { canIgnoreCase, mountIgnoringCase } from "../fixtures/ignoring-case.ts";
import { Scratch } from "../fixtures/scratch.ts";
import { gitPathFromText } from "../paths/git-path.ts";
import { hasOtherName, hasOtherNameBelow } from "./other-name.ts";

test.each([
	["f.md", true],
	["F.md", true],
	["É.md", false],
	["1", false],
	["none.md", false],
])("other name: %s beside a hard link in another case → it has its own name", (name, isThere) => {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), "other-name-"));
	try {
		fs.writeFileSync(path.join(directory, "f.md"), "");
		fs.linkSync(path.join(directory, "f.md"), path.join(directory, "F.md"));
		const file = path.join(directory, name);
		expect([fs.existsSync(file), hasOtherName(diskFiles, Buffer.from(file))]).toEqual([isThere, false]);
		expect(hasOtherNameBelow({ root: directory, files: diskFiles }, gitPathFromText(name))).toBe(false);
	} finally {
		fs.rmSync(directory, { recursive: true });
	}
});

(canIgnoreCase ? test : test.skip)("other name: a file system that ignores case → each letter that it knows", async () => {
	const scratch = new Scratch("other-name");
	try {
		const directory = scratch.path("mounted");
		mountIgnoringCase(scratch, directory);
		fs.mkdirSync(path.join(directory, "deep"));
		for (const name of ["f.md", "deep/straße", "é"]) fs.writeFileSync(path.join(directory, name), "");
		const found = (name: string) => hasOtherNameBelow({ root: directory, files: diskFiles }, gitPathFromText(name));
		expect(["F.md", "f.MD", "deep/Straße", "Deep/straße", "DEEP", "É"].filter((name) => !found(name))).toEqual([]);
		expect(["f.md", "deep/straße", "deep", "é", "e", "deep/f.md", "Deep/F.md/x"].filter(found)).toEqual(["Deep/F.md/x"]);
	} finally {
		await scratch.remove();
	}
});
