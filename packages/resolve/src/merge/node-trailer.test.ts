import { expect, test } from "@jest/globals";
import { mergeMessage, startsLikeResolved } from "./merge-message.ts";
import { mergeTrailers, nodesIn, nodeTrailer, withNodeTrailer } from "./node-trailer.ts";

test.each([
	["helios: 1 file (a)\n\nRobust-Sync-Node: helios\n", ["helios"]],
	["x\n\nResolved: json a\nRobust-Sync-Node: chad\nRobust-Sync-Node: helios\n", ["chad", "helios"]],
	["Robust-Sync-Node: chad\n\nsomething else\n", []],
	["x\n\nRobust-Sync-Node: Not A Node\nRobust-Sync-Node: ../x\nRobust-Sync-Node: -a\n", []],
	["x\n\n Robust-Sync-Node: chad\n", []],
	["", []],
])("a message: %j → nodes %j", (message, nodes) => {
	expect(nodesIn(message)).toEqual(nodes);
});

test.each([
	["s", "s\n\nRobust-Sync-Node: chad"],
	["s\n\nRobust-Sync-Undo: 1\n", "s\n\nRobust-Sync-Undo: 1\nRobust-Sync-Node: chad"],
	["s\n\nsome text", "s\n\nsome text\n\nRobust-Sync-Node: chad"],
	["a: b", "a: b\n\nRobust-Sync-Node: chad"],
])("a message: %j of chad → %j", (message, expected) => {
	expect(withNodeTrailer(message, "chad")).toBe(expected);
});

test("a merge: parents of nodes → the same trailers in either order, at most 16", () => {
	const parent = (...nodes: string[]) => `tree x\nauthor y\n\nsubject\n\n${nodes.map(nodeTrailer).join("\n")}\n`;
	const trailers = ["Robust-Sync-Node: chad", "Robust-Sync-Node: helios"];
	expect(mergeTrailers([parent("helios"), parent("chad")])).toEqual(trailers);
	expect(mergeTrailers([parent("chad"), parent("helios", "chad")])).toEqual(trailers);
	expect(mergeTrailers([parent(), parent()])).toEqual([]);
	expect(mergeTrailers([parent(...Array.from({ length: 40 }, (_, index) => `n${index}`))])).toHaveLength(16);
});

test("merge message: trailers → one paragraph with the resolutions, recognized", () => {
	const [first, second] = ["1".repeat(40), "2".repeat(40)];
	const files = [{ path: "a.json" as never, strategy: "json" as const }];
	const message = mergeMessage(first, second, files, [nodeTrailer("chad")]).toString();
	expect(message).toBe("Merge 111111111111 and 222222222222\n\nResolved: json a.json\nRobust-Sync-Node: chad\n");
	expect(startsLikeResolved(message, first, second)).toBe(true);
	expect(mergeMessage(first, second, [], [nodeTrailer("chad")]).toString()).toBe(
		"Merge 111111111111 and 222222222222\n\nRobust-Sync-Node: chad\n",
	);
	expect(mergeMessage(first, second, []).toString()).toBe("Merge 111111111111 and 222222222222\n");
});
