import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { rawTree } from "../fixtures/raw-objects.ts";
import { personEnvironment, Scratch } from "../fixtures/scratch.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { cleanCommits } from "./clean-tree.ts";
import { openMergeStore } from "./merge-store.ts";
import { objectOid } from "./object-id.ts";
import { writeObjects } from "./object-writer.ts";

let scratch: Scratch;
let store: Repository;
let blob: Oid;
let link: Oid;
beforeAll(async () => {
	scratch = new Scratch("clean-tree");
	scratch.init("repository");
	store = openMergeStore(await scratch.open("repository"));
	scratch.write("repository/f", "content\n");
	blob = scratch.git("repository", "hash-object", "-w", "f").trim();
	scratch.write("repository/l", "../outside");
	link = scratch.git("repository", "hash-object", "-w", "l").trim();
});
afterAll(() => scratch.remove());

const tree = (...entries: (readonly [mode: string, name: string, oid: Oid])[]) => rawTree(scratch.path("repository"), entries);
const commit = (oid: Oid, date = "1700000000 +0000") =>
	execFileSync("git", ["commit-tree", oid, "-m", "pushed by a peer"], {
		cwd: scratch.path("repository"),
		env: { ...personEnvironment(scratch.directory), GIT_COMMITTER_DATE: date, GIT_AUTHOR_DATE: date },
		encoding: "utf8",
	}).trim();
const isOwn = (name: string) => ["sync", "logs"].includes(name.toLowerCase());
const clean = async (oid: Oid) => (await cleanCommits(store, [oid], isOwn))[0]!;
const list = (oid: Oid) =>
	scratch.git("repository", "-c", "core.quotePath=false", "ls-tree", "-r", "-z", "--name-only", oid).split("\0").filter(Boolean);

describe("cleanCommits", () => {
	test("clean commit: nothing refused, names almost like git's → itself", async () => {
		const sub = tree(["100644", ".gitignore", blob], ["100755", "git~10", blob], ["100644", "logs", blob]);
		const oid = commit(
			tree(["100644", ".git-x", blob], ["120000", "a", link], ["40000", "a.d", sub], ["160000", "module", blob], ["100664", "old", blob]),
		);
		expect(await clean(oid)).toEqual({ clean: oid, refused: [], original: null });
	});

	test("clean commit: refused names at every depth → a commit on top without them", async () => {
		const hooks = tree(["100755", "post-checkout", blob]);
		const git = tree(["40000", "hooks", hooks], ["100644", "config", blob]);
		const sub = tree(["40000", ".git", git], ["100644", "kept", blob]);
		const only = tree(["40000", ".GIT ", git]);
		const oid = commit(
			tree(
				["40000", "..", sub],
				["40000", ".git", git],
				["40000", "Logs", sub],
				["100644", "a/b", blob],
				["100644", "git~1", blob],
				["100644", "kept", blob],
				["40000", "only", only],
				["100644", "pipe", blob],
				["40000", "sub", sub],
				["40000", "sync", sub],
				["120000", ".gitmodules", link],
				["777", "mode", blob],
			),
		);
		const { clean: cleaned, refused, original } = await clean(oid);
		expect(refused).toEqual(["..", ".git", ".gitmodules", "Logs", "a/b", "git~1", "mode", "only/.GIT ", "sub/.git", "sync"]);
		expect(original).toBeNull();
		expect(list(cleaned)).toEqual(["kept", "pipe", "sub/kept"]);
		expect(scratch.git("repository", "show", "-s", "--format=%P %an %ct", cleaned).trim()).toBe(`${oid} robust-sync 1700000000`);
		expect(await clean(cleaned)).toEqual({ clean: cleaned, refused: [], original: oid });
	});

	test("clean tree: a name twice, no order → one of each name, in order", async () => {
		const d = tree(["100644", "x", blob]);
		const doubled = await clean(commit(tree(["120000", "d", link], ["40000", "d", d], ["100644", "e", blob], ["120000", "e", link])));
		expect([list(doubled.clean), doubled.refused]).toEqual([
			["d/x", "e"],
			["d", "e"],
		]);
		const unsorted = await clean(commit(tree(["100644", "z", blob], ["100644", "a", blob], ["40000", "m", d], ["100644", "m.txt", blob])));
		expect([list(unsorted.clean), unsorted.refused]).toEqual([["a", "m.txt", "m/x", "z"], []]);
	});

	test("a tree: any entries at all → one in which git fsck finds no fault", async () => {
		const modes = fc.constantFrom("100644", "100755", "120000", "40000", "160000", "777", "10644", "0");
		const names = fc.constantFrom(
			"a",
			"a.b",
			"b",
			"a/b",
			".git",
			".Git",
			"..",
			".",
			"git~1",
			"sync",
			"LOGS",
			".gitmodules",
			"\xff",
			"x\\.git",
		);
		const subtree = tree(["100644", "inside", blob]);
		const entry = fc
			.tuple(modes, names)
			.map(([mode, name]) => [mode, name, mode === "40000" ? subtree : mode === "120000" ? link : blob] as const);
		const samples = fc.sample(fc.array(entry, { maxLength: 8 }), 40);
		const commits = samples.map((entries) => commit(tree(...entries)));
		const cleaned = await cleanCommits(store, commits, isOwn);
		const trees = cleaned.map((one) => scratch.git("repository", "rev-parse", `${one.clean}^{tree}`).trim());
		for (const oid of trees) expect(list(oid).filter((name) => /(^|\/)(\.git|\.\.?|sync|logs)(\/|$)/i.test(name))).toEqual([]);
		// fsck reads all objects: the hostile trees are recognized by their ids.
		const said = execFileSync("bash", ["-c", "git fsck --strict --no-dangling 2>&1 || true"], {
			cwd: scratch.path("repository"),
			encoding: "utf8",
		});
		for (const oid of trees) expect(said).not.toContain(oid);
	}, 60_000);

	test.each([
		["seven trees of ten", [10, 10, 10, 10, 10, 10, 10]],
		["two trees of three thousand", [3000, 3000]],
		["thirty trees of two", Array(30).fill(2)],
	] as const)("a tree bomb: %s → refused, the files beside it stay", async (_name, widths) => {
		let oid = blob;
		for (const width of widths) {
			const mode = oid === blob ? "100644" : "40000";
			oid = tree(...Array.from({ length: width }, (_, at) => [mode, `d${String(at).padStart(4, "0")}`, oid] as const));
		}
		const started = performance.now();
		const { clean: cleaned, refused } = await clean(commit(tree(["40000", "bomb", oid], ["100644", "kept", blob])));
		expect([list(cleaned), refused]).toEqual([["kept"], ["bomb"]]);
		const top = await clean(commit(oid));
		expect(list(top.clean).length).toBeLessThan(200_000);
		expect(performance.now() - started).toBeLessThan(20_000);
	});

	test.each([
		[60, []],
		[998, []],
		[1_500, ["d"]],
		[2_500, ["d"]],
	] as const)("a tree: %i directories deep → deeper entries refused, the rest stays", async (levels, refused) => {
		const entry = (mode: string, name: string, oid: Oid) => Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, "hex")]);
		const objects = [{ type: "tree", content: entry("100644", "f", blob) } as const];
		const oidOf = (object: (typeof objects)[number]) => objectOid(object, "sha1");
		for (let level = 1; level < levels; level++) {
			const inner = oidOf(objects.at(-1) as (typeof objects)[number]);
			objects.push({ type: "tree", content: entry("40000", "d", inner) });
		}
		await writeObjects(store, objects);
		const deep = oidOf(objects.at(-1) as (typeof objects)[number]);
		const oid = commit(tree(["40000", "d", deep], ["100644", "kept", blob]));
		const { clean: cleaned, refused: found } = await clean(oid);
		expect(found).toEqual(refused);
		expect(list(cleaned)).toEqual(refused.length > 0 ? ["kept"] : [`${"d/".repeat(levels)}f`, "kept"]);
	});

	test("clean commit: a date that no tool can read → one that they can", async () => {
		const content = Buffer.from(
			`tree ${tree(["40000", ".git", tree(["100644", "x", blob])])}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 18446744073709551614 +0000\n\nlate\n`,
		);
		const oid = execFileSync("git", ["hash-object", "-t", "commit", "--literally", "-w", "--stdin"], {
			cwd: scratch.path("repository"),
			input: content,
			encoding: "utf8",
		}).trim();
		const { clean: cleaned } = await clean(oid);
		expect(scratch.git("repository", "show", "-s", "--format=%ct", cleaned).trim()).toBe("253402300799");
	});
});
