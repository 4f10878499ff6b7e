import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { GitPath, Oid } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { WorkspacePaths } from "@robust-sync/workspace";
import { runCycle } from "./cycle.ts";
import type { CycleContext } from "./cycle-context.ts";
import { newMemory } from "./daemon.ts";
import { KnownChanges } from "./known-changes.ts";
import { cycleContext } from "./testing/cycle-context.ts";

let scratch: Scratch;
let hub: string;
let context: CycleContext;
let number = 0;

beforeEach(async () => {
	scratch = new Scratch("direct-publish");
	hub = scratch.hub();
	scratch.init("w", hub);
	scratch.write("w/a.md", "a\n");
	scratch.commitAll("w");
	const clock = { bootId: "this boot", now: () => 1_000 };
	const memory = { ...newMemory(new WorkspacePaths(scratch.path("w")), true, clock), known: new KnownChanges(clock, 0) };
	// Later than what is just being written, which would wait.
	context = await cycleContext(scratch, "w", { now: () => Date.now() + 60_000, memory });
	memory.known.watching(true);
	await runCycle(context);
});
afterEach(() => scratch.remove());

/** One change that the watcher saw, and a cycle. @returns the commit */
async function change(): Promise<Oid | null> {
	scratch.write("w/a.md", `change ${++number}\n`);
	context.memory.known.saw("a.md" as GitPath);
	const { head, pushed } = await runCycle(context);
	expect(pushed).toBe(1);
	return head;
}

const tip = (repository: string, ref: string) => scratch.git(repository, "rev-parse", ref).trim();
/** Git itself writes "update by push". */
const wasPushed = () => scratch.git("w", "reflog", "-1", "--format=%gs", "refs/remotes/origin/main").trim() === "update by push";

test("a direct snapshot is on the hub without a push, and is what both know of each other", async () => {
	const head = await change();
	expect([tip("hub.git", "main"), tip("w", "origin/main")]).toEqual([head, head]);
	expect(wasPushed()).toBe(false);
	scratch.git("hub.git", "fsck", "--strict");
});

test("where another node was first, both histories are merged", async () => {
	scratch.git(".", "clone", "-q", hub, "chad");
	scratch.write("chad/theirs.md", "theirs\n");
	scratch.commitAll("chad");
	scratch.git("chad", "push", "-q", "origin", "main");
	scratch.write("w/a.md", "ours\n");
	context.memory.known.saw("a.md" as GitPath);
	const { head, pulled } = await runCycle(context);
	expect(pulled).toBe(1);
	expect(tip("hub.git", "main")).toBe(head);
	expect(scratch.read("w/a.md") + scratch.read("w/theirs.md")).toBe("ours\ntheirs\n");
});

test("a hub that takes nothing directly is pushed to, and tells what is wrong", async () => {
	fs.mkdirSync(`${hub}/hooks`, { recursive: true });
	fs.writeFileSync(`${hub}/hooks/pre-receive`, "#!/bin/sh\ntest ! -e refuse\n", { mode: 0o755 });
	const head = await change();
	expect(tip("hub.git", "main")).toBe(head);
	expect(wasPushed()).toBe(true);
	fs.writeFileSync(`${hub}/refuse`, "");
	await expect(change()).rejects.toMatchObject({ code: "PUSH_REJECTED" });
});

test("one of a hundred is pushed, so that the hub's git looks after its objects", async () => {
	context.memory.sinceGitPush = 97;
	const pushed: boolean[] = [];
	for (let i = 0; i < 4; i++) {
		await change();
		pushed.push(wasPushed());
	}
	expect(pushed).toEqual([false, false, true, false]);
});
