import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { untilConverged } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("beside");
});
afterEach(() => world.remove());

describe("programs that write while we commit", () => {
	test("file in flux: written in pieces → arrives whole in the end", async () => {
		const [helios, chad] = await world.pair({ a: "1" }, { env: { SYNC_INTERVAL: "0.3" } });
		await helios.start();
		await chad.start();
		for (let round = 0; round < 3; round++) {
			const open = fs.openSync(helios.path("large"), "w");
			for (let piece = 0; piece < 40; piece++) {
				fs.writeSync(open, `${round} ${piece} ${"x".repeat(5_000)}\n`);
				await sleep(8);
			}
			fs.closeSync(open);
		}
		const whole = helios.read("large");
		await until(() => chad.exists("large") && chad.read("large") === whole, "the whole file on chad");
		await untilConverged(world, [helios, chad]);
	}, 60_000);

	test("file in flux: never rests → committed after 10 s at the latest", async () => {
		const [node] = await world.pair({ a: "1" });
		let stop = false;
		const writer = (async () => {
			for (let index = 0; !stop; index++) {
				fs.writeFileSync(node.path("restless"), `${index}\n`);
				await sleep(3);
			}
		})();
		const started = performance.now();
		try {
			await node.once();
		} finally {
			stop = true;
			await writer;
		}
		expect(performance.now() - started).toBeLessThan(25_000);
		// As it is: its writer empties it before it writes.
		expect(world.git("hub.git", "show", "main:restless")).toMatch(/^(\d+\n)?$/);
	}, 60_000);

	test("file in flux: beside one at rest → that one does not wait", async () => {
		const [node] = await world.pair({ a: "1" });
		let stop = false;
		const writer = (async () => {
			for (let index = 0; !stop; index++) {
				fs.writeFileSync(node.path("restless"), `${index}\n`);
				await sleep(3);
			}
		})();
		try {
			await node.start({ env: { SYNC_INTERVAL: "60" }, ready: false });
			node.write("at-rest", "1");
			await until(() => world.git("hub.git", "ls-tree", "--name-only", "main").includes("at-rest"), "the file on the hub", 9_000);
		} finally {
			stop = true;
			await writer;
		}
	}, 60_000);
});

describe("untracked and changed files in the way of incoming files", () => {
	test("file in the way: untracked, ignored, a directory → both versions survive", async () => {
		const [helios, chad] = await world.pair({ ".gitignore": "ignored\n" });
		chad.write("plain.md", "from chad\n");
		chad.write("dir", "a file on chad\n");
		chad.write("file/inside", "a directory on chad\n");
		chad.git("add", "-f", ".");
		chad.write("ignored", "chad's, forced\n");
		chad.git("add", "-f", "ignored");
		await chad.once();
		// helios writes between its snapshot and the checkout: as late as can be.
		await helios.run(["--once"], { env: { ROBUST_SYNC_FAULT: "integrate-journalled" } });
		helios.write("plain.md", "from helios\n");
		helios.write("ignored", "helios' own\n");
		helios.write("dir/inside", "a directory on helios\n");
		helios.write("file", "a file on helios\n");
		await helios.once();
		await chad.once();
		await helios.once();
		// helios keeps the file that it ignores; chad, who added it by force, has the committed version.
		expect([helios.read("ignored"), chad.read("ignored")]).toEqual(["helios' own\n", "chad's, forced\n"]);
		expect({ ...helios.files(), ignored: "" }).toEqual({ ...chad.files(), ignored: "" });
		const text = Object.entries(helios.files())
			.map(([name, content]) => `${name}: ${content}`)
			.join("");
		for (const written of [
			"from chad",
			"from helios",
			"a file on chad",
			"a directory on chad",
			"a directory on helios",
			"a file on helios",
		])
			expect(text).toContain(written);
	});
});

describe("a person's git beside the daemon", () => {
	test("person's git: commit, stash, gc, branch, reset → nothing lost, sync continues", async () => {
		const [helios, chad] = await world.pair({ a: "1\n", b: "1\n" }, { env: { SYNC_INTERVAL: "0.2" } });
		await helios.start();
		await chad.start();
		// The daemon's git and a person's meet at index.lock now and then, and a pruning gc may have to be repaired: one tries again.
		const tries = async (...args: string[]) => {
			let said = "";
			await until(
				() => {
					try {
						helios.git(...args);
						return true;
					} catch (error) {
						said = String((error as { stderr?: string }).stderr);
						return false;
					}
				},
				() => `git ${args.join(" ")}: ${said}`,
			);
		};
		// A stash is several steps, between which the daemon commits: it may well fail, and must not harm.
		const attempt = (...args: string[]) => {
			try {
				helios.git(...args);
			} catch {
				// A person shrugs.
			}
		};
		for (let round = 0; round < 4; round++) {
			helios.write(`by-hand-${round}`, "1");
			await tries("add", "-A");
			await tries("commit", "-q", "--allow-empty", "-m", `by hand ${round}`);
			chad.write(`from-chad-${round}`, "1");
			await tries("gc", "--quiet", "--prune=now");
			await tries("branch", `kept-${round}`);
			helios.write(`stashed-${round}`, "1");
			attempt("stash", "push", "-q", "-u");
			await sleep(50);
			attempt("stash", "pop", "-q");
			await tries("reset", "-q", "--soft", "HEAD");
		}
		await tries("worktree", "add", "-q", world.path("worktree"), "kept-0");
		world.write("worktree/elsewhere", "1");
		world.git("worktree", "add", "-A");
		world.git("worktree", "commit", "-q", "-m", "in a linked working tree");
		await untilConverged(world, [helios, chad], { deadlineMs: 60_000 });
		for (const node of [helios, chad]) {
			node.fsck();
			for (let round = 0; round < 4; round++) expect(node.exists(`by-hand-${round}`)).toBe(true);
		}
		// A stash that the daemon interrupted may stay in the list, with a file that just came in: its content is not lost.
		const history = helios.git("log", "--all", "--reflog", "--format=", "--name-only", "-m", "--root");
		for (let round = 0; round < 4; round++) for (const name of ["stashed", "from-chad"]) expect(history).toContain(`${name}-${round}`);
		expect(
			helios
				.git("log", "--format=%s")
				.split("\n")
				.filter((line) => line.startsWith("by hand")),
		).toHaveLength(4);
	}, 90_000);
});

describe("several of ours at once", () => {
	test("commands: beside the daemon, again and again → each does its part", async () => {
		const [helios, chad] = await world.pair({ "state.json": "{}\n" }, { env: { SYNC_INTERVAL: "0.2" } });
		await helios.start();
		for (let round = 0; round < 3; round++) {
			helios.write("state.json", `{"helios":${round}}\n`);
			chad.write("state.json", `{"chad":${round}}\n`);
			const ended = await Promise.all([
				helios.run(["--once"]),
				helios.run(["--resolve"], { executable: "conflict-resolver" }),
				helios.run(["--status"]),
				helios.run(["--send", "-"], { input: `${round}` }),
				chad.run(["--once"]),
				helios.run([], { env: { INVOCATION_ID: "e2e" } }),
			]);
			expect(ended.pop()).toMatchObject({ code: 4, stdout: "", stderr: expect.stringContaining(`pid ${helios.worker()}`) });
			expect(ended.map(({ code }) => code)).toEqual(Array(5).fill(0));
			// The message of the commit that merged a write with an incoming version mentions it.
			expect(ended.map(({ stderr }) => stderr).join("")).not.toMatch(/ (?:WARN|ERROR) /);
		}
		await until(() => helios.pending() === 0, "the messages to be delivered");
		await chad.once();
		await untilConverged(world, [helios, chad]);
		expect(helios.messages()).toEqual(["0", "1", "2"]);
		helios.fsck();
	}, 60_000);

	test("--once: beside the daemon and many of them → serialized, none waits for ever", async () => {
		const [node] = await world.pair({ a: "1" });
		await node.start({ env: { SYNC_INTERVAL: "0.2" } });
		const worker = node.worker();
		const runs = await Promise.all(
			Array.from({ length: 6 }, async (_, index) => {
				node.write(`f${index}`, "1");
				return await node.run(["--once", "--json"]);
			}),
		);
		for (const { code, stderr } of runs) expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
		expect(node.state()?.pid).toBe(worker);
		await untilConverged(world, [node]);
		expect(Object.keys(node.files()).sort()).toEqual(["a", "f0", "f1", "f2", "f3", "f4", "f5"]);
	}, 60_000);

	test("--once: a cycle in progress → waits; refused with 4 and its pid if too long", async () => {
		const [node] = await world.pair({ a: "1" });
		world.write("hub.git/hooks/pre-receive", "#!/bin/sh\nsleep 3\n", 0o755);
		node.write("b", "1");
		const first = node.run(["--once"]);
		await until(() => node.state()?.status === "syncing", "the first cycle");
		const second = await node.run(["--once"]);
		expect([(await first).code, second.code]).toEqual([0, 0]);
	}, 60_000);

	test("two workspaces: on one machine → independent of each other", async () => {
		const [helios, chad] = await world.pair();
		const daemons = [await helios.start(), await chad.start()];
		expect(helios.worker()).not.toBe(chad.worker());
		expect((await helios.run(["--stop"])).code).toBe(0);
		expect(chad.worker()).not.toBeNull();
		await daemons[0]?.ended;
	});

	test("two daemons: same NODE_NAME in two clones → nothing is lost", async () => {
		const [helios] = await world.pair({ a: "1" }, { env: { NODE_NAME: "same", SYNC_INTERVAL: "0.3" } });
		const twin = world.nodes[1];
		await helios.start();
		await twin?.start();
		await helios.run(["--send", "-"], { input: "from one" });
		await twin?.run(["--send", "-"], { input: "from the other" });
		await until(() => helios.messages("same").length === 2, "both messages");
		expect(helios.messages("same").sort()).toEqual(["from one", "from the other"]);
	}, 60_000);
});
