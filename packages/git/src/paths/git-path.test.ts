import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
	directoriesAbove,
	displayPath,
	gitPath,
	gitPathFromText,
	gitPathIfAllowed,
	gitPathOf,
	parentOf,
	parseGitPathList,
	pathIn,
	RefusedPathError,
	rawPath,
	splitRecords,
	withoutSlash,
	withSlash,
	workspaceRoot,
} from "./git-path.ts";
import { isPathAllowed } from "./verify-path.ts";

test.each([".git", ".GIT/x", "a/.git /x", ".g\u200cit", "git~1", "..", "a//b", "/abs", "a/", "a\0b", "..\\.git", "a/./b"])(
	"git path: %j, which git refuses → cannot be made",
	(name) => {
		const bytes = Buffer.from(name);
		// A directory may end with one slash.
		const refused = name === "a/" ? "a//" : name;
		for (const make of [
			() => gitPathFromText(refused),
			() => gitPath(Buffer.from(refused)),
			() => gitPathOf(Buffer.from(refused).toString("latin1")),
			() => pathIn(gitPathFromText("d"), Buffer.from(refused).toString("latin1")),
		])
			expect(make).toThrow(RefusedPathError);
		expect(gitPathIfAllowed(Buffer.from(refused).toString("latin1"))).toBeNull();
		expect(displayPath(rawPath(bytes))).toBe(name);
	},
);

test("git path: a list with refused names → holds the others", () => {
	const list = Buffer.from("a\0.git/x\0sub/\0..\0b\0");
	expect(parseGitPathList(list)).toEqual(["a", "sub/", "b"]);
	expect(splitRecords(list)).toHaveLength(5);
});

test("git path: text that is not one character a byte → refused", () => {
	expect(gitPathIfAllowed("\u2603")).toBeNull();
	expect(displayPath(gitPathFromText("\u2603"))).toBe("\u2603");
});

test("git path: derived from any checked one → allowed too", () => {
	const name = fc.stringMatching(/^[.gGitT~1\\ /a\x80-\xff-]{1,12}$/).filter((text) => gitPathIfAllowed(text) !== null);
	fc.assert(
		fc.property(name, (text) => {
			const path = gitPathOf(text);
			const parent = parentOf(withoutSlash(path));
			const made = [withoutSlash(withSlash(path)), pathIn(path, "x"), pathIn(workspaceRoot, path), ...directoriesAbove(path)];
			for (const one of parent === null ? made : [...made, parent]) expect([one, isPathAllowed(withoutSlash(one))]).toEqual([one, true]);
			expect(directoriesAbove(withoutSlash(path)).at(-1) ?? null).toBe(parent);
		}),
	);
});
