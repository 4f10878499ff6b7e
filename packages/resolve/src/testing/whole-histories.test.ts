import { expect, test } from "@jest/globals";
import { walkAndAudit } from "./whole-histories.ts";

// With hundreds of edits: whole-histories.slow.test.ts.

test("whole histories: four nodes merge at random → one commit, all accounted for", async () => {
	expect(await walkAndAudit({ nodes: 4, seed: 12, edits: 14 })).toEqual([]);
});

test("histories: an unsaved loss, a node saving nothing or ending elsewhere → found", async () => {
	const found = await walkAndAudit({
		nodes: 3,
		seed: 13,
		edits: 14,
		spoil(walk) {
			for (const merge of walk.merges.values()) Object.assign(merge.resolution, { files: [] });
			walk.nodes[0]?.saved.clear();
			Object.assign(walk.nodes[1] ?? {}, { head: walk.first });
		},
	});
	for (const what of [/^merge .* is lost$/, /^node 0 has not saved/, /^node 1 ended on/])
		expect(found).toContainEqual(expect.stringMatching(what));
});
