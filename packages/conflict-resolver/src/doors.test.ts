import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { resolveMerge } from "@robust-sync/resolve";
import { Person } from "./fixture/person.ts";
import { triples, versions } from "./fixture/triples.ts";
import { runMergeDriver } from "./merge-driver.ts";
import { resolveConflicts } from "./resolve.ts";

let person: Person;
beforeEach(() => {
	person = new Person();
});
afterEach(async () => await person.remove());

const oid = (name: string) => person.git("rev-parse", name).trim();
const resolve = async () => await resolveConflicts(await person.context());

/** The result of a cycle for two commits, whichever of them is its own. */
async function cycleTree(one: string, two: string): Promise<string> {
	const { repository } = await person.context();
	const [there, back] = [await resolveMerge(repository, one, two), await resolveMerge(repository, two, one)];
	expect(back.commit).toBe(there.commit);
	return there.tree;
}

/** A person merges `theirs` into `ours`, and lets us complete it. */
async function treeOfResolve(ours: string, theirs: string, ...options: string[]): Promise<string> {
	person.git("checkout", "-q", "-B", "work", ours);
	person.git("merge", "--no-ff", ...options, theirs);
	await resolve();
	expect(person.status()).toBe("");
	expect(person.git("log", "-1", "--format=%P").trim()).toBe(`${ours} ${theirs}`);
	return oid("HEAD^{tree}");
}

/** A merge driver called for one file, as git calls it. */
async function driven(file: string, ours: string, theirs: string, base: string): Promise<string> {
	person.git("checkout", "-q", "-B", "work", ours);
	const names = { base: "O", ours: "A", theirs: "B" };
	const blobs = { base: base && `${base}:${file}`, ours: `${ours}:${file}`, theirs: `${theirs}:${file}` };
	for (const side of ["base", "ours", "theirs"] as const)
		fs.writeFileSync(person.scratch.path(names[side]), blobs[side] ? person.git("cat-file", "blob", blobs[side]) : "");
	const files = { base: person.scratch.path("O"), ours: person.scratch.path("A"), theirs: person.scratch.path("B"), path: file };
	await runMergeDriver(files, person.workspace, { ...process.env, [`GITHEAD_${theirs}`]: "theirs" });
	return fs.readFileSync(files.ours, "utf8");
}

test("doors: many kinds, either order → cycle, --resolve and driver agree", async () => {
	person.branches(versions("base"), versions("ours"), versions("theirs"));
	const [ours, theirs] = [oid("main"), oid("theirs")];
	const tree = await cycleTree(ours, theirs);
	expect(await treeOfResolve(ours, theirs)).toBe(tree);
	expect(await treeOfResolve(theirs, ours)).toBe(tree);
	for (const { path: file, base } of triples.filter(({ path: name }) => /lock.json|twice.json|torn|note.md|both/.test(name))) {
		const expected = person.git("cat-file", "blob", `${tree}:${file}`);
		expect([file, await driven(file, ours, theirs, base === null ? "" : oid("main~1"))]).toEqual([file, expected]);
	}
});

test("doors: criss-cross → one base for either order, differences saved", async () => {
	const json = (a: number, rest = "") => `{"a": ${a}, "b": 1${rest}}\n`;
	person.branches(
		{ ...versions("base"), "s.json": json(0) },
		{ ...versions("ours"), "s.json": json(1) },
		{ ...versions("theirs"), "s.json": json(2) },
	);
	const [one, two] = [oid("main"), oid("theirs")];
	// Two people merge the same two commits, and choose differently.
	const crossed = (first: string, second: string, a: number, more: string) => {
		person.git("checkout", "-q", "-B", "cross", first);
		person.git("merge", "-q", "-s", "ours", "--no-commit", second);
		person.commit({ "s.json": json(a), [more]: `${more}\n` }, "cross");
		return oid("HEAD");
	};
	const [left, right] = [crossed(one, two, 1, "l"), crossed(two, one, 2, "r")];
	expect(person.git("merge-base", "--all", left, right).trim().split("\n").sort()).toEqual([one, two].sort());
	const tree = await cycleTree(left, right);
	expect(await treeOfResolve(left, right)).toBe(tree);
	expect(await treeOfResolve(right, left)).toBe(tree);
	const saved = person.savedFiles();
	expect([saved["s.json.ours"], saved["s.json.theirs"]].sort()).toEqual([json(1), json(2)]);
	const { repository } = await person.context();
	const { files } = await resolveMerge(repository, left, right);
	expect(files.find(({ path: name }) => name === "s.json")).toMatchObject({ save: true });
	expect(await driven("s.json", left, right, oid("main~1"))).toBe(person.git("cat-file", "blob", `${tree}:s.json`));
});

test("doors: a file that git merged, edited, staged or removed by a person → stays", async () => {
	const text = (a: string, b: string) => `${a}\n${"x\n".repeat(9)}${b}\n`;
	const names = ["edited.lock", "staged.lock", "removed.lock", "open.lock"];
	const all = (content: string) => Object.fromEntries(names.map((name) => [name, content]));
	person.branches(all(text("a", "b")), all(text("A", "b")), all(text("a", "B")));
	person.git("merge", "--no-commit", "theirs");
	person.write({ "edited.lock": "by hand\n", "staged.lock": "staged\n" });
	person.git("add", "staged.lock");
	person.git("rm", "-q", "--force", "removed.lock");
	await resolve();
	expect(person.status()).toBe("");
	expect([person.read("edited.lock"), person.read("staged.lock")]).toEqual(["by hand\n", "staged\n"]);
	expect(fs.existsSync(path.join(person.workspace, "removed.lock"))).toBe(false);
	expect([text("A", "b"), text("a", "B")]).toContain(person.read("open.lock"));
});
