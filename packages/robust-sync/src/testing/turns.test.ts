import { expect, test } from "@jest/globals";
import { type Turn, takeTurns } from "./explore/turns.ts";

test("turns: a write from before a checkout by --once → no key is taken back", async () => {
	// In place, a minute later; the daemon did not know of that version.
	expect(await takeTurns([..."kpomwd"] as Turn[])).toEqual([]);
});
