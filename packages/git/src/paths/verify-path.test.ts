import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { deflateSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { personEnvironment, Scratch } from "../fixtures/scratch.ts";
import { isPathAllowed } from "./verify-path.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("verify-path");
	scratch.init("repository");
});
afterAll(() => scratch.remove());

const protection = ["-c", "core.protectNTFS=true", "-c", "core.protectHFS=true"];

/** The paths that git accepts into an index, by one process. None of them may have a component that is empty, `.` or `..`. */
function takenByGit(paths: readonly string[]): Set<string> {
	const { stdout, status } = spawnSync("git", [...protection, "update-index", "-z", "--force-remove", "--verbose", "--stdin"], {
		cwd: scratch.path("repository"),
		env: personEnvironment(scratch.directory),
		input: Buffer.from(paths.map((name) => `${name}\0`).join(""), "latin1"),
		maxBuffer: 256 * 1024 * 1024,
	});
	expect(status).toBe(0);
	const said = stdout.toString("latin1");
	return new Set(paths.filter((name) => said.includes(`remove '${name}'\n`)));
}

/** Whether `git update-index --cacheinfo` accepts a path. */
function isTakenAlone(name: string, mode: string): boolean {
	const blob = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
	try {
		execFileSync("git", [...protection, "update-index", "--add", "--cacheinfo", `${mode},${blob},${name}`], {
			cwd: scratch.path("repository"),
			env: { ...personEnvironment(scratch.directory), GIT_INDEX_FILE: scratch.path("index") },
			stdio: "pipe",
		});
		return true;
	} catch {
		return false;
	} finally {
		fs.rmSync(scratch.path("index"), { force: true });
	}
}

/** The names that `git fsck` reports, each as the only entry of a tree. */
function foundByFsck(names: readonly string[]): Set<string> {
	const byTree = new Map<string, string>();
	for (const name of names) {
		const entry = Buffer.from(
			`100644 ${name}\0${"\xe6\x9d\xe2\x9b\xb2\xd1\xd6\x43\x4b\x8b\x29\xae\x77\x5a\xd8\xc2\xe4\x8c\x53\x91"}`,
			"latin1",
		);
		const object = Buffer.concat([Buffer.from(`tree ${entry.length}\0`), entry]);
		const oid = createHash("sha1").update(object).digest("hex");
		byTree.set(oid, name);
		scratch.write(`repository/.git/objects/${oid.slice(0, 2)}/${oid.slice(2)}`, deflateSync(object));
	}
	const { stderr, stdout } = spawnSync("git", ["fsck", "--no-dangling", "--strict"], {
		cwd: scratch.path("repository"),
		env: personEnvironment(scratch.directory),
		maxBuffer: 256 * 1024 * 1024,
	});
	for (const oid of byTree.keys()) fs.rmSync(path.join(scratch.path("repository/.git/objects"), oid.slice(0, 2), oid.slice(2)));
	const said = `${stderr}${stdout}`.matchAll(/in tree ([0-9a-f]{40}): (?:hasDotgit|hasDot|hasDotdot|emptyName|fullPathname):/g);
	return new Set([...said].map(([, oid = ""]) => byTree.get(oid) ?? ""));
}

const bytes = (text: string) => Buffer.from(text).toString("latin1");
const pieces = [
	...[".git", ".GIT", ".gIt", "git~1", "GIT~1", "git~2", ".gitmodules", "gitmod~1", "gi7eba~1", "gi7eb~12", ".git~1", "..git"],
	...[
		".",
		"..",
		" ",
		":",
		"\\",
		"~1",
		"$INDEX_ALLOCATION",
		"a",
		"g",
		"G",
		"é",
		"\u200c",
		"\u202e",
		"\u206f",
		"\ufeff",
		"\u2000",
		"\uffff",
	].map(bytes),
	...["\xff", "\xe2\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\x01", "\n", '"', "'"],
];
const component = fc.oneof(
	fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 5 }).map((parts) => parts.join("")),
	// `.git` with a character in the middle.
	fc
		.tuple(fc.nat(4), fc.constantFrom(...pieces), fc.constantFrom("", ...pieces))
		.map(([at, piece, end]) => `.git`.slice(0, at) + piece + `.git`.slice(at) + end),
	fc.uint8Array({ minLength: 1, maxLength: 6 }).map((array) => Buffer.from(array).toString("latin1").replaceAll(/[\0/]/g, "_")),
);
const plainComponent = component.filter((name) => name !== "." && name !== "..");

describe("isPathAllowed", () => {
	test("paths: thousands made of git's disguises → same verdict as git update-index", () => {
		const sample = fc.sample(
			fc.array(plainComponent, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")),
			4000,
		);
		// git does not check a name after a leading backslash; `git fsck` does, and so do we. After a quote and a line feed git's message
		// about one path looks like a message about another.
		const names = [...new Set(sample)].filter((name) => !/(^|\/)\\|'\n/.test(name));
		const taken = takenByGit(names);
		expect(names.filter((name) => isPathAllowed(name) !== taken.has(name))).toEqual([]);
		// Both must happen often, or the test is void.
		expect(taken.size).toBeGreaterThan(200);
		expect(names.length - taken.size).toBeGreaterThan(200);
	});

	test("tree entries: hundreds of names → same verdict as git fsck", () => {
		const names = [...new Set(fc.sample(component, 600)), "\\.git", ".", "..", "a/b", "/", ".git/config"];
		const found = foundByFsck(names);
		// fsck checks one entry: a slash in it is a fault.
		const refused = (name: string) => name.includes("/") || !isPathAllowed(name);
		expect(names.filter((name) => refused(name) !== found.has(name))).toEqual([]);
		expect(found.size).toBeGreaterThan(10);
	});

	test.each([
		"",
		".",
		"..",
		"a/.",
		"./a",
		"../a",
		"a/../b",
		"a//b",
		"/a",
		"a/",
		".git/hooks/post-checkout",
		"sub/.git/config",
		".GIT",
		"git~1/x",
	])("paths: %j → refused, as by git update-index --cacheinfo", (name) => {
		expect(isPathAllowed(name)).toBe(false);
		expect(isTakenAlone(name, "100644")).toBe(false);
	});

	test("paths: a NUL anywhere → refused", () => {
		for (const name of ["a\0", "\0a", "a\0/b"]) expect(isPathAllowed(name)).toBe(false);
	});

	test("links: called .gitmodules in any disguise → refused, as by git; files are not", () => {
		const names = [
			".gitmodules",
			".GitModules .",
			"a/.gitmodules:x",
			"gitmod~2",
			"GI7EBA~1",
			"gi7eb~12",
			"gi~12345",
			"gi7eba~0",
			"gitmod~5",
			".g\u200citmodules",
		];
		for (const name of [...names, ".gitattributes", "gitmodules"]) {
			expect([name, isPathAllowed(bytes(name), true)]).toEqual([name, isTakenAlone(name, "120000")]);
			expect([name, isPathAllowed(bytes(name))]).toEqual([name, isTakenAlone(name, "100644")]);
		}
	});
});
