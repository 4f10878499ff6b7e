import { expect, test } from "@jest/globals";
import { ConfigError, parseConfig } from "./config.ts";

test.each<[text: string, patterns: readonly string[]]>([
	["", []],
	["media/", ["media/"]],
	["  media/ \t *.iso\n/big ", ["media/", "*.iso", "/big"]],
	["a\\ b\\\\ c", ["a\\ b\\\\", "c"]],
	["/* !/notes/ /*", ["/*", "!/notes/", "/*"]],
	["[ab].bin []x] \\[x \\#y", ["[ab].bin", "[]x]", "\\[x", "\\#y"]],
	["größe/ **/cache", ["größe/", "**/cache"]],
])("SYNC_EXCLUDE: %j → its patterns, in their order", (text, patterns) => {
	expect(parseConfig({ SYNC_EXCLUDE: text }).syncExclude).toEqual(patterns);
});

test.each([
	["!a", "nothing but !"],
	["a !", "an empty part"],
	["/", "an empty part"],
	["a//b", "an empty part"],
	["a/../b", "a part . or .."],
	["./a", "a part . or .."],
	["#a", "a comment"],
	["[ab", "a [ without a ]"],
	["a\\", "ends with a backslash"],
	["a\u0001b", "a control character"],
	["x".repeat(5_000), "is longer than"],
	["a ".repeat(1_001), "these are 1001"],
])("SYNC_EXCLUDE: %.20j can match nothing → one line with the reason", (text, why) => {
	const parse = () => parseConfig({ SYNC_EXCLUDE: text });
	expect(parse).toThrow(ConfigError);
	expect(parse).toThrow(/^SYNC_EXCLUDE=.* is not accepted: give gitignore patterns[^\n]*$/);
	expect(parse).toThrow(why);
});
