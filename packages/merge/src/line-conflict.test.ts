import { describe, expect, test } from "@jest/globals";
import { hasLineConflict } from "./line-conflict.ts";

const bytes = (text: string) => Buffer.from(text);
const conflict = (base: string | null, a: string, b: string) => {
	const found = hasLineConflict(base === null ? null : bytes(base), bytes(a), bytes(b));
	expect(hasLineConflict(base === null ? null : bytes(base), bytes(b), bytes(a))).toBe(found);
	return found;
};

// Each expected value is the result of `git merge-file` (2.39).
describe("git would report", () => {
	test.each([
		["changes of one line", "a\nb\nc\n", "a\nB\nc\n", "a\nX\nc\n", true],
		["changes of neighbouring lines", "a\nb\nc\n", "A\nb\nc\n", "a\nB\nc\n", true],
		["changes with a line between them", "a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n", false],
		["the same change", "a\nb\nc\n", "a\nX\nc\n", "a\nX\nc\nd\n", false],
		["two tails", "a\n", "a\nb\n", "a\nc\n", true],
		["a tail and a change before it", "a\nb\nc\n", "A\nb\nc\n", "a\nb\nc\nd\n", false],
		["an insertion beside a change", "a\nb\nc\n", "a\nx\nb\nc\n", "a\nB\nc\n", true],
		["line ends alone against a change", "a\nb\n", "a\r\nb\r\n", "a\nc\n", true],
		["a final line end added by both, and more", "a\nb", "a\nb\n", "a\nb\nc\n", true],
	])("line conflict: %s → %#", (_what, base, a, b, expected) => {
		expect(conflict(base, a, b)).toBe(expected);
	});

	test("line conflict: both added, unless the same; binary files → reported", () => {
		expect(conflict(null, "a\n", "b\n")).toBe(true);
		expect(conflict(null, "a\n", "a\n")).toBe(false);
		expect(conflict("a\nb\nc\n\0", "A\nb\nc\n\0", "a\nb\nC\n\0")).toBe(true);
	});
});
