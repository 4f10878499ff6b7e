import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { parseRawDiff } from "../objects/diff.ts";
import { displayPath, fileSystemPath, type GitPath, gitPath, gitPathFromText } from "../paths/git-path.ts";
import { Repository } from "../process/repository.ts";
import { readStatus, statusParser } from "./status.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("status");
});
afterAll(() => scratch.remove());

/** Names that have broken parsers: every one must come through byte for byte. */
const oddNames: readonly Buffer[] = [
	"with blanks",
	" leading and trailing ",
	'"quoted"',
	"it's",
	"new\nline",
	"tab\tinside",
	"-rf",
	"--help",
	"back\\slash",
	"*?[a]",
	":(glob)x",
	"$HOME",
	"`id`",
	"1 M. N... 100644 100644",
	"? untracked",
	"# branch.oid",
	"üñí",
	"u\u0308",
	"🙂",
	"a -> b",
	"CON",
]
	.map((name) => Buffer.from(name))
	.concat([Buffer.from([0x66, 0xff, 0xfe, 0x80]), Buffer.from([0x01, 0x7f]), Buffer.alloc(255, "n")]);

test("status: untracked, changed, deleted, staged, odd names → bytes kept", async () => {
	const root = scratch.init("odd");
	const file = (name: Buffer, suffix = "") => fileSystemPath(root, gitPath(Buffer.concat([name, Buffer.from(suffix)]).subarray(0, 255)));
	for (const name of oddNames) fs.writeFileSync(file(name), "1");
	const repository = await scratch.open("odd");
	const expected = oddNames.map(gitPath).sort();
	const untracked = await readStatus(repository);
	expect(untracked.entries.map((entry) => entry.path).sort()).toEqual(expected);
	expect(untracked.entries.every((entry) => entry.kind === "untracked")).toBe(true);

	scratch.commitAll("odd");
	for (const [index, name] of oddNames.entries()) index % 2 ? fs.rmSync(file(name)) : fs.writeFileSync(file(name), "two");
	const changed = await readStatus(repository);
	expect(changed.entries.map((entry) => entry.path).sort()).toEqual(expected);
	expect(changed.entries.map((entry) => entry.worktree).sort()).toEqual(oddNames.map((_, index) => (index % 2 ? "D" : "M")).sort());

	const before = scratch.head("odd");
	const after = scratch.commitAll("odd");
	const raw = execFileSync("git", ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", before, after], { cwd: root });
	expect(
		parseRawDiff(raw)
			.map((change) => change.path)
			.sort(),
	).toEqual(expected);
});

describe("HEAD in the status", () => {
	test("status: HEAD is unborn → reported", async () => {
		scratch.init("unborn");
		const status = await readStatus(await scratch.open("unborn"));
		expect({ ...status, entries: [...status.entries] }).toEqual({
			head: null,
			branch: "main",
			entries: [],
			refused: [],
			unreadable: [],
		});
	});
	test("status: HEAD is detached, or the branch not ASCII → reported", async () => {
		scratch.init("detached");
		const commit = scratch.commitAll("detached");
		scratch.git("detached", "checkout", "-q", "-b", "größe/1");
		expect(await readStatus(await scratch.open("detached"))).toMatchObject({ head: commit, branch: "größe/1" });
		scratch.git("detached", "checkout", "-q", "--detach");
		expect(await readStatus(await scratch.open("detached"))).toMatchObject({ head: commit, branch: null });
	});
});

test("status: unmerged path, submodule, nested repository → distinguished", async () => {
	scratch.init("mixed");
	scratch.write("mixed/a", "1\n");
	scratch.commitAll("mixed");
	scratch.git("mixed", "checkout", "-q", "-b", "other");
	scratch.write("mixed/a", "2\n");
	scratch.commitAll("mixed");
	scratch.git("mixed", "checkout", "-q", "main");
	scratch.write("mixed/a", "3\n");
	scratch.commitAll("mixed");
	expect(() => scratch.git("mixed", "merge", "other")).toThrow();
	scratch.init("mixed/nested");
	scratch.write("mixed/nested/file", "x");
	scratch.commitAll("mixed/nested");
	const { entries } = await readStatus(await scratch.open("mixed"));
	expect([...entries]).toEqual([
		expect.objectContaining({ path: "a", kind: "unmerged" }),
		expect.objectContaining({ path: "nested/", kind: "untracked" }),
	]);
});

test("status: output cut off in the middle → no exception", () => {
	const whole = Buffer.from("# branch.oid (initial)\0# branch.head main\0? a\x001 .M N... 100644 100644 100644 0 0 b c\0");
	const parse = (output: Buffer) => {
		const { onOutput, status } = statusParser();
		onOutput(output);
		return status("");
	};
	for (let length = 0; length < whole.length; length++) expect(() => parse(whole.subarray(0, length))).not.toThrow();
	expect(parse(whole).entries.map((entry) => entry.path)).toEqual(["a", "b c"]);
});

test("paths: shown as text → found again by their bytes", () => {
	expect(displayPath(gitPathFromText("größe"))).toBe("größe");
	expect(displayPath(gitPath(Buffer.from([0x61, 0xff])))).toBe("a\ufffd");
	expect(fileSystemPath("/r", gitPath(Buffer.from([0x61, 0xff])) as GitPath)).toEqual(Buffer.from([0x2f, 0x72, 0x2f, 0x61, 0xff]));
});

test("status: git is killed by a file that shrinks → read again, each path once", async () => {
	scratch.init("shrunk");
	fs.writeFileSync(scratch.path("shrunk/new.md"), "new\n");
	const opened = await scratch.open("shrunk");
	const [bin, killed] = [scratch.path("bin"), scratch.path("killed")];
	fs.mkdirSync(bin);
	// The first one ends like a git whose mapped file was emptied, with a part of its output printed.
	const first = `touch '${killed}'; printf '? new.md\\0? ne'; kill -s BUS $$`;
	fs.writeFileSync(`${bin}/git`, `#!/bin/sh\n[ -e '${killed}' ] || { ${first}; }\nPATH=\${PATH#*:} exec git "$@"\n`, { mode: 0o755 });
	const repository = new Repository({ ...opened, env: { ...opened.env, PATH: `${bin}:${process.env.PATH}` } });
	const { entries } = await readStatus(repository);
	expect([fs.existsSync(killed), entries.map((entry) => entry.path)]).toEqual([true, ["new.md"]]);
});
