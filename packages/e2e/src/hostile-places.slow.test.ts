import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { rawCommit } from "@robust-sync/git/fixtures/raw-objects";
import { HostilePeer } from "./fixture/hostile-peer.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("hostile-places");
});
afterEach(() => world.remove());

describe("hostile places: our own names, first checkouts, dates", () => {
	test.each(["link", "file"] as const)(
		"messages: their directory is a peer's %s → they wait, delivered after the cure",
		async (shape) => {
			const [helios] = await world.pair();
			const peer = new HostilePeer(world);
			world.write("outside/x", "safe\n");
			peer.entries();
			if (shape === "link") peer.add(["40000", "messages", peer.tree(["120000", "helios", peer.blob("../../outside")])]);
			else peer.add(["100644", "messages", peer.blob("mine\n")]);
			await helios.once();
			await helios.run(["--send", "-"], { input: "hello\n" });
			helios.write("work", "goes on\n");
			const state = await helios.once();
			expect(state.messages_pending).toBe(1);
			expect(state.skipped).toEqual([
				{ path: expect.stringMatching(/^sync\/pending\//), reason: "refused-path", remedy: expect.stringContaining("is no directory") },
			]);
			expect(fs.readdirSync(world.path("outside"))).toEqual(["x"]);
			expect(world.git("hub.git", "ls-tree", "--name-only", "main")).toContain("work");
			peer.remove("messages");
			await helios.once();
			expect((await helios.once()).messages_pending).toBe(0);
			expect(helios.messages()).toEqual(["hello\n"]);
			expect(world.git("hub.git", "ls-tree", "-r", "--name-only", "main")).toMatch(/^messages\/helios\/.+$/m);
		},
		240_000,
	);

	test("clone: git refused, or skipped, its checkout → files come, none deleted", async () => {
		const [helios] = await world.pair({ "dir/x": "x\n", "notes.md": "hello\n" });
		const peer = new HostilePeer(world);
		peer.entries();
		peer.add(["40000", ".git", peer.tree(["100755", "hooks", peer.blob("x\n")])]);
		for (const [name, ...options] of [["refused"], ["plain", "--no-checkout"]] as const) {
			const node = world.node(name, { git: false });
			fs.rmSync(node.workspace, { recursive: true });
			// git ends with an error, and keeps the repository.
			spawnSync("git", ["clone", "--quiet", ...options, world.path("hub.git"), node.workspace], { env: world.environment() });
			expect(fs.existsSync(node.path("notes.md"))).toBe(false);
			const { skipped } = await node.once();
			// The first one's push cures it.
			if (name === "refused") expect(skipped).toEqual([{ path: ".git", reason: "refused-path" }]);
			expect([node.read("dir/x"), node.read("notes.md"), node.dirty()]).toEqual(["x\n", "hello\n", ""]);
			node.write(`from-${name}`, "mine\n");
			await node.once();
			await helios.once();
			expect([helios.read(`from-${name}`), helios.read("dir/x")]).toEqual(["mine\n", "x\n"]);
			// A deletion with an index is still possible.
			if (name === "refused") continue;
			for (const file of ["dir/x", "notes.md"]) fs.rmSync(node.path(file));
			await node.once();
			expect(world.git("hub.git", "ls-tree", "-r", "--name-only", "main").trim().split("\n")).toEqual(["from-plain", "from-refused"]);
		}
	}, 240_000);

	test("clone: holds our own files as state → set aside, logs untracked and reported", async () => {
		const helios = world.node("helios");
		const peer = new HostilePeer(world);
		const pending = peer.tree(["100644", "x", peer.blob("in our name\n")]);
		const outbox = peer.blob(
			JSON.stringify({ schema: 1, deliveries: [{ name: "x", blob: "a".repeat(40), target: "../cron.d/x", committed: false }] }),
		);
		const root = peer.tree(
			["40000", "logs", peer.tree(["100644", "app.log", peer.blob("old\n")])],
			["100644", "notes.md", peer.blob("hello\n")],
			["40000", "sync", peer.tree(["100644", "outbox.json", outbox], ["40000", "pending", pending])],
		);
		peer.git("push", "--quiet", "origin", `${peer.git("commit-tree", root, "-m", "first")}:refs/heads/main`);
		helios.git("pull", "--quiet", "origin", "main");
		expect(helios.read("sync/pending/x")).toBe("in our name\n");
		const first = await helios.once();
		expect(first.skipped).toEqual([{ path: "logs/app.log", reason: "refused-path" }]);
		expect(world.git("hub.git", "ls-tree", "-r", "--name-only", "main").trim()).toBe("notes.md");
		expect(helios.read("logs/app.log")).toBe("old\n");
		helios.write("logs/app.log", "new\n");
		expect((await helios.once()).skipped).toEqual(first.skipped);
		expect(helios.messages()).toEqual([]);
	}, 240_000);

	test("a commit: dated beyond what tools can read, while there is one of ours → merged", async () => {
		const [helios, chad] = await world.pair();
		const peer = new HostilePeer(world);
		const entries = [...peer.entries(), ["100644", "late", peer.blob("late\n")] as const];
		const parent = peer.git("rev-parse", "origin/main");
		const content = `tree ${peer.tree(...entries)}\nparent ${parent}\nauthor A <a@b> 18446744073709551614 +0000\ncommitter A <a@b> 18446744073709551614 +0000\n\nlate\n`;
		peer.git("push", "--quiet", "origin", `${rawCommit(peer.repository, content)}:refs/heads/main`);
		helios.write("mine", "mine\n");
		await helios.once();
		await chad.once();
		expect([chad.read("late"), chad.read("mine"), helios.read("late")]).toEqual(["late\n", "mine\n", "late\n"]);
		expect(await chad.run(["--history"])).toMatchObject({ code: 0, stdout: expect.stringContaining("9999-12-31 23:59:59") });
		expect(helios.head()).toBe(chad.head());
	}, 240_000);

	test("files here: names that git refuses, ours in other cases → reported", async () => {
		const [helios] = await world.pair();
		for (const name of ["git~1", ".GIT/f", "a/.Git", "Sync/notes"]) helios.write(name, "mine\n");
		helios.write("good", "goes on\n");
		fs.symlinkSync("/tmp", helios.path("LOGS"));
		const { skipped } = await helios.once();
		expect(skipped.map(({ path }) => path).sort()).toEqual([".GIT/f", "LOGS", "Sync/notes", "a/.Git", "git~1"]);
		expect(world.git("hub.git", "ls-tree", "-r", "--name-only", "main").trim().split("\n")).toEqual(["good", "notes.md"]);
	}, 240_000);
});
