import { expect, test } from "@jest/globals";
import { gitPathOf } from "@robust-sync/git";
import { mergeMessage } from "./merge-message.ts";

test.each([
	["notes/öl 你好 😀.md", "notes/öl 你好 😀.md"],
	["a\nb", '"a\\012b"'],
	["bidi\u202etxt", '"bidi\\342\\200\\256txt"'],
	["private\ue000", '"private\\356\\200\\200"'],
	// Assigned in no version of Unicode so far, or only in the newest: the same on every Node.js.
	["none\u0378", "none\u0378"],
	["newest\u{10940}", "newest\u{10940}"],
])("message: the path %j → quoted by a fixed list", (path, quoted) => {
	const file = { path: gitPathOf(Buffer.from(path).toString("latin1")), strategy: "json" as const };
	const message = mergeMessage("a".repeat(40), "b".repeat(40), [file]).toString("utf8");
	expect(message.split("\n")[2]).toBe(`Resolved: json ${quoted}`);
});
