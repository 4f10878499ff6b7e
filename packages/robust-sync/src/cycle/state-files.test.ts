import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { WorkspacePaths } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { invalidStates, setAsideInvalidStates } from "./state-files.ts";

let scratch: Scratch;
let paths: WorkspacePaths;
beforeEach(() => {
	scratch = new Scratch("states");
	paths = new WorkspacePaths(scratch.directory);
	fs.mkdirSync(paths.sync, { mode: 0o700 });
});
afterEach(() => scratch.remove());

const context = () =>
	({ paths, now: () => Date.parse("2026-02-18T02:00:00.000Z"), memory: { validStates: new Map() } }) as unknown as CycleContext;
const names = () => fs.readdirSync(paths.sync).sort();

const ofCycles = ["outbox", "journal", "held", "refused", "unsaved_merges", "guard", "annotation"];

test.each([...ofCycles, "heartbeat_state", "health_state", "monitor_status", "peer_chad_state", "pause"])(
	"state files: %s.json is torn, of another schema, or no file → named, with a fix",
	(name) => {
		const file = path.join(paths.sync, `${name}.json`);
		expect(invalidStates(paths)).toEqual([]);
		for (const text of ["", "{", '{"schema":99}', "[]"]) {
			fs.writeFileSync(file, text);
			expect(invalidStates(paths)).toEqual([{ name: `${name}.json`, problem: expect.any(String), fix: expect.stringMatching(/^(re|ro)/) }]);
		}
		fs.rmSync(file);
		fs.mkdirSync(file);
		expect(invalidStates(paths)).toMatchObject([{ name: `${name}.json`, problem: "not a regular file" }]);
	},
);

test("state files: those of cycles are torn → each moved aside, reported; others stay", async () => {
	for (const name of [...ofCycles, "pause", "silences"]) fs.writeFileSync(path.join(paths.sync, `${name}.json`), "{");
	const line = await setAsideInvalidStates(context());
	for (const name of ofCycles)
		expect(line).toContain(`sync/${name}.json was not valid (not JSON): moved to ${name}.json.corrupt-20260218T020000.000Z`);
	expect(names()).toEqual([...ofCycles.map((name) => `${name}.json.corrupt-20260218T020000.000Z`), "pause.json", "silences.json"].sort());
	expect(await setAsideInvalidStates(context())).toBeNull();
});

test("state files: valid, then overwritten by hand → checked when it changes", async () => {
	const same = context();
	fs.writeFileSync(paths.held, '{"schema":1,"paths":[],"mounts":[]}');
	expect(await setAsideInvalidStates(same)).toBeNull();
	fs.writeFileSync(paths.held, "no longer");
	expect(await setAsideInvalidStates(same)).toContain("sync/held.json was not valid");
});
