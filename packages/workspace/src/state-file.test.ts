import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { readState } from "./read-state.ts";
import { readOwnState, writeState } from "./state-file.ts";
import { syncStateSchema } from "./state-schemas.ts";
import { syncStateAt } from "./testing/sync-state.ts";

let directory: string;
let file: string;

beforeEach(() => {
	directory = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-state-"));
	file = path.join(directory, "sync_state.json");
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const at = "2026-02-18T02:00:00.000Z";
const state = syncStateAt(at, {
	last_sync: null,
	last_error: { code: "INTERNAL", message: "x", at },
	skipped: [{ path: "a", reason: "too-large" }],
	last_cycle: { duration_ms: 1.5, committed: 0, pulled: 0, pushed: 0, resolved: 0 },
});

test("state file: written → read", async () => {
	await writeState(file, state);
	expect(readState(file, syncStateSchema)).toEqual({ kind: "ok", state });
	expect(fs.readdirSync(directory)).toEqual(["sync_state.json"]);
});

test("state file: fields of a newer version → no harm", async () => {
	await writeState(file, { ...state, invented_later: { deep: [1] } });
	expect(readState(file, syncStateSchema)).toEqual({ kind: "ok", state });
});

describe("a file that is not a state file is invalid, never an exception", () => {
	const text = JSON.stringify(state);
	const hostile: readonly (readonly [what: string, content: string | Buffer])[] = [
		["empty", ""],
		["cut off anywhere", text.slice(0, 100)],
		["only the first byte", "{"],
		["zeros, as after a power cut", Buffer.alloc(4096)],
		["not UTF-8", Buffer.from([0xff, 0xfe, 0x00])],
		["null", "null"],
		["a list", "[]"],
		["a number", "1"],
		["another schema", JSON.stringify({ ...state, schema: 2 })],
		["no schema", JSON.stringify({ ...state, schema: undefined })],
		["a status that does not exist", JSON.stringify({ ...state, status: "fine" })],
		["a time that is none", JSON.stringify({ ...state, updated_at: "yesterday" })],
		["a negative count", JSON.stringify({ ...state, ahead: -1 })],
		["a text for a number", JSON.stringify({ ...state, pid: "42" })],
		["an object that claims to be a prototype", '{"__proto__":{"schema":1},"constructor":{}}'],
		["nested a hundred thousand deep", "[".repeat(100_000)],
		["two documents", text + text],
	];
	test.each(hostile)("state file: %s → invalid", (_what, content) => {
		fs.writeFileSync(file, content);
		expect(readState(file, syncStateSchema).kind).toBe("invalid");
	});

	test("state file: larger than any honest one → not even read", () => {
		fs.writeFileSync(file, "");
		fs.truncateSync(file, 20 * 1024 * 1024 * 1024);
		expect(readState(file, syncStateSchema)).toEqual({ kind: "invalid", problem: expect.stringMatching(/larger than/) });
	});

	test("state file: a directory or a fifo in its place → invalid", () => {
		fs.mkdirSync(file);
		expect(readState(file, syncStateSchema)).toEqual({ kind: "invalid", problem: "not a regular file" });
	});

	test("state file: a link in its place → invalid, wherever it leads", () => {
		for (const target of ["nowhere", "/etc/passwd"]) {
			fs.symlinkSync(target, file);
			expect(readState(file, syncStateSchema)).toEqual({ kind: "invalid", problem: "not a regular file" });
			fs.rmSync(file);
		}
	});

	test("state file: every prefix of a valid one → invalid", () => {
		for (let length = 0; length < text.length; length += 7) {
			fs.writeFileSync(file, text.slice(0, length));
			expect(readState(file, syncStateSchema).kind).toBe("invalid");
		}
	});
});

describe("the owner of a file that does not parse", () => {
	const now = () => Date.parse("2026-02-18T02:00:00.000Z");

	test("corrupt state: its owner → moves it aside, reports it, starts again", () => {
		fs.writeFileSync(file, "{torn");
		const reported: string[] = [];
		expect(readOwnState(file, syncStateSchema, { now, onCorrupt: (moved, problem) => reported.push(moved, problem) })).toBeNull();
		expect(reported).toEqual([`${file}.corrupt-20260218T020000.000Z`, "not JSON"]);
		expect(fs.readFileSync(`${file}.corrupt-20260218T020000.000Z`, "utf8")).toBe("{torn");
		expect(fs.existsSync(file)).toBe(false);
	});

	test("corrupt state: a directory → moved aside as well, writing works again", async () => {
		fs.mkdirSync(path.join(file, "deep"), { recursive: true });
		expect(readOwnState(file, syncStateSchema, { now })).toBeNull();
		await writeState(file, state);
		expect(readState(file, syncStateSchema).kind).toBe("ok");
	});

	test("corrupt state: two in one millisecond → both kept", () => {
		for (const content of ["{a", "{b"]) {
			fs.writeFileSync(file, content);
			readOwnState(file, syncStateSchema, { now });
		}
		const kept = fs.readdirSync(directory).map((name) => fs.readFileSync(path.join(directory, name), "utf8"));
		expect(kept.sort()).toEqual(["{a", "{b"]);
	});
});
