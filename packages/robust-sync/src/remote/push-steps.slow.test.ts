import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type HttpGitServer, startHttpServer } from "@robust-sync/git/fixtures/http-server";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import type { CycleContext } from "../context/cycle-context.ts";
import { runCycle } from "../cycle/cycle.ts";
import { newMemory } from "../daemon/new-memory.ts";
import { cycleContext } from "../testing/cycle-context.ts";
import { HubPace } from "./hub-pace.ts";

let scratch: Scratch;
let web: HttpGitServer;
let context: CycleContext;
beforeEach(async () => {
	scratch = new Scratch("steps");
	scratch.hub();
	scratch.git("hub.git", "config", "receive.unpackLimit", "1");
	web = await startHttpServer(scratch.directory);
	scratch.init("helios", `${web.url}/hub.git`);
	// Pushes announce their length: the server refuses them by it.
	scratch.git("helios", "config", "http.postBuffer", "10000000");
	context = await cycleContext(scratch, "helios");
	context = { ...context, memory: { ...newMemory(context.paths, false), branch: "main" } };
	scratch.write("helios/a", "1");
	await runCycle(context);
});
afterEach(async () => {
	await web.close();
	scratch.remove();
});

const pushes = () => web.requests.filter((request) => request.startsWith("POST git-receive-pack")).length;
const onHub = () => scratch.git("hub.git", "ls-tree", "-r", "--name-only", "main").trim().split("\n");

/** Five commits of 150 kB each, made while the hub was away. */
function fiveCommits(): void {
	for (let index = 0; index < 5; index++) {
		scratch.write(`helios/large${index}`, randomBytes(150_000));
		scratch.commitAll("helios", `large ${index}`);
	}
}

test.each([413, 408])("web hub: %d for five commits at once → pushed in steps, in one cycle", async (status) => {
	Object.assign(web, { maxBytes: 400_000, tooLarge: status });
	fiveCommits();
	const before = pushes();
	expect(await runCycle(context)).toMatchObject({ pushed: 5 });
	expect(onHub()).toHaveLength(6);
	expect(scratch.git("hub.git", "rev-parse", "main")).toBe(scratch.git("helios", "rev-parse", "HEAD"));
	expect(pushes() - before).toBeLessThanOrEqual(6);
});

test("web hub: size refusal, the branch moved meanwhile → merges in steps, all there", async () => {
	web.maxBytes = 400_000;
	scratch.git(".", "clone", "-q", "hub.git", "chad");
	scratch.write("chad/from-chad", "1");
	scratch.commitAll("chad");
	scratch.git("chad", "push", "-q", "origin", "main");
	fiveCommits();
	await runCycle(context);
	expect(onHub()).toHaveLength(7);
	expect(scratch.read("helios/from-chad")).toBe("1");
	expect(scratch.git("hub.git", "rev-parse", "main")).toBe(scratch.git("helios", "rev-parse", "HEAD"));
});

test("web hub: one commit too large → those before are there, commit and file named", async () => {
	web.maxBytes = 400_000;
	fiveCommits();
	scratch.write("helios/small", "1");
	scratch.write("helios/too large.bin", randomBytes(600_000));
	const commit = scratch.commitAll("helios", "too large");
	await expect(runCycle(context)).rejects.toMatchObject({
		code: "PUSH_TOO_LARGE",
		message: expect.stringMatching(new RegExp(`commit ${commit.slice(0, 12)} .* too large\\.bin \\(\\d+\\.\\d kB\\)`)),
	});
	expect(onHub()).toHaveLength(6);
});

test("receive.maxInputSize: five commits → in steps; a file too large → left out", async () => {
	scratch.git("hub.git", "config", "receive.maxInputSize", "400000");
	fiveCommits();
	expect(await runCycle(context)).toMatchObject({ pushed: 5 });
	scratch.write("helios/x.bin", randomBytes(600_000));
	scratch.write("helios/small", "1");
	const { skipped } = await runCycle(context);
	expect(skipped).toMatchObject([{ path: "x.bin", reason: "refused-by-hub", remedy: expect.stringContaining("maximum allowed size") }]);
	expect(onHub()).toContain("small");
	expect(scratch.git("hub.git", "rev-parse", "main")).toBe(scratch.git("helios", "rev-parse", "HEAD"));
});

test("web hub: a hang-up amid a push → pushed in steps; one too large → named", async () => {
	Object.assign(web, { maxBytes: 400_000, tooLarge: "hang-up" });
	fiveCommits();
	expect(await runCycle(context)).toMatchObject({ pushed: 5 });
	expect(onHub()).toHaveLength(6);
	scratch.write("helios/too large.bin", randomBytes(600_000));
	await expect(runCycle(context)).rejects.toMatchObject({
		code: "REMOTE_UNREACHABLE",
		message: expect.stringMatching(/ended during the push.*does not get through even alone; .* too large\.bin \(\d+\.\d kB\)/),
	});
});

test("web hub: each push is cut off → REMOTE_UNREACHABLE after a few", async () => {
	fiveCommits();
	Object.assign(web, { maxBytes: 0, tooLarge: "hang-up" });
	const before = pushes();
	await expect(runCycle(context)).rejects.toMatchObject({ code: "REMOTE_UNREACHABLE" });
	expect(pushes() - before).toBeLessThanOrEqual(4);
});

test("steps: a push interval → one push a turn, nothing is tried twice", async () => {
	let now = 0;
	const pace = new HubPace(() => now);
	pace.configure(20_000, 0);
	context = { ...context, memory: { ...newMemory(context.paths, false), pace, branch: "main", indexChecked: true } };
	web.maxBytes = 400_000;
	fiveCommits();
	const made: number[] = [];
	let ahead = 1;
	for (; ahead > 0 && made.length < 50; now += 10_000) {
		const before = pushes();
		({ ahead } = await runCycle(context));
		made.push(pushes() - before);
		expect(pushes() - before).toBeLessThanOrEqual(now % 20_000 === 0 ? 1 : 0);
	}
	// Five at once, two, two, one.
	expect(made.filter((count) => count > 0)).toHaveLength(4);
	expect(onHub()).toHaveLength(6);
});

test("steps: a rate limit amid them → RATE_LIMITED, the rest follows later", async () => {
	web.maxBytes = 400_000;
	fiveCommits();
	web.limitAfterPushes = 2;
	await expect(runCycle(context)).rejects.toMatchObject({ code: "RATE_LIMITED" });
	expect(onHub()).toHaveLength(3);
	web.limitAfterPushes = Number.POSITIVE_INFINITY;
	const before = pushes();
	await runCycle(context);
	expect(onHub()).toHaveLength(6);
	expect(pushes() - before).toBe(2);
});
