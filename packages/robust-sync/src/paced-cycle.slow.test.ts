import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type HttpGitServer, startHttpServer } from "@robust-sync/git/fixtures/http-server";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { runCycle } from "./cycle.ts";
import type { CycleContext } from "./cycle-context.ts";
import { newMemory } from "./daemon.ts";
import { HubPace } from "./hub-pace.ts";
import { enqueueMessage } from "./outbox.ts";
import { cycleContext } from "./testing/cycle-context.ts";

let scratch: Scratch;
let web: HttpGitServer;
let context: CycleContext;
let now: number;
beforeEach(async () => {
	scratch = new Scratch("paced");
	scratch.hub();
	web = await startHttpServer(scratch.directory);
	scratch.init("helios", `${web.url}/hub.git`);
	now = 0;
	context = await cycleContext(scratch, "helios");
	const pace = new HubPace(() => now);
	context = { ...context, memory: { ...newMemory(context.paths, false), pace, branch: "main", indexChecked: true } };
});
afterEach(async () => {
	await web.close();
	scratch.remove();
});

const pushes = () => web.requests.filter((request) => request.startsWith("POST git-receive-pack")).length;

async function change(file: string) {
	scratch.write(`helios/${file}`, file);
	return await runCycle(context);
}

test("push interval: changes are committed at once, pushed together; a message is not delivered before", async () => {
	context.memory.pace.configure(20_000, 0);
	expect(await change("a")).toMatchObject({ postponedMs: null, ahead: 0 });
	expect(pushes()).toBe(1);
	now = 5_000;
	enqueueMessage(context.paths, "hello.md", Buffer.from("hi"));
	expect(await change("b")).toMatchObject({ committed: 2, pushed: 0, postponedMs: 15_000, ahead: 1, delivered: 0 });
	now = 6_000;
	expect(await change("c")).toMatchObject({ committed: 1, postponedMs: 14_000, ahead: 2 });
	expect(pushes()).toBe(1);
	expect(fs.readdirSync(context.paths.pending)).toEqual(["hello.md"]);
	// What another one pushed comes in all the same, and is merged.
	scratch.git(".", "clone", "-q", "hub.git", "chad");
	scratch.write("chad/from-chad", "1");
	const theirs = scratch.commitAll("chad");
	scratch.git("chad", "push", "-q", "origin", "main");
	context.memory.announced.add(theirs);
	expect(await runCycle(context)).toMatchObject({ pulled: 1, postponedMs: 14_000, busy: 0 });
	expect(scratch.read("helios/from-chad")).toBe("1");
	expect(pushes()).toBe(1);
	now = 20_000;
	expect(await runCycle(context)).toMatchObject({ postponedMs: null, ahead: 0, delivered: 1 });
	expect(pushes()).toBe(2);
	expect(scratch.git("hub.git", "ls-tree", "-r", "--name-only", "main").trim().split("\n")).toHaveLength(5);
	expect(fs.readdirSync(context.paths.pending)).toEqual([]);
	// Each of our commits says of which node it is, whoever git takes for the author; a merge, whose commits it joins.
	const nodes = scratch.git("hub.git", "log", "--format=%(trailers:key=Robust-Sync-Node,valueonly,separator=%x2C)|%s", "main");
	expect(
		nodes
			.trim()
			.split("\n")
			.filter((line) => !line.endsWith("|change"))
			.every((line) => line.startsWith("helios|")),
	).toBe(true);
});

test("a limited remote: commits go on, no request is made until the time is over", async () => {
	await change("a");
	context.memory.pace.limited(null, 0);
	const before = web.requests.length;
	for (const file of ["b", "c", "d"]) {
		now += 15_000;
		context.memory.announced.add("1".repeat(40));
		expect(await change(file)).toMatchObject({ committed: 1, pushed: 0, postponedMs: 60_000 - now });
	}
	expect(web.requests).toHaveLength(before);
	context.memory.announced.clear();
	now = 60_000;
	expect(await runCycle(context)).toMatchObject({ postponedMs: null, ahead: 0 });
	expect(scratch.git("hub.git", "show", "main:d")).toBe("d");
});

test("questions: peers announce → not asked before its time, an announced head is fetched", async () => {
	await change("a");
	context.memory.pace.configure(20_000, 300_000);
	await runCycle(context);
	const before = web.requests.length;
	for (now = 60_000; now < 290_000; now += 60_000) expect(await runCycle(context)).toMatchObject({ postponedMs: null });
	expect(web.requests).toHaveLength(before);
	scratch.git(".", "clone", "-q", "hub.git", "chad");
	scratch.write("chad/b", "1");
	context.memory.announced.add(scratch.commitAll("chad"));
	scratch.git("chad", "push", "-q", "origin", "main");
	expect(await runCycle(context)).toMatchObject({ pulled: 1 });
	now += 300_000;
	const then = web.requests.length;
	await runCycle(context);
	expect(web.requests.length).toBeGreaterThan(then);
});
