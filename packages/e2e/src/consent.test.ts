import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
let node: Node;
beforeAll(() => {
	world = new World("consent");
	node = world.node("app");
	node.write("a", "1");
	node.write(".env", "SECRET=1");
	node.write(".gitignore", "*.tmp\n");
	node.write("x.tmp", "");
});
afterAll(() => world.remove());

/** As in a terminal in that repository: nothing marks it as a workspace. */
const inRepository = (args: string[], executable = "robust-sync") =>
	node.run(args, { executable, env: { SYNC_WORKSPACE: undefined }, cwd: node.workspace, timeoutMs: 20_000 });
const listing = () => fs.readdirSync(node.workspace).sort();
const untouched = [".env", ".git", ".gitignore", "a", "x.tmp"];

describe("a repository that is not a workspace", () => {
	test.each([
		["robust-sync", []],
		["robust-sync", ["--once"]],
		["robust-sync", ["--once", "--json"]],
		["robust-sync", ["--send", "-"]],
		["heartbeat", []],
		["health-server", []],
		["monitor", ["--daemon"]],
		["monitor", ["--check"]],
	])("consent: %s %p → exit 2, two lines, nothing left", async (executable, args) => {
		const ended = await inRepository(args, executable);
		expect(ended).toMatchObject({ code: 2, stdout: "" });
		expect(ended.stderr.trim().split("\n")).toEqual([
			expect.stringMatching(/commit every file.*push/),
			expect.stringMatching(/--init.*--workspace/),
		]);
		expect(listing()).toEqual(untouched);
		expect(fs.existsSync(node.path(".git/info/exclude"))).toBe(false);
	});

	test("consent: --once --dry-run → prints the plan, leaves nothing behind", async () => {
		const ended = await inRepository(["--once", "--dry-run"]);
		expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining("would commit   .env") });
		expect(listing()).toEqual(untouched);
	});

	test("consent: --init without a terminal → shows the files, exit 2, nothing left", async () => {
		const ended = await inRepository(["--init"]);
		expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") });
		for (const text of ["3 files", "look secret", ".env", "git ignores", "x.tmp", "hub.git"]) expect(ended.stdout).toContain(text);
		expect(listing()).toEqual(untouched);
	});

	test.each(["short", "sixteen or more' of them"])("consent: --init --yes with HEARTBEAT_KEY=%s → exit 2, nothing left", async (key) => {
		const env = { SYNC_WORKSPACE: undefined, HEARTBEAT_KEY: key };
		const ended = await node.run(["--init", "--yes"], { executable: "robust-sync", env, cwd: node.workspace, timeoutMs: 20_000 });
		expect(ended).toMatchObject({ code: 2, stderr: expect.stringMatching(/^robust-sync: HEARTBEAT_KEY.* not accepted.*\n$/) });
		expect(ended.stderr).not.toContain(key);
		expect(listing()).toEqual(untouched);
	});

	test.each([
		["--node", "Not A Name"],
		["--peers", "chad"],
	])("consent: --init --yes with a wrong %s → exit 2, nothing left", async (flag, value) => {
		expect(await inRepository(["--init", "--yes", flag, value])).toMatchObject({ code: 2, stderr: expect.stringContaining(flag) });
		expect(listing()).toEqual(untouched);
	});
});

test("consent: --init --yes → .sync_env 0600, and --once syncs, also without it", async () => {
	const ended = await inRepository(["--init", "--yes", "--node", "helios", "--peers", "chad=chad.lan"]);
	expect(ended).toMatchObject({ code: 0, stderr: "" });
	const text = fs.readFileSync(node.paths.envFile, "utf8");
	expect(text).toMatch(/^export NODE_NAME=helios$.*^export PEERS=chad=chad.lan$.*^export HEARTBEAT_KEY=[\w-]{32}$/ms);
	expect(fs.statSync(node.paths.envFile).mode & 0o777).toBe(0o600);
	expect(await inRepository(["--init", "--yes", "--node", "other"])).toMatchObject({
		code: 0,
		stdout: expect.stringContaining("stays as it is"),
	});
	expect(fs.readFileSync(node.paths.envFile, "utf8")).toBe(text);
	expect(await inRepository(["--once"])).toMatchObject({ code: 0 });
	// The mark in the repository's own configuration is still the consent; no other configuration is.
	fs.rmSync(node.paths.envFile);
	const mark = ["config", "--local", "robust-sync.workspace"];
	expect(node.git(...mark).trim()).toBe("true");
	expect(await inRepository(["--once"])).toMatchObject({ code: 0 });
	node.git("config", "--local", "--unset", "robust-sync.workspace");
	node.git("config", "--global", "robust-sync.workspace", "true");
	expect(await inRepository(["--once"])).toMatchObject({ code: 2, stderr: expect.stringMatching(/--init/) });
	node.git("config", "--global", "--unset", "robust-sync.workspace");
	node.git(...mark, "true");
	expect(node.git("ls-files").trim().split("\n").sort()).toEqual([".env", ".gitignore", "a"]);
});
