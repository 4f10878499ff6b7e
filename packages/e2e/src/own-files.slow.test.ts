import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { HostilePeer } from "./fixture/hostile-peer.ts";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("own-files");
});
afterEach(() => world.remove());

/** Commits of the hub that have, or had, files of ours. */
const published = () =>
	world.git("hub.git", "log", "--all", "--full-history", "--format=%H", "--", ":(icase)sync", ":(icase)logs", ":(icase).sync_env").trim();

/** A person's actions on files of ours in a workspace. */
const byHand: Record<string, (node: Node) => void> = {
	"git add -A -f, and a commit": (node) => {
		node.git("add", "--all", "--force");
		node.git("commit", "--quiet", "-m", "all of it");
	},
	"three commits, of which one": (node) => {
		for (const names of [["one"], ["sync/x", "two"], ["three"]]) {
			node.git("add", "--force", ...names);
			node.git("commit", "--quiet", "-m", names.join(" "));
		}
	},
	"a commit that another takes back": (node) => {
		node.git("add", "--force", "sync/x", ".sync_env");
		node.git("commit", "--quiet", "-m", "oops");
		node.git("rm", "--quiet", "--cached", "sync/x", ".sync_env");
		node.git("commit", "--quiet", "-m", "taken back");
	},
	"git add -f alone": (node) => {
		node.git("add", "--force", "sync/x", "logs/mine.log", ".sync_env", "one");
	},
	"other cases": (node) => {
		fs.cpSync(node.path("sync/x"), node.path("Sync/x"));
		node.write("LOGS", "x\n");
		node.git("add", "--force", "Sync", "LOGS");
		node.git("commit", "--quiet", "-m", "other cases");
	},
	"a merge by git": (node) => {
		node.git("add", "--force", "sync/x", "one");
		node.git("commit", "--quiet", "-m", "before the merge");
		node.git("pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main");
	},
};

describe("own files", () => {
	test.each(Object.keys(byHand))(
		"own files: committed by hand (%s) → never leave, stay on disk",
		async (how) => {
			const [helios, chad] = await world.pair();
			await helios.once();
			for (const [name, content] of Object.entries({ one: "1\n", two: "2\n", three: "3\n", "logs/mine.log": "mine\n", "sync/x": "x\n" }))
				helios.write(name, content);
			helios.write(".sync_env", "export NODE_NAME=helios\n", 0o600);
			helios.write("sync/pending/hello", "to all\n");
			chad.write("from-chad", "chad\n");
			await chad.once();
			byHand[how]?.(helios);
			await helios.once();
			await chad.once();
			expect(published()).toBe("");
			expect([chad.read("one"), chad.read("two"), chad.read("three"), helios.read("from-chad")]).toEqual(["1\n", "2\n", "3\n", "chad\n"]);
			expect([helios.read("sync/x"), helios.read("logs/mine.log"), helios.read(".sync_env")]).toEqual([
				"x\n",
				"mine\n",
				"export NODE_NAME=helios\n",
			]);
			expect(helios.git("ls-files", "sync", "logs", ".sync_env")).toBe("");
			// The state of this node is unchanged: the message is delivered, and once.
			expect(chad.messages("helios")).toHaveLength(1);
			expect(helios.head()).toBe(chad.head());
			expect((await helios.once()).last_cycle?.committed).toBe(0);
		},
		60_000,
	);

	test("own files: committed before the first contact → the key never leaves", async () => {
		const helios = world.node("helios");
		helios.write(".sync_env", "export HEARTBEAT_KEY=0123456789abcdef0123\n", 0o600);
		helios.write("notes.md", "hello\n");
		helios.git("add", "--all", "--force");
		helios.git("commit", "--quiet", "-m", "first");
		await helios.once();
		expect(published()).toBe("");
		expect(world.git("hub.git", "ls-tree", "--name-only", "main").trim()).toBe("notes.md");
	}, 60_000);

	test("own files: git pull by hand of a peer's sync/pending → nothing is sent", async () => {
		const [helios, chad] = await world.pair();
		await helios.once();
		const peer = new HostilePeer(world);
		peer.entries();
		peer.add(["40000", "sync", peer.tree(["40000", "pending", peer.tree(["100644", "x", peer.blob("in our name\n")])])]);
		helios.git("pull", "--quiet", "--ff-only", "origin", "main");
		await helios.once();
		await chad.once();
		expect([helios.messages(), chad.messages()]).toEqual([[], []]);
		expect(fs.readdirSync(helios.path("sync/pending"))).toEqual([]);
	}, 60_000);

	test("conflict-resolver: own files tracked → out of its commit, on disk as they were", async () => {
		const [helios, chad] = await world.pair({ "a.txt": "base\n" });
		await helios.once();
		chad.write("a.txt", "chad\n");
		await chad.once();
		helios.write("a.txt", "helios\n");
		helios.write("sync/pending/.draft", "not yet\n");
		helios.write("logs/app.log", "mine\n");
		helios.git("add", "--force", "a.txt", "sync/pending/.draft", "logs/app.log");
		helios.git("commit", "--quiet", "-m", "by hand");
		helios.git("fetch", "--quiet", "origin");
		try {
			helios.git("merge", "--no-edit", "origin/main");
		} catch {
			// A conflict, as intended.
		}
		helios.write("sync/pending/.draft", "changed since\n");
		const { code } = await helios.run(["--resolve"], { executable: "conflict-resolver" });
		expect(code).toBe(0);
		expect(helios.git("ls-tree", "-r", "--name-only", "HEAD").trim()).toBe("a.txt");
		expect(helios.git("ls-files").trim()).toBe("a.txt");
		expect([helios.read("sync/pending/.draft"), helios.read("logs/app.log")]).toEqual(["changed since\n", "mine\n"]);
		await helios.once();
		await chad.once();
		expect(published()).toBe("");
		expect(chad.read("a.txt")).toBe(helios.read("a.txt"));
	}, 60_000);
});
