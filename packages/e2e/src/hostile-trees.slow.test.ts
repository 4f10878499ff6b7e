import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { HostilePeer, listing } from "./fixture/hostile-peer.ts";
import { untilConverged } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("hostile-trees");
});
afterEach(() => world.remove());

describe("hostile trees", () => {
	test("hostile peer: .git and .. in a tree → nothing written, reported, a revert cures", async () => {
		const [helios, chad] = await world.pair();
		const peer = new HostilePeer(world);
		world.write("outside/x", "safe\n");
		const hook = peer.blob(`#!/bin/sh\ntouch ${world.path("pwned")}\n`);
		const hooks = peer.tree(["100755", "post-checkout", hook], ["100755", "post-merge", hook], ["100755", "pre-commit", hook]);
		const info = peer.tree(["100644", "attributes", peer.blob("* filter=evil\n")]);
		const config = peer.blob(`[filter "evil"]\n\tsmudge = touch ${world.path("pwned")}\n`);
		const dotGit = peer.tree(["100644", "config", config], ["40000", "hooks", hooks], ["40000", "info", info]);
		const parent = peer.tree(["40000", "outside", peer.tree(["100644", "x", peer.blob("written\n")])]);
		const sub = peer.tree(["40000", ".Git", dotGit], ["100644", "good", peer.blob("good\n")]);
		peer.entries();
		peer.add(["40000", "..", parent], ["40000", ".git", dotGit], ["40000", "git~1", dotGit], ["40000", "sub", sub]);
		for (const node of [helios, chad]) {
			const before = ["config", "hooks", "info"].map((name) => [
				name,
				fs.existsSync(node.path(`.git/${name}`)) && fs.statSync(node.path(`.git/${name}`)).mtimeMs,
			]);
			const state = await node.once();
			expect(state.skipped).toEqual(["..", ".git", "git~1", "sub/.Git"].map((path) => ({ path, reason: "refused-path" })));
			// A second reading gives the same result.
			expect((await node.once()).skipped).toHaveLength(4);
			expect(
				["config", "hooks", "info"].map((name) => [
					name,
					fs.existsSync(node.path(`.git/${name}`)) && fs.statSync(node.path(`.git/${name}`)).mtimeMs,
				]),
			).toEqual(before);
			expect(node.files()).toEqual({ "notes.md": "hello\n", "sub/good": "good\n" });
			expect(node.dirty()).toBe("");
		}
		expect(world.git("hub.git", "ls-tree", "--name-only", "main").split("\n")).toContain(".git");
		peer.add(["100644", "more", peer.blob("more\n")]);
		expect((await chad.once()).skipped).toHaveLength(4);
		expect(chad.read("more")).toBe("more\n");
		helios.write("mine", "from helios\n");
		await helios.once();
		await chad.once();
		expect(chad.read("mine")).toBe("from helios\n");
		peer.add(["40000", ".git", dotGit]);
		await helios.once();
		peer.remove(".git");
		for (const node of [helios, chad, helios]) expect((await node.once()).skipped).toEqual([]);
		expect(world.read("outside/x")).toBe("safe\n");
		expect(fs.existsSync(world.path("pwned"))).toBe(false);
		expect(helios.head()).toBe(chad.head());
		expect(helios.head()).toBe(world.git("hub.git", "rev-parse", "main").trim());
	}, 240_000);

	test("hostile peer: .git in the merge base → one merge on both nodes", async () => {
		const [helios, chad] = await world.pair({ "list.txt": "one\ntwo\nthree\n" });
		const peer = new HostilePeer(world);
		const dotGit = peer.tree(["100755", "hooks", peer.blob("x\n")]);
		peer.entries();
		peer.add(["40000", ".git", dotGit]);
		await helios.once();
		await chad.once();
		helios.write("list.txt", "one, helios\ntwo\nthree\n");
		peer.add(["100644", "list.txt", peer.blob("one\ntwo\nthree, peer\n")], ["120000", "d", peer.blob("..")], ["40000", "d", dotGit]);
		const state = await helios.once();
		expect(state.skipped.map(({ path }) => path)).toEqual([".git", "d"]);
		await chad.once();
		for (const node of [helios, chad]) expect(node.read("list.txt")).toBe("one, helios\ntwo\nthree, peer\n");
		expect(helios.head()).toBe(chad.head());
		expect(fs.lstatSync(chad.path("d")).isDirectory()).toBe(true);
	}, 240_000);

	test.each([
		["an entry without a name", (peer: HostilePeer) => ["100644", "", peer.blob("x\n")] as const],
		["a directory that is a file", (peer: HostilePeer) => ["40000", "zz", peer.blob("x\n")] as const],
		["an object that is nowhere", () => ["100644", "zz", "1".repeat(40)] as const],
	])(
		"hostile peer: %s → remedy reported, work is committed, the command cures",
		async (_name, entry) => {
			const [helios, chad] = await world.pair();
			await helios.once();
			const peer = new HostilePeer(world);
			const entries = [...peer.entries(), entry(peer)];
			// A hub that looks at nothing.
			const evil = peer.git("commit-tree", peer.tree(...entries), "-p", "origin/main", "-m", "evil");
			fs.cpSync(`${peer.repository}/.git/objects`, world.path("hub.git/objects"), { recursive: true });
			world.git("hub.git", "update-ref", "refs/heads/main", evil);
			helios.write("mine", "mine\n");
			const { code, message } = await helios.failure();
			expect(code).toBe("REMOTE_DAMAGED");
			expect(message).toContain(evil);
			expect(helios.git("show", "HEAD:mine")).toBe("mine\n");
			const command = /'(git push [^']*)'/.exec(message)?.[1] ?? "";
			const ran = spawnSync("sh", ["-c", command], { cwd: helios.workspace, env: world.environment(), encoding: "utf8" });
			expect({ command, status: ran.status, stderr: ran.status === 0 ? "" : ran.stderr }).toEqual({ command, status: 0, stderr: "" });
			await helios.once();
			await chad.once();
			expect(chad.read("mine")).toBe("mine\n");
			expect(helios.head()).toBe(chad.head());
		},
		240_000,
	);

	test("hostile peer: a bomb and a conflict in one merge → one result, bounded cost", async () => {
		const [helios, chad] = await world.pair({ "list.txt": "one\ntwo\nthree\n" });
		await helios.once();
		const peer = new HostilePeer(world);
		peer.entries();
		let bomb = peer.tree(["100644", "f", peer.blob("x\n")]);
		for (let level = 0; level < 7; level++) bomb = peer.tree(...Array.from({ length: 10 }, (_, at) => ["40000", `d${at}`, bomb] as const));
		const blob = peer.blob("one\ntwo\nthree, peer\n");
		const bombed = peer.add(["40000", "bomb", bomb], ["100644", "list.txt", peer.blob("one\ntwo, peer\nthree\n")]);
		peer.entries();
		peer.add(["100644", "list.txt", blob]);
		helios.write("list.txt", "one\ntwo\nthree, helios\n");
		const started = performance.now();
		const state = await helios.once({ env: { NODE_OPTIONS: "--max-old-space-size=400" } });
		expect(performance.now() - started).toBeLessThan(60_000);
		expect(state.skipped.map(({ path }) => path)).toEqual(["bomb"]);
		await chad.once();
		expect(chad.read("list.txt")).toBe(helios.read("list.txt"));
		expect(helios.head()).toBe(chad.head());
		expect(fs.readdirSync(helios.path("sync/conflicts"))).toHaveLength(1);
		// Every other reader of the peer's commit, each killed after a minute: restoring and undoing by a person, and the hub's checks.
		for (const args of [
			["--restore", "list.txt", "--at", bombed],
			["--undo", bombed],
			["--history", "--diff"],
			["--history", "list.txt"],
			["--history", "bomb"],
		]) {
			const { code, stderr } = await helios.run(args[0] === "--history" ? args : [...args, "--dry-run"]);
			expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
		}
		world.write(
			"hub.git/hooks/pre-receive",
			"#!/bin/sh\nwhile read old new ref; do git grep -q SECRET $new -- key more && exit 1; done; exit 0\n",
			0o755,
		);
		helios.write("key", "SECRET\n");
		helios.write("more", "1\n");
		const searched = await helios.once({ timeoutMs: 180_000 });
		expect(searched.skipped.map(({ path, reason }) => [path, reason])).toContainEqual(["key", "refused-by-hub"]);
		fs.rmSync(world.path("hub.git/hooks/pre-receive"));
		helios.remove("key");
		// Taken back, and another conflict across it.
		peer.entries();
		peer.remove("bomb");
		peer.entries();
		peer.add(["100644", "list.txt", peer.blob("peer again\n")]);
		helios.write("list.txt", "helios again\n");
		expect((await helios.once({ timeoutMs: 180_000 })).skipped).toEqual([]);
		await chad.once();
		expect(helios.head()).toBe(chad.head());
	}, 600_000);

	test("hostile peer: a SHA-256 repository → nothing outside, reported, one result", async () => {
		world.git(".", "init", "--quiet", "--bare", "-b", "main", "--object-format=sha256", "hub.git");
		for (const name of ["helios", "chad", "mallory"])
			world.git(".", "init", "--quiet", "--template=", "-b", "main", "--object-format=sha256", name);
		const [helios, chad] = [world.node("helios"), world.node("chad")];
		helios.write("list.txt", "one\ntwo\n");
		await helios.once();
		await chad.once();
		const peer = new HostilePeer(world);
		const hook = peer.blob(`#!/bin/sh\ntouch ${world.path("pwned")}\n`);
		const evil = peer.tree(["100755", "post-checkout", hook]);
		peer.entries();
		peer.add(
			["40000", ".git", evil],
			["40000", "..", evil],
			["40000", "sync", evil],
			["100644", "list.txt", peer.blob("one\ntwo, peer\n")],
		);
		helios.write("list.txt", "one, helios\ntwo\n");
		expect((await helios.once()).skipped.map(({ path }) => path)).toEqual(["..", ".git", "sync"]);
		await chad.once();
		expect(helios.head()).toBe(chad.head());
		expect(chad.read("list.txt")).toBe("one, helios\ntwo, peer\n");
		expect(fs.existsSync(world.path("pwned"))).toBe(false);
		expect(fs.existsSync(world.path("post-checkout"))).toBe(false);
	}, 240_000);

	test("hostile peer: hooks where core.hooksPath leads, and settings → no command runs", async () => {
		const [helios, chad] = await world.pair();
		await helios.once();
		const peer = new HostilePeer(world);
		const names = [
			"pre-commit",
			"post-checkout",
			"post-merge",
			"pre-push",
			"post-index-change",
			"reference-transaction",
			"fsmonitor-watchman",
		];
		const hook = peer.blob(`#!/bin/sh\ntouch ${world.path("pwned")}\n`);
		const settings = peer.blob(`[core]\n\thooksPath = ${helios.path("githooks")}\n\tfsmonitor = touch ${world.path("pwned")}\n`);
		// The user has set it to a directory that all users may change.
		for (const node of [helios, chad]) node.git("config", "core.hooksPath", "githooks");
		peer.entries();
		peer.add(
			["40000", ".GIT", peer.tree(["100644", "config", settings])],
			["100644", ".gitconfig", settings],
			["100644", ".gitmodules", peer.blob(`[submodule "x"]\n\tpath = x\n\turl = ext::touch ${world.path("pwned")}\n\tupdate = !touch\n`)],
			["40000", "githooks", peer.tree(...names.map((name) => ["100755", name, hook] as const))],
			["160000", "x", peer.git("rev-parse", "origin/main")],
		);
		for (const node of [helios, chad]) {
			node.write(`mine-${node.name}`, "mine\n");
			await node.once();
			await node.once();
		}
		expect(fs.existsSync(world.path("pwned"))).toBe(false);
		expect(chad.read("mine-helios")).toBe("mine\n");
		expect(helios.git("config", "--default", "", "--get", "core.fsmonitor").trim()).toBe("");
	}, 240_000);

	test("hostile peer: our commit takes .git out again → reported until the branch moves", async () => {
		const [helios] = await world.pair({ "notes.md": "hello\n" }, { env: { SYNC_INTERVAL: "1" } });
		await helios.start();
		const peer = new HostilePeer(world);
		peer.entries();
		peer.add(["40000", ".git", peer.tree(["100644", "x", peer.blob("x\n")])]);
		const reports = (state: { skipped: readonly { path: string }[] }) => state.skipped.some(({ path }) => path === ".git");
		await helios.untilState(reports, "the report");
		for (const name of ["one", "two"]) {
			helios.write(name, "mine\n");
			await until(() => world.git("hub.git", "ls-tree", "--name-only", "main").split("\n").includes(name), `${name} on the hub`);
			const { cycles } = (helios.state() as { totals: { cycles: number } }).totals;
			expect(reports(await helios.untilState(({ totals }) => totals.cycles > cycles, "another cycle"))).toBe(true);
		}
		expect(world.git("hub.git", "ls-tree", "--name-only", "main").split("\n")).not.toContain(".git");
		// Another process knows it as well.
		await helios.run(["--stop"]);
		for (let look = 0; look < 2; look++) expect(reports(await helios.once())).toBe(true);
		await helios.start();
		expect(reports(helios.state() as { skipped: { path: string }[] })).toBe(true);
		peer.entries();
		peer.add(["100644", "peers", peer.blob("clean\n")]);
		await helios.untilState((state) => helios.exists("peers") && !reports(state), "the end of the report");
	}, 240_000);

	test("hostile peer: our own files, links, other cases → ours stay, nothing is sent", async () => {
		const [helios, chad] = await world.pair();
		await helios.once();
		await chad.once();
		const peer = new HostilePeer(world);
		world.write("keys/id", "secret\n");
		chad.write(".sync_env", "export NODE_NAME=chad\n", 0o600);
		const link = peer.blob(world.path("keys"));
		const pending = peer.tree(["100644", "x", peer.blob("in our name\n")]);
		const shapes: Parameters<HostilePeer["add"]>[] = [
			[["40000", "sync", peer.tree(["120000", "pending", link])]],
			[
				["120000", "sync", link],
				["120000", "logs", link],
			],
			[
				["40000", "Sync", peer.tree(["40000", "pending", pending])],
				["40000", "sync", peer.tree(["40000", "pending", pending])],
			],
			[
				["100644", ".sync_env", peer.blob("export NODE_NAME=evil\n")],
				["100644", ".SYNC_ENV", peer.blob("x\n")],
			],
			[
				["100644", ".sync_env", peer.blob("export NODE_NAME=evil\nexport SYNC_HOOKS=1\n")],
				["40000", "logs", peer.tree(["100644", "sync.log", peer.blob("forged\n")])],
			],
		];
		const keys = listing(world.path("keys"));
		peer.entries();
		for (const [round, shape] of shapes.entries()) {
			peer.add(...shape);
			expect((await chad.once()).skipped.map(({ reason }) => reason)).toEqual(shape.map(() => "refused-path"));
			chad.write(`mine-${round}`, "mine\n");
			await chad.once();
			await helios.once();
			expect(helios.read(`mine-${round}`)).toBe("mine\n");
			expect(world.git("hub.git", "ls-tree", "-r", "--name-only", "main")).not.toMatch(/^(sync|logs|\.sync_env)/im);
		}
		expect(chad.read(".sync_env")).toBe("export NODE_NAME=chad\n");
		expect(fs.statSync(chad.path(".sync_env")).mode & 0o777).toBe(0o600);
		expect(listing(world.path("keys"))).toEqual(keys);
		expect(helios.messages("chad")).toEqual([]);
		expect(chad.log()).not.toContain("forged");
	}, 240_000);

	test("hostile peer: keeps pushing → nothing outside is touched, honest work arrives", async () => {
		const [helios, chad] = await world.pair({ "notes.md": "hello\n" }, { env: { SYNC_INTERVAL: "1" } });
		const peer = new HostilePeer(world);
		world.write("outside/x", "safe\n");
		const outside = listing(world.path("outside"));
		const hook = peer.blob(`#!/bin/sh\ntouch ${world.path("pwned")}\n`);
		const evil = peer.tree(["100755", "post-checkout", hook], ["100644", "x", hook]);
		const link = peer.blob("../outside");
		const many = (widths: number[]) =>
			widths.reduce(
				(oid, width) => peer.tree(...Array.from({ length: width }, (_, at) => ["40000", `d${String(at).padStart(4, "0")}`, oid] as const)),
				evil,
			);
		const shapes: Parameters<HostilePeer["add"]>[] = [
			[["40000", ".git", peer.tree(["40000", "hooks", evil])]],
			[["40000", "..", peer.tree(["40000", "outside", evil])]],
			[["100644", "../outside/x", hook]],
			[["100644", ".git/config", hook]],
			[
				["120000", "d", link],
				["40000", "d", evil],
			],
			[["120000", "d", link]],
			[["40000", "d", evil]],
			[
				["40000", "git~1", evil],
				["40000", ".git ", evil],
				["40000", ".git::$INDEX_ALLOCATION", evil],
				["40000", ".g\u00e2\u0080\u008cit", evil],
			],
			[
				["120000", "sync", link],
				["40000", "LOGS", evil],
			],
			[["40000", "sync", peer.tree(["120000", "pending", link], ["100644", "journal.json", hook])]],
			[["40000", "bomb", many([10, 10, 10, 10, 10, 10])]],
			[
				["120000", ".gitmodules", link],
				["40000", "sub", peer.tree(["40000", ".git", evil])],
			],
		];
		await helios.start();
		await chad.start();
		for (const [round, shape] of shapes.entries()) {
			helios.write(`from-helios-${round}`, "honest\n");
			// Another push may come first, as for any node.
			for (let attempt = 0; ; attempt++) {
				try {
					peer.entries();
					peer.add(...shape, ["100644", `from-peer-${round}`, peer.blob("honest\n")]);
					break;
				} catch (error) {
					if (attempt === 20) throw error;
				}
			}
			chad.write(`from-chad-${round}`, "honest\n");
			const names = [helios, chad].flatMap((node) => ["helios", "peer", "chad"].map((from) => node.path(`from-${from}-${round}`)));
			await until(
				() => names.every((name) => fs.existsSync(name)),
				`round ${round}: ${JSON.stringify(shape.map(([, name]) => name))}\n${helios.log().slice(-2000)}`,
				60_000,
			);
		}
		peer.entries();
		await until(() => {
			try {
				peer.entries();
				peer.remove("d", "sub");
				return true;
			} catch {
				return false;
			}
		}, "the cure");
		await untilConverged(world, [helios, chad], { deadlineMs: 60_000 });
		for (const node of [helios, chad]) {
			await node.untilState(({ status }) => status === "idle", "the last cycle to end");
			expect(node.state()).toMatchObject({ last_error: null, skipped: [] });
			expect(fs.existsSync(node.path("d"))).toBe(false);
		}
		expect(listing(world.path("outside"))).toEqual(outside);
		expect(fs.existsSync(world.path("pwned"))).toBe(false);
	}, 300_000);
});
