import { expect, test } from "@jest/globals";
import { annotatedMessage, annotationOf } from "@robust-sync/workspace";
import fc from "fast-check";
import { bodyOf, kindOfCommit, nodeOf, trailersOf } from "./trailers.ts";

test.each([
	["helios: 1 file (a)\n", "Caleb", "helios"],
	["helios: 1 file (a)\n\nRobust-Sync-Node: chad\n", "Caleb", "chad"],
	["paint the gate\n", "Caleb", "Caleb"],
	["Fix: the gate\n", "Caleb", "Caleb"],
	["helios: 1 file (a)\n\nRobust-Sync-Node: ../../etc\n", "Caleb", "helios"],
])("node: of %j by %s → %s", (message, author, expected) => {
	expect(nodeOf(message, author)).toBe(expected);
});

test.each([
	["Merge\n\nRobust-Sync-Node: chad\nRobust-Sync-Node: helios\n", true, "chad, helios"],
	["Merge\n\nRobust-Sync-Node: chad\n", true, "chad"],
	["Merge\n\nRobust-Sync-Node: ../x\n", true, "robust-sync"],
	["helios: 1 file (a)\n\nRobust-Sync-Node: chad\nRobust-Sync-Node: juno\n", false, "helios"],
])("node: of %j, a merge: %s → %s", (message, isMerge, expected) => {
	expect(nodeOf(message, "robust-sync", trailersOf(message), isMerge)).toBe(expected);
});

test.each([
	["x\n\none\n\n\n  two\n\nRun: 7\n", "one\n\n\n  two"],
	["x\n\nRun: 7\n\nRun: 8\n", "Run: 7"],
	["x\n\nRun: 7\n", ""],
	["x\n\none\n", "one"],
	["x\n", ""],
	["x\nRun: 7\n", ""],
])("text: of %j → %j", (message, expected) => {
	expect(bodyOf(message)).toBe(expected);
});

test.each([
	[2, "x\n", ["a"], "merge"],
	[1, "x\n\nRobust-Sync-Undo: 1\n", ["a"], "undo"],
	[1, "x\n\nRobust-Sync-Restore: 1\n", ["a"], "restore"],
	[1, "x\n\nRobust-Sync-Approve: 1\n", [], "approve"],
	[1, "x\n", ["messages/helios/1-a", "messages/helios/2-b"], "message"],
	[1, "x\n", ["messages/helios/2026-02-18/1-a"], "message"],
	[1, "x\n", ["messages/helios/elsewhere/1-a"], "change"],
	[1, "x\n", ["messages/helios/1-a", "b"], "change"],
	[1, "x\n", [], "change"],
])("kind: %i parents, %j, %j → %s", (parents, message, paths, expected) => {
	expect(kindOfCommit(parents, trailersOf(message), paths)).toBe(expected);
});

test("annotation: any text, also one of trailers → text again, and no trailer of it", () => {
	const line = fc.oneof(
		fc.string(),
		fc.constantFrom("", " ", "sentence"),
		fc.constant("Robust-Sync-Approve: 0123456789012345678901234567890123456789"),
		fc.constant("Run: 7"),
	);
	fc.assert(
		fc.property(fc.array(line, { minLength: 1, maxLength: 5 }), fc.option(fc.constant("bot")), (lines, agent) => {
			const said = `why ${lines.join("\n")}`;
			const annotation = annotationOf({ text: said, agent: agent ?? undefined }, 0);
			const message = `${annotatedMessage("helios: 1 file (a)", annotation)}\n`;
			expect(bodyOf(message)).toBe(annotation.text);
			const trailers = trailersOf(message);
			expect([...trailers.keys()].sort()).toEqual(agent === null ? ["Annotated-At"] : ["Agent", "Annotated-At"]);
		}),
	);
});

test.each([
	[{ text: " " }, "--annotate"],
	[{ text: "x".repeat(5_000) }, "--annotate"],
	[{ text: "x", agent: "a\nRun: 1" }, "--agent"],
	[{ text: "x", run: "" }, "--run"],
])("annotation: %j → refused, %s is named", (said, flag) => {
	expect(() => annotationOf(said, 0)).toThrow(flag);
});
