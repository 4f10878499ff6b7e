import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { diffTrees } from "../objects/diff.ts";
import { GitObjects } from "../objects/object-store.ts";
import { Staging } from "../worktree/staging.ts";
import type { Progress } from "./progress.ts";
import { Repository } from "./repository.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("progress");
	scratch.init("node");
});
afterEach(() => scratch.remove());

test("progress: files that a checkout writes → each counted, links too, then over", async () => {
	for (let index = 0; index < 5; index++) scratch.write(`node/${index}`, `${index}\n`);
	scratch.write("node/large", "x".repeat(5_000_000));
	scratch.commitAll("node");
	const seen: (Progress | null)[] = [];
	const repository = new Repository({ ...(await scratch.open("node")), onProgress: (progress) => seen.push(progress) });
	const changes = await diffTrees(repository, repository.emptyTree, "HEAD");
	const staging = new Staging(repository, scratch.path("staging"), new GitObjects(repository));
	staging.clear();
	await staging.write(changes, "after", false);
	expect(seen.map((one) => one?.done ?? null)).toEqual([1, 2, 3, 4, 5, 6, null]);
	expect(seen[0]).toEqual({ what: "writing files", done: 1, total: 6, unit: "files" });
});
