import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { gitEnvironment, runGit } from "@robust-sync/git";
import { gitReader, UnmergedWatch } from "./repository.ts";

let root: string;
beforeEach(async () => {
	root = mkdtempSync(path.join(tmpdir(), "health-server-git-"));
	await git("init", "-q", "-b", "main");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function git(...args: string[]): Promise<string> {
	const identity = ["-c", "user.name=helios", "-c", "user.email=helios@example.org"];
	const { stdout } = await runGit(root, [...identity, ...args], gitEnvironment({ env: process.env, hooks: false }), { accept: [0, 1] });
	return stdout.toString("utf8").trim();
}

async function commit(files: Record<string, string>): Promise<string> {
	for (const [name, text] of Object.entries(files)) writeFileSync(path.join(root, name), text);
	await git("add", "-A");
	await git("commit", "-q", "-m", "change");
	return await git("rev-parse", "HEAD");
}

/** A merge in progress with two files in conflict. */
async function conflict(): Promise<void> {
	await commit({ "a.txt": "0\n", "b c.txt": "0\n" });
	await git("checkout", "-q", "-b", "other");
	await commit({ "a.txt": "1\n", "b c.txt": "1\n" });
	await git("checkout", "-q", "main");
	await commit({ "a.txt": "2\n", "b c.txt": "2\n" });
	await git("merge", "-q", "other");
}

describe("the repository, through git", () => {
	test("repository: unmerged paths → each once, none when resolved", async () => {
		await conflict();
		const watch = new UnmergedWatch(gitReader(root, "helios"));
		await watch.refresh();
		expect(watch.value).toMatchObject({ count: 2, problem: null });
		expect(watch.refresh()).toBeNull();
		await git("add", "-A");
		await watch.refresh();
		expect(watch.value.count).toBe(0);
	});

	test("repository: a file of a commit → read; missing or too large → null", async () => {
		const id = await commit({ "b c.txt": "hello\n" });
		const reader = gitReader(root, "helios");
		expect(String(await reader.fileAt(id, "b c.txt", 100))).toBe("hello\n");
		expect(await reader.fileAt(id, "b c.txt", 3)).toBeNull();
		expect(await reader.fileAt(id, "nowhere", 100)).toBeNull();
		expect(await reader.fileAt("0".repeat(40), "b c.txt", 100)).toBeNull();
		expect(await reader.fileAt("--help", "b c.txt", 100)).toBeNull();
	});

	test("repository: not a repository → reported, and found once it is one", async () => {
		rmSync(path.join(root, ".git"), { recursive: true });
		const watch = new UnmergedWatch(gitReader(root, "helios"));
		await watch.refresh();
		expect(watch.value).toMatchObject({ count: null, problem: expect.stringMatching(/not a git working tree/) });
		await git("init", "-q", "-b", "main");
		await commit({ "a.txt": "1\n" });
		await watch.refresh();
		expect(watch.value).toMatchObject({ count: 0, problem: null });
	});
});
