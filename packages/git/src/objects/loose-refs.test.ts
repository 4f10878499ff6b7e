import fs from "node:fs";
import { afterAll, beforeEach, expect, jest, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { gitProcessesStarted } from "../process/exec.ts";
import { openRepository, Repository } from "../process/repository.ts";
import { moveLooseRef } from "./loose-refs.ts";
import { readRef, updateRef } from "./refs.ts";

const branch = "refs/heads/main";
const person = { GIT_COMMITTER_NAME: "Person", GIT_COMMITTER_EMAIL: "p@example.org" };
let scratch: Scratch;
let repository: Repository;
let [one, two] = ["", ""];
beforeEach(async () => {
	await scratch?.remove();
	scratch = new Scratch("loose-refs");
	scratch.init("w");
	scratch.write("w/a", "one");
	one = scratch.commitAll("w", "one");
	scratch.write("w/a", "two");
	two = scratch.commitAll("w", "two");
	scratch.git("w", "reset", "-q", "--soft", one);
	repository = await scratch.open("w");
});
afterAll(() => scratch.remove());

const logOf = (ref: string) => (fs.existsSync(scratch.path(`w/.git/logs/${ref}`)) ? scratch.read(`w/.git/logs/${ref}`) : "");
const logs = () => [logOf("HEAD"), logOf(branch)];
const withoutTimes = (text: string) => text.replace(/ \d{9,}(?= [+-])/g, "");

/** Both ways to move the branch from `one` to `two`: what is in the ref and the reflogs afterwards. */
async function bothWays(opened: Repository): Promise<[here: string[], git: string[]]> {
	const before = logs();
	const after = async () => [
		(await readRef(opened, branch)) ?? "",
		...logs().map((log, at) => withoutTimes(log.slice(before[at]?.length))),
	];
	expect(moveLooseRef(opened, branch, two, one, "a reason")).toBe(true);
	const here = await after();
	fs.writeFileSync(scratch.path(`w/.git/${branch}`), `${one}\n`);
	for (const [at, ref] of ["HEAD", branch].entries()) fs.writeFileSync(scratch.path(`w/.git/logs/${ref}`), before[at] ?? "");
	await opened.run(["update-ref", "-m", "a reason", "--create-reflog", branch, two, one]);
	return [here, await after()];
}

test.each<[what: string, env: Record<string, string>, prepare: () => void]>([
	["from the environment", person, () => undefined],
	["from the settings", {}, () => named("A. Nother", "a@b.example")],
	["of a committer", {}, () => scratch.git("w", "config", "committer.name", "José")],
	["without a name", {}, () => undefined],
	["in another time zone", { ...person, TZ: "XST3:30" }, () => jest.spyOn(Date.prototype, "getTimezoneOffset").mockReturnValue(210)],
	["with another branch checked out", person, () => scratch.git("w", "symbolic-ref", "HEAD", "refs/heads/other")],
])("moveLooseRef: a person %s → ref and reflogs as git writes them", async (_what, more, prepare) => {
	prepare();
	try {
		const env = { PATH: process.env.PATH, HOME: scratch.directory, GIT_CONFIG_NOSYSTEM: "1", ...more };
		const [here, git] = await bothWays(await openRepository({ directory: scratch.path("w"), node: "helios", env }));
		expect(here).toEqual(git);
		expect(here[0]).toBe(two);
		expect(here[2]).toContain(`${one} ${two} `);
	} finally {
		jest.restoreAllMocks();
	}
});

function named(name: string, email: string): void {
	scratch.git("w", "config", "user.name", name);
	scratch.git("w", "config", "user.email", email);
}

test.each<[what: string, prepare: () => void]>([
	["packed", () => scratch.git("w", "pack-refs", "--all")],
	["elsewhere by now", () => scratch.git("w", "update-ref", branch, two)],
	["locked", () => fs.writeFileSync(scratch.path(`w/.git/${branch}.lock`), "")],
	["symbolic", () => scratch.write(`w/.git/${branch}`, "ref: refs/heads/other\n")],
	["without a reflog", () => fs.rmSync(scratch.path(`w/.git/logs/${branch}`))],
	["below a HEAD that is a link", () => linkHead()],
])("moveLooseRef: the branch is %s → left to git, unchanged", (_what, prepare) => {
	prepare();
	const state = () => [...logs(), fs.existsSync(scratch.path(`w/.git/${branch}`)) && scratch.read(`w/.git/${branch}`)];
	const [before, locked] = [state(), fs.existsSync(scratch.path(`w/.git/${branch}.lock`))];
	expect(moveLooseRef(repository, branch, two, one, "no")).toBe(false);
	expect(state()).toEqual(before);
	expect(fs.existsSync(scratch.path(`w/.git/${branch}.lock`))).toBe(locked);
});

function linkHead(): void {
	fs.rmSync(scratch.path("w/.git/HEAD"));
	fs.symlinkSync(branch, scratch.path("w/.git/HEAD"));
}

test.each<[what: string, changed: () => Partial<Repository>]>([
	["hooks run", () => ({ hooks: true })],
	["the repository is shared", () => ({ config: new Map([["core.sharedrepository", "group"]]) })],
	["refs are in another store", () => ({ config: new Map([["extensions.refstorage", "reftable"]]) })],
	["git would change the name", () => ({ env: { ...repository.env, GIT_COMMITTER_NAME: "'quoted'" } })],
])("moveLooseRef: %s → left to git", (_what, changed) => {
	expect(moveLooseRef(new Repository({ ...repository, ...changed() }), branch, two, one, "no")).toBe(false);
});

test("moveLooseRef: no commit → refused by git, as before", async () => {
	const blob = scratch.git("w", "rev-parse", `${two}:a`).trim();
	await expect(updateRef(repository, branch, blob, one, "no")).rejects.toMatchObject({ name: "GitError" });
	expect(await readRef(repository, branch)).toBe(one);
});

test("moveLooseRef: git moves the branch at the same time → one of the two moves it", async () => {
	const plain = gitProcessesStarted();
	await updateRef(repository, branch, two, one, "there");
	await updateRef(repository, branch, one, two, "and back");
	expect(gitProcessesStarted()).toBe(plain);
	for (let round = 0; round < 12; round++) {
		const started = repository.run(["update-ref", branch, two, one], { accept: [0, 1, 128] });
		await new Promise((resolve) => setTimeout(resolve, round % 6));
		const isOurs = moveLooseRef(repository, branch, two, one, "here");
		const isGits = (await started).exitCode === 0;
		expect([isOurs, isGits].filter(Boolean)).toHaveLength(1);
		scratch.git("w", "update-ref", branch, one);
	}
	const chain = logOf(branch)
		.trim()
		.split("\n")
		.map((line) => line.split(" "));
	for (const [at, [before]] of chain.entries()) if (at > 0) expect(before).toBe(chain[at - 1]?.[1]);
});
