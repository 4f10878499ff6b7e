import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { obstacleOf } from "../files/obstacle.ts";
import { Scratch } from "../fixtures/scratch.ts";
import { blobOid } from "../objects/objects.ts";
import { readIgnored } from "../objects/tree-paths.ts";
import { type GitPath, gitPathBytes, gitPathFromText } from "../paths/git-path.ts";
import { cleanEntries } from "./clean-entries.ts";
import { writeFlaggedIndexEntries } from "./index-file.ts";
import { readIndexFlags } from "./index-flags.ts";
import { addLocalExcludes, localExcludes } from "./local-excludes.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("local-files");
	scratch.init("w");
});
afterEach(() => scratch.remove());

const odd = ["a b", "trailing ", "#x", "!y", "[z]*?", "back\\slash", 'quo"te', "ümlaut", "tab\tin", " lead", "d/e/f.key", "\xff\xfe"].map(
	(name) => (name === "\xff\xfe" ? (name as GitPath) : gitPathFromText(name)),
);

test("local excludes: lines for odd names → git ignores each of them and no other name", async () => {
	const repository = await scratch.open("w");
	fs.mkdirSync(scratch.path("w/d/e"), { recursive: true });
	for (const name of odd) fs.writeFileSync(Buffer.concat([Buffer.from(`${scratch.path("w")}/`), gitPathBytes(name)]), "");
	addLocalExcludes(repository, odd);
	addLocalExcludes(repository, odd);
	const others = odd.map((name) => `${name}x` as GitPath);
	expect(await readIgnored(repository, [...odd, ...others])).toEqual(new Set(odd));
	expect(
		fs
			.readFileSync(scratch.path("w/.git/info/exclude"), "latin1")
			.split("\n")
			.filter((line) => line.startsWith("/")),
	).toHaveLength(odd.length);
});

test("local excludes: lines of ours and of others → only paths, as they were given", async () => {
	const repository = await scratch.open("w");
	const file = scratch.path("w/.git/info/exclude");
	fs.mkdirSync(scratch.path("w/.git/info"), { recursive: true });
	fs.writeFileSync(file, "/before\n");
	expect(localExcludes(repository)).toEqual(new Set());
	addLocalExcludes(repository, odd);
	fs.appendFileSync(file, "# more\n*.log\n!/no\n/a*b\n/../up\n/.git/config\n//x\n/\n/slash/\n");
	expect(localExcludes(repository)).toEqual(new Set(odd));
	fs.rmSync(file);
	expect(localExcludes(repository)).toEqual(new Set());
});

test("clean entries: odd names, links, filters → equal to git add", async () => {
	scratch.write("w/.gitattributes", "*.key filter=cut\n");
	scratch.git("w", "config", "filter.cut.clean", "sed s/secret//");
	fs.mkdirSync(scratch.path("w/d/e"), { recursive: true });
	for (const name of odd)
		fs.writeFileSync(Buffer.concat([Buffer.from(`${scratch.path("w")}/`), gitPathBytes(name)]), `secret ${name}`, "latin1");
	fs.symlinkSync("nowhere", scratch.path("w/link"));
	scratch.write("w/run", "1", 0o755);
	const names = [...odd, "link" as GitPath, "run" as GitPath, "none" as GitPath, "d" as GitPath];
	const entries = await cleanEntries(await scratch.open("w"), names, true);
	scratch.git("w", "add", "--all");
	const stored = execFileSync("git", ["ls-files", "-s", "-z"], { cwd: scratch.path("w"), encoding: "latin1" });
	const expected = new Map(
		stored.split("\0").flatMap((line) => {
			const [, mode = "", oid = "", name = ""] = /^(\d+) ([0-9a-f]+) 0\t(.*)$/s.exec(line) ?? [];
			return name === "" || name === ".gitattributes" ? [] : [[name, { mode, oid }] as const];
		}),
	);
	expect(new Map(entries)).toEqual(expected);
	expect((await cleanEntries(await scratch.open("w"), ["run" as GitPath], false)).get("run" as GitPath)?.oid).toBe(
		blobOid(Buffer.from("1")),
	);
});

test("index bits: set with the entries in one step → there, read back, no lock left", async () => {
	for (const name of ["a", "b", "c"]) scratch.write(`w/${name}`, name);
	scratch.commitAll("w");
	const repository = await scratch.open("w");
	const oid = scratch.git("w", "rev-parse", "HEAD:c").trim();
	const entries = ["a", "b", "new"].map((name) => ({ path: name as GitPath, entry: { mode: "100644", oid } }));
	const flags = new Map([
		["a" as GitPath, { skipWorktree: true, assumeUnchanged: false }],
		["b" as GitPath, { skipWorktree: true, assumeUnchanged: true }],
	]);
	await writeFlaggedIndexEntries(repository, entries, flags);
	expect(scratch.git("w", "ls-files", "-v")).toBe("S a\ns b\nH c\nH new\n");
	expect(scratch.git("w", "ls-files", "-s", "a")).toContain(oid);
	expect(await readIndexFlags(repository, ["a", "b", "c", "none"] as GitPath[])).toEqual(flags);
	expect(fs.existsSync(scratch.path("w/.git/index.lock"))).toBe(false);
});

test.each([
	["EXDEV", "other-file-system"],
	["EPERM", "not-permitted"],
	["EACCES", "not-permitted"],
	["EROFS", "read-only"],
	["ENAMETOOLONG", "name-too-long"],
	["EBUSY", "mount-point"],
	["EIO", "unreadable"],
	["ERR_FS_FILE_TOO_LARGE", "too-large"],
	["ENOSPC", null],
	["EDQUOT", null],
	["EMFILE", null],
	["ENOMEM", null],
	["ENOENT", null],
])("obstacle: %s → %s", (code, obstacle) => {
	const error = Object.assign(new Error(code), { code });
	expect(obstacleOf(error)).toBe(obstacle);
	// Only another file system than the workspace's may be full.
	expect(obstacleOf(error, true)).toBe(code === "ENOSPC" || code === "EDQUOT" ? "disk-full" : obstacle);
});
