import { expect, test } from "@jest/globals";
import { walkAndAudit } from "./whole-histories.ts";

/** Less of it where time is limited (.ci/run): from 0 to 1. */
const share = Number(process.env.SLOW_SHARE ?? 1);

const first = Number(process.env.WALK_SEED ?? 20_261_126);

for (const nodes of [2, 3, 4, 5, 6, 7]) {
	test(`histories: ${nodes} nodes, two hundred edits → one commit, all accounted for`, async () => {
		const seed = first + nodes;
		process.stderr.write(`${nodes} nodes: WALK_SEED=${first}\n`);
		expect(await walkAndAudit({ nodes, seed, edits: Math.ceil(200 * share) })).toEqual([]);
	});
}
