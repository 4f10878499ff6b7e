import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { readRef } from "../objects/refs.ts";
import { fetchBranch, listRemote, pushCommit, readRemoteBranch, trackingRef } from "./transport.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("transport");
});
afterAll(() => scratch.remove());

test("remote: empty → no branch, the first push makes it", async () => {
	const hub = scratch.hub("empty.git");
	scratch.init("first", hub);
	const commit = scratch.commitAll("first");
	const repository = await scratch.open("first");
	expect(await readRemoteBranch(repository, "origin", "main")).toBeNull();
	expect(await listRemote(repository, "origin")).toEqual({ branches: new Map(), defaultBranch: null });
	expect(await pushCommit(repository, "origin", "main", commit)).toBe("pushed");
	expect(await readRemoteBranch(repository, "origin", "main")).toBe(commit);
	expect(await readRef(repository, trackingRef("origin", "main"))).toBe(commit);
});

test("push: the remote moved → race, never force; after a fetch it goes through", async () => {
	const hub = scratch.hub("race.git");
	scratch.init("a", hub);
	const base = scratch.commitAll("a", "base");
	scratch.git("a", "push", "-q", "origin", "main");
	scratch.git(".", "clone", "-q", hub, "b");
	const theirs = scratch.commitAll("b", "theirs");
	const ours = scratch.commitAll("a", "ours");
	const [a, b] = [await scratch.open("a"), await scratch.open("b")];
	expect(await pushCommit(b, "origin", "main", theirs)).toBe("pushed");
	expect(await pushCommit(a, "origin", "main", ours)).toBe("race");
	expect(await readRemoteBranch(a, "origin", "main")).toBe(theirs);
	expect(await readRef(a, trackingRef("origin", "main"))).toBe(base);
	expect(await fetchBranch(a, "origin", "main")).toEqual({ rewritten: false });
	scratch.git("a", "merge", "-q", "origin/main");
	expect(await pushCommit(a, "origin", "main", scratch.head("a"))).toBe("pushed");
});

test("push: ten at the same instant → one wins, the others get race, nothing else", async () => {
	const hub = scratch.hub("ten.git");
	scratch.init("base", hub);
	scratch.commitAll("base");
	scratch.git("base", "push", "-q", "origin", "main");
	const nodes = await Promise.all(
		Array.from({ length: 10 }, async (_, index) => {
			scratch.git(".", "clone", "-q", hub, `node${index}`);
			return { repository: await scratch.open(`node${index}`), commit: scratch.commitAll(`node${index}`, `from ${index}`) };
		}),
	);
	const outcomes = await Promise.all(nodes.map(({ repository, commit }) => pushCommit(repository, "origin", "main", commit)));
	expect(outcomes.sort()).toEqual(["pushed", ...Array(9).fill("race")]);
});

test("fetch: a rewritten history → noticed once, fetched even so", async () => {
	const hub = scratch.hub("rewritten.git");
	scratch.init("x", hub);
	scratch.commitAll("x", "one");
	scratch.commitAll("x", "two");
	scratch.git("x", "push", "-q", "origin", "main");
	scratch.git(".", "clone", "-q", hub, "y");
	scratch.git("x", "commit", "-q", "--amend", "--allow-empty", "-m", "two, again");
	scratch.git("x", "push", "-q", "--force", "origin", "main");
	const y = await scratch.open("y");
	expect(await fetchBranch(y, "origin", "main")).toEqual({ rewritten: true });
	expect(await readRef(y, trackingRef("origin", "main"))).toBe(scratch.head("x"));
	expect(await fetchBranch(y, "origin", "main")).toEqual({ rewritten: false });
});

test("fetch: the branch is gone → an error", async () => {
	const hub = scratch.hub("gone.git");
	scratch.init("g", hub);
	scratch.commitAll("g");
	await expect(fetchBranch(await scratch.open("g"), "origin", "main")).rejects.toMatchObject({ name: "GitError" });
});

test("fetch: tags, other branches, FETCH_HEAD, the user's refspecs → untouched", async () => {
	const hub = scratch.hub("quiet.git");
	scratch.init("p", hub);
	scratch.commitAll("p");
	scratch.git("p", "tag", "v1");
	scratch.git("p", "push", "-q", "origin", "main", "main:other", "v1");
	scratch.init("q", hub);
	scratch.git("q", "config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*");
	scratch.git("q", "config", "--add", "remote.origin.fetch", "+refs/heads/*:refs/heads/stolen/*");
	scratch.git("q", "config", "fetch.prune", "true");
	await fetchBranch(await scratch.open("q"), "origin", "main");
	expect(scratch.git("q", "for-each-ref", "--format=%(refname)").trim()).toBe("refs/remotes/origin/main");
});

test.each([
	["is there", "pushed", (x: Hub) => x.base, "ours"],
	["is gone", "race", (x: Hub) => x.base, "gone"],
	["moved", "race", (x: Hub) => x.base, "theirs"],
	["came up meanwhile", "race", () => null, "base"],
	["is not there, as expected", "pushed", () => null, "ours"],
	["is where our commit does not come from", "race", (x: Hub) => x.theirs, "theirs"],
] as const)("a push that states where the branch is: it %s → %s", async (state, outcome, expected, after) => {
	const name = state.replaceAll(" ", "-");
	const hub = scratch.hub(`${name}.git`);
	scratch.init(name, hub);
	const base = scratch.commitAll(name, "base");
	const theirs = scratch.git(name, "commit-tree", "-p", base, "-m", "theirs", `${base}^{tree}`).trim();
	const ours = scratch.git(name, "commit-tree", "-p", base, "-m", "ours", `${base}^{tree}`).trim();
	scratch.git(name, "push", "-q", "origin", `${after === "theirs" ? theirs : base}:refs/heads/main`, `${theirs}:refs/heads/x`);
	if (state === "is gone" || state.startsWith("is not there")) scratch.git(`${name}.git`, "update-ref", "-d", "refs/heads/main");
	const repository = await scratch.open(name);
	expect(await pushCommit(repository, "origin", "main", ours, { expected: expected({ base, theirs }) })).toBe(outcome);
	expect(await readRemoteBranch(repository, "origin", "main")).toBe({ ours, theirs, base, gone: null }[after]);
});

interface Hub {
	base: string;
	theirs: string;
}
