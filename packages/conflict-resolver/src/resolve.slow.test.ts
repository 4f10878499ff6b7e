import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { resolveMerge } from "@robust-sync/resolve";
import { Person } from "./fixture/person.ts";
import { resolveConflicts } from "./resolve.ts";

let person: Person;
beforeEach(() => {
	person = new Person();
});
afterEach(async () => await person.remove());

const resolve = async (options = {}) => await resolveConflicts(await person.context(), options);
const parents = () => person.git("log", "-1", "--format=%P").trim().split(" ");

describe("a merge in progress", () => {
	test("merge in progress: resolved → merged by kind, committed, versions, markers kept", async () => {
		person.branches(
			{ "s.json": '{"a": 1}\n', "x.log": "1\n" },
			{ "s.json": '{"a": 2}\n', "x.log": "1\n2\n" },
			{ "s.json": '{"a": 1, "b": 2}\n', "x.log": "1\n3\n" },
		);
		const heads = [person.git("rev-parse", "main").trim(), person.git("rev-parse", "theirs").trim()];
		expect(person.git("merge", "theirs")).toContain("CONFLICT");
		const report = await resolve();
		expect(JSON.parse(person.read("s.json"))).toEqual({ a: 2, b: 2 });
		expect(person.read("x.log").trim().split("\n").sort()).toEqual(["1", "2", "3"]);
		expect(person.status()).toBe("");
		expect(parents()).toEqual(heads);
		expect(person.git("log", "-1", "--format=%an|%s|%b").replace(/^(Robust-Sync-Node): [a-z0-9-]+$/m, "$1: this node")).toBe(
			"Person|Merge branch 'theirs'|Resolved: json s.json\nResolved: records x.log\nRobust-Sync-Node: this node\n\n".replace(
				"Person",
				person.git("log", "-1", "--format=%an").trim(),
			),
		);
		expect(fs.existsSync(person.scratch.path("mine/.git/MERGE_HEAD"))).toBe(false);
		expect(report).toMatchObject({ operation: "merge", commit: person.git("rev-parse", "HEAD").trim(), next: null });
		expect(person.saved()[0]?.manifest).toMatchObject({ merge_commit: report.commit, ours: heads[0], theirs: heads[1] });
		expect(person.savedFiles()).toMatchObject({
			"s.json.ours": '{"a": 2}\n',
			"s.json.theirs": '{"a": 1, "b": 2}\n',
			"s.json.base": '{"a": 1}\n',
		});
		expect(person.setAside(report.setAside, "s.json")).toContain("<<<<<<< HEAD");
	});

	test("merge in progress: edited, taken, staged or removed by a person → stays", async () => {
		const names = ["edited.md", "taken.md", "staged.md", "removed.md", "open.md"];
		const all = (text: string) => Object.fromEntries(names.map((name) => [name, `${text}\n`]));
		person.branches(all("base"), all("ours"), all("theirs"));
		person.git("merge", "theirs");
		person.write({ "edited.md": "by hand\n", "staged.md": "staged\n" });
		person.git("checkout", "--theirs", "taken.md");
		person.git("add", "staged.md");
		person.git("rm", "-q", "--force", "removed.md");
		const { files } = await resolve();
		expect(files.map(({ path, strategy, winner }) => [path, strategy, winner])).toEqual([
			["edited.md", "by-hand", "merged"],
			["open.md", "prose", "merged"],
			["taken.md", "by-hand", "theirs"],
		]);
		expect(person.status()).toBe("");
		expect(person.read("edited.md")).toBe("by hand\n");
		expect(person.read("staged.md")).toBe("staged\n");
		expect(person.read("taken.md")).toBe("theirs\n");
		expect(fs.existsSync(person.scratch.path("mine/removed.md"))).toBe(false);
		expect(person.savedFiles()).toMatchObject({ "edited.md.ours": "ours\n", "edited.md.theirs": "theirs\n", "taken.md.ours": "ours\n" });
	});

	test("merge in progress: half edited, or text like markers → distinguished", async () => {
		const example = "<<<<<<< HEAD\nan example\n=======\nof a conflict\n>>>>>>> theirs-example\n";
		person.branches(
			{ "half.md": "base\n", "doc.md": example },
			{ "half.md": "ours\n", "doc.md": `${example}ours\n` },
			{ "half.md": "theirs\n", "doc.md": `${example}theirs\n` },
		);
		person.git("merge", "theirs");
		person.write({ "half.md": "edited\n<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> theirs\n", "doc.md": `${example}both\n` });
		const { files, setAside } = await resolve();
		expect(files.map(({ path, strategy }) => [path, strategy])).toEqual([
			["doc.md", "by-hand"],
			["half.md", "prose"],
		]);
		expect(person.read("half.md")).not.toContain("<<<<<<<");
		expect(person.read("doc.md")).toBe(`${example}both\n`);
		expect(person.setAside(setAside, "half.md")).toContain("edited\n<<<<<<< HEAD");
		expect(person.status()).toBe("");
	});

	test("merge in progress: deletions, renames, directories, links → the rules for paths", async () => {
		const long = Array.from({ length: 20 }, (_, index) => `line ${index}\n`).join("");
		person.commit({ "gone.txt": "1\n", "old.txt": long, x: "x\n" }, "base");
		person.git("checkout", "-q", "-b", "theirs");
		person.commit({ "gone.txt": "2\n", "old.txt": null, "two.txt": long.replace("line 18", "B"), "d/in": "in\n" }, "theirs");
		person.git("checkout", "-q", "main");
		person.commit({ "gone.txt": null, "old.txt": null, "one.txt": long.replace("line 1\n", "A\n"), d: "file\n" }, "ours");
		person.git("merge", "theirs");
		await resolve();
		expect(person.status()).toBe("");
		const both = long.replace("line 1\n", "A\n").replace("line 18", "B");
		expect(person.read("one.txt")).toBe(both);
		expect(person.read("two.txt")).toBe(both);
		expect(person.read("gone.txt")).toBe("2\n");
		expect(person.read("d/in")).toBe("in\n");
		const names = person.git("ls-files").trim().split("\n");
		expect(names).toEqual(["d/in", expect.stringMatching(/^d~[0-9a-f]{8}$/), "gone.txt", "one.txt", "two.txt", "x"]);
		expect(person.read(names[1] ?? "")).toBe("file\n");
	});

	test("merge in progress: git's merge was clean → by kind, unless a person edited it", async () => {
		const json = '{\n  "a": 1,\n  "x": 1,\n  "y": 1,\n  "z": 1,\n  "b": 1\n}\n';
		const files = (text: string) => ({ "s.json": text, "t.json": text });
		person.branches(
			{ ...files(json), "c.md": "1\n" },
			{ ...files(json.replace('"a": 1', '"a": 2,\n  "new": 1')), "c.md": "2\n" },
			{ ...files(json.replace('"b": 1', '"b": 2,\n  "new": 2')), "c.md": "3\n" },
		);
		person.git("merge", "theirs");
		expect(person.read("s.json").match(/new/g)).toHaveLength(2);
		person.write({ "t.json": "{}\n" });
		person.git("add", "t.json");
		await resolve();
		expect(person.read("s.json").match(/new/g)).toHaveLength(1);
		expect(person.read("t.json")).toBe("{}\n");
		expect(person.status()).toBe("");
	});

	test("merge in progress: only to be committed → committed, other changes stay", async () => {
		person.branches({ f: "1\n", g: "1\n" }, { f: "2\n" }, { f: "3\n" });
		person.git("merge", "theirs");
		person.write({ f: "done\n", g: "mine\n", untracked: "u\n" });
		person.git("add", "f");
		const report = await resolve();
		expect(report.commit).not.toBeNull();
		expect(parents()).toHaveLength(2);
		expect(person.status()).toBe(" M g\n?? untracked\n");
	});

	test("merge in progress: --dry-run → only reported", async () => {
		person.branches({ "f.md": "1\n" }, { "f.md": "2\n" }, { "f.md": "3\n" });
		person.git("merge", "theirs");
		const before = person.snapshot();
		expect((await resolve({ dryRun: true })).files).toEqual([{ path: "f.md", type: "content", strategy: "prose", winner: "merged" }]);
		expect(person.snapshot()).toBe(before);
		expect(person.saved()).toEqual([]);
	});

	test("merge in progress: a version is missing → untouched, the next run resolves it", async () => {
		person.branches({ f: "1\n" }, { f: "2\n" }, { f: "3\n" });
		const oid = person.git("rev-parse", "theirs:f").trim();
		person.git("merge", "theirs");
		const object = person.scratch.path("mine/.git/objects", oid.slice(0, 2), oid.slice(2));
		fs.renameSync(object, `${object}.away`);
		const before = person.snapshot();
		await expect(resolve()).rejects.toMatchObject({ code: "CORRUPT_REPOSITORY" });
		expect(person.snapshot()).toBe(before);
		expect(person.saved()).toEqual([]);
		fs.renameSync(`${object}.away`, object);
		await resolve();
		expect(person.status()).toBe("");
	});

	test("merge in progress: killed anywhere → taken up again by the next run", async () => {
		person.branches({ f: "1\n" }, { f: "2\n" }, { f: "3\n" });
		person.git("merge", "theirs");
		// Killed after the file was set aside; and after the index was written.
		fs.rmSync(person.scratch.path("mine/f"));
		await resolve({ dryRun: true });
		person.write({ f: "2\n3\n" });
		person.git("add", "f");
		await resolve();
		expect(person.status()).toBe("");
		expect(parents()).toHaveLength(2);
	});
});

describe("other operations are resolved and staged, and git's own command continues", () => {
	const sides = [{ "s.json": '{"a": 1}\n' }, { "s.json": '{"a": 2}\n' }, { "s.json": '{"a": 1, "b": 2}\n' }] as const;

	test("left open: a rebase → resolved and staged, git's own command continues", async () => {
		person.branches(...sides);
		expect(person.git("rebase", "theirs")).toContain("CONFLICT");
		const report = await resolve();
		expect(report).toMatchObject({ operation: "rebase", commit: null, next: "git rebase --continue" });
		expect(JSON.parse(person.read("s.json"))).toEqual({ a: 2, b: 2 });
		person.git("rebase", "--continue");
		expect(person.git("log", "--format=%s", "main").trim().split("\n")).toEqual(["ours", "theirs", "base"]);
		expect(person.status()).toBe("");
		expect(person.savedFiles()["s.json.base"]).toBe('{"a": 1}\n');
	});

	test("left open: a cherry-pick → resolved and staged, git's own command continues", async () => {
		person.branches(...sides);
		person.git("cherry-pick", "theirs");
		expect(await resolve()).toMatchObject({ operation: "cherry-pick", next: "git cherry-pick --continue" });
		person.git("cherry-pick", "--continue");
		expect(person.status()).toBe("");
		expect(JSON.parse(person.read("s.json"))).toEqual({ a: 2, b: 2 });
	});

	test("left open: a revert → resolved and staged, git's own command continues", async () => {
		const [first, second, third] = ['{"a": 1, "k": 0}\n', '{"a": 2, "k": 0}\n', '{"a": 2, "k": 1}\n'];
		person.commit({ "s.json": first });
		const reverted = person.commit({ "s.json": second });
		person.commit({ "s.json": third });
		person.git("revert", "--no-edit", reverted);
		expect(await resolve()).toMatchObject({ operation: "revert", next: "git revert --continue" });
		person.git("revert", "--continue");
		expect(person.status()).toBe("");
		expect(JSON.parse(person.read("s.json"))).toEqual({ a: 1, k: 1 });
	});

	test("left open: a stash → resolved and staged, git's own command continues", async () => {
		person.commit(sides[0]);
		person.write(sides[2]);
		person.git("stash", "-q");
		person.commit(sides[1]);
		expect(person.git("stash", "pop")).toContain("CONFLICT");
		expect(await resolve()).toMatchObject({ operation: null, commit: null, next: "git stash drop" });
		expect(JSON.parse(person.read("s.json"))).toEqual({ a: 2, b: 2 });
		expect(person.status()).toBe("M  s.json\n");
	});
});

describe("the fetched upstream", () => {
	test("fetched upstream: other commits → merged as a cycle would, no fetch, no push", async () => {
		person.diverged({ "s.json": '{"a": 1}\n' }, { "s.json": '{"a": 2}\n' }, { "s.json": '{"a": 1, "b": 2}\n' });
		person.write({ new: "uncommitted\n" });
		const upstream = person.git("rev-parse", "origin/main");
		const report = await resolve();
		expect(report).toMatchObject({ operation: "upstream", files: [{ path: "s.json", strategy: "json", winner: "merged" }] });
		expect(JSON.parse(person.read("s.json"))).toEqual({ a: 2, b: 2 });
		expect(person.status()).toBe("");
		expect(person.savedFiles()["s.json.theirs"]).toBe('{"a": 1, "b": 2}\n');
		expect(person.git("ls-remote", "origin", "main")).toContain(upstream.trim());
	});

	test("upstream: holds another node's merge → its losing versions are saved here, too", async () => {
		person.diverged({ f: "1\n" }, { f: "2\n" }, { f: "3\n" });
		const { repository } = await person.context();
		const [ours, theirs] = ["HEAD", "origin/main"].map((name) => person.git("rev-parse", name).trim()) as [string, string];
		const { commit } = await resolveMerge(repository, ours, theirs);
		person.git("update-ref", "refs/remotes/origin/main", commit);
		person.commit({ g: "meanwhile\n" });
		const { saved } = await resolve();
		expect(saved).toEqual(person.saved().map(({ name }) => name));
		expect(person.saved().map(({ manifest }) => [manifest?.merge_commit, manifest?.ours, manifest?.theirs])).toEqual([
			[commit, ours, theirs],
		]);
		expect(person.savedFiles()).toMatchObject({ "f.ours": "2\n", "f.theirs": "3\n" });
		expect(person.status()).toBe("");
	});

	test("upstream: their file taken by hand → that content stays, both are saved", async () => {
		person.diverged({ f: "base\n" }, { "test_conflict.json": '{"test": "local"}\n' }, { "test_conflict.json": '{"test": "remote"}\n' });
		person.git("fetch", "origin");
		person.git("checkout", "origin/main", "--", "test_conflict.json");
		const report = await resolve();
		expect(report.files).toEqual([{ path: "test_conflict.json", type: "add/add", strategy: "by-hand", winner: "theirs" }]);
		expect(person.read("test_conflict.json")).toBe('{"test": "remote"}\n');
		expect(person.status()).toBe("");
		expect(person.saved()).toHaveLength(1);
		expect(person.savedFiles()).toEqual({
			"test_conflict.json.ours": '{"test": "local"}\n',
			"test_conflict.json.theirs": '{"test": "remote"}\n',
		});
	});

	test("upstream: did not touch the file → the local change stays, nothing to save", async () => {
		person.diverged({ f: "base\n" }, { "test_conflict.json": '{"test": "local"}\n' }, { other: "x\n" });
		expect(person.git("checkout", "origin/main", "--", "test_conflict.json")).toContain("did not match");
		await resolve();
		expect(person.read("test_conflict.json")).toBe('{"test": "local"}\n');
		expect(person.status()).toBe("");
		expect(person.saved()).toEqual([]);
		expect(fs.existsSync(person.scratch.path("mine/sync/conflicts"))).toBe(true);
	});

	test("upstream: an older version taken back by hand → stays, both are saved", async () => {
		person.commit({ f: "base\n" });
		person.git("push", "-q", "origin", "main");
		person.commit({ f: "local\n" });
		person.git("checkout", "origin/main", "--", "f");
		await resolve();
		expect(person.read("f")).toBe("base\n");
		expect(person.status()).toBe("");
		expect(person.savedFiles()).toMatchObject({ "f.ours": "local\n", "f.theirs": "base\n" });
	});

	test("fetched upstream: none, or all of it is here → nothing to do", async () => {
		person.commit({ f: "1\n" });
		expect(await resolve()).toMatchObject({ files: [], commit: null });
		person.git("push", "-q", "origin", "main");
		expect(await resolve()).toMatchObject({ files: [], commit: null });
	});

	test("fetched upstream: --dry-run → only reported", async () => {
		person.diverged({ f: "1\n" }, { f: "2\n" }, { f: "3\n" });
		const before = person.snapshot();
		expect((await resolve({ dryRun: true })).files.map(({ path }) => path)).toEqual(["f"]);
		expect(person.snapshot()).toBe(before);
	});
});
