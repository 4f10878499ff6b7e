import { expect, test } from "@jest/globals";
import { changesText, countsText, pulledText } from "./cycle-text.ts";

test.each([
	[0, 0, ""],
	[1, 0, "1 file committed"],
	[3, 3, "3 files deleted"],
	[4, 1, "3 files committed, 1 file deleted"],
])("a cycle: %d committed, %d of them deletions → %p", (committed, deleted, said) => {
	expect(changesText({ committed, deleted })).toBe(said);
});

test("a pulled deletion: a checkout deleted files → reported beside the commits", () => {
	expect(pulledText({ pulled: 1, removed: 22 })).toBe("1 commit pulled, 22 files deleted by it");
	expect(pulledText({ pulled: 0, removed: 0 })).toBe("");
	expect(countsText({ committed: 22, deleted: 22, pulled: 0, removed: 0, pushed: 1, resolved: 0 })).toBe(
		"0 files committed, 22 files deleted, 0 commits pulled, 1 pushed, 0 files resolved",
	);
	expect(countsText({ committed: 0, deleted: 0, pulled: 2, removed: 1, pushed: 0, resolved: 0 })).toContain(
		"2 commits pulled, 1 file deleted by it, 0 pushed",
	);
});
