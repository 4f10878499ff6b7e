import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { GitPath } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import type { MonotonicClock } from "@robust-sync/system/monotonic-clock";
import { WorkspacePaths } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { newMemory } from "../daemon/new-memory.ts";
import { cycleContext } from "../testing/cycle-context.ts";
import { changedSinceHead } from "./dirty-paths.ts";
import { DirtySet } from "./dirty-set.ts";
import { noticeOthers, recordBaseline, refreshIndex } from "./follow-head.ts";
import { takeSnapshot } from "./snapshot.ts";

const minute = 60_000;
let scratch: Scratch;
let context: CycleContext;
let monotonic = 1_000;
const clock: MonotonicClock = { bootId: "this boot", now: () => monotonic };

beforeEach(async () => {
	scratch = new Scratch("direct");
	scratch.init("w");
	scratch.write("w/notes/a.md", "a\n");
	scratch.write("w/notes/b.md", "b\n");
	scratch.write("w/other/c.md", "c\n");
	scratch.write("w/.gitignore", "*.tmp\n");
	scratch.commitAll("w");
	const paths = new WorkspacePaths(scratch.path("w"));
	const memory = { ...newMemory(paths, true, clock), branch: "main", dirty: new DirtySet(clock) };
	// Later than the latest write, which would wait.
	context = await cycleContext(scratch, "w", { now: () => Date.now() + minute, memory });
	memory.dirty.setWatching(true);
	await cycle();
});
afterEach(() => scratch.remove());

/** A cycle's use of a snapshot, without a remote. @param meanwhile called while it would wait for one */
async function cycle(extra: readonly string[] = [], meanwhile: () => void = () => undefined): Promise<number> {
	context.memory.hasScanned = false;
	const { committed } = await takeSnapshot(context, extra as GitPath[]);
	await recordBaseline(context);
	meanwhile();
	await noticeOthers(context);
	await refreshIndex(context);
	await recordBaseline(context);
	return committed;
}

function saw(...names: string[]): void {
	for (const name of names) context.memory.dirty.add(name as GitPath);
}

const git = (...args: string[]) => scratch.git("w", ...args);
/** Whether the last snapshot read only dirty paths. */
const isDirect = () => !context.memory.hasScanned;

describe("what the watcher saw is committed without a look at anything else", () => {
	test("incremental: changed, new, deleted, link, mode → index and tree agree with files", async () => {
		scratch.write("w/notes/a.md", "changed\n");
		scratch.write("w/notes/new in ümlaut.md", "new\n");
		fs.rmSync(scratch.path("w/notes/b.md"));
		fs.symlinkSync("a.md", scratch.path("w/notes/link"));
		fs.chmodSync(scratch.path("w/other/c.md"), 0o755);
		saw("notes/a.md", "notes/new in \u00c3\u00bcmlaut.md", "notes/b.md", "notes/link", "other/c.md");
		expect(await cycle()).toBe(5);
		expect(isDirect()).toBe(true);
		expect(git("status", "--porcelain")).toBe("");
		expect(git("diff", "--no-renames", "--name-status", "HEAD~", "HEAD")).toBe(
			'M\tnotes/a.md\nD\tnotes/b.md\nA\tnotes/link\nA\t"notes/new in \\303\\274mlaut.md"\nM\tother/c.md\n',
		);
		expect(git("ls-tree", "HEAD", "notes/link", "other/c.md").replace(/ blob \w+/g, "")).toBe("120000\tnotes/link\n100755\tother/c.md\n");
		expect(git("log", "-1", "--format=%an <%ae>: %s|%(trailers:key=Robust-Sync-Node,valueonly)").trim()).toMatch(
			/^helios <helios@robust-sync>: helios: 4 files \(.*\), 1 deleted\|helios$/,
		);
		expect(git("fsck", "--strict")).toBe("");
	});

	test("incremental: covered by an ignore rule → out, unless tracked or a message", async () => {
		scratch.write("w/x.tmp", "x\n");
		scratch.write("w/message.tmp", "m\n");
		scratch.write("w/notes/a.md", "changed\n");
		saw("x.tmp", "notes/a.md");
		expect(await cycle(["message.tmp"])).toBe(2);
		expect(isDirect()).toBe(true);
		expect(git("ls-tree", "-r", "--name-only", "HEAD")).not.toContain("x.tmp");
		expect(git("ls-tree", "-r", "--name-only", "HEAD")).toContain("message.tmp");
	});

	test("incremental: names that mean something to git → names", async () => {
		for (const name of [":(top)a", ":!b", "*.md", "-c", "--help", ":/d"]) {
			scratch.write(`w/${name}`, `${name}\n`);
			saw(name);
		}
		expect(await cycle()).toBe(6);
		expect(isDirect()).toBe(true);
		saw(":/d", "*.md");
		expect(await cycle()).toBe(0);
		expect(git("status", "--porcelain")).toBe("");
	});

	test("incremental: a message delivered this instant → does not wait", async () => {
		scratch.write("w/message.tmp", "m\n");
		context.memory.hasScanned = false;
		const { mtimeMs } = fs.statSync(scratch.path("w/message.tmp"));
		expect((await takeSnapshot({ ...context, now: () => mtimeMs + 5 }, ["message.tmp"] as GitPath[])).committed).toBe(1);
		expect(isDirect()).toBe(true);
	});

	test.each([["full scan"], ["index"]])("%s: finds a message delivered this instant → does not wait", async (way) => {
		const message = "messages/m" as GitPath;
		scratch.write(`w/${message}`, "m\n");
		if (way === "full scan") context.memory.dirty.invalidate();
		else {
			scratch.write("w/notes/a.md", "staged\n");
			git("add", "notes/a.md");
		}
		const { mtimeMs } = fs.statSync(scratch.path(`w/${message}`));
		const { busy } = await takeSnapshot({ ...context, now: () => mtimeMs + 5 }, [message]);
		expect(busy).not.toContain(message);
		expect(git("ls-tree", "-r", "--name-only", "HEAD")).toContain(message);
	});

	test.each([["dirty paths"], ["full scan"]])("%s: finds a delivered message, too → counted once", async (scan) => {
		scratch.write("w/messages/helios/m", "m\n");
		saw("messages/helios/m");
		if (scan === "full scan") context.memory.dirty.invalidate();
		expect(await cycle(["messages/helios/m"])).toBe(1);
		expect(git("log", "-1", "--format=%s")).toBe("helios: 1 file (messages/helios/m)\n");
	});

	test("incremental: a file written but the same → no commit", async () => {
		scratch.write("w/notes/a.md", "a\n");
		saw("notes/a.md");
		expect(await cycle()).toBe(0);
		expect(git("rev-list", "--count", "HEAD").trim()).toBe("1");
	});

	test("incremental: a file being written → waits", async () => {
		scratch.write("w/notes/a.md", "half");
		saw("notes/a.md");
		const { mtimeMs } = fs.statSync(scratch.path("w/notes/a.md"));
		expect((await takeSnapshot({ ...context, now: () => mtimeMs + 5 })).busy).toEqual(["notes/a.md"]);
		expect(await cycle()).toBe(1);
		expect(git("show", "HEAD:notes/a.md")).toBe("half");
	});
});

describe("full scan", () => {
	test("full scan: ten minutes after the last → a change without an event is found", async () => {
		scratch.write("w/notes/a.md", "missed\n");
		expect(await cycle()).toBe(0);
		monotonic += 9 * minute;
		expect(await cycle()).toBe(0);
		monotonic += 2 * minute;
		expect(await cycle()).toBe(1);
		expect(isDirect()).toBe(false);
	});

	test.each([
		["stages", () => git("add", "--force", "notes/own.tmp")],
		["commits", () => [git("add", "--force", "notes/own.tmp"), git("commit", "-q", "-m", "by hand")]],
	])("full scan: a person %s during the push → at the next cycle", async (_what, act) => {
		scratch.write("w/notes/own.tmp", "own\n");
		scratch.write("w/notes/a.md", "changed\n");
		saw("notes/a.md");
		expect(await cycle([], act)).toBe(1);
		await cycle();
		expect(git("ls-tree", "-r", "--name-only", "HEAD")).toContain("notes/own.tmp");
		expect(git("show", "HEAD:notes/a.md")).toBe("changed\n");
		expect(git("status", "--porcelain")).toBe("");
	});

	test.each<[string, () => void, string[]]>([
		["a directory came", () => scratch.write("w/new/directory/d.md", "d\n"), ["new"]],
		["an ignore rule changed", () => scratch.write("w/.gitignore", ""), [".gitignore"]],
		["a person staged something", () => git("rm", "-q", "--cached", "notes/b.md"), []],
		["a person committed something", () => git("commit", "-q", "--allow-empty", "-m", "by hand"), ["notes/a.md"]],
		[
			"a directory became a link",
			() => [fs.rmSync(scratch.path("w/other"), { recursive: true }), fs.symlinkSync("notes", scratch.path("w/other"))],
			["other/c.md"],
		],
		["a file is so large that git had better stream it", () => scratch.write("w/notes/large", "x".repeat(9_000_000)), ["notes/large"]],
		["more changed than is worth it", () => undefined, Array.from({ length: 1_001 }, (_, index) => `notes/${index}.md`)],
		["attributes may change what is stored", () => scratch.write("w/notes/.gitattributes", "* text\n"), ["notes/.gitattributes"]],
	])("when %s", async (_name, change, seen) => {
		scratch.write("w/notes/a.md", "changed\n");
		change();
		saw("notes/a.md", ...seen);
		await cycle();
		expect(isDirect()).toBe(false);
		expect(git("status", "--porcelain").replace("?? notes/b.md\n", "")).toBe("");
		expect(git("show", "HEAD:notes/a.md")).toBe("changed\n");
	});

	test("full scan: a person switched to a new branch → nothing of ours on either", async () => {
		scratch.write("w/notes/a.md", "changed\n");
		saw("notes/a.md");
		git("checkout", "-q", "-b", "theirs");
		await expect(takeSnapshot(context)).rejects.toMatchObject({ code: "WRONG_BRANCH" });
		expect(git("rev-list", "--count", "main", "theirs").trim()).toBe("1");
	});

	test("full scan: attributes came below → from then on", async () => {
		scratch.write("w/notes/.gitattributes", "* text\n");
		saw("notes/.gitattributes");
		await cycle();
		scratch.write("w/notes/a.md", "crlf\r\n");
		saw("notes/a.md");
		await cycle();
		expect(git("show", "HEAD:notes/a.md")).toBe("crlf\n");
	});

	test("full scan: a snapshot failed half-way → the next one", async () => {
		scratch.write("w/notes/a.md", "changed\n");
		saw("notes/a.md");
		const lost = new Error("the lock is lost");
		const lock = {
			...context.lock,
			assertHeld: () => {
				throw lost;
			},
		};
		await expect(takeSnapshot({ ...context, lock })).rejects.toBe(lost);
		expect(await cycle()).toBe(1);
		expect(git("show", "HEAD:notes/a.md")).toBe("changed\n");
	});

	test("full scan: nobody watches → every one", async () => {
		context.memory.dirty.setWatching(false);
		scratch.write("w/notes/a.md", "changed\n");
		saw("notes/a.md");
		expect(await cycle()).toBe(1);
		expect(isDirect()).toBe(false);
	});
});

test("full scan: the index did not follow, the process was killed → set right by it", async () => {
	scratch.write("w/notes/a.md", "changed\n");
	scratch.write("w/notes/new.md", "new\n");
	fs.rmSync(scratch.path("w/notes/b.md"));
	saw("notes/a.md", "notes/new.md", "notes/b.md");
	context.memory.hasScanned = false;
	await takeSnapshot(context);
	expect(isDirect()).toBe(true);
	expect(git("status", "--porcelain")).not.toBe("");
	const head = git("rev-parse", "HEAD");
	context.memory.dirty.indexBehind.clear();
	context.memory.dirty.invalidate();
	await cycle();
	expect(git("status", "--porcelain")).toBe("");
	expect(git("rev-parse", "HEAD")).toBe(head);
});

test("full scan: after a checkout → writes meanwhile are found", async () => {
	expect(await changedSinceHead(context, ["notes/a.md"] as GitPath[])).toEqual([]);
	scratch.write("w/notes/a.md", "written\n");
	expect(await changedSinceHead(context, ["notes/a.md", "notes/b.md"] as GitPath[])).toEqual(["notes/a.md"]);
	context.memory.dirty.invalidate();
	expect(await changedSinceHead(context, ["notes/a.md"] as GitPath[])).toBeNull();
});
