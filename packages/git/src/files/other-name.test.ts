import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
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
		expect([fs.existsSync(file), hasOtherName(Buffer.from(file))]).toEqual([isThere, false]);
		expect(hasOtherNameBelow(directory, gitPathFromText(name))).toBe(false);
	} finally {
		fs.rmSync(directory, { recursive: true });
	}
});
