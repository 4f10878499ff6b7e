import { expect, test } from "@jest/globals";
import { sideText, winnerText } from "./winner-text.ts";

test.each([
	["ours", "json", { ours: "helios", theirs: "chad" }, "helios's value won"],
	["theirs", "keyed", { ours: "helios", theirs: "chad" }, "chad's value won"],
	["theirs", "code", { ours: "helios", theirs: "chad" }, "chad's version won"],
	["theirs", "later", { theirs: "chad" }, "chad's version won"],
	["ours", "later", { theirs: "chad" }, "this node's version won (ours)"],
	["ours", "code", { ours: "me", theirs: "me" }, "this node's version won (ours)"],
	["theirs", "code", undefined, "the other side's version won (theirs)"],
	["merged", "json", { ours: "helios", theirs: "chad" }, "merged from both"],
	["both", "both-names", undefined, "both kept"],
] as const)("a conflict: %s won (%s), nodes %j → %s", (winner, strategy, nodes, text) => {
	expect(winnerText({ winner, strategy, ...(nodes ? { nodes } : {}) })).toBe(text);
});

test("a side: its node known, or not → named beside it", () => {
	expect(sideText({ nodes: { ours: "helios", theirs: "chad" } }, "theirs")).toBe("theirs (chad)");
	expect(sideText({ nodes: { ours: "helios", theirs: "chad" } }, "base")).toBe("base");
	expect(sideText({}, "ours")).toBe("ours");
});
