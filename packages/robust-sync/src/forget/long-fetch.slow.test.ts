import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Repository } from "@robust-sync/git";
import { Scratch, until } from "@robust-sync/git/fixtures/scratch";
import { parseConfig, WorkspacePaths } from "@robust-sync/workspace";
import { forget } from "../commands/forget-verb.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { runCycle } from "../cycle/cycle.ts";
import { cycleContext } from "../testing/cycle-context.ts";
import { fetchWithoutForgotten } from "./forgotten-upstream.ts";

// A fetch that takes long, of a history that a peer has replaced: the map is applied to the history that is here, and only what is new is fetched.

const value = "tok_9sK2mQ7vXcL4rT8w";
const key = { NODE_NAME: "helios", HEARTBEAT_KEY: "a key that all of them have", SYNC_SECRETS: "off" };
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

let scratch: Scratch;
let context: CycleContext;
/** The commands that talked to the hub, without those for the ref of maps, each with the number of objects that came with it. */
let steps: [string, number][] = [];
/** The longest of them, milliseconds. */
let longestMs = 0;
/** Whether fetches of the branch that can be ended last until then. */
let isSlow = false;

const countObjects = () =>
	scratch.git("w", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split("\n").filter(Boolean).length;

/** Runs git as a node does, and counts. */
const counted: Repository["run"] = async function (this: Repository, args, options) {
	const name = args[0] ?? "";
	if (!["fetch", "ls-remote", "push"].includes(name)) return await Repository.prototype.run.call(this, args, options);
	const isBranch = name === "fetch" && args.some((arg) => arg.includes("refs/heads/main"));
	if (isBranch && isSlow && options?.signal) {
		await until(() => options.signal?.aborted === true, "the end of the fetch");
		steps.push(["fetch, ended", 0]);
		return { stdout: Buffer.alloc(0), stderr: "", exitCode: 0 };
	}
	const before = countObjects();
	const started = performance.now();
	const result = await Repository.prototype.run.call(this, args, options);
	longestMs = Math.max(longestMs, performance.now() - started);
	steps.push([name, countObjects() - before]);
	return result;
};

beforeEach(async () => {
	scratch = new Scratch("long-fetch");
	scratch.hub();
	for (const name of ["peer", "w"]) scratch.init(name, scratch.path("hub.git"));
	for (let index = 0; index < 6; index++) {
		scratch.write(`peer/d/f${index}.txt`, `line ${index} ${value}\n`);
		scratch.commitAll("peer");
	}
	scratch.git("peer", "push", "-q", "origin", "HEAD:main");
	context = await cycleContext(scratch, "w", { config: parseConfig(key) });
	await runCycle(context);
	while (context.memory.hasMoved) await runCycle(context);
	scratch.write("value", value);
	const paths = new WorkspacePaths(scratch.path("peer"));
	const options = { forgetValue: scratch.path("value") };
	expect(await forget({ paths, config: parseConfig({ ...key, NODE_NAME: "chad" }), logger: silent, options } as never, [])).toBe(0);
	const repository = new Repository(context.repository);
	repository.run = counted;
	context = { ...context, repository };
	steps = [];
	longestMs = 0;
});
afterEach(() => {
	isSlow = false;
	return scratch.remove();
});

test.each(["a peer announced it", "a push was refused"])("forget: a long fetch, %s → only what is new is fetched", async (why) => {
	isSlow = true;
	if (why.startsWith("a peer")) {
		context.memory.announced.add(scratch.git("hub.git", "rev-parse", "main").trim());
		await runCycle(context);
	} else {
		scratch.write("w/own.txt", `own ${value}\n`);
		scratch.commitAll("w");
		expect((await fetchWithoutForgotten(context, true, null)).replaced?.size).toBe(7);
	}
	expect(steps.map(([step]) => step)).toEqual(["ls-remote", "fetch, ended", "fetch"]);
	// The commit of the map and its root tree; the history before it was computed here.
	expect(steps.at(-1)?.[1]).toBeLessThanOrEqual(3);
	isSlow = false;
	await runCycle(context);
	expect(scratch.git("w", "log", "--format=%H", "--all", "-S", value)).toBe("");
	expect(scratch.git("w", "rev-parse", "main")).toBe(scratch.git("hub.git", "rev-parse", "main"));
	expect(scratch.read("w/d/f3.txt")).toMatch(/^line 3 forgotten-a/);
	scratch.git("w", "fsck", "--connectivity-only");
});

test("forget: a short fetch → no question", async () => {
	context.memory.announced.add(scratch.git("hub.git", "rev-parse", "main").trim());
	await runCycle(context);
	// On a busy machine it may be no short one.
	expect([steps.some(([step]) => step === "ls-remote") && longestMs < 500, steps.length > 0]).toEqual([false, true]);
	expect(scratch.git("w", "log", "--format=%H", "--all", "-S", value)).toBe("");
});
