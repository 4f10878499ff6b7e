import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type HttpGitServer, startHttpServer } from "@robust-sync/git/fixtures/http-server";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import type { Logger } from "@robust-sync/service/log";
import { parseConfig } from "@robust-sync/workspace";
import { syncOnce } from "../commands/once.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { newMemory } from "../daemon/new-memory.ts";
import { enqueueMessage } from "../outbox/enqueue.ts";
import { pauseRef } from "../remote/announced-pause.ts";
import { HubPace, waitAfterCycleMs } from "../remote/hub-pace.ts";
import { configurePace } from "../remote/pace-of-workspace.ts";
import { cycleContext } from "../testing/cycle-context.ts";
import { runCycle } from "./cycle.ts";

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

test("push interval: changes → committed at once, pushed together, messages with them", async () => {
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
	// Another node's commit is fetched and merged even so.
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
	// Each commit of a node has its trailer, independent of the author; a merge has the trailers of the commits that it joins.
	const nodes = scratch.git("hub.git", "log", "--format=%(trailers:key=Robust-Sync-Node,valueonly,separator=%x2C)|%s", "main");
	expect(
		nodes
			.trim()
			.split("\n")
			.filter((line) => !line.endsWith("|change"))
			.every((line) => line.startsWith("helios|")),
	).toBe(true);
});

test("announced pause: by a node with the key → commits go on, pushed after it", async () => {
	const key = "a key that all of them have";
	context = { ...context, config: parseConfig({ NODE_NAME: "helios", HEARTBEAT_KEY: key }), now: () => 1_800_000_000_000 + now };
	await change("a");
	const announce = (with_: string) => {
		const ref = pauseRef(1_800_000_000_000, 5, with_);
		scratch.git("hub.git", "update-ref", ref, "main:a");
		return ref;
	};
	announce("a key of another fleet");
	// It pushes often, and asks beside the third push.
	for (const file of ["b", "c", "d"]) {
		now += 600;
		expect(await change(file)).toMatchObject({ postponedMs: null, ahead: 0 });
	}
	const ref = announce(key);
	for (let file = 0; (await change(`e${file}`)).postponedMs === null; file++, now += 600) expect(file).toBeLessThan(4);
	const before = pushes();
	scratch.git(".", "clone", "-q", "hub.git", "chad");
	scratch.write("chad/from-chad", "1");
	const theirs = scratch.commitAll("chad");
	scratch.git("chad", "push", "-q", "origin", "main");
	const chads = pushes() - before;
	now += 1_500;
	context.memory.announced.add(theirs);
	expect(await change("f")).toMatchObject({ committed: 1, pulled: 1, pushed: 0 });
	now += 1_500;
	context.memory.announced.clear();
	expect(await change("g")).toMatchObject({ committed: 1, pushed: 0, postponedMs: expect.any(Number) });
	expect(pushes() - before).toBe(chads);
	scratch.git("hub.git", "update-ref", "-d", ref);
	now += 2_100;
	expect(await change("h")).toMatchObject({ postponedMs: null, ahead: 0 });
	expect(scratch.git("hub.git", "show", "main:f")).toBe("f");
});

test("limited remote: commits go on → no request until the time is over", async () => {
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

test("questions: peers announce → asked when due, an announced head is fetched", async () => {
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

test("--once: in a back-off → no request, the wait is printed; refused again → doubled", async () => {
	await change("a");
	Object.assign(web, { answer: 429, headers: { "content-type": "text/plain" }, body: "slow down" });
	const start = Date.now() + 1_000;
	const once = async (seconds: number) => {
		const before = web.requests.length;
		const outcome = await syncOnce({ ...context, logger: context.log as Logger, now: () => start + seconds * 1_000 });
		return { outcome, requests: web.requests.length - before };
	};
	for (const [seconds, requests, leftSeconds] of [
		[0, 1, 60],
		[30, 0, 30],
		[70, 1, 120],
		[150, 0, 40],
		[250, 1, 240],
	] as const) {
		scratch.write(`helios/at-${seconds}`, "1");
		const { outcome, requests: made } = await once(seconds);
		if (outcome.ok) throw new Error("it did not fail");
		expect(outcome.error).toMatchObject({ code: "RATE_LIMITED", remoteMessage: "slow down" });
		expect([seconds, made]).toEqual([seconds, requests]);
		expect(Date.parse(outcome.state.next_attempt ?? "") - start - seconds * 1_000).toBeGreaterThanOrEqual(leftSeconds * 1_000 - 1_000);
		if (requests === 0) expect(outcome.error.message).toMatch(/waiting another \d+ s \(until .*Z\)/);
	}
	// The change is committed here, and published later; or at once, if a person has set another remote.
	expect(scratch.git("helios", "ls-files").trim().split("\n")).toContain("at-150");
	Object.assign(web, { answer: "serve" });
	const { outcome } = await once(260);
	expect(outcome.ok).toBe(false);
	fs.utimesSync(scratch.path("helios/.git/config"), new Date(), start / 1_000 + 255);
	expect((await once(261)).outcome.ok).toBe(true);
	expect(scratch.git("hub.git", "ls-tree", "--name-only", "main")).toContain("at-250");
});

test("--once: a push in steps, a push interval → keeps it, all is there", async () => {
	await change("a");
	scratch.git("helios", "config", "http.postBuffer", "10000000");
	web.maxBytes = 400_000;
	for (let index = 0; index < 3; index++) {
		scratch.write(`helios/large${index}`, randomBytes(250_000));
		scratch.commitAll("helios", `large ${index}`);
	}
	const times: number[] = [];
	web.onPush = () => times.push(performance.now());
	const config = parseConfig({ NODE_NAME: "helios", SYNC_PUSH_INTERVAL: "2" });
	expect(await syncOnce({ paths: context.paths, config, logger: context.log as Logger })).toMatchObject({ ok: true, result: { ahead: 0 } });
	expect(times).toHaveLength(4);
	for (const [index, at] of times.slice(1).entries()) expect(at - (times[index] as number)).toBeGreaterThan(1_000);
	expect(scratch.git("hub.git", "ls-tree", "--name-only", "main").trim().split("\n")).toHaveLength(4);
});

test("public host: five busy nodes → six pushes a minute, all arrives", async () => {
	const names = ["a", "b", "c", "d", "e"].map((letter) => `node-${letter}`);
	const url = "https://github.com/me/workspace.git";
	const counted = scratch.path("pushes");
	scratch.write("hub.git/hooks/pre-receive", `#!/bin/sh\nprintf x >> '${counted}'\n`, 0o755);
	const pushesSoFar = () => (fs.existsSync(counted) ? fs.statSync(counted).size : 0);
	await change("start");
	const wall = 1_800_000_000_000;
	const nodes: { context: CycleContext; nextChange: number; wakeAt: number }[] = [];
	for (const name of names) {
		scratch.git(".", "clone", "-q", "hub.git", name);
		scratch.git(name, "remote", "set-url", "origin", url);
		scratch.git(name, "config", `url.file://${scratch.path("hub.git")}.insteadOf`, url);
		const base = await cycleContext(scratch, name);
		const peers = names.filter((other) => other !== name).map((other) => `${other}=127.0.0.1`);
		const config = parseConfig({ NODE_NAME: name, PEERS: peers.join(",") });
		const memory = { ...newMemory(base.paths, false), pace: new HubPace(() => now), branch: "main", indexChecked: true };
		nodes.push({ context: { ...base, config, memory, now: () => wall + now }, nextChange: 1_000 * nodes.length, wakeAt: 0 });
	}
	const pushed: number[] = [];
	const start = pushesSoFar();
	const busyMs = 60_000;
	for (now = 0; now < busyMs + 110_000; now += 1_000) {
		for (const node of nodes) {
			const isChange = now >= node.nextChange && now < busyMs;
			if (!isChange && now < node.wakeAt) continue;
			if (isChange) {
				scratch.write(`${node.context.config.nodeName}/${node.context.config.nodeName}-${now}`, "1");
				node.nextChange += 15_000;
			}
			const before = pushesSoFar();
			configurePace(node.context.memory.pace, node.context.repository, node.context);
			const { postponedMs } = await runCycle(node.context);
			for (let count = pushesSoFar() - before; count > 0; count--) pushed.push(now);
			node.wakeAt = now + waitAfterCycleMs(postponedMs, 60_000);
		}
	}
	expect(pushed.length).toBe(pushesSoFar() - start);
	expect(pushed.filter((at, index) => (pushed[index + 6] ?? Number.POSITIVE_INFINITY) < at + 60_000)).toEqual([]);
	// The first change of each node was published at once.
	expect(pushed.slice(0, 5)).toEqual([0, 1_000, 2_000, 3_000, 4_000]);
	const files = scratch.git("hub.git", "ls-tree", "--name-only", "main").trim().split("\n");
	expect(files.filter((file) => file.startsWith("node-"))).toHaveLength(20);
});
