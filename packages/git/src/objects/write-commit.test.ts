import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Scratch } from "../fixtures/scratch.ts";
import { gitPathOf } from "../paths/git-path.ts";
import { gitProcessesStarted } from "../process/exec.ts";
import type { Repository } from "../process/repository.ts";
import { diffTrees, parseRawDiff } from "./diff.ts";
import { importCommit } from "./fast-import.ts";
import { readLooseObject } from "./loose-objects.ts";
import { openMergeStore } from "./merge-store.ts";
import type { FileChange, NewCommit } from "./new-commit.ts";
import { blobOid } from "./objects.ts";
import { diffLooseTrees, readTreePaths } from "./trees.ts";
import { writeCommit } from "./write-commit.ts";

let scratch: Scratch;
const stores: Repository[] = [];
beforeAll(async () => {
	scratch = new Scratch("write-commit");
	for (const format of ["sha1", "sha256"]) {
		scratch.git("", "init", "-q", "-b", "main", `--object-format=${format}`, format);
		stores.push(openMergeStore(await scratch.open(format)));
	}
});
afterAll(() => scratch.remove());

const identity = "A Person <a@person>";
const commitOf = (changes: FileChange[], parents: string[], more: Partial<NewCommit> = {}): NewCommit => ({
	parents,
	identity,
	date: 1_700_000_000,
	message: Buffer.from("message\n\nKey: value\n"),
	tree: null,
	changes,
	...more,
});

// "a", "a.b" and "a/b" are sorted in different ways as files and as directories.
const names = ["a", "a.b", "a0", "a/b", "a/b/c", "a/d", "b/a/a", "b/a/b", "\u00c3\u00bc/\u00ff", "z"].map(gitPathOf);
const content = fc.constantFrom("", "one\n", "two\n").map((text) => Buffer.from(text));
const put = fc.record({ path: fc.constantFrom(...names), mode: fc.constantFrom("100644", "100755", "120000"), content });
const change: fc.Arbitrary<FileChange> = fc.oneof(
	put,
	fc.constantFrom(...names).map((path): FileChange => ({ path, delete: true })),
);

/** What a working tree can have: no path twice, none below a file; what goes comes first. */
function possible(changes: readonly FileChange[]): FileChange[] {
	const puts = changes.filter((each) => !("delete" in each));
	const isBelow = (path: string, above: string) => path.startsWith(`${above}/`);
	const clash = ({ path }: FileChange, index: number) =>
		puts.some((other, at) => at < index && (other.path === path || isBelow(path, other.path) || isBelow(other.path, path)));
	const kept = puts.filter((each, index) => !clash(each, index));
	const gone = changes.filter((each) => "delete" in each && !kept.some(({ path }) => path === each.path || isBelow(each.path, path)));
	return [...gone, ...kept];
}

test("writeCommit: any few changes → the objects that git fast-import makes", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(put, { maxLength: 6 }),
			fc.array(change, { maxLength: 6 }),
			fc.constantFrom(0, 1),
			async (first, then, at) => {
				const store = stores[at] as Repository;
				const base = await importCommit(store, commitOf(possible(first), []));
				const wanted = commitOf(possible(then), [base.commit], { author: "Another <b@other>", authorDate: 1_600_000_000 });
				const expected = await importCommit(store, wanted);
				const before = gitProcessesStarted();
				const root = await writeCommit(store, commitOf(possible(first), []));
				const made = await writeCommit(store, wanted);
				expect(gitProcessesStarted()).toBe(before);
				expect(root).toEqual(base);
				expect(made).toEqual(expected);
				const changed = [...(await diffTrees(store, base.commit, made.commit))];
				expect(changed).toEqual(diffLooseTrees(store, base.tree, made.tree));
				const { stdout } = await store.run(["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", base.commit, made.commit]);
				expect(changed).toEqual(parseRawDiff(stdout));
				const paths = await readTreePaths(store, made.commit, names);
				for (const each of wanted.changes)
					if ("content" in each) expect(paths.get(each.path)).toEqual({ mode: each.mode, oid: blobOid(each.content, store.objectFormat) });
			},
		),
		{ numRuns: 12 },
	);
});

test("writeCommit: objects of a new store, written here → git finds no fault in them", async () => {
	scratch.init("fresh");
	const store = openMergeStore(await scratch.open("fresh"));
	const changes: FileChange[] = names
		.filter((name) => name.includes("/d") || name === "z")
		.map((path) => ({ path, mode: "100644", content: Buffer.from(path) }));
	const { commit } = await writeCommit(store, commitOf(changes, []));
	scratch.git("fresh", "update-ref", "refs/heads/main", commit);
	expect(scratch.git("fresh", "fsck", "--strict", "--full")).toBe("");
	expect(scratch.git("fresh", "ls-tree", "-r", "--name-only", "main")).toBe("a/d\nz\n");
});

test("writeCommit: an id that names nothing → git's refusal, and no commit", async () => {
	const missing: FileChange = { path: gitPathOf("a"), mode: "100644", oid: "1".repeat(40) };
	await expect(writeCommit(stores[0] as Repository, commitOf([missing], []))).rejects.toThrow();
});

test.each<[what: string, damage: (file: string) => void]>([
	["cut short", (file) => fs.truncateSync(file, 10)],
	["another object's", (file) => fs.copyFileSync(fileOf(blobOid(Buffer.from("other"))), file)],
	["empty", (file) => fs.truncateSync(file, 0)],
])("loose object: its file is %s → it is left to git", async (_what, damage) => {
	const store = stores[0] as Repository;
	const [path, other] = [gitPathOf("damaged"), gitPathOf("other")];
	const contents = [Buffer.from("to be damaged"), Buffer.from("other")] as const;
	const oid = blobOid(contents[0]);
	fs.rmSync(fileOf(oid), { force: true });
	await writeCommit(
		store,
		commitOf(
			[
				{ path, mode: "100644", content: contents[0] },
				{ path: other, mode: "100644", content: contents[1] },
			],
			[],
		),
	);
	expect(readLooseObject(store, oid)?.content).toEqual(contents[0]);
	fs.chmodSync(fileOf(oid), 0o644);
	damage(fileOf(oid));
	expect(readLooseObject(store, oid)).toBeNull();
});

const fileOf = (oid: string) => scratch.path(`sha1/.git/objects/${oid.slice(0, 2)}/${oid.slice(2)}`);
