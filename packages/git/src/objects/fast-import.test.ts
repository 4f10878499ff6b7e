import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { gitPathOf } from "../paths/git-path.ts";
import { openRepository, type Repository } from "../process/repository.ts";
import { CommitWriter } from "./fast-import.ts";
import { openMergeStore } from "./merge-store.ts";
import type { NewCommit } from "./new-commit.ts";

let scratch: Scratch;
let store: Repository;
beforeEach(async () => {
	scratch = new Scratch("fast-import");
	scratch.init("w");
	store = openMergeStore(await openRepository({ directory: scratch.path("w"), node: "helios" }));
});
afterEach(() => scratch.remove());

const commitOf = (changes: NewCommit["changes"]): NewCommit => ({
	parents: [],
	identity: "helios <helios@localhost>",
	date: 1_700_000_000,
	message: Buffer.from("many\n"),
	tree: null,
	changes,
});
const contentOf = (index: number) => Buffer.from(`${index}\0${"x".repeat(index % 700)}\n`);
const nameOf = (index: number) => gitPathOf(`d${index % 7}/f${index}`);
const numbers = Array.from({ length: 3_000 }, (_, index) => index);

test("commit writer: blobs first, in several chunks → same commit as in one go", async () => {
	const writer = new CommitWriter(store);
	const ahead = numbers.map((index) => ({ path: nameOf(index), mode: "100644", oid: writer.add(contentOf(index)) }));
	const first = await writer.write(commitOf(ahead));
	const whole = numbers.map((index) => ({ path: nameOf(index), mode: "100644", content: contentOf(index) }));
	expect(await new CommitWriter(store).write(commitOf(whole))).toEqual(first);
	expect(scratch.git("w", "ls-tree", "-r", "--name-only", first.tree).split("\n").filter(Boolean)).toHaveLength(3_000);
	expect(scratch.git("w", "cat-file", "-p", `${first.tree}:d3/f2999`)).toBe(contentOf(2_999).toString());
});

test("commit writer: closed without a commit → no ref, no lock", async () => {
	const writer = new CommitWriter(store);
	for (const index of numbers) writer.add(contentOf(index));
	await writer.close();
	expect(existsSync(path.join(store.gitDirectory, "refs/new")) ? readdirSync(path.join(store.gitDirectory, "refs/new")) : []).toEqual([]);
});

test("commit writer: changes cannot be computed → that error", async () => {
	const writer = new CommitWriter(store);
	for (const index of numbers) writer.add(contentOf(index));
	function* failing() {
		yield { path: nameOf(1), mode: "100644", content: contentOf(1) };
		throw new Error("no more changes");
	}
	await expect(writer.write(commitOf(failing()))).rejects.toThrow("no more changes");
});
