import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startSilentServer } from "../fixtures/http-server.ts";
import { Scratch, until } from "../fixtures/scratch.ts";
import { hasSsh } from "../fixtures/ssh-server.ts";
import { gitProcessesStarted, killRunningGit, runGit } from "./exec.ts";
import { gitEnvironment } from "./git-environment.ts";

let scratch: Scratch;
const env = gitEnvironment({ env: { PATH: process.env.PATH, HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" } });
beforeAll(() => {
	scratch = new Scratch("exec");
	scratch.init("repo");
});
afterAll(() => scratch.remove());

/** Processes whose command line holds `text`. */
function processesWith(text: string): number[] {
	return fs
		.readdirSync("/proc")
		.map(Number)
		.filter((pid) => {
			if (!pid || pid === process.pid) return false;
			try {
				return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
			} catch {
				return false;
			}
		});
}

describe("a command that takes too long is killed with everything that it started", () => {
	(hasSsh ? test : test.skip)("a server that accepts and never answers, by ssh", async () => {
		const silent = await startSilentServer();
		const mark = `127.0.0.1:${silent.port}`;
		try {
			const run = runGit(scratch.path("repo"), ["ls-remote", `ssh://nobody@${mark}/x`], env, { timeoutMs: 700 });
			run.catch(() => undefined);
			await until(() => silent.connections() > 0 && processesWith(String(silent.port)).length >= 2, "git and its ssh to run");
			await expect(run).rejects.toMatchObject({ code: "GIT_TIMEOUT", message: expect.stringContaining("GIT_TIMEOUT") });
			await until(() => processesWith(String(silent.port)).length === 0, "git and ssh to be gone");
		} finally {
			await silent.close();
		}
	});

	test("timeout: http, whose helper is a process of its own → killed as well", async () => {
		const silent = await startSilentServer();
		try {
			const started = performance.now();
			await expect(
				runGit(scratch.path("repo"), ["ls-remote", `http://127.0.0.1:${silent.port}/x.git`], env, { timeoutMs: 500 }),
			).rejects.toMatchObject({ code: "GIT_TIMEOUT" });
			expect(performance.now() - started).toBeLessThan(5_000);
			await until(() => processesWith(String(silent.port)).length === 0, "git and its http helper to be gone");
		} finally {
			await silent.close();
		}
	});

	test("timeout: a hook ignores SIGTERM and hangs → killed", async () => {
		const hook = scratch.path("repo/.git/hooks/pre-commit");
		fs.mkdirSync(scratch.path("repo/.git/hooks"), { recursive: true });
		fs.writeFileSync(hook, "#!/bin/sh\ntrap '' TERM INT HUP\nwhile :; do sleep 0.1734; done\n", { mode: 0o755 });
		const withHooks = gitEnvironment({ env: { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: "1" }, hooks: true });
		await expect(
			runGit(scratch.path("repo"), ["-c", "user.name=a", "-c", "user.email=b", "commit", "--allow-empty", "-m", "x"], withHooks, {
				timeoutMs: 300,
			}),
		).rejects.toMatchObject({ code: "GIT_TIMEOUT" });
		await until(() => processesWith("0.1734").length === 0 && processesWith(hook).length === 0, "the hook to be gone");
		fs.rmSync(hook);
	});

	test("timeout: our own last moment → killed", async () => {
		const silent = await startSilentServer();
		try {
			const run = runGit(scratch.path("repo"), ["ls-remote", `http://127.0.0.1:${silent.port}/x.git`], env);
			run.catch(() => undefined);
			await until(() => silent.connections() > 0, "the connection");
			killRunningGit();
			await expect(run).rejects.toMatchObject({ name: "GitError" });
			await until(() => processesWith(String(silent.port)).length === 0, "git to be gone");
		} finally {
			await silent.close();
		}
	});
});

test("exec: a remote talks without end → memory stays bounded", async () => {
	// An alias is the simplest git command with arbitrary output.
	const flood = ["-c", "alias.flood=!head -c 200000000 /dev/zero | tr '\\0' x >&2; exit 3", "flood"];
	const before = process.memoryUsage().rss;
	await expect(runGit(scratch.path("repo"), flood, env)).rejects.toMatchObject({ name: "GitError", exitCode: 3 });
	expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
});

test("exec: input as text, bytes, pieces, or unread → judged by the exit code", async () => {
	const hash = async (input: Parameters<typeof runGit>[3]) =>
		(await runGit(scratch.path("repo"), ["hash-object", "--stdin"], env, input)).stdout.toString().trim();
	const oid = await hash({ input: "hello\n" });
	expect(oid).toBe("ce013625030ba8dba906f756967f9e9ca394464a");
	expect(await hash({ input: Buffer.from("hello\n") })).toBe(oid);
	expect(await hash({ input: ["hel", Buffer.from("lo"), "\n"] })).toBe(oid);
	const large = Array.from({ length: 3_000 }, () => Buffer.alloc(10_000, 1));
	await expect(runGit(scratch.path("repo"), ["rev-parse", "--nonsense", "nothing"], env, { input: large })).rejects.toMatchObject({
		name: "GitError",
	});
	expect(await hash({ input: large })).toMatch(/^[0-9a-f]{40}$/);
});

test("exec: a missing directory, a missing git → a message in words", async () => {
	await expect(runGit(scratch.path("nowhere"), ["version"], env)).rejects.toMatchObject({ message: expect.stringContaining("nowhere") });
	await expect(runGit(scratch.directory, ["version"], { ...env, PATH: scratch.directory })).rejects.toMatchObject({
		code: "INTERNAL",
		message: expect.stringMatching(/install git/),
	});
});

test("exec: processes → counted", async () => {
	const before = gitProcessesStarted();
	await runGit(scratch.directory, ["version"], env);
	expect(gitProcessesStarted()).toBe(before + 1);
});
