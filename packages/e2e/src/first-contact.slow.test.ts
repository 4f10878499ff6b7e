import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("contact");
});
afterEach(() => world.remove());

describe("the first contact", () => {
	test("first contact: empty remote, unborn branch → the first push makes the branch", async () => {
		const node = world.node("helios");
		node.write("notes.md", "hello\n");
		expect(await node.once()).toMatchObject({
			status: "idle",
			branch: "main",
			ahead: 0,
			behind: 0,
			last_cycle: { committed: 1, pushed: 1 },
		});
		expect(world.git("hub.git", "rev-parse", "main").trim()).toBe(node.head());
	});

	test("first contact: empty remote, nothing to commit → no failure, later files work", async () => {
		const node = world.node("helios");
		expect(await node.once()).toMatchObject({ status: "idle", head: null });
		node.write("a", "1");
		expect(await node.once()).toMatchObject({ status: "idle", last_cycle: { committed: 1, pushed: 1 } });
	});

	test("first contact: empty remote, a person's commits → pushed", async () => {
		const node = world.node("helios");
		node.write("a", "1");
		const commit = world.commitAll("helios");
		expect(await node.once()).toMatchObject({ head: commit, last_cycle: { committed: 0, pushed: 1 } });
		expect(world.git("hub.git", "rev-parse", "main").trim()).toBe(commit);
	});

	test("first contact: remote with history, unborn branch, no files → they arrive", async () => {
		const [, chad] = await world.pair({ a: "1", "d/b": "2" });
		expect(chad.files()).toEqual({ a: "1", "d/b": "2" });
		expect(chad.dirty()).toBe("");
	});

	test("first contact: remote with history, unborn branch, other files → both kept", async () => {
		const helios = world.node("helios");
		helios.write("a", "1");
		await helios.once();
		const chad = world.node("chad");
		chad.write("b", "2");
		await chad.once();
		await helios.once();
		expect(chad.files()).toEqual({ a: "1", b: "2" });
		expect(helios.files()).toEqual(chad.files());
		expect(helios.head()).toBe(chad.head());
	});

	test("first contact: unrelated histories → both trees, same names merged or saved", async () => {
		const helios = world.node("helios");
		helios.write("same.md", "from helios\n");
		helios.write("helios.md", "1");
		helios.write("state.json", '{"helios":1}\n');
		world.commitAll("helios");
		await helios.once();
		const chad = world.node("chad");
		chad.write("same.md", "from chad\n");
		chad.write("chad.md", "1");
		chad.write("state.json", '{"chad":2}\n');
		world.commitAll("chad");
		expect(await chad.once()).toMatchObject({ status: "idle" });
		await helios.once();
		expect(helios.files()).toEqual(chad.files());
		const { "same.md": same, "state.json": state, ...rest } = chad.files();
		expect(rest).toEqual({ "helios.md": "1", "chad.md": "1" });
		expect(same).toContain("from helios");
		expect(same).toContain("from chad");
		expect(JSON.parse(state ?? "")).toEqual({ helios: 1, chad: 2 });
	});

	test("first contact: only branch of the remote has another name → taken", async () => {
		const helios = world.node("helios");
		helios.git("symbolic-ref", "HEAD", "refs/heads/trunk");
		helios.write("a", "1");
		await helios.once();
		world.git("hub.git", "symbolic-ref", "HEAD", "refs/heads/trunk");
		const chad = world.node("chad");
		chad.write("b", "1");
		expect(await chad.once()).toMatchObject({ branch: "trunk" });
		expect(chad.files()).toEqual({ a: "1", b: "1" });
		expect(world.git("hub.git", "for-each-ref", "--format=%(refname:short)").trim()).toBe("trunk");
	});

	test("first contact: other branches on the remote → NO_REMOTE, the remedy, no push", async () => {
		const helios = world.node("helios");
		helios.write("a", "1");
		await helios.once();
		const chad = world.node("chad");
		chad.git("symbolic-ref", "HEAD", "refs/heads/master");
		chad.write("b", "1");
		world.commitAll("chad");
		const failure = await chad.failure();
		expect(failure.code).toBe("NO_REMOTE");
		expect(failure.message).toMatch(/no branch 'master' but main.*(SYNC_BRANCH|git branch -m main)/);
		expect(world.git("hub.git", "for-each-ref", "--format=%(refname:short)").trim()).toBe("main");
		chad.git("branch", "-m", "main");
		await chad.once();
		expect(chad.files()).toEqual({ a: "1", b: "1" });
	});

	test("first contact: SYNC_BRANCH, HEAD unborn under another name → that branch", async () => {
		const helios = world.node("helios", { env: { SYNC_BRANCH: "sync" } });
		helios.write("a", "1");
		expect(await helios.once()).toMatchObject({ branch: "sync" });
		expect(world.git("hub.git", "for-each-ref", "--format=%(refname:short)").trim()).toBe("sync");
	});

	test("first contact: SYNC_REMOTE → that remote", async () => {
		const helios = world.node("helios", { env: { SYNC_REMOTE: "backup" } });
		helios.write("a", "1");
		expect((await helios.failure()).message).toMatch(/no remote 'backup'.*git remote add backup/);
		helios.git("remote", "rename", "origin", "backup");
		expect(await helios.once()).toMatchObject({ remote: "backup" });
	});

	test("first contact: another branch checked out than synced → WRONG_BRANCH, both named", async () => {
		const node = world.node("helios");
		node.write("a", "1");
		await node.once();
		node.git("checkout", "-q", "-b", "other");
		for (let time = 0; time < 2; time++)
			expect(await node.failure()).toMatchObject({
				code: "WRONG_BRANCH",
				message: expect.stringMatching(/'other' .* 'main' .*git checkout main/),
			});
		node.git("checkout", "-q", "main");
		await node.once();
	});

	test("first contact: no remote → NO_REMOTE naming the command, in the state too", async () => {
		const node = world.node("helios");
		node.git("remote", "remove", "origin");
		const failure = await node.failure();
		expect(failure).toMatchObject({ code: "NO_REMOTE", message: expect.stringContaining("git remote add origin <url>") });
		expect(node.state()).toMatchObject({ status: "failed", consecutive_failures: 1, last_error: { code: "NO_REMOTE" } });
	});

	test("first contact: not a repository → NOT_A_REPOSITORY, its two commands fix it", async () => {
		const node = world.node("helios", { git: false });
		const failure = await node.failure();
		expect(failure).toMatchObject({
			code: "NOT_A_REPOSITORY",
			message: expect.stringMatching(/'git init'.*'git remote add origin <url>'/),
		});
		world.hub();
		world.git("helios", "init", "-q", "--initial-branch=main");
		world.git("helios", "remote", "add", "origin", world.path("hub.git"));
		expect(await node.once()).toMatchObject({ status: "idle", consecutive_failures: 0 });
	});

	test("first contact: remote is not there → REMOTE_UNREACHABLE, files committed", async () => {
		const node = world.node("helios");
		fs.renameSync(world.path("hub.git"), world.path("away.git"));
		node.write("a", "1");
		expect((await node.failure()).code).toBe("REMOTE_UNREACHABLE");
		// Unborn: nothing was published and nothing lost.
		expect(node.read("a")).toBe("1");
		fs.renameSync(world.path("away.git"), world.path("hub.git"));
		await node.once();
		node.write("a", "2");
		fs.renameSync(world.path("hub.git"), world.path("away.git"));
		expect((await node.failure()).code).toBe("REMOTE_UNREACHABLE");
		expect(node.git("show", "HEAD:a")).toBe("2");
		expect((await node.failure()).code).toBe("REMOTE_UNREACHABLE");
		expect(node.state()).toMatchObject({ consecutive_failures: 2, ahead: 1 });
	});

	test("first contact: branch deleted on the remote → BRANCH_GONE with the command", async () => {
		const [helios] = await world.pair();
		world.git("hub.git", "branch", "-m", "main", "elsewhere");
		world.git("hub.git", "symbolic-ref", "HEAD", "refs/heads/elsewhere");
		const failure = await helios.failure();
		expect(failure.code).toBe("BRANCH_GONE");
		expect(failure.message).toMatch(/which has elsewhere: .*'git branch -m main elsewhere'.*'git push origin main'/);
		// A push states where it expects the branch: it is not made again.
		helios.write("b", "1");
		expect((await helios.failure()).code).toBe("BRANCH_GONE");
		expect(helios.git("show", "HEAD:b")).toBe("1");
		expect(world.git("hub.git", "for-each-ref", "--format=%(refname:short)").trim()).toBe("elsewhere");
		helios.git("branch", "-m", "main", "elsewhere");
		await helios.once();
		expect(world.git("hub.git", "show", "elsewhere:b")).toBe("1");
	});

	test("first contact: a hub made again, empty → filled again", async () => {
		const [helios, chad] = await world.pair({ a: "1" });
		fs.rmSync(world.path("hub.git"), { recursive: true });
		world.hub();
		await helios.once();
		await chad.once();
		expect(world.git("hub.git", "rev-parse", "main").trim()).toBe(helios.head());
	});
});
