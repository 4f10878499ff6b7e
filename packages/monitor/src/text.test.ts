import { describe, expect, test } from "@jest/globals";
import { oneLine } from "./plain-text.ts";

describe("one line of plain text", () => {
	test.each([
		["a\r\n\tb\u0000c", "a b\\u0000c"],
		["left\u202egnp.exe", "left\\u202egnp.exe"],
		["lone \ud800 half", "lone \\ud800 half"],
		["x".repeat(400), `${"x".repeat(299)}…`],
		["😀".repeat(200), `${"😀".repeat(149)}…`],
	])("plain text: %j → one line", (text, line) => expect(oneLine(text)).toBe(line));
});
