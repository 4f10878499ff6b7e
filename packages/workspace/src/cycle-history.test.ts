import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readCycleHistory, recordCycle, slotMs } from "./cycle-history.ts";
import { WorkspacePaths } from "./paths.ts";

let paths: WorkspacePaths;
const start = Date.parse("2026-02-18T02:00:00.000Z");
const day = 24 * 60 * 60_000;

beforeEach(() => {
	paths = new WorkspacePaths(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-history-")));
	fs.mkdirSync(paths.sync);
});
afterEach(() => fs.rmSync(paths.root, { recursive: true, force: true }));

test("cycle history: cycles → counted into slots of 30 seconds", () => {
	recordCycle(paths, start, 10, false);
	recordCycle(paths, start + 29_999, 30, true);
	recordCycle(paths, start + 30_000, 5, false);
	expect(readCycleHistory(paths, start + 60_000)).toEqual([
		{ at: start, cycles: 2, failures: 1, longest_ms: 30 },
		{ at: start + slotMs, cycles: 1, failures: 0, longest_ms: 5 },
	]);
});

test("cycle history: more than 24 hours → does not grow past that", () => {
	for (let hour = 0; hour < 72; hour++) recordCycle(paths, start + hour * 3_600_000, 1, false);
	expect(readCycleHistory(paths, start + 71 * 3_600_000)).toHaveLength(24);
	for (let slot = 0; slot < 3_000; slot++) recordCycle(paths, start + slot * slotMs, 1, false);
	expect(fs.statSync(paths.cycleHistory).size).toBe(2_880 * 48);
});

test("cycle history: a clock back or far ahead → nothing from the future", () => {
	recordCycle(paths, start + day * 30, 1, false);
	recordCycle(paths, start, 1, false);
	expect(readCycleHistory(paths, start)).toEqual([{ at: start, cycles: 1, failures: 0, longest_ms: 1 }]);
});

test("cycle history: torn, hostile or missing file → history lost, nothing more", () => {
	expect(readCycleHistory(paths, start)).toEqual([]);
	fs.writeFileSync(paths.cycleHistory, Buffer.from("\xff\xfe 1 2 3\n-1 -1 -1 -1\n1e9 x\n", "latin1"));
	expect(readCycleHistory(paths, start)).toEqual([]);
	recordCycle(paths, start, 7, false);
	expect(readCycleHistory(paths, start)).toEqual([{ at: start, cycles: 1, failures: 0, longest_ms: 7 }]);
	fs.rmSync(paths.cycleHistory);
	fs.mkdirSync(paths.cycleHistory);
	expect(() => recordCycle(paths, start, 1, false)).not.toThrow();
	expect(readCycleHistory(paths, start)).toEqual([]);
});

test("cycle history: a duration of any size → fits its slot", () => {
	recordCycle(paths, start, Number.MAX_SAFE_INTEGER, false);
	recordCycle(paths, start + slotMs, 1, false);
	expect(readCycleHistory(paths, start + slotMs)).toHaveLength(2);
});
