import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { personEnvironment, until } from "@robust-sync/git/fixtures/scratch";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
const running: ChildProcess[] = [];
beforeEach(() => {
	world = new World("recovery");
});
afterEach(async () => {
	for (const child of running.splice(0)) {
		try {
			process.kill(-(child.pid ?? 0), "SIGKILL");
		} catch {
			// It has ended by itself.
		}
	}
	await world.remove();
});

/** A person's command that runs in the background. */
function person(node: Node, args: string[], env: Record<string, string> = {}): ChildProcess {
	const child = spawn("git", args, {
		cwd: node.workspace,
		env: { ...personEnvironment(world.directory), ...env },
		stdio: "ignore",
		detached: true,
	});
	running.push(child);
	return child;
}

/** A git command that stops half-way, as it does at a conflict. */
function stopsAt(node: Node, ...args: string[]): void {
	expect(() => node.git(...args)).toThrow();
}

describe("lock files of a killed git", () => {
	test("lock files: of every kind, left by a killed git → set aside, one line, counted", async () => {
		const [node] = await world.pair({ a: "1" });
		const left = [
			"index.lock",
			"HEAD.lock",
			"refs/heads/main.lock",
			"refs/remotes/origin/main.lock",
			"config.lock",
			"shallow.lock",
			"packed-refs.lock",
		];
		for (const name of left) fs.writeFileSync(node.path(`.git/${name}`), "left behind");
		node.write("a", "2");
		const { totals } = await node.once();
		expect(totals.rescued).toBe(1);
		for (const name of left) expect(fs.existsSync(node.path(`.git/${name}`))).toBe(false);
		expect(node.log().match(/recovered: set aside/g)).toHaveLength(1);
		expect(world.git("hub.git", "show", "main:a")).toBe("2");
		expect(fs.readdirSync(node.path(".git/robust-sync/stale-locks"))).toHaveLength(left.length);
	});

	test("lock files: a git killed in the middle of a commit → the cycle continues", async () => {
		const [node] = await world.pair({ a: "1" });
		node.write("a", "2");
		const child = person(node, ["commit", "-a"], { GIT_EDITOR: "sleep 60 #" });
		await until(() => fs.existsSync(node.path(".git/index.lock")), "the lock");
		process.kill(-(child.pid ?? 0), "SIGKILL");
		await node.once();
		expect(world.git("hub.git", "show", "main:a")).toBe("2");
	});
});

test("lock files: a live git holds index.lock → waited for, INDEX_LOCKED names it", async () => {
	const [node] = await world.pair({ a: "1" });
	node.write("a", "2");
	const editing = person(node, ["commit", "-a"], { GIT_EDITOR: "sleep 60 #" });
	await until(() => fs.existsSync(node.path(".git/index.lock")), "the lock");
	const started = performance.now();
	const failure = await node.failure();
	expect(failure.code).toBe("INDEX_LOCKED");
	expect(failure.message).toMatch(new RegExp(`pid ${editing.pid}|git`));
	expect(performance.now() - started).toBeGreaterThan(5_000);
	expect(fs.existsSync(node.path(".git/index.lock"))).toBe(true);
	const waiting = node.once();
	await sleep(1_500);
	process.kill(-(editing.pid ?? 0), "SIGTERM");
	await waiting;
	expect(world.git("hub.git", "show", "main:a")).toBe("2");
}, 60_000);

describe("operations that a person left open stay and are reported; syncing continues afterwards", () => {
	let node: Node;
	beforeEach(async () => {
		[node] = await world.pair({ a: "1\n", b: "1\n" });
		node.git("checkout", "-q", "-b", "other");
		node.write("a", "other\n");
		world.commitAll("helios");
		node.git("checkout", "-q", "main");
		node.write("a", "main\n");
		world.commitAll("helios");
	});

	const cases: readonly (readonly [name: string, begin: string[], end: string[]])[] = [
		["rebase", ["rebase", "other"], ["rebase", "--abort"]],
		["merge", ["merge", "other"], ["merge", "--abort"]],
		["cherry-pick", ["cherry-pick", "other"], ["cherry-pick", "--abort"]],
		["revert", ["revert", "--no-edit", "HEAD~1"], ["revert", "--abort"]],
	];
	test.each(cases)("left open: a %s → left alone and reported until it is done", async (name, begin, end) => {
		stopsAt(node, ...begin);
		const dirty = node.dirty();
		const failure = await node.failure();
		expect(failure).toMatchObject({ code: "OPERATION_OPEN", message: expect.stringContaining(name) });
		expect(failure.message).toMatch(/--abort|conflict-resolver --resolve/);
		expect(node.dirty()).toBe(dirty);
		expect((await node.run(["--once", "--dry-run"])).stdout).toMatch(new RegExp(`blocked +a ${name}`));
		node.git(...end);
		await node.once();
		expect(world.git("hub.git", "show", "main:a")).toBe("main\n");
	});

	test("left open: a rebase -i with a clean tree → left alone and reported", async () => {
		const { execFileSync } = await import("node:child_process");
		execFileSync("git", ["rebase", "-q", "-i", "HEAD~1"], {
			cwd: node.workspace,
			env: { ...personEnvironment(world.directory), GIT_SEQUENCE_EDITOR: "sed -i 's/^pick/edit/'" },
			stdio: "ignore",
		});
		expect((await node.failure()).code).toBe("OPERATION_OPEN");
		node.git("rebase", "--continue");
		await node.once();
	});

	test.each([
		["with a commit checked out", ["HEAD", "HEAD~2"]],
		["with the branch checked out", []],
	])("left open: a bisect %s → left alone and reported", async (_what, commits) => {
		node.write("c", "1");
		await node.once();
		node.git("bisect", "start", ...commits);
		const failure = await node.failure();
		expect(failure).toMatchObject({ code: "OPERATION_OPEN", message: expect.stringContaining("bisect") });
		node.git("bisect", "reset");
		await node.once();
	});

	test("left open: another branch checked out → not synced until the person is back", async () => {
		await node.once();
		const daemon = await node.start({ env: { SYNC_INTERVAL: "0.3" } });
		node.git("checkout", "-q", "other");
		node.write("a", "work on the other branch\n");
		const failing = await node.untilState((state) => state.last_error !== null, "the report");
		expect(failing.last_error).toMatchObject({ code: "WRONG_BRANCH", message: expect.stringContaining("git checkout main") });
		// Also for a worker that was started meanwhile.
		const worker = node.worker();
		process.kill(worker ?? 0, "SIGKILL");
		await node.untilOtherWorker(worker);
		const before = node.state()?.totals.failures ?? 0;
		await node.untilState((state) => state.pid === node.worker() && state.totals.failures > before + 1, "its reports");
		expect(node.git("log", "-1", "--format=%an", "other").trim()).toBe("Person");
		expect(world.git("hub.git", "for-each-ref", "--format=%(refname:short)").trim()).toBe("main");
		node.git("checkout", "-q", "--", "a");
		node.git("checkout", "-q", "main");
		node.write("back", "1");
		await until(() => world.git("hub.git", "ls-tree", "--name-only", "main").includes("back"), "the file on the hub");
		daemon.process.kill("SIGTERM");
		await daemon.ended;
	}, 60_000);
});

describe("a detached HEAD", () => {
	test("detached HEAD: with new commits → attached again, none lost", async () => {
		const [node] = await world.pair({ a: "1" });
		await node.once();
		node.git("checkout", "-q", "--detach");
		for (const text of ["2", "3"]) {
			node.write("a", text);
			world.commitAll("helios", `detached ${text}`);
		}
		node.write("a", "4");
		await node.once({ env: { SYNC_BRANCH: "main" } });
		expect(node.git("symbolic-ref", "HEAD").trim()).toBe("refs/heads/main");
		expect(world.git("hub.git", "log", "--format=%s", "main").split("\n")).toEqual(expect.arrayContaining(["detached 2", "detached 3"]));
		expect(world.git("hub.git", "show", "main:a")).toBe("4");
		expect(node.log()).toMatch(/recovered: HEAD was detached/);
	});

	test("detached HEAD: with commits, the branch got others → both are kept", async () => {
		const [node] = await world.pair({ a: "1" });
		node.git("checkout", "-q", "--detach");
		node.write("detached", "1");
		world.commitAll("helios", "on no branch");
		const other = node.git("commit-tree", "-m", "on the branch", "-p", "main", "main^{tree}").trim();
		node.git("update-ref", "refs/heads/main", other);
		await node.once();
		expect(node.git("symbolic-ref", "HEAD").trim()).toBe("refs/heads/main");
		expect(world.git("hub.git", "log", "--format=%s", "main").split("\n")).toEqual(
			expect.arrayContaining(["on no branch", "on the branch"]),
		);
		expect(node.exists("detached")).toBe(true);
		expect(node.dirty()).toBe("");
	});

	test("detached HEAD: at an older commit → left alone and reported", async () => {
		const [node] = await world.pair({ a: "1" });
		node.write("a", "2");
		await node.once();
		node.git("checkout", "-q", "HEAD~1");
		const failure = await node.failure();
		expect(failure).toMatchObject({ code: "DETACHED_HEAD", message: expect.stringContaining("git checkout main") });
		expect(node.read("a")).toBe("1");
		node.git("checkout", "-q", "main");
		await node.once();
	});
});

describe("a rewritten history", () => {
	test("rewritten history: on the hub → nothing local lost, merged, reported once", async () => {
		const [helios, chad] = await world.pair({ a: "1\n" });
		helios.write("kept", "1");
		await helios.once();
		await chad.once();
		// A person throws helios' commit away and pushes something else by force.
		chad.git("reset", "-q", "--hard", "HEAD~1");
		chad.write("forced", "1");
		world.commitAll("chad");
		chad.git("push", "-q", "--force", "origin", "main");
		helios.write("mine", "1");
		const state = await helios.once();
		expect(state).toMatchObject({ status: "idle", last_error: { code: "HISTORY_REWRITTEN" }, consecutive_failures: 0 });
		expect(helios.files()).toMatchObject({ a: "1\n", kept: "1", forced: "1", mine: "1" });
		expect((await helios.once()).last_error).toBeNull();
		await chad.once();
		expect(chad.files()).toEqual(helios.files());
	});
});

describe("an interrupted move of ours", () => {
	test("interrupted checkout: another branch checked out → not finished over it", async () => {
		const [helios, chad] = await world.pair({ a: "1\n" });
		helios.git("branch", "other");
		chad.write("a", "2\n");
		chad.write("new", "1");
		await chad.once();
		await helios.run(["--once"], { env: { ROBUST_SYNC_FAULT: "integrate-journalled" } });
		helios.git("checkout", "-q", "other");
		helios.write("a", "mine on other\n");
		expect((await helios.failure({ env: { SYNC_BRANCH: "main" } })).code).toBe("WRONG_BRANCH");
		expect(helios.files()).toEqual({ a: "mine on other\n" });
		helios.git("checkout", "-q", "--", "a");
		helios.git("checkout", "-q", "main");
		await helios.once({ env: { SYNC_BRANCH: "main" } });
		expect(helios.files()).toEqual(chad.files());
		expect(helios.dirty()).toBe("");
	});

	test.each([
		["message", [] as string[]],
		["content", ["h", "a"]],
	])("interrupted checkout: the commit's %s amended → incoming files stay the peer's", async (_what, changed) => {
		const [helios, chad] = await world.pair({ a: "1\n", log: "start\n" });
		chad.write("a", "2\n");
		chad.write("new", "chad\n");
		chad.write("log", "chad\nstart\n");
		await chad.once();
		helios.write("h", "helios\n");
		await helios.run(["--once"], { env: { ROBUST_SYNC_FAULT: "move-files" } });
		expect([helios.read("a"), helios.read("new")]).toEqual(["2\n", "chad\n"]);
		// A process that had the file open continues to write into the removed file.
		const [backup = ""] = fs.readdirSync(helios.paths.backups);
		fs.appendFileSync(path.join(helios.paths.backups, backup, "files/log"), "late\n");
		for (const name of changed) fs.appendFileSync(helios.path(name), "person\n");
		helios.git("commit", "-q", "--amend", "-m", "amended", ...(changed.length > 0 ? ["--", ...changed] : []));
		await helios.once();
		await helios.once();
		const mine = changed.length > 0 ? "person\n" : "";
		expect(helios.files()).toMatchObject({ a: `2\n${mine}`, new: "chad\n", h: `helios\n${mine}` });
		expect(helios.read("log").split("\n").sort()).toEqual(["", "chad", "late", "start"]);
		expect(helios.git("log", "--no-merges", "--format=%an", "--", "new").trim()).toBe("chad");
		await chad.once();
		expect(chad.files()).toEqual(helios.files());
		expect(helios.dirty()).toBe("");
	});

	test("interrupted checkout: a person moved the branch → forgotten, nothing lost", async () => {
		const [helios, chad] = await world.pair({ a: "1\n" });
		chad.write("a", "2\n");
		await chad.once();
		await helios.run(["--once"], { env: { ROBUST_SYNC_FAULT: "move-files" } });
		helios.write("person", "1");
		helios.git("add", "person");
		helios.git("commit", "-q", "-m", "by a person");
		await helios.once();
		await chad.once();
		expect(helios.files()).toEqual({ a: "2\n", person: "1" });
		expect(chad.files()).toEqual(helios.files());
	});
});
