import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { listSavedVersions, readUnsavedMerges, writeUnsavedMerges } from "@robust-sync/workspace";
import { resolveMerge } from "../merge/resolve-merge.ts";
import { walkBetween } from "../saved/resolutions-between.ts";
import { type History, makeHistory } from "../testing/history-fixture.ts";
import { continueEarlierMerges } from "./earlier-merges.ts";
import { type IntegrateContext, integrate } from "./integrate.ts";

let history: History;
let warnings: string[];
let context: IntegrateContext;

beforeEach(async () => {
	history = await makeHistory();
	warnings = [];
	context = {
		repository: history.repository,
		paths: history.paths,
		lock: { assertHeld: () => undefined, release: async () => undefined },
		now: Date.now,
		warn: (message) => warnings.push(message),
	};
});
afterEach(() => history.remove());

/** A merge of two siblings whose message reports a resolution by us. */
function forge(first: string, second: string, changes: { name?: string; email?: string; subject?: string; date?: string } = {}): string {
	const { name = "robust-sync", email = "robust-sync@localhost", date = "@1700009999 +0000" } = changes;
	const subject = changes.subject ?? `Merge ${first.slice(0, 12)} and ${second.slice(0, 12)}`;
	const person = ["-c", `user.name=${name}`, "-c", `user.email=${email}`];
	process.env.GIT_AUTHOR_DATE = process.env.GIT_COMMITTER_DATE = date;
	try {
		const message = `${subject}\n\nResolved: json x.json`;
		return history.git(...person, "commit-tree", `${first}^{tree}`, "-p", first, "-p", second, "-m", message).trim();
	} finally {
		delete process.env.GIT_AUTHOR_DATE;
		delete process.env.GIT_COMMITTER_DATE;
	}
}

function siblings(base: string, marker = ""): readonly [string, string] {
	const [one, two] = [1, 2].map((value) => history.commit([base], { "x.json": `{"a": "${value}${marker}"}\n` })) as [string, string];
	return one < two ? [one, two] : [two, one];
}

function checkOut(commit: string): void {
	history.git("checkout", "-q", "-B", "main", commit);
	mkdirSync(path.dirname(history.paths.conflicts), { recursive: true });
}

test("earlier merges: genuine, then a forged one → only the genuine one is saved", async () => {
	const base = history.commit([], { "x.json": '{"a": 0}\n' });
	checkOut(base);
	const [first, second] = siblings(base);
	const genuine = await resolveMerge(history.repository, first, second);
	const forged = forge(...siblings(genuine.commit, "again"));
	const { saved, head } = await integrate(context, "refs/heads/main", base, forged);
	expect(head).toBe(forged);
	expect(saved).toHaveLength(1);
	expect(warnings).toEqual([expect.stringContaining("a merge of its parents gives another")]);
	expect(readUnsavedMerges(history.paths)).toEqual([]);
});

test("earlier merges: commits of another form → not computed again", async () => {
	const base = history.commit([], { "x.json": '{"a": 0}\n' });
	const pair = siblings(base);
	const [first, second] = pair;
	const candidates = async (commit: string) => (await walkBetween(history.repository, base, commit)).resolutions.length;
	expect(await candidates(forge(...pair))).toBe(1);
	for (const changes of [{ name: "someone" }, { email: "robust-sync@localhost.example" }, { subject: "Merge" }])
		expect(await candidates(forge(...pair, changes))).toBe(0);
	expect(await candidates(forge(second, first))).toBe(0);
});

test("earlier merges: parents that cannot be merged → followed, tried again, given up", async () => {
	const base = history.commit([], { "x.json": '{"a": 0}\n' });
	checkOut(base);
	const [first, second] = siblings(base);
	const forged = forge(first, second);
	// A version that both sides chose from is gone: only a merge shows it.
	const blob = history.git("rev-parse", `${second}:x.json`).trim();
	rmSync(path.join(history.directory, ".git/objects", blob.slice(0, 2), blob.slice(2)));
	expect(await integrate(context, "refs/heads/main", base, forged)).toMatchObject({ head: forged, saved: [] });
	expect(readUnsavedMerges(history.paths)).toEqual([expect.objectContaining({ commit: forged, failures: 1 })]);
	for (let cycle = 0; cycle < 4; cycle++) expect(await continueEarlierMerges(context)).toEqual([]);
	expect(readUnsavedMerges(history.paths)).toEqual([]);
	expect(warnings.at(-1)).toContain("given up");
});

test("earlier merges: versions cannot be saved yet → followed, saved by a later cycle", async () => {
	const base = history.commit([], { "x.json": '{"a": 0}\n' });
	checkOut(base);
	const { commit } = await resolveMerge(history.repository, ...siblings(base));
	writeFileSync(history.paths.conflicts, "in the way");
	expect(await integrate(context, "refs/heads/main", base, commit)).toMatchObject({ head: commit, saved: [] });
	rmSync(history.paths.conflicts);
	expect(await continueEarlierMerges(context)).toHaveLength(1);
	expect(readUnsavedMerges(history.paths)).toEqual([]);
});

test("earlier merges: rewritten while it waits → saved by its new id, no warning", async () => {
	const base = history.commit([], { "x.json": '{"a": 0}\n' });
	const before = siblings(base);
	const { commit } = await resolveMerge(history.repository, ...before);
	const message = history.git("log", "-1", "--format=%B", commit);
	// As a map of what to forget rewrites them: other contents, the same messages.
	const [ours, theirs] = siblings(base, "forgotten");
	const merged = await resolveMerge(history.repository, ours, theirs);
	const [first, second] = [theirs, ours];
	const rewritten = history.git("commit-tree", merged.tree, "-p", first, "-p", second, "-m", message).trim();
	mkdirSync(path.dirname(history.paths.unsavedMerges), { recursive: true });
	writeUnsavedMerges(history.paths, [{ commit: rewritten, ours, theirs, failures: 0 }]);
	expect(await continueEarlierMerges(context)).toHaveLength(1);
	expect(warnings).toEqual([]);
	expect(listSavedVersions(history.paths, 9).map(({ manifest }) => manifest?.merge_commit)).toEqual([rewritten]);
	expect(readUnsavedMerges(history.paths)).toEqual([]);
});
