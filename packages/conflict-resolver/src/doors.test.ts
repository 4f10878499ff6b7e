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

const resolve = async () => await resolveConflicts(await person.context());

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
	const [ours, theirs] = [person.oid("main"), person.oid("theirs")];
	const tree = await person.cycleTree(ours, theirs);
	expect(await person.resolvedTree(ours, theirs)).toBe(tree);
	expect(await person.resolvedTree(theirs, ours)).toBe(tree);
	for (const { path: file, base } of triples.filter(({ path: name }) => /lock.json|twice.json|torn|note.md|both/.test(name))) {
		const expected = person.git("cat-file", "blob", `${tree}:${file}`);
		expect([file, await driven(file, ours, theirs, base === null ? "" : person.oid("main~1"))]).toEqual([file, expected]);
	}
});

test("doors: criss-cross → one base for either order, differences saved", async () => {
	const json = (a: number, rest = "") => `{"a": ${a}, "b": 1${rest}}\n`;
	person.branches(
		{ ...versions("base"), "s.json": json(0) },
		{ ...versions("ours"), "s.json": json(1) },
		{ ...versions("theirs"), "s.json": json(2) },
	);
	const [one, two] = [person.oid("main"), person.oid("theirs")];
	// Two people merge the same two commits, and choose differently.
	const crossed = (first: string, second: string, a: number, more: string) => {
		person.git("checkout", "-q", "-B", "cross", first);
		person.git("merge", "-q", "-s", "ours", "--no-commit", second);
		person.commit({ "s.json": json(a), [more]: `${more}\n` }, "cross");
		return person.oid("HEAD");
	};
	const [left, right] = [crossed(one, two, 1, "l"), crossed(two, one, 2, "r")];
	expect(person.git("merge-base", "--all", left, right).trim().split("\n").sort()).toEqual([one, two].sort());
	const tree = await person.cycleTree(left, right);
	expect(await person.resolvedTree(left, right)).toBe(tree);
	expect(await person.resolvedTree(right, left)).toBe(tree);
	const saved = person.savedFiles();
	expect([saved["s.json.ours"], saved["s.json.theirs"]].sort()).toEqual([json(1), json(2)]);
	const { repository } = await person.context();
	const { files } = await resolveMerge(repository, left, right);
	expect(files.find(({ path: name }) => name === "s.json")).toMatchObject({ save: true });
	expect(await driven("s.json", left, right, person.oid("main~1"))).toBe(person.git("cat-file", "blob", `${tree}:s.json`));
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
