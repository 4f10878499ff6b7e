import { spawnSync } from "node:child_process";
import { afterAll, describe, expect, test } from "@jest/globals";
import { Stage } from "./fixtures/processes.ts";

const stage = new Stage("command");
afterAll(() => stage.remove());

function demo(...args: string[]) {
	const { stdout, stderr, status } = spawnSync(process.execPath, [stage.file("command.mjs"), ...args], { encoding: "utf8" });
	return { stdout, stderr, status };
}

describe("common options", () => {
	test("command: --help → every flag, on stdout, exit 0", () => {
		const { stdout, stderr, status } = demo("--help");
		expect(status).toBe(0);
		expect(stderr).toBe("");
		for (const flag of ["--help", "--version", "--workspace <dir>", "--verbose", "--once", "SAVED [PATH]"]) expect(stdout).toContain(flag);
	});

	test("command: --version → the version that the build put in", () => {
		expect(demo("--version")).toEqual({ stdout: "demo 1.2.3\n", stderr: "", status: 0 });
	});

	test("command: no verb → the fallback runs", () => {
		expect(demo()).toEqual({ stdout: "nothing asked\n", stderr: "", status: 0 });
	});

	test("command: a verb → its options passed, its exit code returned", () => {
		expect(JSON.parse(demo("--once", "--dry-run", "--workspace", "/w", "--interval", "5").stdout)).toEqual({
			once: true,
			dryRun: true,
			workspace: "/w",
			interval: 5,
		});
		expect(demo("--status").status).toBe(3);
	});

	test("command: operands after -- → may start with a dash, - is a value", () => {
		expect(JSON.parse(demo("--restore", "--", "a", "-b").stdout)).toEqual(["a", "-b"]);
		expect(JSON.parse(demo("--send", "-").stdout)).toEqual({ send: "-" });
	});
});

describe("wrong usage is exit 2 and one line on stderr", () => {
	test.each([
		[["--onse"], "demo: unknown option '--onse'; did you mean --once?; see demo --help\n"],
		[["--once", "--send", "x"], "demo: --once and --send cannot be used together; see demo --help\n"],
		[["--dry-run"], "demo: --dry-run goes with --once; see demo --help\n"],
		[["--status", "--dry-run"], "demo: --dry-run goes with --once; see demo --help\n"],
		[["--interval"], "demo: option '--interval <n>' argument missing; see demo --help\n"],
		[["--interval", "--once"], "demo: option '--interval <n>' argument missing; see demo --help\n"],
		[["--send", "--help"], "demo: option '--send <file>' argument missing; see demo --help\n"],
		[["--workspace", ""], "demo: option '--workspace <dir>' argument '' is invalid. It must not be empty; see demo --help\n"],
		[
			["--interval", "1.5"],
			"demo: option '--interval <n>' argument '1.5' is invalid. It must be a whole number: 1 to 3600; see demo --help\n",
		],
		[["stray"], "demo: unexpected argument 'stray'; see demo --help\n"],
		[["--restore"], "demo: --restore takes SAVED [PATH]; see demo --help\n"],
		[["--restore", "a", "b", "c"], "demo: unexpected argument 'c'; see demo --help\n"],
	])("usage: %j → 2 and one line", (args, line) => {
		expect(demo(...args)).toEqual({ stdout: "", stderr: line, status: 2 });
	});
});

describe("a failure is one line and an exit code", () => {
	test("failure: exit code → the command's, the contract's, 1 for other programs'", () => {
		expect(demo("--fail", "locked")).toEqual({ stdout: "", stderr: "demo: another instance (pid 42) holds the lock\n", status: 4 });
		expect(demo("--fail", "typed")).toEqual({ stdout: "", stderr: "demo: wrong setting\n", status: 2 });
		expect(demo("--fail", "foreign")).toEqual({ stdout: "", stderr: "demo: git failed\n", status: 1 });
		expect(demo("--fail", "text that is no Error")).toEqual({ stdout: "", stderr: "demo: text that is no Error\n", status: 1 });
	});

	test("failure: a promise that is not awaited → the same", () => {
		expect(demo("--fail", "later")).toEqual({ stdout: "", stderr: "demo: not awaited\n", status: 1 });
		expect(demo("--fail", "rejected")).toEqual({ stdout: "", stderr: "demo: not awaited\n", status: 4 });
	});

	test("failure: → no stack, no password; --verbose → stack and cause, no password", () => {
		expect(demo("--fail", "lines").stderr).toBe("demo: first; second https://[redacted]@example.org/x\n");
		const { stderr, status } = demo("--fail", "lines", "--verbose");
		expect(status).toBe(1);
		expect(stderr).toMatch(/\n {4}at /);
		expect(stderr).toContain("caused by: Error: the reason");
		expect(stderr).not.toContain("hunter22");
	});
});

describe("the end", () => {
	test("the end: everything on stdout → arrives before the exit, by a slow pipe too", () => {
		const shell = `"${process.execPath}" "${stage.file("command.mjs")}" --flood | (sleep 0.3; wc -l)`;
		expect(spawnSync("bash", ["-c", `${shell}; exit \${PIPESTATUS[0]}`], { encoding: "utf8" })).toMatchObject({
			stdout: expect.stringMatching(/^\s*20000\n$/),
			stderr: "",
			status: 1,
		});
	});

	test("the end: a reader goes away → neither exit code nor stderr change", () => {
		const shell = `"${process.execPath}" "${stage.file("command.mjs")}" --flood | head -1; exit \${PIPESTATUS[0]}`;
		expect(spawnSync("bash", ["-c", shell], { encoding: "utf8" })).toMatchObject({
			stdout: `0 ${"x".repeat(60)}\n`,
			stderr: "",
			status: 1,
		});
	});

	test("the end: a full disk behind stdout → a failure that is reported", () => {
		const shell = `"${process.execPath}" "${stage.file("command.mjs")}" --once >/dev/full`;
		const { stderr, status } = spawnSync("bash", ["-c", shell], { encoding: "utf8" });
		expect(status).toBe(1);
		expect(stderr).toMatch(/^demo: .*ENOSPC.*\n$/);
	});

	test("the end: a timer left behind → does not hold the exit up", () => {
		expect(demo("--linger")).toEqual({ stdout: "done\n", stderr: "", status: 0 });
	});
});
