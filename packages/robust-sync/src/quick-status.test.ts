import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { processStartedAt, type SyncState, syncStateSchema } from "@robust-sync/workspace";
import { plainState } from "./quick-status.ts";

const program = path.resolve(import.meta.dirname, "../../../bin/robust-sync");
let workspace: string;

beforeAll(() => {
	workspace = mkdtempSync(path.join(os.tmpdir(), "quick-status-"));
	mkdirSync(path.join(workspace, "sync"));
});
afterAll(() => rmSync(workspace, { recursive: true, force: true }));

const state: SyncState = {
	schema: 1,
	node: "helios",
	pid: process.pid,
	pid_started_at: processStartedAt(process.pid) ?? "",
	updated_at: new Date().toISOString(),
	started_at: "2026-02-18T02:00:00.000Z",
	status: "idle",
	last_attempt: "2026-02-18T02:00:00.000Z",
	last_sync: "2026-02-18T02:00:00.000Z",
	last_error: null,
	consecutive_failures: 0,
	next_attempt: null,
	interval_seconds: 60,
	branch: "main",
	remote: "origin",
	head: "0".repeat(40),
	ahead: 0,
	behind: 2,
	messages_pending: 1,
	skipped: [],
	last_cycle: { duration_ms: 12.5, committed: 1, pulled: 0, pushed: 1, resolved: 0 },
	totals: { cycles: 3, failures: 0, commits: 1, resolved: 0, rescued: 0 },
};

function status(...args: string[]) {
	const { stdout, stderr, status } = spawnSync(process.execPath, [program, "--status", ...args], {
		cwd: workspace,
		env: { PATH: process.env.PATH, SYNC_WORKSPACE: workspace, TZ: "UTC" },
		encoding: "utf8",
	});
	// The age of the last sync may pass a minute between two calls.
	return { stdout: stdout.replace(/\(\d+ \w+ ago\)/g, "(ago)"), stderr, status };
}

describe("the status says the same, quickly or from the whole program", () => {
	const cases: [string, unknown, number][] = [
		["a healthy daemon", state, 0],
		["a daemon that retries", { ...state, status: "retrying", consecutive_failures: 2 }, 1],
		[
			"a daemon with an error and skipped files",
			{
				...state,
				status: "failed",
				last_error: { code: "INTERNAL", message: "x", at: state.started_at },
				skipped: [{ path: "a", reason: "too-large" }],
			},
			1,
		],
		["one that stopped", { ...state, status: "stopped" }, 3],
		["a process that is gone", { ...state, pid: 4_194_305 }, 3],
		["a newer writer's state", { ...state, more: { fields: 1 } }, 0],
		["a state of another schema", { ...state, schema: 2 }, 3],
		["hostile JSON", { __proto__: null, totals: [] }, 3],
	];
	test.each(cases)("%s", (_name, content, exitCode) => {
		writeFileSync(path.join(workspace, "sync/sync_state.json"), JSON.stringify(content));
		// With --verbose only the whole program answers.
		for (const args of [[], ["--json"]]) {
			const quick = status(...args);
			expect(quick).toEqual(status(...args, "--verbose"));
			expect(quick.status).toBe(exitCode);
			expect(quick.stdout).not.toBe("");
		}
	});

	test("a torn file", () => {
		writeFileSync(path.join(workspace, "sync/sync_state.json"), JSON.stringify(state).slice(0, 200));
		expect(status()).toEqual(status("--verbose"));
		expect(status().status).toBe(3);
	});

	test("wrong uses", () => {
		for (const args of [["--once"], ["--dry-run"], ["--workspace"], ["--workspace", "/nowhere"], ["--status", "--interval", "3"]]) {
			const quick = status(...args);
			expect(quick.status).toBe(2);
			expect(quick.stderr).toMatch(/^robust-sync: .+\n$/);
		}
	});
});

test("whatever is taken for a plain state is one by the schema, and nothing of it is dropped", () => {
	expect(plainState(JSON.stringify(state))).toEqual(state);
	const values: unknown[] = [null, 0, -1, 1.5, 1e300, "", "x", "2026-02-18T02:00:00.000Z", [], [1], {}, true, "idle", "gone", undefined];
	const wrong: string[] = [];
	let accepted = 0;
	const check = (candidate: object, where: string) => {
		const json = JSON.stringify(candidate);
		const plain = plainState(json);
		if (plain === null) return;
		accepted++;
		const parsed = syncStateSchema.safeParse(JSON.parse(json));
		if (!parsed.success || JSON.stringify(parsed.data) !== JSON.stringify(plain)) wrong.push(where);
	};
	for (const name of [...Object.keys(state), "unknown"] as (keyof SyncState)[]) {
		for (const value of values) {
			check({ ...state, [name]: value }, `${name}: ${String(value)}`);
			for (const inner of Object.keys((state[name] as object | null) ?? {})) {
				if (typeof state[name] === "object")
					check({ ...state, [name]: { ...(state[name] as object), [inner]: value } }, `${name}.${inner}: ${String(value)}`);
			}
		}
	}
	expect(wrong).toEqual([]);
	expect(accepted).toBeGreaterThan(50);
});
