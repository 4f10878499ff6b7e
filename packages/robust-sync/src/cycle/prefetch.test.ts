import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Repository } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import type { CycleContext } from "../context/cycle-context.ts";
import { cycleContext } from "../testing/cycle-context.ts";
import { runCycle } from "./cycle.ts";

// Without a watcher: what a cycle asks the remote while it scans, and when it scans again.

const lines = Array.from({ length: 12 }, (_, index) => `line ${index}`);
const text = (changed: Readonly<Record<number, string>>) => `${lines.map((line, index) => changed[index] ?? line).join("\n")}\n`;

let scratch: Scratch;
let context: CycleContext;
let commands: string[] = [];
/** A scan waits for this. */
let beforeScan: () => Promise<void> = async () => undefined;
/** Called with each command that begins. */
let onCommand: (command: string) => void = () => undefined;
/** Called when a fetch and all that ran beside it have ended. */
let afterFetch: () => void = () => undefined;
beforeEach(async () => {
	scratch = new Scratch("prefetch");
	scratch.hub();
	scratch.init("peer", scratch.path("hub.git"));
	scratch.init("w", scratch.path("hub.git"));
	push({ "a.txt": text({}), "other.txt": "other\n" });
	// Later than the latest write, which would wait.
	context = await cycleContext(scratch, "w", { now: () => Date.now() + 60_000, askBesideAfterMs: 600_000 });
	const repository = new Repository(context.repository);
	const running = new Set<Promise<unknown>>();
	repository.run = async (args, options) => {
		commands.push(args[0] ?? "");
		onCommand(args[0] ?? "");
		if (args[0] === "status") await beforeScan();
		const done = Repository.prototype.run.call(repository, args, options);
		if (args[0] !== "fetch") {
			running.add(done);
			return await done;
		}
		await done;
		await Promise.allSettled(running);
		afterFetch();
		return await done;
	};
	context = { ...context, repository };
	await cycle();
});
afterEach(() => {
	[afterFetch, onCommand, beforeScan] = [() => undefined, () => undefined, async () => undefined];
	return scratch.remove();
});

function push(files: Readonly<Record<string, string>>): void {
	for (const [name, content] of Object.entries(files)) scratch.write(`peer/${name}`, content);
	scratch.commitAll("peer");
	scratch.git("peer", "push", "-q", "origin", "HEAD:main");
}

/** Runs a cycle. @returns the questions to the remote, and the scans */
async function cycle(): Promise<string[]> {
	commands = [];
	await runCycle(context);
	return commands.filter((command) => ["fetch", "ls-remote", "push", "status"].includes(command)).sort();
}

test("prefetch: the remote moved in the last cycle → fetched at once; else asked", async () => {
	push({ "a.txt": text({ 0: "peer" }) });
	expect(await cycle()).toEqual(["fetch", "status"]);
	expect(scratch.read("w/a.txt")).toBe(text({ 0: "peer" }));
	expect(await cycle()).toEqual(["fetch", "status"]);
	expect(await cycle()).toEqual(["ls-remote", "status"]);
	push({ "a.txt": text({ 0: "peer again" }) });
	expect(await cycle()).toEqual(["fetch", "ls-remote", "status"]);
	expect(scratch.read("w/a.txt")).toBe(text({ 0: "peer again" }));
});

test("prefetch: a peer announced a head → one fetch, whether it is there or not", async () => {
	await rest();
	push({ "a.txt": text({ 0: "peer" }) });
	context.memory.announced.add(scratch.git("peer", "rev-parse", "HEAD").trim());
	expect(await cycle()).toEqual(["fetch", "status"]);
	expect(scratch.read("w/a.txt")).toBe(text({ 0: "peer" }));
	context.memory.announced.add("1".repeat(40));
	scratch.write("w/other.txt", "here\n");
	expect(await cycle()).toEqual(["fetch", "push", "status"]);
	expect(scratch.git("hub.git", "show", "main:other.txt")).toBe("here\n");
});

/** Cycles until the remote's last answer was that nothing moved. */
async function rest(): Promise<void> {
	while ((await cycle()).includes("fetch"));
}

test("prefetch: own change, the remote at rest → the push is the question", async () => {
	await rest();
	scratch.write("w/other.txt", "here\n");
	expect(await cycle()).toEqual(["push", "status"]);
	expect(scratch.git("hub.git", "show", "main:other.txt")).toBe("here\n");
});

test("prefetch: own change, the remote moved unseen → refused, fetched, merged", async () => {
	await rest();
	push({ "a.txt": text({ 0: "peer" }) });
	scratch.write("w/a.txt", text({ 11: "here" }));
	expect((await cycle()).filter((command) => command !== "status")).toEqual(["fetch", "push", "push"]);
	expect(scratch.git("hub.git", "show", "main:a.txt")).toBe(text({ 0: "peer", 11: "here" }));
});

test("prefetch: own change that must not be pushed yet → asked", async () => {
	await rest();
	push({ "a.txt": text({ 0: "peer" }) });
	context.memory.pace.configure(60_000, 0);
	context.memory.pace.pushes();
	scratch.write("w/other.txt", "here\n");
	expect(await cycle()).toEqual(expect.arrayContaining(["fetch", "ls-remote"]));
	expect(scratch.read("w/a.txt")).toBe(text({ 0: "peer" }));
});

test("prefetch: the scan takes long → asked beside it", async () => {
	await rest();
	context = { ...context, askBesideAfterMs: 1 };
	const asked = new Promise<void>((resolve) => {
		onCommand = (command) => command === "ls-remote" && resolve();
	});
	// The scan does not end before the question begins.
	beforeScan = () => asked;
	scratch.write("w/other.txt", "here\n");
	expect(await cycle()).toEqual(["ls-remote", "push", "status"]);
});

test("prefetch: own change, and the remote moved → both merged, one fetch", async () => {
	push({ "a.txt": text({ 0: "peer" }) });
	scratch.write("w/a.txt", text({ 11: "here" }));
	const asked = await cycle();
	expect(asked.filter((command) => command === "fetch")).toEqual(["fetch"]);
	expect(asked).not.toContain("ls-remote");
	expect(scratch.read("w/a.txt")).toBe(text({ 0: "peer", 11: "here" }));
	expect(scratch.git("hub.git", "show", "main:a.txt")).toBe(text({ 0: "peer", 11: "here" }));
});

test.each<[what: string, incoming: Record<string, string>, written: [name: string, content: string], expected: string]>([
	["a changed file", { "a.txt": text({ 0: "peer" }) }, ["a.txt", text({ 11: "here" })], text({ 0: "peer", 11: "here" })],
	["a new file", { "new.txt": text({ 0: "peer" }) }, ["new.txt", text({ 0: "peer" })], text({ 0: "peer" })],
])("second scan: %s of the peer's is written after the scan → found", async (_what, incoming, [name, content], expected) => {
	push(incoming);
	afterFetch = () => scratch.write(`w/${name}`, content);
	expect((await cycle()).filter((command) => command === "status").length).toBeGreaterThan(1);
	afterFetch = () => undefined;
	await cycle();
	expect(scratch.read(`w/${name}`)).toBe(expected);
	expect(scratch.git("hub.git", "show", `main:${name}`)).toBe(expected);
});

test("second scan: another file is written after the scan → the next cycle's", async () => {
	push({ "a.txt": text({ 0: "peer" }) });
	afterFetch = () => scratch.write("w/other.txt", "here\n");
	expect((await cycle()).filter((command) => command === "status")).toHaveLength(1);
	afterFetch = () => undefined;
	expect(scratch.read("w/other.txt")).toBe("here\n");
	await cycle();
	expect(scratch.git("hub.git", "show", "main:other.txt")).toBe("here\n");
});
