import { mkdirSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readUnsavedMerges } from "@robust-sync/workspace";
import { type History, makeHistory } from "./history-fixture.ts";
import { integrate } from "./integrate.ts";
import { resolveMerge } from "./resolve-merge.ts";

let history: History;
beforeEach(async () => {
	history = await makeHistory();
});
afterEach(() => history.remove());

test("earlier merges: 400 in one fetch → followed within 10 s, the rest on the list", async () => {
	let tip = history.commit([], { "x.json": '{"a": 0}\n' });
	history.git("checkout", "-q", "-B", "main", tip);
	mkdirSync(path.dirname(history.paths.conflicts), { recursive: true });
	const start = tip;
	const people = ["-c", "user.name=robust-sync", "-c", "user.email=robust-sync@localhost"];
	for (let round = 0; round < 400; round++) {
		const pair = [1, 2].map((side) => history.commit([tip], { "x.json": `{"a": ${round * 2 + side}}\n` })).sort() as [string, string];
		const message = `Merge ${pair[0].slice(0, 12)} and ${pair[1].slice(0, 12)}\n\nResolved: json x.json`;
		// The forged ones look like ours in all but the id.
		tip =
			round % 20 === 0
				? (await resolveMerge(history.repository, ...pair)).commit
				: history.git(...people, "commit-tree", `${pair[0]}^{tree}`, "-p", pair[0], "-p", pair[1], "-m", message).trim();
	}
	const began = performance.now();
	const context = {
		repository: history.repository,
		paths: history.paths,
		lock: { assertHeld: () => undefined, release: async () => undefined },
		now: Date.now,
	};
	const { head, saved } = await integrate(context, "refs/heads/main", start, tip);
	expect(head).toBe(tip);
	expect(performance.now() - began).toBeLessThan(10_000);
	expect(saved.length).toBeGreaterThan(0);
	expect(readUnsavedMerges(history.paths).length).toBeGreaterThan(0);
}, 240_000);
