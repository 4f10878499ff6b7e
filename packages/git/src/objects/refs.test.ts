import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { gitProcessesStarted } from "../process/exec.ts";
import type { Repository } from "../process/repository.ts";
import { readObjects, readObjectsWhole } from "./objects.ts";
import { aheadBehind, attachHead, countCommits, isAncestor, readHead, readRef, updateRef } from "./refs.ts";

let scratch: Scratch;
let repository: Repository;
let commits: string[];
beforeAll(async () => {
	scratch = new Scratch("refs");
	scratch.init("w");
	commits = ["one", "two", "three"].map((text) => {
		scratch.write("w/a", text);
		return scratch.commitAll("w", text);
	});
	repository = await scratch.open("w");
});
afterAll(() => scratch.remove());

test("HEAD: a branch, loose or packed; detached; unborn → read as that", async () => {
	expect(await readHead(repository)).toEqual({ branch: "main", oid: commits[2] });
	scratch.git("w", "pack-refs", "--all");
	expect(await readHead(repository)).toEqual({ branch: "main", oid: commits[2] });
	scratch.git("w", "checkout", "-q", "--detach", commits[0] ?? "");
	expect(await readHead(repository)).toEqual({ branch: null, oid: commits[0] });
	scratch.git("w", "checkout", "-q", "main");
	scratch.init("unborn");
	expect(await readHead(await scratch.open("unborn"))).toEqual({ branch: "main", oid: null });
});

test("ref: loose, packed, both, missing, a directory → read without a process", async () => {
	const [one = "", two = ""] = commits;
	scratch.init("packed");
	const opened = await scratch.open("packed");
	scratch.git("packed", "fetch", "-q", "../w", `${two}:refs/heads/x/packed`, `${one}:refs/heads/both`, `${one}:refs/remotes/origin/main`);
	scratch.git("packed", "tag", "-a", "-m", "annotated", "annotated", two);
	scratch.git("packed", "pack-refs", "--all");
	scratch.git("packed", "update-ref", "refs/heads/both", two);
	const before = gitProcessesStarted();
	const tag = scratch.git("packed", "rev-parse", "annotated").trim();
	const expected = { "heads/x/packed": two, "heads/both": two, "remotes/origin/main": one, "tags/annotated": tag };
	for (const [ref, oid] of Object.entries(expected)) expect(await readRef(opened, `refs/${ref}`)).toBe(oid);
	for (const ref of ["heads/x", "heads/packed", "heads/x/packed/y", "remotes/origin/"])
		expect(await readRef(opened, `refs/${ref}`)).toBeNull();
	expect(gitProcessesStarted()).toBe(before);
	scratch.git("packed", "symbolic-ref", "refs/heads/named", "refs/heads/both");
	expect(await readRef(opened, "refs/heads/named")).toBe(two);
	expect(gitProcessesStarted()).toBe(before + 1);
});

test("ref: not where it was expected → not moved", async () => {
	const [one = "", two = "", three = ""] = commits;
	await updateRef(repository, "refs/heads/x", one, null, "made");
	await updateRef(repository, "refs/heads/x", two, one, "moved");
	expect(await readRef(repository, "refs/heads/x")).toBe(two);
	await expect(updateRef(repository, "refs/heads/x", three, one, "no")).rejects.toMatchObject({ name: "GitError" });
	await expect(updateRef(repository, "refs/heads/x", three, null, "no")).rejects.toMatchObject({ name: "GitError" });
	expect(await readRef(repository, "refs/heads/x")).toBe(two);
	expect(await readRef(repository, "refs/heads/nothing")).toBeNull();
});

test("HEAD: attached to a branch → the files are not touched", async () => {
	scratch.write("w/a", "uncommitted");
	await attachHead(repository, "refs/heads/x");
	expect(await readHead(repository)).toEqual({ branch: "x", oid: commits[1] });
	expect(scratch.read("w/a")).toBe("uncommitted");
	await attachHead(repository, "refs/heads/main");
});

test("commits: of two tips → the counts of both sides", async () => {
	const [one = "", , three = ""] = commits;
	expect(await isAncestor(repository, one, three)).toBe(true);
	expect(await isAncestor(repository, three, one)).toBe(false);
	expect(await aheadBehind(repository, three, one)).toEqual({ ahead: 2, behind: 0 });
	expect(await countCommits(repository, one, three)).toBe(2);
	expect(await countCommits(repository, null, three)).toBe(3);
});

test("SHA-256: repository of that format → works the same", async () => {
	scratch.git(".", "init", "-q", "--object-format=sha256", "--initial-branch=main", "sha256");
	const commit = scratch.commitAll("sha256");
	const other = await scratch.open("sha256");
	expect(other.objectFormat).toBe("sha256");
	expect(await readHead(other)).toEqual({ branch: "main", oid: commit });
	expect(scratch.git("sha256", "hash-object", "-t", "tree", "/dev/null").trim()).toBe(other.emptyTree);
});

test("objects: asked for, large, empty, missing → in that order, the missing named", async () => {
	const contents = ["", "x".repeat(3_000_000), "\n\n", "a missing\n"];
	const oids: string[] = [];
	for (const [index, content] of contents.entries()) {
		scratch.write(`object${index}`, content);
		oids.push(scratch.git("w", "hash-object", "-w", scratch.path(`object${index}`)).trim());
	}
	const order = [...oids, ...oids];
	const seen: string[] = [];
	await readObjects(repository, order, (oid, content) => {
		seen.push(oid);
		expect(content.toString()).toBe(contents[oids.indexOf(oid)]);
	});
	expect(seen).toEqual(order);
	expect((await readObjectsWhole(repository, oids)).get(oids[2] ?? "")?.toString()).toBe("\n\n");
	const missing = "0123456789".repeat(4);
	await expect(readObjects(repository, [oids[0] ?? "", missing], () => undefined)).rejects.toMatchObject({
		code: "CORRUPT_REPOSITORY",
		message: expect.stringContaining(missing),
	});
});
