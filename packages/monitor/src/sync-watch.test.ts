import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { SyncWatch } from "./sync-watch.ts";
import { NodeFixture } from "./testing/node-fixture.ts";

let node: NodeFixture;
beforeEach(() => {
	node = new NodeFixture();
});
afterEach(() => node.remove());

test("sync: success → no check; an error, a failure too many, their end → one each", () => {
	const watch = new SyncWatch(node.paths);
	watch.hasNews(3);
	const changes = (write: () => void) => {
		node.clock.advance(1_000);
		write();
		return [watch.hasNews(3), watch.hasNews(3)];
	};
	expect(changes(() => node.sync())).toEqual([false, false]);
	expect(changes(() => node.failing(1))).toEqual([true, false]);
	expect(changes(() => node.failing(2))).toEqual([false, false]);
	expect(changes(() => node.failing(3))).toEqual([true, false]);
	expect(changes(() => node.failing(4))).toEqual([false, false]);
	expect(changes(() => node.sync())).toEqual([true, false]);
	const loss = { direction: "incoming", commit: "a".repeat(40), since: "2026-02-18T02:00:00.000Z" } as const;
	const held = [{ ...loss, paths: [], files: 80, deleted: 80, emptied: 0, replaced: 0, tracked: 82 }];
	expect(changes(() => node.sync({ status: "held", held }))).toEqual([true, false]);
	expect(changes(() => node.sync())).toEqual([true, false]);
	expect(changes(() => node.put(node.paths.syncState, "{"))).toEqual([false, false]);
});
