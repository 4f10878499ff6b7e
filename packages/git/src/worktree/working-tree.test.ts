import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { FileExchanger } from "../files/exchange-files.ts";
import {
	backedUp,
	expectArrived,
	history,
	live,
	move,
	put,
	read,
	reopen,
	repository,
	root,
	scratch,
	type Tree,
	template,
} from "../fixtures/moves.ts";
import { readRef } from "../objects/refs.ts";
import { conflictCopyPath } from "../paths/conflict-copy.ts";
import { type GitPath, gitPathFromText } from "../paths/git-path.ts";
import { checkOutTree } from "./working-tree.ts";

describe("a clean working tree arrives at the other commit, byte for byte", () => {
	const long = "n".repeat(255);
	const cases: readonly (readonly [what: string, before: Tree | null, after: Tree])[] = [
		[
			"changes, additions and deletions in directories",
			{ a: "1", "d/x/y": "1", "d/z": "1", gone: "1" },
			{ a: "2", "d/z": "1", "e/new/x": "1" },
		],
		["the first commit into an unborn branch", null, { a: "1", "d/e": { executable: "#!" } }],
		["everything deleted", { a: "1", "d/e/f": "1" }, {}],
		["the executable bit on and off", { a: "1", b: { executable: "1" } }, { a: { executable: "1" }, b: "1" }],
		["a file becomes a link and the other way round", { a: "1", b: { link: "nowhere" } }, { a: { link: "b" }, b: "1" }],
		["a link changes its target", { a: { link: "x" } }, { a: { link: "y/z" } }],
		["a file becomes a directory", { a: "1" }, { "a/b/c": "1" }],
		["a directory becomes a file", { "a/b/c": "1", "a/d": "2" }, { a: "1" }],
		["a directory becomes a link", { "a/b": "1" }, { a: { link: "elsewhere" }, "elsewhere/b": "1" }],
		["a link to a directory becomes a directory", { a: { link: "e" }, "e/b": "1" }, { "a/b": "2", "e/b": "1" }],
		["empty files, CRLF, BOM, NUL, no line feed at the end", { a: "x" }, { a: "", b: "1\r\n2\r\n", c: "\ufeffx", d: "\0\0", e: "1\n2" }],
		[
			"names with blanks, quotes, line feeds and dashes",
			{ "a b": "1", "-rf": "1" },
			{ "a b": "2", '"q"\n': "1", "--help": "1", "it's\\": "1", "*": "1" },
		],
		["names of 255 bytes", { [long]: "1" }, { [long]: "2", [`${"d".repeat(255)}/${long}`]: "3" }],
		["a rename by case only", { readme: "1" }, { README: "1" }],
		["names that differ only in their Unicode form", { "\u00fc": "1" }, { "\u00fc": "1", "u\u0308": "2" }],
		[
			"a hundred files at once",
			{ x: "1" },
			Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`d${index % 7}/f${index}`, `${index}`])),
		],
	];
	test.each(cases)("checkout: %s → the other commit, byte for byte", async (_what, before, after) => {
		const ids = await history(before, after);
		const report = await move(ids);
		expectArrived(ids.to);
		expect(report.rescued).toEqual([]);
		for (const [name, content] of Object.entries(after)) {
			if (typeof content === "string") expect(read(name)).toBe(content);
			else if ("link" in content) expect(fs.readlinkSync(live(name))).toBe(content.link);
			else expect(fs.lstatSync(live(name)).mode & 0o111).not.toBe(0);
		}
	});

	test("checkout: large files beside small, new, replaced, executable → as committed", async () => {
		const large = (text: string) => text.repeat(700_000);
		const ids = await history(
			{ "a.bin": large("before"), small: "1\n" },
			{ "a.bin": large("after\n"), "d/b.bin": { executable: large("new\n") }, small: "2\n" },
		);
		const { kept } = await move(ids);
		expectArrived(ids.to);
		expect(read("a.bin")).toBe(large("after\n"));
		expect(fs.statSync(live("d/b.bin")).mode & 0o111).toBe(0o111);
		expect(fs.statSync(live("a.bin")).mode & 0o111).toBe(0);
		expect(kept.map(({ path: name }) => name).sort()).toEqual(["a.bin", "small"]);
		expect(backedUp()).toContain(large("before"));
	});

	test("checkout: names that are not UTF-8 → as committed", async () => {
		const name = Buffer.concat([Buffer.from(`${root()}/d/`), Buffer.from([0x61, 0xff, 0xfe])]);
		fs.mkdirSync(path.join(root(), "d"));
		fs.writeFileSync(name, "1");
		const from = scratch.commitAll("w");
		fs.writeFileSync(name, "2");
		const to = scratch.commitAll("w");
		scratch.git("w", "reset", "-q", "--hard", from);
		await reopen();
		await move({ from, to });
		expectArrived(to);
		expect(fs.readFileSync(name, "utf8")).toBe("2");
	});

	test("checkout: replaced file that a process has open → kept, its writes are in it", async () => {
		const ids = await history({ "d/log": "1\n", same: "x" }, { "d/log": "1\n2\n", same: "x" });
		const open = fs.openSync(live("d/log"), "a");
		const report = await move(ids);
		fs.writeSync(open, "late\n");
		fs.closeSync(open);
		expect(report.kept.map((kept) => [kept.path, kept.file])).toEqual([["d/log", "files/d/log"]]);
		expect(fs.readFileSync(scratch.path("backup/files/d/log"), "utf8")).toBe("1\nlate\n");
		expect(read("d/log")).toBe("1\n2\n");
	});

	test("checkout: files that do not differ → not touched", async () => {
		const ids = await history({ a: "1", b: "1" }, { a: "2", b: "1" });
		const before = fs.lstatSync(live("b"));
		await move(ids);
		const after = fs.lstatSync(live("b"));
		expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs]);
	});
});

describe("what someone else has there is never destroyed", () => {
	test("foreign write: an uncommitted change → kept as a write from the old version", async () => {
		const ids = await history({ a: "1\n" }, { a: "2\n" });
		put("a", "mine\n");
		const report = await move(ids);
		expect(report.rescued).toEqual(["a"]);
		expect([read("a"), backedUp()]).toEqual(["2\n", ["mine\n"]]);
		const [before, after] = [ids.from, ids.to].map((commit) => scratch.git("w", "rev-parse", `${commit}:a`).trim());
		// The time of no file: the next check finds the write.
		expect(report.kept).toEqual([expect.objectContaining({ path: "a", file: "files/a", before, after, mtimeMs: 0 })]);
	});

	test("foreign write: an uncommitted change, the other side deletes → stays", async () => {
		const ids = await history({ a: "1\n", b: "1" }, { b: "1" });
		put("a", "mine\n");
		const report = await move(ids);
		expect(report.rescued).toEqual(["a"]);
		expect(read("a")).toBe("mine\n");
	});

	test("foreign write: untracked, ignored, same content in the way → stays", async () => {
		const ids = await history({ ".gitignore": "ignored\n" }, { ".gitignore": "ignored\n", plain: "theirs\n", "d/same": "same\n" });
		scratch.git("w", "checkout", "-q", ids.to);
		scratch.git("w", "checkout", "-q", "main");
		put("plain", "mine\n");
		put("d/same", "same\n");
		const report = await move(ids);
		expect(report.rescued).toEqual(["plain"]);
		expect([read("plain"), backedUp()]).toEqual(["theirs\n", ["mine\n"]]);
		// It was written without a base.
		expect(scratch.git("w", "cat-file", "blob", report.kept[0]?.before ?? "")).toBe("");
		expect(read("d/same")).toBe("same\n");
	});

	test("foreign write: directory in a file's way → keeps the name, the file beside it", async () => {
		const ids = await history({ x: "1" }, { x: "1", "a.txt": "theirs\n" });
		put("a.txt/mine", "mine\n");
		const report = await move(ids);
		expect(report.rescued).toEqual(["a.txt"]);
		expect(read("a.txt/mine")).toBe("mine\n");
		const beside = fs.readdirSync(root()).find((name) => /^a~[0-9a-f]{8}\.txt$/.test(name));
		expect(read(beside ?? "")).toBe("theirs\n");
	});

	test("foreign write: empty directory in a file's way → removed", async () => {
		const ids = await history({ x: "1" }, { x: "1", a: "theirs\n" });
		fs.mkdirSync(path.join(root(), "a/b/c"), { recursive: true });
		await move(ids);
		expect(read("a")).toBe("theirs\n");
	});

	test("foreign write: file in a directory's way → lives beside it", async () => {
		const ids = await history({ x: "1" }, { x: "1", "a/b": "theirs\n" });
		put("a", "mine\n");
		const report = await move(ids);
		expect(report.rescued).toContain("a");
		expect(read("a/b")).toBe("theirs\n");
		const beside = fs.readdirSync(root()).find((name) => /^a~[0-9a-f]{8}$/.test(name));
		expect(read(beside ?? "")).toBe("mine\n");
	});

	test("foreign write: link in a directory's way → not followed", async () => {
		const ids = await history({ x: "1" }, { x: "1", "a/b": "theirs\n" });
		fs.mkdirSync(scratch.path("outside"));
		fs.symlinkSync(scratch.path("outside"), live("a"));
		await move(ids);
		expect(fs.readdirSync(scratch.path("outside"))).toEqual([]);
		expect(read("a/b")).toBe("theirs\n");
	});

	test("foreign write: deleted here, changed there → comes back as theirs", async () => {
		const ids = await history({ a: "1\n" }, { a: "2\n" });
		fs.rmSync(live("a"));
		await move(ids);
		expectArrived(ids.to);
	});

	test("checkout: the exchange is done and its process killed at once → old file kept", async () => {
		class Killed extends FileExchanger {
			override async exchange(a: Buffer, b: Buffer): Promise<boolean> {
				await super.exchange(a, b);
				return false;
			}
		}
		const ids = await history({ a: "1\n" }, { a: "2\n" });
		const { kept } = await move(ids, { exchanger: () => new Killed() });
		expect([kept.map((file) => file.path), backedUp()]).toEqual([["a"], ["1\n"]]);
		expectArrived(ids.to);
	});

	test("checkout: databases that a program has open → held, the others placed or removed", async () => {
		const database = (text: string) => `SQLite format 3\0${text}`;
		const before = { open: database("1"), logged: database("1"), gone: database("1"), closed: database("1"), x: "1" };
		const ids = await history(before, { open: database("2"), logged: database("2"), closed: database("2"), x: "2" });
		put("logged-wal", "");
		const open = ["open", "gone", "x"].map((name) => fs.openSync(live(name), "r+"));
		const { held } = await move(ids);
		for (const descriptor of open) fs.closeSync(descriptor);
		expect(held.map(({ path: name, obstacle }) => `${name} ${obstacle}`).sort()).toEqual(
			["gone", "logged", "open"].map((name) => `${name} live-database`),
		);
		expect(["open", "logged", "gone", "closed", "x"].map(read)).toEqual([...["1", "1", "1", "2"].map(database), "2"]);
		fs.rmSync(live("logged-wal"));
		const retried = await move({ from: ids.to, to: ids.to }, { held, retryHeld: true, backup: scratch.path("backup2") });
		expect(retried.held).toEqual([]);
		expectArrived(ids.to);
	});

	test("conflict copy: name of 255 bytes leaves no room for a mark → still made", async () => {
		const long = `${"n".repeat(251)}.txt`;
		const ids = await history({ [long]: "1\n" }, { [long]: "2\n" });
		put(long, "mine\n");
		const report = await move(ids);
		expect(report.rescued).toEqual([long]);
		expect([read(long), backedUp()]).toEqual(["2\n", ["mine\n"]]);
	});

	test("conflict copy: name of 255 bytes → its own name fits", () => {
		for (const name of [`${"n".repeat(251)}.txt`, "n".repeat(255), `d/${".".repeat(255)}`, `d.d/${"ü".repeat(127)}`]) {
			const beside = conflictCopyPath(gitPathFromText(name), "0123456789abcdef");
			expect(beside).toContain("~01234567");
			expect((beside.split("/").at(-1) ?? "").length).toBeLessThanOrEqual(255);
		}
		expect(conflictCopyPath("d/a.tar.gz" as GitPath, "0123456789")).toBe("d/a.tar~01234567.gz");
		expect(conflictCopyPath("d.d/.hidden" as GitPath, "0123456789")).toBe("d.d/.hidden~01234567");
	});
});
describe("a move that was interrupted is taken up again", () => {
	test("interrupted: a write found before, more after it → all kept, each once", async () => {
		const { ids, again } = await template({ a: "1\n" }, { a: "2\n" });
		for (const step of ["files", "index", "ref"]) {
			await again();
			put("a", "first\n");
			const stop = (name: string) => {
				if (name === step) throw new Error("stop here");
			};
			await expect(move(ids, { checkpoint: stop })).rejects.toThrow("stop here");
			fs.appendFileSync(live("a"), "second\n");
			await expect(move(ids, { checkpoint: stop, resume: true })).rejects.toThrow("stop here");
			fs.appendFileSync(live("a"), "third\n");
			await move(ids, { resume: true });
			expect(read("a")).toBe("2\nsecond\nthird\n");
			expect(backedUp().filter((text) => text === "first\n")).toHaveLength(1);
		}
	});

	test("interrupted: staged leftovers linked to live files → not written through", async () => {
		const ids = await history({ a: "1\n", b: "precious\n" }, { a: "2\n", b: "precious\n" });
		const leftover = scratch.path("staging", String(process.pid));
		fs.mkdirSync(leftover, { recursive: true });
		// A process with our pid (in a container pids repeat soon) died between linking and cleaning up.
		for (const name of ["0", "1", "2"]) fs.linkSync(live("b"), path.join(leftover, name));
		await move(ids);
		expect(read("b")).toBe("precious\n");
		expectArrived(ids.to);
	});

	test("interrupted: a branch moved meanwhile → not moved back", async () => {
		const ids = await history({ a: "1\n" }, { a: "2\n" });
		const elsewhere = scratch.git("w", "commit-tree", "-m", "x", "-p", ids.from ?? "", `${ids.from}^{tree}`).trim();
		await expect(
			move(ids, {
				checkpoint: (step) => {
					if (step === "index") scratch.git("w", "update-ref", "refs/heads/main", elsewhere);
				},
			}),
		).rejects.toMatchObject({ name: "GitError" });
		expect(await readRef(repository, "refs/heads/main")).toBe(elsewhere);
	});
});

describe("filters and line ends", () => {
	test("filters: text=auto eol=crlf → CRLF on disk, LF in git, nothing looks changed", async () => {
		const attributes = "*.txt text eol=crlf\n";
		const ids = await history({ ".gitattributes": attributes, "a.txt": "1\n" }, { ".gitattributes": attributes, "a.txt": "1\n2\n" });
		fs.rmSync(live("a.txt"));
		scratch.git("w", "checkout", "-q", "--", "a.txt");
		expect(read("a.txt")).toBe("1\r\n");
		const report = await move(ids);
		expect(report.rescued).toEqual([]);
		expect(read("a.txt")).toBe("1\r\n2\r\n");
		expectArrived(ids.to);
	});

	test("filters: a late write to a CRLF file → kept with its line ends and its base", async () => {
		const attributes = "*.txt text eol=crlf\n";
		const ids = await history({ ".gitattributes": attributes, "a.txt": "1\n" }, { ".gitattributes": attributes, "a.txt": "1\n2\n" });
		put("a.txt", "1\r\nmine\r\n");
		const { kept } = await move(ids);
		expect([read("a.txt"), backedUp()]).toEqual(["1\r\n2\r\n", ["1\r\nmine\r\n"]]);
		expect(scratch.git("w", "cat-file", "blob", kept[0]?.before ?? "")).toBe("1\r\n");
	});

	test("filters: the user's own → runs", async () => {
		scratch.git("w", "config", "filter.upper.smudge", "tr a-z A-Z");
		scratch.git("w", "config", "filter.upper.clean", "tr A-Z a-z");
		const attributes = "*.up filter=upper\n";
		const ids = await history({ ".gitattributes": attributes, "x.up": "one\n" }, { ".gitattributes": attributes, "x.up": "two\n" });
		const report = await move(ids);
		expect(read("x.up")).toBe("TWO\n");
		expect(report.rescued).toEqual([]);
		expectArrived(ids.to);
	});

	test("filters: attributes that apply → those of the commit checked out", async () => {
		const ids = await history({ "a.txt": "1\n" }, { ".gitattributes": "*.txt text eol=crlf\n", "a.txt": "1\n2\n", "b.txt": "3\n" });
		await checkOutTree(
			repository,
			{ ...ids, ref: "refs/heads/main", staging: scratch.path("staging"), backup: scratch.path("backup") },
			true,
		);
		expect(scratch.git("w", "status", "--porcelain")).toBe("");
	});
});

test("reader: at every moment of a checkout → the old or the new file, never none", async () => {
	const names = Array.from({ length: 40 }, (_, index) => `f${index}`);
	const ids = await history(Object.fromEntries(names.map((name) => [name, "old"])), Object.fromEntries(names.map((name) => [name, "new"])));
	const reader = spawn(
		process.execPath,
		[
			"-e",
			`const fs = require("node:fs"); process.stdout.write("ready"); let bad = 0, reads = 0;
			process.on("message", () => { process.send({ bad, reads }); process.exit(); });
			(function look() { for (let i = 0; i < 400; i++) { try { if (!["old", "new"].includes(fs.readFileSync("f" + reads++ % 40, "utf8"))) bad++; } catch { bad++; } } setImmediate(look); })();`,
		],
		{ cwd: root(), stdio: ["ignore", "pipe", "inherit", "ipc"] },
	);
	await new Promise((resolve) => reader.stdout?.once("data", resolve));
	const report = await move(ids);
	const answer = new Promise<{ bad: number; reads: number }>((resolve) => reader.once("message", (message) => resolve(message as never)));
	reader.send("stop");
	const { bad, reads } = await answer;
	expect(bad).toBe(0);
	expect(reads).toBeGreaterThan(1_000);
	expect(report.kept).toHaveLength(40);
	expectArrived(ids.to);
});
