import { expect, test } from "@jest/globals";
import { type Turn, takeTurns } from "./explore/turns.ts";

const turnsOf = (text: string) => [...text] as Turn[];

test.each([
	// A minute later an agent wrote in place from before what --once had checked out; the daemon did not know of that version.
	"kpomwd",
	// A worker of before carried on after a force push of an older commit, and a deletion.
	"kpexfpdwed",
])("turns: %s → no key and no deletion is taken back", async (text) => {
	expect(await takeTurns(turnsOf(text))).toEqual([]);
});
