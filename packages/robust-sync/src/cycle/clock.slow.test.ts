import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { parseConfig, readState, syncStateSchema, WorkspacePaths } from "@robust-sync/workspace";
import { syncOnce } from "../commands/once.ts";

const day = 86_400_000;
let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("clock");
	scratch.hub();
	for (const name of ["helios", "chad"]) scratch.init(name, scratch.path("hub.git"));
});
afterEach(() => scratch.remove());

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** One cycle of a node whose clock is off by this much. */
async function cycle(name: string, offsetMs: number) {
	const paths = new WorkspacePaths(scratch.path(name));
	const outcome = await syncOnce({
		paths,
		config: parseConfig({ NODE_NAME: name }),
		logger: quiet as never,
		now: () => Date.now() + offsetMs,
	});
	if (!outcome.ok) throw outcome.error;
	return { paths, result: outcome.result };
}

test("clock: a day ahead and back → no file, message or order lost", async () => {
	for (const [index, offset] of [0, day, -day, 0, -day, day].entries()) {
		scratch.write("helios/notes.md", `${index}\n`);
		const pending = scratch.path("helios/sync/pending");
		fs.mkdirSync(pending, { recursive: true });
		scratch.write(`helios/sync/pending/m${index}`, String(index));
		const { paths, result } = await cycle("helios", offset);
		expect(result).toMatchObject({ delivered: 1, pushed: 1 });
		expect(readState(paths.syncState, syncStateSchema).kind).toBe("ok");
	}
	await cycle("chad", day);
	expect(scratch.read("chad/notes.md")).toBe("5\n");
	// Days apart; commit times that never step back still order them.
	const messages = (fs.readdirSync(scratch.path("chad/messages/helios"), { recursive: true }) as string[])
		.filter((name) => name.includes("/"))
		.sort();
	expect(messages.map((name) => scratch.read(`chad/messages/helios/${name}`))).toEqual(["0", "1", "2", "3", "4", "5"]);
});

test("clock: nodes two days apart → merge to the same files", async () => {
	scratch.write("helios/state.json", '{"a":0}\n');
	await cycle("helios", 0);
	await cycle("chad", 0);
	for (let round = 0; round < 3; round++) {
		scratch.write("helios/state.json", scratch.read("helios/state.json").replace("}", `,"helios${round}":1}`));
		scratch.write("chad/state.json", scratch.read("chad/state.json").replace("}", `,"chad${round}":1}`));
		await cycle("helios", day);
		await cycle("chad", -day);
		await cycle("helios", day);
	}
	expect(scratch.read("chad/state.json")).toBe(scratch.read("helios/state.json"));
	expect(Object.keys(JSON.parse(scratch.read("chad/state.json"))).sort()).toEqual([
		"a",
		"chad0",
		"chad1",
		"chad2",
		"helios0",
		"helios1",
		"helios2",
	]);
});

test("clock: files from the future or before 1970 → committed like any other", async () => {
	scratch.write("helios/future", "1");
	scratch.write("helios/past", "1");
	fs.utimesSync(scratch.path("helios/future"), 4_000_000_000, 4_000_000_000);
	fs.utimesSync(scratch.path("helios/past"), 0, 0);
	await cycle("helios", 0);
	await cycle("chad", 0);
	expect([scratch.read("chad/future"), scratch.read("chad/past")]).toEqual(["1", "1"]);
});
