// Above 400 lines: the rules of docs/merge-semantics.md, one test each, on one shared history.
import { renameSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { blobOid, gitProcessesStarted, type Oid } from "@robust-sync/git";
import { bytesPath, type FixtureFile, type History, makeHistory } from "../testing/history-fixture.ts";
import type { Resolution } from "./resolution.ts";
import { resolveMerge } from "./resolve-merge.ts";

let history: History;
beforeAll(async () => {
	history = await makeHistory();
});
afterAll(() => history.remove());

type Files = Record<string, FixtureFile>;

/** Merges in both roles, which must give the same commit. `a` is ours and the older side. */
async function mergeBoth(a: Oid, b: Oid): Promise<Resolution> {
	const [merge, mirrored] = [await resolveMerge(history.repository, a, b), await resolveMerge(history.repository, b, a)];
	expect(mirrored.commit).toBe(merge.commit);
	const mirror = { ours: "theirs", theirs: "ours", merged: "merged", both: "both" } as const;
	expect(mirrored.files).toEqual(
		merge.files.map((file) => ({
			...file,
			winner: mirror[file.winner],
			versions: { ours: file.versions.theirs, theirs: file.versions.ours, base: file.versions.base },
		})),
	);
	return merge;
}

/** One side a minute older than the other, on a common base. */
async function merged(base: Files, older: Files, later: Files) {
	const common = history.commit([], base);
	const merge = await mergeBoth(history.commit([common], older), history.commit([common], later));
	return {
		files: await history.files(merge.commit),
		merge,
		report: merge.files.map(({ path, type, strategy, winner, save }) => ({ path, type, strategy, winner, save })),
	};
}

const hex8 = (content: string) => blobOid(Buffer.from(content)).slice(0, 8);
const lines = (...changes: [number, string][]) =>
	Array.from({ length: 30 }, (_, index) => `${changes.find(([line]) => line === index)?.[1] ?? `line ${index}`}\n`).join("");

describe("the merge commit", () => {
	test("merge commit: both sides changed → each file by kind, parents in order of ids", async () => {
		const base = history.commit([], { "state.json": '{"a": 1, "b": 2}\n', "x.log": "one\n", "notes.md": "a\n\nb\n", other: "kept\n" });
		const a = history.commit([base], { "state.json": '{"a": 5, "b": 2}\n', "x.log": "one\ntwo\n", "notes.md": "A\n\nb\n" });
		const b = history.commit([base], { "state.json": '{"a": 1, "b": 7}\n', "x.log": "one\nthree\n", "notes.md": "a\n\nB\n" });
		const merge = await mergeBoth(a, b);
		expect(await history.files(merge.commit)).toEqual({
			"state.json": '{"a": 5, "b": 7}\n',
			"x.log": "one\ntwo\nthree\n",
			"notes.md": "A\n\nB\n",
			other: "kept\n",
		});
		const [first = "", second = ""] = [a, b].sort();
		const date = history.git("log", "-1", "--format=%ct", b).trim();
		expect(history.git("log", "-1", "--format=%P|%an|%ae|%cn|%ce|%at|%ct|%cd|%B", "--date=format:%z", merge.commit).trim()).toBe(
			`${first} ${second}|robust-sync|robust-sync@localhost|robust-sync|robust-sync@localhost|${date}|${date}|+0000|Merge ${first.slice(0, 12)} and ${second.slice(0, 12)}

Resolved: prose notes.md
Resolved: json state.json
Resolved: records x.log`,
		);
		expect(history.git("rev-parse", `${merge.commit}^{tree}`).trim()).toBe(merge.tree);
		expect(merge.base).toBe(base);
	});

	test("merge commit: another clone's settings, attributes, replaced objects → the same", async () => {
		const base = history.commit([], { "a.json": '{"a": 1}\n', "b.txt": lines() });
		const a = history.commit([base], { "a.json": '{"a": 2}\n', "b.txt": lines([1, "A"]) });
		const b = history.commit([base], { "a.json": '{"a": 1, "c": 3}\n', "b.txt": null, "c.txt": lines([20, "B"]) });
		const clone = await makeHistory(history);
		try {
			clone.git("config", "merge.renames", "false");
			clone.git("config", "merge.directoryRenames", "true");
			clone.git("config", "user.name", "Someone Else");
			clone.git("replace", a, base);
			const merge = await resolveMerge(clone.repository, b, a);
			expect(merge.commit).toBe((await mergeBoth(a, b)).commit);
			expect(await clone.files(merge.commit)).toEqual({ "a.json": '{"a": 2, "c": 3}\n', "c.txt": lines([1, "A"], [20, "B"]) });
		} finally {
			clone.remove();
		}
	});

	test("merge commit: sides touch different files → no resolution", async () => {
		const { files, report } = await merged({ a: "1\n", b: "1\n" }, { a: "2\n" }, { b: "3\n" });
		expect(files).toEqual({ a: "2\n", b: "3\n" });
		expect(report).toEqual([]);
	});

	test("merge commit: more than a hundred paths → counted; processes stay the same", async () => {
		const many = (content: string) => Object.fromEntries(Array.from({ length: 130 }, (_, index) => [`f${1000 + index}.json`, content]));
		const base = history.commit([], { ...many('{"a": 1}\n') });
		const [a, b] = [history.commit([base], many('{"a": 2}\n')), history.commit([base], many('{"a": 1, "b": 1}\n'))];
		const before = gitProcessesStarted();
		const merge = await resolveMerge(history.repository, a, b);
		const used = gitProcessesStarted() - before;
		const message = history.git("log", "-1", "--format=%B", merge.commit);
		expect(message.match(/^Resolved: json f\d+\.json$/gm)).toHaveLength(100);
		expect(message).toContain("Resolved: 30 more");
		expect(used).toBeLessThanOrEqual(7);
	});
});

describe("what is reported and saved", () => {
	test("report: git finds the line merge clean → merged by kind, not reported", async () => {
		const base = '{\n  "a": 1,\n  "x": 1,\n  "y": 1,\n  "z": 1,\n  "b": 1\n}\n';
		const { files, report } = await merged(
			{ "s.json": base },
			{ "s.json": base.replace('"a": 1', '"a": 2,\n  "new": 1') },
			{ "s.json": base.replace('"b": 1', '"b": 1,\n  "new": 2') },
		);
		expect(JSON.parse(files["s.json"] ?? "")).toEqual({ a: 2, x: 1, y: 1, z: 1, b: 1, new: 2 });
		expect(files["s.json"]?.match(/new/g)).toHaveLength(1);
		expect(report).toEqual([{ path: "s.json", type: "content", strategy: "json", winner: "merged", save: true }]);
		const clean = await merged({ t: lines() }, { t: lines([2, "A"]) }, { t: lines([20, "B"]) });
		expect(clean.report).toEqual([{ path: "t", type: "clean", strategy: "prose", winner: "merged", save: false }]);
	});

	test("report: merged without a loss → with its sides; the same value → older is lost", async () => {
		const { report, merge } = await merged({ "s.json": '{"a": 1}' }, { "s.json": '{"a": 2}' }, { "s.json": '{"a": 1, "b": 1}' });
		expect(report).toEqual([{ path: "s.json", type: "content", strategy: "json", winner: "merged", save: true }]);
		expect(merge.files[0]?.versions).toEqual({
			ours: { mode: "100644", oid: blobOid(Buffer.from('{"a": 2}')) },
			theirs: { mode: "100644", oid: blobOid(Buffer.from('{"a": 1, "b": 1}')) },
			base: { mode: "100644", oid: blobOid(Buffer.from('{"a": 1}')) },
		});
		const scalar = await merged({ "s.json": '{"a": 1}' }, { "s.json": '{"a": 2}' }, { "s.json": '{"a": 3}' });
		expect(scalar.files["s.json"]).toBe('{"a": 3}');
		expect(scalar.report).toEqual([{ path: "s.json", type: "content", strategy: "json", winner: "theirs", save: true }]);
	});
});

describe("the later side", () => {
	const binary = (text: string) => `\0${text}`;

	test("later side: path's last commit → by its date, not the later head's", async () => {
		const base = history.commit([], { "x.bin": binary("base"), other: "1" });
		const early = history.commit([base], { "x.bin": binary("early") }, { date: 1_800_000_000 });
		const a = history.commit([early], { other: "2" }, { date: 1_800_009_000 });
		const b = history.commit([base], { "x.bin": binary("late") }, { date: 1_800_005_000 });
		expect(await history.files((await mergeBoth(a, b)).commit)).toEqual({ "x.bin": binary("late"), other: "2" });
	});

	test("later side: equal times → the greater blob id", async () => {
		const base = history.commit([], { "x.bin": binary("base") });
		const contents = [binary("one"), binary("two")];
		const [a = "", b = ""] = contents.map((content) => history.commit([base], { "x.bin": content }, { date: 1_800_000_000 }));
		const greater = contents.sort((x, y) => (blobOid(Buffer.from(x)) < blobOid(Buffer.from(y)) ? 1 : -1))[0];
		expect((await history.files((await mergeBoth(a, b)).commit))["x.bin"]).toBe(greater);
	});

	test("later side: renamed file → found under each side's name", async () => {
		const base = history.commit([], { "x.lock": lines(), "package-lock.json": '{"v": 1, "packages": ["a", "b", "c", "d", "e", "f"]}\n' });
		const early = history.commit(
			[base],
			{ "package-lock.json": '{"v": 2, "packages": ["a", "b", "c", "d", "e", "f"]}\n' },
			{ date: 1_800_000_000 },
		);
		const a = history.commit([early], { other: "1" }, { date: 1_800_009_000 });
		const b = history.commit(
			[base],
			{ "package-lock.json": null, "sub/package-lock.json": '{"v": 3, "packages": ["a", "b", "c", "d", "e", "f"]}\n' },
			{ date: 1_800_005_000 },
		);
		expect((await history.files((await mergeBoth(a, b)).commit))["sub/package-lock.json"]).toContain('"v": 3');
	});

	test("later side: a person's merge settled the file → counts", async () => {
		const base = history.commit([], { "x.bin": binary("base") });
		const [one, two] = [
			history.commit([base], { "x.bin": binary("one") }, { date: 1_800_000_000 }),
			history.commit([base], { "x.bin": binary("two") }, { date: 1_800_000_100 }),
		];
		const a = history.commit([one, two], { "x.bin": binary("by hand") }, { date: 1_800_009_000 });
		const b = history.commit([base], { "x.bin": binary("other") }, { date: 1_800_005_000 });
		expect((await history.files((await mergeBoth(a, b)).commit))["x.bin"]).toBe(binary("by hand"));
	});
});

describe("path rules", () => {
	test("path: changed and deleted → the changed version, on either side", async () => {
		const { files, report } = await merged({ a: "1\n", b: "1\n", c: "keep" }, { a: "2\n", b: null }, { a: null, b: "3\n" });
		expect(files).toEqual({ a: "2\n", b: "3\n", c: "keep" });
		expect(report).toEqual([
			{ path: "a", type: "modify/delete", strategy: "kept-modified", winner: "ours", save: true },
			{ path: "b", type: "modify/delete", strategy: "kept-modified", winner: "theirs", save: true },
		]);
	});

	test("path: added by both → merged by kind, empty base", async () => {
		const { files, report } = await merged(
			{ x: "" },
			{ "n.json": '{"a": 1}\n', "l.log": "a\n" },
			{ "n.json": '{"b": 2}\n', "l.log": "b\n" },
		);
		expect(JSON.parse(files["n.json"] ?? "")).toEqual({ a: 1, b: 2 });
		expect(files["l.log"]).toBe("a\nb\n");
		expect(report.map(({ type, strategy }) => [type, strategy])).toEqual([
			["add/add", "records"],
			["add/add", "json"],
		]);
	});

	test("path: a file and a directory of one name → the file beside the directory", async () => {
		const { files, report } = await merged({ x: "" }, { "data.txt": "file\n" }, { "data.txt/inner": "in\n" });
		expect(files).toEqual({ x: "", "data.txt/inner": "in\n", [`data~${hex8("file\n")}.txt`]: "file\n" });
		expect(report).toEqual([{ path: "data.txt", type: "file/directory", strategy: "both-names", winner: "both", save: true }]);
	});

	test("path: a changed file that the other made a directory of → beside it", async () => {
		const { files, report } = await merged({ d: "1\n" }, { d: null, "d/in": "x\n" }, { d: "2\n" });
		expect(files).toEqual({ "d/in": "x\n", [`d~${hex8("2\n")}`]: "2\n" });
		expect(report).toEqual([{ path: "d", type: "file/directory", strategy: "both-names", winner: "both", save: true }]);
	});

	test("path: renamed and changed → the change under the new name", async () => {
		const { files, report } = await merged({ old: lines() }, { old: null, new: lines([1, "A"]) }, { old: lines([20, "B"]) });
		expect(files).toEqual({ new: lines([1, "A"], [20, "B"]) });
		expect(report).toEqual([{ path: "new", type: "clean", strategy: "prose", winner: "merged", save: false }]);
		expect((await merged({ old: lines() }, { old: null, new: lines() }, { old: lines([20, "B"]) })).files).toEqual({
			new: lines([20, "B"]),
		});
	});

	test("path: renamed and deleted → the renamed file stays", async () => {
		const { files, report } = await merged({ old: lines(), x: "" }, { old: null, new: lines([1, "A"]) }, { old: null });
		expect(files).toEqual({ x: "", new: lines([1, "A"]) });
		expect(report).toEqual([{ path: "new", type: "rename/delete", strategy: "kept-modified", winner: "ours", save: true }]);
	});

	test("path: renamed to two names → both, each with the merged content", async () => {
		const { files, report } = await merged({ old: lines() }, { old: null, one: lines([1, "A"]) }, { old: null, two: lines([20, "B"]) });
		expect(files).toEqual({ one: lines([1, "A"], [20, "B"]), two: lines([1, "A"], [20, "B"]) });
		expect(report).toEqual(
			["one", "two"].map((path) => ({ path, type: "rename/rename", strategy: "both-names", winner: "both", save: true })),
		);
	});

	test("path: renamed to two names, one new on the other side → merged with that", async () => {
		const { files } = await merged(
			{ old: lines() },
			{ old: null, "one.md": lines([1, "A"]) },
			{ old: null, two: lines([20, "B"]), "one.md": "new\n" },
		);
		expect(files.two).toBe(lines([1, "A"], [20, "B"]));
		for (const line of [...lines([1, "A"], [20, "B"]).trim().split("\n"), "new"]) expect(files["one.md"]?.split("\n")).toContain(line);
	});

	test("path: two files renamed to one name → later keeps it, other beside, all merged", async () => {
		const other = (text: string) => Array.from({ length: 30 }, (_, index) => `other ${index === 4 ? text : index}\n`).join("");
		const { files, report } = await merged(
			{ "x.md": lines(), "y.md": other("4") },
			{ "x.md": null, "name.md": lines([1, "A"]), "y.md": other("changed") },
			{ "y.md": null, "name.md": other("4"), "x.md": lines([20, "B"]) },
		);
		const fromX = lines([1, "A"], [20, "B"]);
		expect(files).toEqual({ "name.md": other("changed"), [`name~${hex8(fromX)}.md`]: fromX });
		expect(report).toEqual([{ path: "name.md", type: "rename/rename", strategy: "both-names", winner: "both", save: true }]);
	});

	test("path: renamed onto a name new on the other side → merged by kind, changes kept", async () => {
		const { files } = await merged(
			{ "x.md": lines() },
			{ "x.md": null, "name.md": lines([1, "A"]) },
			{ "name.md": "new\n", "x.md": lines([20, "B"]) },
		);
		expect(Object.keys(files)).toEqual(["name.md"]);
		for (const line of ["A", "B", "new", "line 5"]) expect(files["name.md"]?.split("\n")).toContain(line);
	});

	test("path: renamed alike by both, a directory in a rename's way → one file, beside", async () => {
		expect((await merged({ old: lines() }, { old: null, new: lines([1, "A"]) }, { old: null, new: lines([20, "B"]) })).files).toEqual({
			new: lines([1, "A"], [20, "B"]),
		});
		const blocked = lines([1, "A"], [20, "B"]);
		expect((await merged({ old: lines() }, { old: null, dir: lines([1, "A"]) }, { old: lines([20, "B"]), "dir/in": "x\n" })).files).toEqual(
			{
				"dir/in": "x\n",
				[`dir~${hex8(blocked)}`]: blocked,
			},
		);
	});

	test("path: directory renamed by one side → the other's new files do not follow", async () => {
		const { files } = await merged(
			{ "d/x": lines(), "d/y": "y\n" },
			{ "d/x": null, "d/y": null, "e/x": lines(), "e/y": "y\n" },
			{ "d/new": "n\n" },
		);
		expect(Object.keys(files).sort()).toEqual(["d/new", "e/x", "e/y"]);
	});

	test("path: mode changed on one side → kept; added by both → executable wins", async () => {
		const { files } = await merged({ run: lines() }, { run: { executable: lines() } }, { run: lines([3, "B"]) });
		expect(files.run).toBe(`100755 ${lines([3, "B"])}`);
		expect((await merged({ run: lines() }, { run: { executable: lines([20, "A"]) } }, { run: lines([3, "B"]) })).files.run).toBe(
			`100755 ${lines([3, "B"], [20, "A"])}`,
		);
		const added = await merged({ x: "" }, { run: "s\n" }, { run: { executable: "s\n" } });
		expect(added.files.run).toBe("100755 s\n");
		expect(added.report).toEqual([{ path: "run", type: "mode", strategy: "kept-modified", winner: "theirs", save: true }]);
	});

	test("path: links, a link against a file → the later side whole", async () => {
		const links = await merged({ l: { symlink: "base" } }, { l: { symlink: "A" } }, { l: { symlink: "B" } });
		expect(links.files.l).toBe("120000 B");
		expect(links.report).toEqual([{ path: "l", type: "symlink", strategy: "later", winner: "theirs", save: true }]);
		const mixed = await merged({ l: "file\n" }, { l: { symlink: "A" } }, { l: "changed\n" });
		expect(mixed.files).toEqual({ l: "changed\n" });
		expect(mixed.report).toEqual([{ path: "l", type: "distinct types", strategy: "later", winner: "theirs", save: true }]);
		expect((await merged({ x: "" }, { l: "file\n" }, { l: { symlink: "B" } })).files).toEqual({ x: "", l: "120000 B" });
	});

	test("path: submodules → the later pointer; against a file → the later of the two", async () => {
		const [one, two, three] = ["1", "2", "3"].map((digit) => digit.repeat(40)) as [Oid, Oid, Oid];
		const { files, report } = await merged({ s: { submodule: one } }, { s: { submodule: three } }, { s: { submodule: two } });
		expect(files.s).toBe(`160000 ${two}`);
		expect(report).toEqual([{ path: "s", type: "submodule", strategy: "later", winner: "theirs", save: true }]);
		expect((await merged({ x: "" }, { s: { submodule: one } }, { s: "file\n" })).files).toEqual({ x: "", s: "file\n" });
	});

	test("path: a submodule pointer with the other in its history → wins, even if earlier", async () => {
		history.git("init", "-q", "sub");
		const inSub = (...args: string[]) => history.git("-C", "sub", "-c", "user.name=T", "-c", "user.email=t@example.org", ...args);
		const [one, two, three] = ["1", "2", "3"].map((message) => {
			inSub("commit", "-q", "--allow-empty", "-m", message);
			return inSub("rev-parse", "HEAD").trim();
		}) as [Oid, Oid, Oid];
		const { files } = await merged({ sub: { submodule: one } }, { sub: { submodule: three } }, { sub: { submodule: two } });
		expect(files.sub).toBe(`160000 ${three}`);
	});

	test("path: any bytes → merged like any other", async () => {
		const names = ["with space", "-dash", 'quote"s', "back\\slash", "new\nline", "\xff\xfe", "ü".normalize("NFD"), "x".repeat(255)];
		const all = (content: string) =>
			Object.fromEntries(names.map((name) => [Buffer.from(name, name === "\xff\xfe" ? "latin1" : "utf8").toString("latin1"), content]));
		const { merge } = await merged({ ...all("a\n") }, all("a\nb\n"), all("a\nc\n"));
		expect(merge.files).toHaveLength(names.length);
		expect(merge.files.map(({ path }) => path)).toContain(bytesPath("\xff\xfe"));
		const oids = history.git("ls-tree", "-r", "--format=%(objectname)", merge.commit).trim().split("\n");
		expect(new Set(oids)).toEqual(new Set([blobOid(Buffer.from("a\nb\nc\n"))]));
		expect(history.git("log", "-1", "--format=%B", merge.commit)).toContain('Resolved: append "\\377\\376"');
	});
});

describe("attributes", () => {
	const sides = (name: string) => [{ [name]: "a\nb\nc\n" }, { [name]: "a\nB1\nc\n" }, { [name]: "a\nB2\nc\n" }] as const;
	const strategy = async (name: string, attributes: string) => {
		const [base, older, later] = sides(name);
		return (await merged({ ...base, ".gitattributes": attributes }, older, later)).report[0]?.strategy;
	};

	test("attributes: robust-sync=<kind>, merge=union, -merge → kind; nonsense → none", async () => {
		expect(await strategy("x.md", "*.md robust-sync=code\n")).toBe("code");
		expect(await strategy("x.md", "*.md merge=union\n")).toBe("records");
		expect(await strategy("x.md", "*.md -merge\n")).toBe("later");
		expect(await strategy("x.md", "*.md binary\n")).toBe("later");
		expect(await strategy("x.md", "*.md robust-sync=nonsense\n")).toBe("prose");
		expect(await strategy("x.md", "*.md merge=union robust-sync=code\n")).toBe("code");
		expect(await strategy("d/x.md", "*.txt robust-sync=code\n")).toBe("prose");
	});

	test("attributes: in a directory above → the nearest wins", async () => {
		const { report } = await merged(
			{
				"d/e/x.md": "a\n",
				"d/.gitattributes": "*.md robust-sync=later\n",
				"d/e/.gitattributes": "x.md robust-sync=code\n",
				"d/y.md": "a\n",
			},
			{ "d/e/x.md": "b\n", "d/y.md": "b\n" },
			{ "d/e/x.md": "c\n", "d/y.md": "c\n" },
		);
		expect(report.map(({ path, strategy: by }) => [path, by])).toEqual([
			["d/e/x.md", "code"],
			["d/y.md", "later"],
		]);
	});

	test("attributes: changed by one side, or both → count as merged", async () => {
		const one = await merged({ "x.md": "a\n" }, { "x.md": "b\n", ".gitattributes": "*.md robust-sync=later\n" }, { "x.md": "c\n" });
		expect(one.files["x.md"]).toBe("c\n");
		expect(one.report[0]?.strategy).toBe("later");
		const both = await merged(
			{ "x.md": "a\n", "y.md": "a\n" },
			{ "x.md": "b\n", "y.md": "b\n", ".gitattributes": "x.md robust-sync=later\n" },
			{ "x.md": "c\n", "y.md": "c\n", ".gitattributes": "y.md robust-sync=code\n" },
		);
		expect(both.report.map(({ path, strategy: by }) => [path, by])).toEqual([
			[".gitattributes", "prose"],
			["x.md", "later"],
			["y.md", "code"],
		]);
	});

	test("attributes: of this node alone → do not count", async () => {
		const file = `${history.directory}/.git/info/attributes`;
		const { writeFileSync, rmSync } = await import("node:fs");
		writeFileSync(file, "* -merge robust-sync=later\n");
		expect(await strategy("x.md", "")).toBe("prose");
		rmSync(file);
	});
});

describe("a damaged repository", () => {
	test("damage: no tree or blob → an error, never a merge without the files", async () => {
		const base = history.commit([], { "d/a": "1\n", "d/b": "1\n" });
		const [a, b] = [history.commit([base], { "d/a": "2\n" }), history.commit([base], { "d/a": "damaged 3\n", "d/c": "c\n" })];
		for (const name of [`${b}:d`, `${b}:d/a`, `${b}^{tree}`]) {
			const oid = history.git("rev-parse", name).trim();
			const object = `${history.directory}/.git/objects/${oid.slice(0, 2)}/${oid.slice(2)}`;
			renameSync(object, `${object}.away`);
			await expect(resolveMerge(history.repository, a, b)).rejects.toMatchObject({ code: "CORRUPT_REPOSITORY" });
			renameSync(`${object}.away`, object);
		}
		expect(Object.keys(await history.files((await resolveMerge(history.repository, a, b)).commit))).toEqual(["d/a", "d/b", "d/c"]);
	});
});

describe("histories", () => {
	test("history: no common commit → both trees, merged where they overlap", async () => {
		const a = history.commit([], { "a.txt": "a\n", "s.json": '{"a": 1}\n' });
		const b = history.commit([], { "b.txt": "b\n", "s.json": '{"b": 2}\n' });
		const merge = await mergeBoth(a, b);
		const files = await history.files(merge.commit);
		expect(Object.keys(files).sort()).toEqual(["a.txt", "b.txt", "s.json"]);
		expect(JSON.parse(files["s.json"] ?? "")).toEqual({ a: 1, b: 2 });
		expect(merge.base).toBeNull();
	});

	test("history: crossing merges → the common version is the base, nothing returns", async () => {
		const base = history.commit([], { "s.json": '{"k": 1}\n' });
		const [one, two] = [
			history.commit([base], { "s.json": '{"k": 1, "one": 1}\n' }),
			history.commit([base], { "s.json": '{"k": 1, "two": 2}\n' }),
		];
		// Two people merged the same two commits, each in their own way.
		const a1 = history.commit([one, two], { "s.json": '{"k": 1, "one": 1, "two": 2}\n' });
		const b1 = history.commit([two, one], { "s.json": '{"k": 1, "one": 1, "two": 2}\n' });
		const a = history.commit([a1], { "s.json": '{"k": 1, "two": 2}\n' });
		const b = history.commit([b1], { "s.json": '{"k": 5, "one": 1, "two": 2}\n' });
		const merge = await mergeBoth(a, b);
		expect(await history.files(merge.commit)).toEqual({ "s.json": '{"k": 5, "two": 2}\n' });
	});

	test("history: merged again with either parent → no change", async () => {
		const base = history.commit([], { "s.json": '{"a": 1}\n', d: "1\n" });
		const [a, b] = [
			history.commit([base], { "s.json": '{"a": 2}\n', d: "2\n" }),
			history.commit([base], { "s.json": '{"a": 3}\n', d: null, "d/x": "x\n" }),
		];
		const merge = await mergeBoth(a, b);
		for (const parent of [a, b]) expect((await resolveMerge(history.repository, merge.commit, parent)).tree).toBe(merge.tree);
	});
});
