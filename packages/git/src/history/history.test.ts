import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type RawEntry, rawBlob, rawTree } from "../fixtures/raw-objects.ts";
import { personEnvironment, Scratch } from "../fixtures/scratch.ts";
import { openMergeStore } from "../objects/merge-store.ts";
import type { GitPath } from "../paths/git-path.ts";
import { gitProcessesStarted } from "../process/exec.ts";
import type { Oid } from "../process/repository.ts";
import { eachTouch, lastTouches, walkCommits } from "./history.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("history");
});
afterAll(() => scratch.remove());

const isOwn = (name: string) => name === "sync";

/** A repository of one object format, with commits made of raw trees. */
async function repository(format: string) {
	execFileSync("git", ["init", "-q", "-b", "main", `--object-format=${format}`, format], {
		cwd: scratch.directory,
		env: personEnvironment(scratch.directory),
	});
	const directory = scratch.path(format);
	const at = (seconds: number) => ({ GIT_AUTHOR_DATE: `@${seconds} +0000`, GIT_COMMITTER_DATE: `@${seconds} +0000` });
	return {
		store: openMergeStore(await scratch.open(format)),
		blob: (content: string) => rawBlob(directory, content),
		tree: (...entries: RawEntry[]) => rawTree(directory, entries),
		commit: (tree: Oid, date: number, ...parents: Oid[]) =>
			execFileSync("git", ["commit-tree", tree, "-m", `at ${date}`, ...parents.flatMap((parent) => ["-p", parent])], {
				cwd: directory,
				env: { ...personEnvironment(scratch.directory), ...at(date) },
				encoding: "utf8",
			}).trim(),
	};
}

const paths = (...names: string[]) => ({ paths: new Set(names as GitPath[]), blobs: new Set<Oid>() });

test.each(["sha1", "sha256"])("history: hostile commits (%s) → each path's date, of clean versions, at once", async (format) => {
	const { store, blob, tree, commit } = await repository(format);
	const [one, two, three] = [blob("1\n"), blob("2\n"), blob("3\n")];
	let bomb = tree(["100644", "f", one]);
	for (let level = 0; level < 7; level++) bomb = tree(...Array.from({ length: 10 }, (_, at) => ["40000", `d${at}`, bomb] as const));
	const base = commit(tree(["100644", "a", one], ["100644", "b", one]), 100);
	const started = performance.now();
	const hostile: RawEntry[][] = [
		[["40000", "bomb", bomb]],
		[["100644", "", one]],
		[["40000", ".git", bomb]],
		[["100644", "tree", bomb]],
		[["40000", "blob", one]],
	];
	for (const [index, entries] of hostile.entries()) {
		const evil = commit(tree(["100644", "a", two], ...entries, ["100644", "b", one]), 200 + index, base);
		const reverted = commit(tree(["100644", "a", two], ["100644", "b", three]), 300, evil);
		const ours = commit(tree(["100644", "a", three], ["100644", "b", one]), 250, base);
		const touched = await lastTouches({ store, isOwn }, ours, reverted, { ...paths("a", "b"), blobs: new Set([two]) });
		expect([...touched.first.paths]).toEqual([["a", 250]]);
		expect(Object.fromEntries(touched.second.paths)).toEqual({ a: 200 + index, b: 300 });
		expect([...touched.second.blobs]).toEqual([[two, 200 + index]]);
	}
	// A root, and nothing in common.
	const root = commit(tree(["40000", "bomb", bomb], ["100644", "a", two]), 400);
	expect(Object.fromEntries((await lastTouches({ store, isOwn }, base, root, paths("a", "b"))).second.paths)).toEqual({ a: 400 });
	expect(performance.now() - started).toBeLessThan(10_000);
});

test("history: merges, octopuses, empty commits, odd names → as git log -c has them", async () => {
	scratch.init("plain");
	const git = (...args: string[]) => scratch.git("plain", ...args);
	const names = ["a", "d/b", "größe", "new\nline", ":odd", "sub/deep/er"];
	let round = 0;
	const change = (...which: number[]) => {
		for (const index of which) scratch.write(`plain/${names[index]}`, `${round}\n`);
		git("add", "--all");
		git("commit", "--quiet", "--allow-empty", "-m", `round ${round++}`, `--date=@${1_700_000_000 + round} +0000`);
	};
	change(0, 1, 2, 3, 4, 5);
	for (const branch of ["one", "two", "three"]) {
		git("checkout", "--quiet", "-b", branch, "main");
		change(["one", "two", "three"].indexOf(branch));
		change();
		change(3 + ["one", "two", "three"].indexOf(branch));
	}
	git("checkout", "--quiet", "main");
	git("merge", "--quiet", "-m", "octopus", "one", "two");
	git("merge", "--quiet", "--no-commit", "three");
	scratch.write("plain/a", "evil merge\n");
	git("commit", "--quiet", "--all", "-m", "evil merge");
	const found: string[] = [];
	const texts = await eachTouch(
		{ store: openMergeStore(await scratch.open("plain")), isOwn },
		[git("rev-parse", "main").trim()],
		"%s",
		(text, name, blob) => found.push(`${text} ${Buffer.from(name, "latin1")} ${blob}`),
	);
	const log = git("log", "-z", "--format=%x01%s", "--raw", "-c", "--no-abbrev", "--no-renames", "main").split("\0").filter(Boolean);
	const expected: string[] = [];
	let [subject, header] = ["", ""];
	for (const token of log.map((field) => field.replace(/^\n/, ""))) {
		if (token.startsWith("\u0001")) subject = token.slice(1).trim();
		else if (header === "") header = token;
		else {
			expected.push(`${subject} ${token} ${header.split(" ").at(-2)}`);
			header = "";
		}
	}
	expect(found).toEqual(expected);
	expect(found.length).toBeGreaterThan(12);
	expect(texts).toHaveLength(Number(git("rev-list", "--count", "main")));
});

test("walk: a line of commits, loose or packed, a merge on it → the same commits", async () => {
	const { store, blob, tree, commit } = await repository("sha1");
	const trees = ["1", "2", "3"].map((content) => tree(["100644", "a", blob(content)]));
	const [first = "", second = "", third = ""] = trees;
	const root = commit(first, 1);
	const next = commit(second, 2, root);
	const last = commit(third, 3, next);
	const merge = commit(third, 4, last, commit(first, 3, root));
	scratch.git("sha1", "update-ref", "refs/heads/main", merge);
	const walks = async () => [
		await walkCommits(store, root, last),
		await walkCommits(store, last, last),
		await walkCommits(store, last, merge),
		await walkCommits(store, null, last),
	];
	const started = gitProcessesStarted();
	expect(await walkCommits(store, root, last)).toHaveLength(2);
	expect(gitProcessesStarted()).toBe(started);
	const loose = await walks();
	scratch.git("sha1", "repack", "-q", "-a", "-d");
	scratch.git("sha1", "prune-packed");
	expect(await walks()).toEqual(loose);
	expect(loose.map((walk) => walk.length)).toEqual([2, 0, 2, 3]);
});
