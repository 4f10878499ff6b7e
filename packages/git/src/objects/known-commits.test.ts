import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { gitProcessesStarted } from "../process/exec.ts";
import { Repository } from "../process/repository.ts";
import { knowsCommit } from "./known-commits.ts";

let scratch: Scratch;
let repository: Repository;
let [packed, loose]: [string[], string] = [[], ""];
beforeAll(async () => {
	scratch = new Scratch("known-commits");
	scratch.init("w");
	for (let pack = 0; pack < 2; pack++) {
		const commits = Array.from({ length: 20 }, (_, number) => `git commit --quiet --allow-empty -m "${pack}, ${number}"`);
		scratch.script("w", [...commits, "git repack -q -d"]);
	}
	packed = scratch.git("w", "rev-list", "main").trim().split("\n");
	loose = scratch.commitAll("w", "loose");
	repository = await scratch.open("w");
});
afterAll(() => scratch.remove());

/** What `knowsCommit` answers for each, and how many processes that took. */
async function known(store: Repository, oids: readonly string[]): Promise<[boolean[], number]> {
	const before = gitProcessesStarted();
	const answers: boolean[] = [];
	for (const oid of oids) answers.push(await knowsCommit(store, oid));
	return [answers, gitProcessesStarted() - before];
}

/** The id with its last digit changed: its neighbour in an index. */
const neighbour = (oid: string) => `${oid.slice(0, -1)}${oid.endsWith("0") ? "1" : "0"}`;

test("knowsCommit: loose, packed, missing → as they are, without a process", async () => {
	expect(fs.readdirSync(scratch.path("w/.git/objects/pack")).filter((name) => name.endsWith(".idx"))).toHaveLength(2);
	const missing = [...packed.map(neighbour), neighbour(loose), "0".repeat(40), "f".repeat(40)];
	expect(await known(repository, [...packed, loose])).toEqual([[...packed, loose].map(() => true), 0]);
	expect(await known(repository, missing)).toEqual([missing.map(() => false), 0]);
});

test("knowsCommit: objects elsewhere, or an index of another form → git answers", async () => {
	const [one = ""] = packed;
	scratch.git("", "clone", "-q", "--shared", "w", "shared");
	expect(await known(await scratch.open("shared"), [one, neighbour(one)])).toEqual([[true, false], 2]);
	const partial = new Repository({ ...repository, config: new Map([["extensions.partialclone", "origin"]]) });
	expect(await known(partial, [neighbour(one)])).toEqual([[false], 1]);
	scratch.git("", "clone", "-q", "--no-local", "w", "old");
	const store = await scratch.open("old");
	for (const name of fs.readdirSync(scratch.path("old/.git/objects/pack")).filter((each) => each.endsWith(".pack"))) {
		fs.rmSync(scratch.path(`old/.git/objects/pack/${name.replace(/pack$/, "idx")}`));
		scratch.git("old", "index-pack", "--index-version=1", `.git/objects/pack/${name}`);
	}
	expect(await known(store, [one, neighbour(one)])).toEqual([[true, false], 2]);
});
