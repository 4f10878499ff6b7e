import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { cycleContext } from "../testing/cycle-context.ts";
import { maintainWorkspace } from "./maintain-workspace.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("maintain-workspace");
	scratch.init("helios");
	scratch.write("helios/notes.md", "hello\n");
	scratch.commitAll("helios");
});
afterEach(() => scratch.remove());

test("leftovers: of killed processes → removed after an hour, nothing else is", async () => {
	const old = new Date(Date.now() - 2 * 60 * 60_000);
	const refs = "helios/.git/robust-sync/merge.git/refs";
	const gone = ["helios/sync/sync_state.json.123", "helios/sync/outbox.tmp", `${refs}/new/aaaa`, `${refs}/new/aaaa.lock`];
	const kept = ["helios/sync/monitor_status.json", "helios/sync/mine.txt", `${refs}/heads/none`];
	for (const name of [...gone, ...kept]) {
		scratch.write(name, "half");
		fs.utimesSync(scratch.path(name), old, old);
	}
	const now = ["helios/sync/new.tmp", `${refs}/new/bbbb.lock`];
	for (const name of now) scratch.write(name, "half");
	await maintainWorkspace(await cycleContext(scratch, "helios"));
	expect(gone.filter((name) => fs.existsSync(scratch.path(name)))).toEqual([]);
	expect([...kept, ...now].filter((name) => !fs.existsSync(scratch.path(name)))).toEqual([]);
});
