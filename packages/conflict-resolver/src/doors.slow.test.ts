import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Person } from "./fixture/person.ts";
import { triples } from "./fixture/triples.ts";
import { resolveConflicts } from "./resolve.ts";

let person: Person;
beforeEach(() => {
	person = new Person();
});
afterEach(async () => await person.remove());

const resolve = async () => await resolveConflicts(await person.context());

test("doors: lock files that git merges by line → one side whole, both saved", async () => {
	const locks = triples.filter(({ path: name }) => /lock|shrinkwrap/.test(name));
	const side = (name: "base" | "ours" | "theirs") => Object.fromEntries(locks.map((lock) => [lock.path, lock[name] as string]));
	person.branches(side("base"), side("ours"), side("theirs"));
	const [ours, theirs] = [person.oid("main"), person.oid("theirs")];
	expect(await person.resolvedTree(ours, theirs, "--no-commit")).toBe(await person.cycleTree(ours, theirs));
	for (const lock of locks) expect([lock.ours, lock.theirs]).toContain(person.read(lock.path));
	const saved = person.savedFiles();
	for (const { path: name, ...lock } of locks) expect([saved[`${name}.ours`], saved[`${name}.theirs`]]).toEqual([lock.ours, lock.theirs]);
});

test("doors: other strategies, options, an octopus → a person's changes stay", async () => {
	const locks = { base: "a\n\n\n\n\n\nb\n", ours: "A\n\n\n\n\n\nb\n", theirs: "a\n\n\n\n\n\nB\n" };
	person.branches({ "x.lock": locks.base }, { "x.lock": locks.ours }, { "x.lock": locks.theirs });
	const [ours, theirs] = [person.oid("main"), person.oid("theirs")];
	const tree = await person.cycleTree(ours, theirs);
	for (const options of [
		["-s", "resolve"],
		["-X", "ours"],
	])
		expect(await person.resolvedTree(ours, theirs, "--no-commit", ...options)).toBe(tree);
	// Nothing of theirs was wanted.
	expect(await person.resolvedTree(ours, theirs, "--no-commit", "-s", "ours")).toBe(person.oid(`${ours}^{tree}`));
	person.git("checkout", "-q", "-B", "third", `${ours}~1`);
	const third = person.commit({ other: "third\n" });
	person.git("checkout", "-q", "-B", "work", ours);
	person.git("merge", "--no-commit", theirs, third);
	await resolve();
	expect(person.git("log", "-1", "--format=%P").trim().split(" ")).toHaveLength(3);
	expect([locks.ours, locks.theirs]).toContain(person.read("x.lock"));
	expect(person.read("other")).toBe("third\n");
});

test("doors: a cherry-pick that conflicts → files merged by git are merged by kind", async () => {
	const text = (a: string, b: string) => `${a}\n${"x\n".repeat(9)}${b}\n`;
	person.branches({ "x.lock": text("a", "b"), f: "1\n" }, { "x.lock": text("A", "b"), f: "2\n" }, { "x.lock": text("a", "B"), f: "3\n" });
	person.git("cherry-pick", "theirs");
	expect(await resolve()).toMatchObject({ operation: "cherry-pick" });
	expect(person.read("x.lock")).toBe(text("a", "B"));
	person.git("cherry-pick", "--continue");
	expect(person.status()).toBe("");
});
