import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type HttpGitServer, startHttpServer } from "@robust-sync/git/fixtures/http-server";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { runCycle } from "./cycle.ts";
import type { CycleContext } from "./cycle-context.ts";
import { newMemory } from "./daemon.ts";
import { cycleContext } from "./testing/cycle-context.ts";

let scratch: Scratch;
let web: HttpGitServer;
let context: CycleContext;
beforeEach(async () => {
	scratch = new Scratch("steps");
	scratch.hub();
	scratch.git("hub.git", "config", "receive.unpackLimit", "1");
	web = await startHttpServer(scratch.directory);
	scratch.init("helios", `${web.url}/hub.git`);
	// Pushes say how long they are: by that the server refuses them.
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

test("web hub: a size refusal, and the branch moved meanwhile → steps are merges, everything is there", async () => {
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

test("web hub: one commit is too large by itself → those before it are there, commit and file are named", async () => {
	web.maxBytes = 400_000;
	fiveCommits();
	scratch.write("helios/small", "1");
	scratch.write("helios/too large.bin", randomBytes(600_000));
	const commit = scratch.commitAll("helios", "too large");
	await expect(runCycle(context)).rejects.toMatchObject({
		code: "PUSH_TOO_LARGE",
		message: expect.stringMatching(new RegExp(`commit ${commit.slice(0, 12)} .* too large\\.bin \\(0\\.6 MB\\)`)),
	});
	expect(onHub()).toHaveLength(6);
});

test("hub with receive.maxInputSize: five commits at once → pushed in steps; one too large → its words and the file", async () => {
	scratch.git("hub.git", "config", "receive.maxInputSize", "400000");
	fiveCommits();
	expect(await runCycle(context)).toMatchObject({ pushed: 5 });
	scratch.write("helios/x.bin", randomBytes(600_000));
	await expect(runCycle(context)).rejects.toMatchObject({
		code: "PUSH_REJECTED",
		message: expect.stringContaining("x.bin (0.6 MB)"),
		remoteMessage: expect.stringContaining("maximum allowed size"),
	});
});
