import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { canIgnoreCase, mountIgnoringCase } from "@robust-sync/git/fixtures/ignoring-case";
import { Chalk } from "chalk";
import { abortOperation } from "./abort.ts";
import { listConflicts } from "./conflicts.ts";
import { Person } from "./fixture/person.ts";
import { makeReport } from "./report.ts";
import { resolveConflicts } from "./resolve.ts";
import { restoreVersions } from "./restore.ts";
import { abortText, checkText, reportText, resolveText, restoreText } from "./text.ts";

let person: Person;
beforeEach(() => {
	person = new Person();
});
afterEach(async () => await person.remove());

const plain = new Chalk({ level: 0 });
const exists = (name: string) => fs.existsSync(person.scratch.path("mine", name));

describe("--check", () => {
	test("--check: unmerged paths → path, type, kind, both sizes and times", async () => {
		person.branches(
			{ "s.json": '{"a": 1}\n', gone: "1\n" },
			{ "s.json": '{"a": 22}\n', gone: null },
			{ "s.json": '{"a": 3}\n', gone: "22\n" },
		);
		person.git("merge", "theirs");
		const found = await listConflicts(await person.context());
		const at = (branch: string) => new Date(Number(person.git("log", "-1", "--format=%ct", branch)) * 1000).toISOString();
		expect(found).toEqual({
			operation: "merge",
			ours: person.git("rev-parse", "main").trim(),
			theirs: person.git("rev-parse", "theirs").trim(),
			conflicts: [
				{
					path: "gone",
					type: "modify/delete",
					kind: "kept-modified",
					ours: null,
					theirs: { size: 3, at: at("theirs") },
					base: { size: 2 },
				},
				{
					path: "s.json",
					type: "content",
					kind: "json",
					ours: { size: 10, at: at("main") },
					theirs: { size: 9, at: at("theirs") },
					base: { size: 9 },
				},
			],
		});
		const text = checkText(found, plain);
		expect(text).toContain("a merge is in progress: 2 conflicts");
		expect(text).toMatch(/s\.json {2}content\n.*ours: 10 bytes, \d{4}-.* UTC; theirs: 9 bytes/);
		expect(text).toContain("conflict-resolver --resolve");
	});

	test("--check: nothing unmerged → none", async () => {
		person.commit({ f: "1\n" });
		expect((await listConflicts(await person.context())).conflicts).toEqual([]);
		expect(checkText(await listConflicts(await person.context()), plain)).toBe("no conflicts");
	});
});

describe("--report", () => {
	test("--report: a conflict → path, time, winner, command for the other version", async () => {
		person.branches({ "s.json": '{"a": 1}\n' }, { "s.json": '{"a": 2}\n' }, { "s.json": '{"a": 3}\n' });
		person.git("merge", "theirs");
		await resolveConflicts(await person.context());
		const report = await makeReport(await person.context());
		expect(report.unresolved.conflicts).toEqual([]);
		expect(report.saved).toHaveLength(1);
		const text = reportText(report, plain);
		expect(text).toMatch(
			/s\.json {2}content: (this node's|the other side's) value won \((ours|theirs)\) \(merged as JSON\); saved: ours, theirs, base/,
		);
		expect(text).toContain(`conflict-resolver --restore ${report.saved[0]?.name} 's.json' --side `);
		expect(reportText({ ...report, saved: [] }, plain)).toContain("none");
	});

	test("file names: control characters → shown as escapes", async () => {
		person.branches({ "a\x1b[2Jb.md": "1\n" }, { "a\x1b[2Jb.md": "2\n" }, { "a\x1b[2Jb.md": "3\n" });
		person.git("merge", "theirs");
		expect(reportText(await makeReport(await person.context()), plain)).toContain("a\\u001b[2Jb.md");
	});
});

describe("--report: the command to get a version back", () => {
	test.each(["with space's", "-x", "e\u001b[2J\u0007x", "two\nlines", "ends\n", "\u202egnp", "$(touch never)\u001b`id`"])(
		"--report: %j → its command names that file in every shell",
		async (name) => {
			const saved = { name: "20260218T020000.000Z", resolved_at: "2026-02-18T02:00:00.000Z", merge_commit: null };
			const files = [{ path: name, type: "content", strategy: "later", winner: "ours", saved: [`files/${name}.theirs`] }];
			const report = { unresolved: { operation: null, conflicts: [] }, saved: [{ ...saved, files }] };
			const line =
				reportText(report as never, plain)
					.split("\n")
					.at(-1) ?? "";
			for (const shell of ["bash", "zsh", "dash"]) {
				const { stdout, error } = spawnSync(shell, [
					"-c",
					`conflict_resolver() { printf '%s\\0' "$@"; }\n${line.trim().replace("conflict-resolver", "conflict_resolver")}`,
				]);
				if (error) continue;
				const args = stdout.toString().split("\0").slice(0, -1);
				expect(args.filter((arg) => !["--restore", saved.name, "--side", "theirs", "--"].includes(arg))).toEqual([
					name.replace(/\n$/, "\n/"),
				]);
				if (name.startsWith("-")) expect(args.slice(-2)).toEqual(["--", name]);
			}
		},
	);
});

describe("--restore", () => {
	const conflict = async () => {
		person.branches(
			{ "d/s.json": '{"a": 1}\n', gone: "1\n" },
			{ "d/s.json": '{"a": 2}\n', gone: null },
			{ "d/s.json": '{"a": 3}\n', gone: "2\n" },
		);
		person.git("merge", "theirs");
		await resolveConflicts(await person.context());
	};

	test("--restore: one path → back as a new change, the present one set aside", async () => {
		await conflict();
		const before = person.read("d/s.json");
		const name = person.saved()[0]?.name ?? "";
		for (const side of ["ours", "theirs", "base"] as const) {
			const report = await restoreVersions(await person.context(), name, "d/s.json", side);
			expect(report).toMatchObject({ from: name, side, restored: ["d/s.json"], removed: [] });
			expect(person.read("d/s.json")).toBe({ ours: '{"a": 2}\n', theirs: '{"a": 3}\n', base: '{"a": 1}\n' }[side]);
			if (side === "ours" && report.setAside) expect(person.setAside(report.setAside, "d/s.json")).toBe(before);
		}
		expect(person.status()).toBe(" M d/s.json\n");
	});

	test("--restore: latest without a path → every version of that side, the rest goes", async () => {
		await conflict();
		person.write({ d: null });
		const report = await restoreVersions(await person.context(), "latest", undefined, "ours");
		expect(report).toMatchObject({ restored: ["d/s.json"], removed: ["gone"] });
		expect(person.read("d/s.json")).toBe('{"a": 2}\n');
		expect(exists("gone")).toBe(false);
		expect(person.setAside(report.setAside, "gone")).toBe("2\n");
	});

	test("--restore: links and executable files → restored as such", async () => {
		person.commit({ x: "x\n" });
		fs.symlinkSync("base", person.scratch.path("mine/l"));
		person.commit({ "run.sh": "1\n" });
		person.git("checkout", "-q", "-b", "theirs");
		const change = (target: string, content: string) => {
			fs.rmSync(person.scratch.path("mine/l"));
			fs.symlinkSync(target, person.scratch.path("mine/l"));
			person.scratch.write("mine/run.sh", content, 0o755);
			person.scratch.commitAll("mine");
		};
		change("theirs", "2\n");
		person.git("checkout", "-q", "main");
		change("ours", "3\n");
		person.git("merge", "theirs");
		await resolveConflicts(await person.context());
		await restoreVersions(await person.context(), "latest", undefined, "ours");
		expect(fs.readlinkSync(person.scratch.path("mine/l"))).toBe("ours");
		expect(person.read("run.sh")).toBe("3\n");
		expect(fs.statSync(person.scratch.path("mine/run.sh")).mode & 0o100).toBe(0o100);
	});

	test("--restore: not UTF-8 → one by its bytes, all by the shown name", async () => {
		const places = [0xfe, 0xff].map((byte) => Buffer.concat([Buffer.from(`${person.scratch.path("mine")}/q`), Buffer.of(byte)]));
		const put = (content: string) => {
			for (const place of places) fs.writeFileSync(place, content);
			person.scratch.commitAll("mine");
		};
		put("1\n");
		person.git("checkout", "-q", "-b", "theirs");
		put("2\n");
		person.git("checkout", "-q", "main");
		put("3\n");
		person.git("merge", "theirs");
		await resolveConflicts(await person.context());
		await restoreVersions(await person.context(), "latest", "q\ufffd", "base");
		expect(places.map((place) => fs.readFileSync(place, "utf8"))).toEqual(["1\n", "1\n"]);
		await restoreVersions(await person.context(), "latest", "q\udcff", "theirs");
		expect(places.map((place) => fs.readFileSync(place, "utf8"))).toEqual(["1\n", "2\n"]);
	});

	test.each(["theirs", "ours", "base"] as const)(
		"--restore: the parent became a peer's link to outside → nothing is touched (%s)",
		async (side) => {
			person.branches({ "d/passwd": "1\n", f: "1\n" }, { "d/passwd": "2\n" }, { "d/passwd": side === "theirs" ? null : "3\n" } as never);
			person.git("merge", "theirs");
			await resolveConflicts(await person.context());
			const outside = person.scratch.path("outside");
			fs.mkdirSync(outside);
			fs.writeFileSync(`${outside}/passwd`, "root\n");
			fs.rmSync(person.scratch.path("mine/d"), { recursive: true, force: true });
			fs.symlinkSync(outside, person.scratch.path("mine/d"));
			const restored = restoreVersions(await person.context(), "latest", undefined, side);
			await expect(restored).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining("d/passwd is not restored") });
			expect(fs.readdirSync(outside)).toEqual(["passwd"]);
			expect(fs.readFileSync(`${outside}/passwd`, "utf8")).toBe("root\n");
			expect(fs.readlinkSync(person.scratch.path("mine/d"))).toBe(outside);
		},
	);

	(canIgnoreCase ? test : test.skip)("--restore: the path finds a file of another name → refused, that file stays", async () => {
		person.branches({ "d/F.md": "1\n" }, { "d/F.md": "2\n" }, { "d/F.md": "3\n" });
		person.git("merge", "theirs");
		await resolveConflicts(await person.context());
		const directory = person.scratch.path("mine/d");
		fs.rmSync(directory, { recursive: true });
		mountIgnoringCase(person.scratch, directory);
		person.write({ "d/f.md": "other\n" });
		const restored = restoreVersions(await person.context(), "latest", undefined, "ours");
		await expect(restored).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining("d/F.md is not restored") });
		expect([fs.readdirSync(directory), person.read("d/f.md")]).toEqual([["f.md"], "other\n"]);
	});

	test("--restore: not there, or a manifest that points outside → refused", async () => {
		await expect(restoreVersions(await person.context(), "latest", undefined, "ours")).rejects.toThrow("no saved versions");
		await conflict();
		await expect(restoreVersions(await person.context(), "20200101T000000.000Z", undefined, "ours")).rejects.toThrow("name one of");
		await expect(restoreVersions(await person.context(), "latest", "nothing", "ours")).rejects.toThrow("it holds d/s.json, gone");
		const manifest = `${person.saved()[0]?.directory}/manifest.json`;
		fs.writeFileSync(manifest, fs.readFileSync(manifest, "utf8").replace('"path": "gone"', '"path": "../gone"'));
		const before = person.snapshot();
		await expect(restoreVersions(await person.context(), "latest", undefined, "theirs")).rejects.toThrow("no saved versions");
		expect(person.snapshot()).toBe(before);
	});
});

describe("--abort", () => {
	test("--abort: changes since → as before the merge, changes set aside, others stay", async () => {
		person.branches({ f: "1\n", g: "1\n", h: "1\n" }, { f: "2\n" }, { f: "3\n", g: "3\n" });
		person.write({ h: "uncommitted\n" });
		const before = person.git("rev-parse", "HEAD");
		person.git("merge", "theirs");
		person.write({ f: "edited\n", g: "edited too\n", untracked: "u\n" });
		const report = await abortOperation(await person.context());
		expect(report).toMatchObject({ operation: "merge", aborted: true });
		expect(person.git("rev-parse", "HEAD")).toBe(before);
		expect(person.read("f")).toBe("2\n");
		expect(person.read("g")).toBe("1\n");
		expect(person.status()).toBe(" M h\n?? untracked\n");
		expect(person.read("h")).toBe("uncommitted\n");
		expect(person.setAside(report.setAside, "f")).toBe("edited\n");
		expect(person.setAside(report.setAside, "g")).toBe("edited too\n");
		expect(exists(".git/MERGE_HEAD")).toBe(false);
	});

	test.each(["rebase", "cherry-pick"])("--abort: a %s → as before it", async (command) => {
		person.branches({ f: "1\n" }, { f: "2\n" }, { f: "3\n" });
		person.git(command, "theirs");
		person.write({ f: "edited\n" });
		const report = await abortOperation(await person.context());
		expect(report).toMatchObject({ operation: command, aborted: true });
		expect(person.read("f")).toBe("2\n");
		expect(person.status()).toBe("");
		expect(person.git("symbolic-ref", "--short", "HEAD").trim()).toBe("main");
		expect(person.setAside(report.setAside, "f")).toBe("edited\n");
	});

	test("--abort: a stash that did not apply → the stash stays", async () => {
		person.commit({ f: "1\n" });
		person.write({ f: "2\n" });
		person.git("stash", "-q");
		person.commit({ f: "3\n" });
		person.git("stash", "pop");
		expect(await abortOperation(await person.context())).toMatchObject({ operation: null, aborted: true });
		expect(person.read("f")).toBe("3\n");
		expect(person.git("stash", "list")).not.toBe("");
	});

	test("--abort: nothing in progress → nothing", async () => {
		person.commit({ f: "1\n" });
		expect(await abortOperation(await person.context())).toEqual({ operation: null, aborted: false, setAside: null });
	});
});

test("set aside: backups on their own file system → each text names where they are", () => {
	const where = ".git/robust-sync/backups";
	const resolved = { operation: "merge", commit: null, files: [], saved: [], setAside: "T", next: null } as const;
	const restored = { from: "T\u001b[2J", side: "ours", restored: ["a\u001b"], removed: [], setAside: "T" } as const;
	const texts = [
		resolveText(resolved, false, plain, where),
		abortText({ operation: "merge", aborted: true, setAside: "T" }, where),
		restoreText(restored, where),
	];
	for (const text of texts) {
		expect(text).toContain(`${where}/T`);
		expect(text).not.toContain("sync/backups/T in");
		expect(text).not.toContain("\u001b");
	}
});
