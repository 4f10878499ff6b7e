import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { cycleContext } from "../testing/cycle-context.ts";
import { pruneReplaced, replacedRefs } from "./rewritten-head.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("rewritten-head");
	scratch.init("helios");
});
afterEach(() => scratch.remove());

test("replaced commits: HEAD contains one of two → only the other keeps its name", async () => {
	const context = await cycleContext(scratch, "helios");
	await pruneReplaced(context);
	scratch.write("helios/a", "1");
	scratch.commitAll("helios", "one");
	const git = (...args: string[]) => scratch.git("helios", ...args).trim();
	const contained = git("rev-parse", "HEAD");
	git("update-ref", `${replacedRefs}29991231T000000.000Z`, contained);
	git("update-ref", `${replacedRefs}29991231T000000.001Z`, git("commit-tree", "-m", "other", "HEAD^{tree}"));
	scratch.write("helios/a", "2");
	scratch.commitAll("helios", "two");
	await pruneReplaced(context);
	expect(git("for-each-ref", "--format=%(refname)", replacedRefs)).toBe(`${replacedRefs}29991231T000000.001Z`);
});
