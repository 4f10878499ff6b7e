import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { rawCommit } from "../fixtures/raw-objects.ts";
import { personEnvironment, Scratch } from "../fixtures/scratch.ts";
import { openMergeStore } from "../objects/merge-store.ts";
import { gitPathOf } from "../paths/git-path.ts";
import { replaceInCommits, rewriteCommits } from "./rewrite-commits.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("rewrite-commits");
});
afterAll(() => scratch.remove());

const isOwn = (name: string) => ["sync", "logs", ".sync_env"].includes(name.toLowerCase());

test.each(["sha1", "sha256"])("rewritten commits: own files in some (%s) → gone; all else as it was", async (format) => {
	execFileSync("git", ["init", "-q", "-b", "main", `--object-format=${format}`, format], {
		cwd: scratch.directory,
		env: personEnvironment(scratch.directory),
	});
	const git = (...args: string[]) => scratch.git(format, ...args).trim();
	const commit = (files: Record<string, string>, message: string) => {
		for (const [name, content] of Object.entries(files)) scratch.write(`${format}/${name}`, content);
		git("add", "--all", "--force");
		git("commit", "--quiet", "--allow-empty", "-m", message);
		return git("rev-parse", "HEAD");
	};
	const first = commit({ a: "1\n" }, "first");
	const both = commit({ b: "1\n", "sync/x": "x\n", "Logs/l": "l\n" }, "both");
	const only = commit({ ".sync_env": "K=1\n" }, "only own files");
	const empty = commit({}, "empty by intent");
	git("checkout", "-q", "-b", "side", first);
	const side = commit({ s: "1\n" }, "side");
	git("checkout", "-q", "main");
	git("merge", "-q", "--no-edit", "side");
	const merged = git("rev-parse", "HEAD");
	const text = `${git("cat-file", "commit", merged)}\n`;
	const signed = rawCommit(
		scratch.path(format),
		text.replace("\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----\n\n"),
	);
	const store = openMergeStore(await scratch.open(format));
	const replaced = await rewriteCommits(store, [both, only, empty, side, merged, signed], isOwn);
	const marked = await rewriteCommits(store, [both], isOwn, (message) => `${message}by us`);
	expect(git("log", "-1", "--format=%B", marked.get(both) as string)).toBe(`${git("log", "-1", "--format=%B", both).trim()}\nby us`);
	expect([...replaced.keys()]).toEqual([both, only, empty, merged, signed]);
	expect(replaced.get(only)).toBe(replaced.get(both));
	const head = replaced.get(signed) as string;
	expect(git("log", "--topo-order", "--format=%s", head).split("\n")).toEqual([
		"Merge branch 'side'",
		...git("log", "--topo-order", "--format=%s", head, `^${first}`).split("\n").slice(1),
		"first",
	]);
	expect(git("ls-tree", "-r", "--name-only", head).split("\n")).toEqual(["a", "b", "s"]);
	expect(git("log", "--format=%H", head, "--", "sync", "Logs", ".sync_env")).toBe("");
	expect(git("cat-file", "commit", head)).not.toContain("gpgsig");
	expect(git("log", "-1", "--format=%an%ae%ad%cn%ce%cd%B", replaced.get(both) as string)).toBe(
		git("log", "-1", "--format=%an%ae%ad%cn%ce%cd%B", both),
	);
	expect(git("rev-parse", `${replaced.get(empty)}^`)).toBe(replaced.get(both));
	// The signature was the only difference between them.
	expect(replaced.get(merged)).toBe(head);
	expect(git("fsck", "--strict", "--no-dangling", head)).not.toContain("error");
});

test("replaced contents: of a path in some commits → as wanted; all else as it was", async () => {
	scratch.init("replace");
	const git = (...args: string[]) => scratch.git("replace", ...args).trim();
	const commit = (files: Record<string, string>, message: string) => {
		for (const [name, content] of Object.entries(files)) scratch.write(`replace/${name}`, content);
		git("add", "--all");
		git("commit", "--quiet", "-m", message);
		return git("rev-parse", "HEAD");
	};
	const first = commit({ a: "clean\n" }, "first");
	const bad = commit({ a: "bad\n", b: "1\n" }, "bad and b");
	const only = commit({ c: "bad\n" }, "only bad");
	const last = commit({ a: "good\n", d: "1\n" }, "last");
	const store = openMergeStore(await scratch.open("replace"));
	const entryOf = (name: string, at: string) => git("ls-tree", at, "--", name).split(/\s/)[2] ?? "";
	const badBlob = entryOf("a", bad);
	const replaced = await replaceInCommits(store, [bad, only, last], async (oid, [parent = ""]) =>
		["a", "c"]
			.filter((name) => entryOf(name, oid) === badBlob)
			.map((name) => {
				const before = entryOf(name, parent);
				const path = gitPathOf(name);
				return before === "" ? { path, delete: true } : { path, mode: "100644", oid: before };
			}),
	);
	expect([...replaced.keys()]).toEqual([bad, only, last]);
	expect(replaced.get(only)).toBe(replaced.get(bad));
	const head = replaced.get(last) as string;
	expect(git("log", "--format=%s", head).split("\n")).toEqual(["last", "bad and b", "first"]);
	expect(git("show", `${replaced.get(bad)}:a`)).toBe("clean");
	expect([git("show", `${head}:a`), git("ls-tree", "--name-only", head).split("\n")]).toEqual(["good", ["a", "b", "d"]]);
	expect(git("log", "-1", "--format=%an%ae%ad%cn%ce%cd%B", replaced.get(bad) as string)).toBe(
		git("log", "-1", "--format=%an%ae%ad%cn%ce%cd%B", bad),
	);
	expect(git("rev-list", head)).toContain(first);
});
