import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { blobOid, type Oid } from "@robust-sync/git";
import { listSavedVersions, type Manifest } from "@robust-sync/workspace";
import { resolveMerge } from "../merge/resolve-merge.ts";
import { type History, makeHistory } from "../testing/history-fixture.ts";
import { pruneSavedVersions, unfinishedPrefix } from "./prune-saved-versions.ts";
import { walkBetween } from "./resolutions-between.ts";
import { saveVersions } from "./save-versions.ts";

let history: History;
beforeEach(async () => {
	history = await makeHistory();
});
afterEach(() => history.remove());

const now = Date.parse("2026-02-18T02:00:00.000Z");
const saved = (name: string, file: string) => readFileSync(path.join(history.paths.conflicts, name, file), "utf8");

async function conflict() {
	const base = history.commit([], { "s.json": '{"a": 1}\n', "d/gone.txt": "g\n", "clean.md": "1\n\n2\n\n3\n" });
	const ours = history.commit([base], { "s.json": '{"a": 2}\n', "d/gone.txt": null, "clean.md": "A\n\n2\n\n3\n", l: { symlink: "x" } });
	const theirs = history.commit([base], {
		"s.json": '{"a": 3}\n',
		"d/gone.txt": "changed\n",
		"clean.md": "1\n\n2\n\nB\n",
		l: { symlink: "y" },
	});
	return { base, ours, theirs };
}

describe("saved versions", () => {
	test("saved: renamed, changed by the other, name added there → a version of no commit", async () => {
		const lines = Array.from({ length: 12 }, (_, index) => `line ${index}\n`);
		const base = history.commit([], { "old.md": lines.join("") });
		const ours = history.commit([base], { "old.md": null, "new.md": lines.with(0, "ours\n").join("") });
		const theirs = history.commit([base], { "old.md": lines.with(11, "theirs\n").join(""), "new.md": "added\n" });
		for (const [mine, other, renamed] of [
			[ours, theirs, "ours"],
			[theirs, ours, "theirs"],
		] as const) {
			const resolution = await resolveMerge(history.repository, mine, other);
			const name = (await saveVersions(history.repository, history.paths, resolution, now)) ?? "";
			expect(saved(name, `files/new.md.${renamed}`)).toBe(lines.with(0, "ours\n").with(11, "theirs\n").join(""));
			expect(saved(name, `files/new.md.${renamed === "ours" ? "theirs" : "ours"}`)).toBe("added\n");
		}
	});

	test("saved: a conflicted file → each side whole, a manifest names the winner", async () => {
		const { base, ours, theirs } = await conflict();
		const resolution = await resolveMerge(history.repository, ours, theirs);
		const name = await saveVersions(history.repository, history.paths, resolution, now);
		expect(name).toBe("20260218T020000.000Z");
		const manifest = JSON.parse(saved(name ?? "", "manifest.json")) as Manifest;
		expect(manifest).toEqual({
			schema: 1,
			resolved_at: "2026-02-18T02:00:00.000Z",
			merge_commit: resolution.commit,
			ours,
			theirs,
			base,
			files: [
				{ path: "clean.md", type: "clean", strategy: "prose", winner: "merged", saved: [] },
				{
					path: "d/gone.txt",
					type: "modify/delete",
					strategy: "kept-modified",
					winner: "theirs",
					saved: ["files/d/gone.txt.base", "files/d/gone.txt.theirs"],
					modes: { theirs: "100644", base: "100644" },
				},
				{
					path: "l",
					type: "symlink",
					strategy: "later",
					winner: "theirs",
					saved: ["files/l.ours", "files/l.theirs"],
					modes: { ours: "120000", theirs: "120000" },
				},
				{
					path: "s.json",
					type: "content",
					strategy: "json",
					winner: "theirs",
					saved: ["files/s.json.base", "files/s.json.ours", "files/s.json.theirs"],
					modes: { ours: "100644", theirs: "100644", base: "100644" },
				},
			],
		});
		expect(saved(name ?? "", "files/s.json.ours")).toBe('{"a": 2}\n');
		expect(saved(name ?? "", "files/s.json.theirs")).toBe('{"a": 3}\n');
		expect(saved(name ?? "", "files/d/gone.txt.theirs")).toBe("changed\n");
		expect(saved(name ?? "", "files/l.ours")).toBe("x");
		expect(listSavedVersions(history.paths)[0]?.manifest?.files).toHaveLength(4);
		expect(statSync(path.join(history.paths.conflicts, name ?? "", "files/s.json.ours")).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
	});

	test("saved: nothing conflicted → none; same millisecond → names of their own", async () => {
		const base = history.commit([], { "clean.md": "1\n\n2\n\n3\n" });
		const clean = await resolveMerge(
			history.repository,
			history.commit([base], { "clean.md": "A\n\n2\n\n3\n" }),
			history.commit([base], { "clean.md": "1\n\n2\n\nB\n" }),
		);
		expect(await saveVersions(history.repository, history.paths, clean, now)).toBeNull();
		expect(existsSync(history.paths.conflicts)).toBe(false);
		const { ours, theirs } = await conflict();
		const resolution = await resolveMerge(history.repository, ours, theirs);
		const names = [
			await saveVersions(history.repository, history.paths, resolution, now),
			await saveVersions(history.repository, history.paths, resolution, now),
		];
		expect(names).toEqual(["20260218T020000.000Z", "20260218T020000.001Z"]);
	});

	test("saved: paths too long, in another's way, not UTF-8 → all have room", async () => {
		const names = ["x".repeat(252), "a", "a.ours/b", "\xff"];
		const all = (content: string) => Object.fromEntries(names.map((name) => [name, content]));
		const base = history.commit([], all("1\n"));
		const resolution = await resolveMerge(history.repository, history.commit([base], all("2\n")), history.commit([base], all("3\n")));
		const name = (await saveVersions(history.repository, history.paths, resolution, now)) ?? "";
		const manifest = JSON.parse(saved(name, "manifest.json")) as Manifest;
		for (const file of manifest.files) {
			expect(file.saved).toHaveLength(3);
			const contents = file.saved.map((one, index) =>
				readFileSync(
					Buffer.concat([
						Buffer.from(`${history.paths.conflicts}/${name}/`),
						file.saved_hex ? Buffer.from(file.saved_hex[index] ?? "", "hex") : Buffer.from(one),
					]),
					"utf8",
				),
			);
			expect(contents.sort()).toEqual(["1\n", "2\n", "3\n"]);
		}
		expect(manifest.files.find(({ path_hex }) => path_hex === "ff")?.path).toBe("\ufffd");
	});

	test("saved: a missing blob → whole or not at all, nothing left behind", async () => {
		const { ours, theirs } = await conflict();
		const resolution = await resolveMerge(history.repository, ours, theirs);
		const lost = blobOid(Buffer.from('{"a": 3}\n'));
		const loose = path.join(history.directory, ".git/objects", lost.slice(0, 2), lost.slice(2));
		expect(existsSync(loose)).toBe(true);
		const content = readFileSync(loose);
		unlinkSync(loose);
		// The contents of the merge are still in memory.
		resolution.contents?.clear();
		await expect(saveVersions(history.repository, history.paths, resolution, now)).rejects.toMatchObject({ code: "CORRUPT_REPOSITORY" });
		expect(readdirSync(history.paths.conflicts)).toEqual([]);
		writeFileSync(loose, content);
		expect(await saveVersions(history.repository, history.paths, resolution, now)).not.toBeNull();
	});

	test("saved: a file in the directory's place → the file system's error, it stays", async () => {
		const { ours, theirs } = await conflict();
		const resolution = await resolveMerge(history.repository, ours, theirs);
		mkdirSync(history.paths.sync);
		writeFileSync(history.paths.conflicts, "mine");
		await expect(saveVersions(history.repository, history.paths, resolution, now)).rejects.toMatchObject({ code: "EEXIST" });
		expect(readFileSync(history.paths.conflicts, "utf8")).toBe("mine");
	});
});

describe("tidying", () => {
	test("cleanup: emptied directories, a dead process's leftovers → removed, nothing else", () => {
		const { conflicts } = history.paths;
		mkdirSync(path.join(conflicts, "20260101T000000.000Z/files/d"), { recursive: true });
		mkdirSync(path.join(conflicts, "20260102T000000.000Z/files"), { recursive: true });
		writeFileSync(path.join(conflicts, "20260102T000000.000Z/files/kept.ours"), "x");
		mkdirSync(path.join(conflicts, "mine"));
		mkdirSync(path.join(conflicts, `${unfinishedPrefix}999999999-x/files`), { recursive: true });
		mkdirSync(path.join(conflicts, `${unfinishedPrefix}${process.pid}-x`));
		pruneSavedVersions(history.paths);
		expect(readdirSync(conflicts).sort()).toEqual([`${unfinishedPrefix}${process.pid}-x`, "20260102T000000.000Z", "mine"]);
	});

	test("cleanup: the user's find -mtime +30 -delete → goes with it", async () => {
		const { ours, theirs } = await conflict();
		const resolution = await resolveMerge(history.repository, ours, theirs);
		const name = (await saveVersions(history.repository, history.paths, resolution, now)) ?? "";
		const { execFileSync } = await import("node:child_process");
		const old = new Date(Date.now() - 40 * 86_400_000);
		for (const entry of readdirSync(path.join(history.paths.conflicts, name), { recursive: true, encoding: "utf8" })) {
			utimesSync(path.join(history.paths.conflicts, name, entry), old, old);
		}
		execFileSync("find", [history.paths.conflicts, "-mtime", "+30", "-delete"]);
		pruneSavedVersions(history.paths);
		expect(readdirSync(history.paths.conflicts)).toEqual([]);
		rmSync(history.paths.conflicts, { recursive: true });
	});
});

describe("a node that fast-forwards", () => {
	test("fast-forward: merges that resolved something → oldest first, own side as ours", async () => {
		const { base, ours: a, theirs: b } = await conflict();
		const { commit: first } = await resolveMerge(history.repository, a, b);
		const mine = history.commit([base], { mine: "1\n" });
		const cleanMerge = await resolveMerge(history.repository, first, mine);
		const c = history.commit([b], { "clean.md": "C\n\n2\n\nB\n" });
		const { commit: second } = await resolveMerge(history.repository, cleanMerge.commit, c);
		const other = (pair: [Oid, Oid]) => [...pair].sort() as [Oid, Oid];

		expect((await walkBetween(history.repository, b, second)).resolutions).toEqual([
			{ ours: b, theirs: a, commit: first },
			{ ours: other([cleanMerge.commit, c])[0], theirs: other([cleanMerge.commit, c])[1], commit: second },
		]);
		expect((await walkBetween(history.repository, a, first)).resolutions[0]).toEqual({ ours: a, theirs: b, commit: first });
		expect((await walkBetween(history.repository, mine, cleanMerge.commit)).resolutions[0]?.ours).toBe(other([a, b])[0]);
		expect((await walkBetween(history.repository, first, second)).resolutions).toHaveLength(1);
		expect((await walkBetween(history.repository, second, second)).resolutions).toEqual([]);
	});

	test("fast-forward: a person's merge with such a message → not led astray", async () => {
		const { base, ours: a, theirs: b } = await conflict();
		const merge = history.commit([a, b], { x: "1" }, { message: "Merge\n\nResolved: json x" });
		expect((await walkBetween(history.repository, base, merge)).resolutions).toEqual([]);
	});
});
