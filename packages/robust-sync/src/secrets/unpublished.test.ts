import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import type { CycleContext } from "../context/cycle-context.ts";
import { newMemory } from "../daemon/new-memory.ts";
import { withoutOwnFiles } from "../snapshot/own-tracked.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { cycleContext } from "../testing/cycle-context.ts";
import { listUnpublished } from "./unpublished.ts";

let scratch: Scratch;
let context: CycleContext;
beforeEach(async () => {
	scratch = new Scratch("unpublished");
	scratch.hub();
	scratch.init("helios", scratch.path("hub.git"));
	context = await cycleContext(scratch, "helios");
	context = { ...context, memory: { ...newMemory(context.paths, false), branch: "main" } };
});
afterEach(() => scratch.remove());

const git = (...args: string[]) => scratch.git("helios", ...args).trim();
function commit(name: string): string {
	scratch.write(`helios/${name}`, "1\n");
	git("add", "--force", name);
	git("commit", "--quiet", "-m", name);
	return git("rev-parse", "HEAD");
}
const snapshotAt = (head: string) => ({ head, status: { head }, isDirect: false }) as unknown as Snapshot;

test("unpublished: a fetch replaces the history beside the scan → own commits only", async () => {
	commit("a");
	git("push", "--quiet", "origin", "main");
	const published = [commit("leak"), commit("logs/published")];
	git("push", "--quiet", "origin", "main");
	const own = commit("own");
	const replaced = git("commit-tree", "-m", "leak", "-p", "main~3", "main~3^{tree}");
	git("update-ref", "refs/remotes/origin/main", replaced);
	const listed = async (tipAtStart: string | null) => {
		context.memory.tipAtStart = tipAtStart;
		return (await listUnpublished(context, snapshotAt(own))).commits.map((one) => one.commit);
	};
	expect(await listed(published[1] ?? null)).toEqual([own]);
	expect((await withoutOwnFiles(context, snapshotAt(own), null)).head).toBe(own);
	// Without that, all of the old history counts, as after the fetch of a process that knows nothing of it.
	expect(await listed(null)).toEqual([...published, own]);
});

test("unpublished: another process removed the last searched commit → all are listed", async () => {
	commit("a");
	git("push", "--quiet", "origin", "main");
	commit("b");
	const own = git("commit-tree", "-m", "b without what was forgotten", "-p", "main~1", "main^{tree}");
	context.memory.secrets.checked = git("rev-parse", "HEAD");
	const listed = async () => (await listUnpublished(context, snapshotAt(own))).commits.map((one) => one.commit);
	expect(await listed()).toEqual([own]);
	git("reset", "--quiet", "--hard", own);
	git("reflog", "expire", "--expire=now", "--all");
	git("gc", "--quiet", "--prune=now");
	expect(() => git("cat-file", "-e", context.memory.secrets.checked as string)).toThrow();
	expect(await listed()).toEqual([own]);
	const next = commit("c");
	expect((await listUnpublished(context, snapshotAt(next))).commits.map((one) => one.commit)).toEqual([own, next]);
});
