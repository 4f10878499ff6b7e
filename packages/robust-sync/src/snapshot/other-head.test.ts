import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import type { CycleContext } from "../context/cycle-context.ts";
import { runCycle } from "../cycle/cycle.ts";
import { newMemory } from "../daemon/new-memory.ts";
import { cycleContext } from "../testing/cycle-context.ts";

// A person, or a command beside the daemon, changes HEAD or the settings of the repository between two cycles.

let scratch: Scratch;
let context: CycleContext;
beforeEach(async () => {
	scratch = new Scratch("other-head");
	scratch.hub();
	scratch.init("w", scratch.path("hub.git"));
	// Later than the latest write, which would wait.
	context = await cycleContext(scratch, "w", { now: () => Date.now() + 60_000 });
});
afterEach(() => scratch.remove());

async function commitWithoutAttributes(): Promise<void> {
	for (const name of ["first.txt", "second.txt"]) {
		scratch.write(`w/${name}`, "1\r\n");
		await runCycle(context);
	}
	expect(scratch.git("hub.git", "show", "main:second.txt")).toBe("1\r\n");
}

test("other HEAD: it has attributes of a directory → later files are stored by them", async () => {
	await commitWithoutAttributes();
	scratch.write("w/notes/.gitattributes", "*.txt text eol=crlf\n");
	scratch.commitAll("w");
	await runCycle(context);
	scratch.write("w/notes/a.txt", "1\r\n");
	await runCycle(context);
	expect(scratch.git("hub.git", "show", "main:notes/a.txt")).toBe("1\n");
	expect(scratch.git("w", "status", "--porcelain", "notes")).toBe("");
});

/** Runs cycles. @returns how often each noticed another program's HEAD */
async function countNotices(cycles: readonly (() => Promise<unknown> | unknown)[]): Promise<number[]> {
	const { changes } = context.memory;
	const notice = changes.noticeOthers.bind(changes);
	let notices = 0;
	changes.noticeOthers = () => {
		notices++;
		notice();
	};
	const counts = [];
	for (const change of cycles) {
		notices = 0;
		await change();
		await runCycle(context).catch((error: unknown) => expect(error).toMatchObject({ code: "REMOTE_UNREACHABLE" }));
		counts.push(notices);
	}
	return counts;
}

test("other HEAD: the hub is away → only a foreign commit is noticed, once", async () => {
	await commitWithoutAttributes();
	fs.renameSync(scratch.path("hub.git"), scratch.path("away.git"));
	const write = (name: string) => () => scratch.write(`w/${name}`, `${name}\n`);
	const commit = () => {
		write("theirs.txt")();
		scratch.commitAll("w");
	};
	expect(await countNotices([write("a.txt"), () => undefined, write("b.txt"), commit, write("c.txt"), () => undefined])).toEqual([
		0, 0, 0, 1, 0, 0,
	]);
});

test("other HEAD: a loss is held, and a peer pushes → nothing is noticed", async () => {
	for (let index = 0; index < 80; index++) scratch.write(`w/${index}.md`, `${index}\n`);
	await runCycle(context);
	const remove = () => {
		for (let index = 0; index < 60; index++) fs.rmSync(scratch.path(`w/${index}.md`));
	};
	scratch.git(".", "clone", "-q", "hub.git", "peer");
	const push = () => {
		scratch.write("peer/theirs.txt", "theirs\n");
		scratch.commitAll("peer");
		scratch.git("peer", "push", "-q");
	};
	expect(await countNotices([remove, () => undefined, push, () => undefined])).toEqual([0, 0, 0, 0]);
	expect(scratch.read("w/theirs.txt")).toBe("theirs\n");
	expect(scratch.git("hub.git", "ls-tree", "--name-only", "main")).toContain("59.md");
});

test("info/attributes: made between two cycles → later files are stored by them", async () => {
	await commitWithoutAttributes();
	scratch.write("w/.git/info/attributes", "*.txt text eol=crlf\n");
	scratch.write("w/a.txt", "1\r\n");
	await runCycle(context);
	expect(scratch.git("hub.git", "show", "main:a.txt")).toBe("1\n");
});

test("other HEAD: another process removed files before → the losses are added up", async () => {
	const other = { ...context, memory: { ...newMemory(context.paths, false), branch: "main" } };
	const files = Array.from({ length: 80 }, (_, index) => `${index}.md`);
	for (const name of files) scratch.write(`w/${name}`, `${name}\n`);
	await runCycle(other);
	await runCycle(context);
	const remove = async (from: number, by: CycleContext) => {
		for (const name of files.slice(from, from + 20)) fs.rmSync(scratch.path(`w/${name}`));
		return (await runCycle(by)).held;
	};
	// The first question reads the history.
	expect(await remove(0, context)).toEqual([]);
	expect(await remove(20, other)).toEqual([]);
	expect(await remove(40, context)).toMatchObject([{ files: 60 }]);
});
