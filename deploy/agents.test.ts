import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

const here = path.join(import.meta.dirname, "agents");
let directory: string;
beforeEach(() => {
	directory = mkdtempSync(path.join(os.tmpdir(), "robust-sync-agents-"));
	writeFileSync(
		path.join(directory, "robust-sync"),
		`#!/bin/sh\nprintf '%s\\n' "$@" >"${directory}/args"\necho why >&2\nexit \${FAIL:-0}\n`,
	);
	chmodSync(path.join(directory, "robust-sync"), 0o755);
});
afterEach(() => rmSync(directory, { recursive: true }));

function hook(args: string[], input: string, env: Record<string, string> = {}) {
	const { status, stderr } = spawnSync(process.execPath, [path.join(here, "hook.mjs"), ...args], {
		input,
		encoding: "utf8",
		env: { ...process.env, ROBUST_SYNC: path.join(directory, "robust-sync"), ...env },
	});
	return { status, stderr, args: readFileSync(path.join(directory, "args"), "utf8").trimEnd().split("\n") };
}

describe("agents' hook:", () => {
	test.each([
		['{"session_id":"abc-123","prompt":"my password is hunter2"}', ["--run=abc-123"]],
		['{"session_id":"--json"}', ["--run=--json"]],
		['{"session_id":"two\\nlines"}', []],
		['{"session_id":7}', []],
		["not json", []],
		["null", []],
		["", []],
	])("before, event %s → an annotation with names only", (event, run) => {
		expect(hook(["before", "claude-code"], event)).toEqual({
			status: 0,
			stderr: "",
			args: ["--annotate=claude-code at work", "--agent=claude-code", ...run],
		});
	});

	test("after → waits; a failure is one line, and does not fail the agent", () => {
		expect(hook(["after"], "{}")).toEqual({ status: 0, stderr: "", args: ["--wait", "--timeout=30"] });
		expect(hook(["after"], "{}", { FAIL: "1" })).toMatchObject({ status: 0, stderr: "robust-sync: why\n" });
	});
});

test("agents' skill: every command that it names → has these options", () => {
	const skill = readFileSync(path.join(here, "robust-sync/SKILL.md"), "utf8");
	expect(skill).toMatch(/^---\nname: robust-sync\ndescription: [^\n]{20,1000}\n---\n/);
	const { stdout } = spawnSync(process.execPath, [path.join(here, "../../bin/robust-sync"), "--help"], { encoding: "utf8" });
	const options = [...skill.matchAll(/`[^`]*?robust-sync ([^`]*)`/g)].flatMap(([, text]) => text?.match(/--[a-z-]+/g) ?? []);
	expect(options.length).toBeGreaterThan(10);
	for (const option of options) expect(stdout).toContain(option);
	expect(() => JSON.parse(readFileSync(path.join(here, "claude-code.settings.json"), "utf8"))).not.toThrow();
});
