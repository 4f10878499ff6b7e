import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("left-out");
});
afterEach(() => world.remove());

describe("files that cannot be committed are skipped and reported, and the rest syncs", () => {
	test("skipped: a file over MAX_FILE_MB → left out; once small again it syncs", async () => {
		const [helios, chad] = await world.pair({ a: "1" }, { env: { MAX_FILE_MB: "0.1" } });
		helios.write("deep/large.bin", Buffer.alloc(150_000));
		helios.write("small", "1");
		expect(await helios.once()).toMatchObject({ status: "idle", skipped: [{ path: "deep/large.bin", reason: "too-large" }] });
		await chad.once();
		expect(chad.files()).toEqual({ a: "1", small: "1" });
		helios.write("deep/large.bin", "now small");
		expect(await helios.once()).toMatchObject({ skipped: [] });
		await chad.once();
		expect(chad.read("deep/large.bin")).toBe("now small");
	});

	test("skipped: no MAX_FILE_MB, sizes around 95 MB → as find -size +95M decides", async () => {
		const [node] = await world.pair({ a: "1" });
		for (const [name, size] of [
			["at-the-limit", 95_000_000],
			["deep/over-it", 95 * 1_048_576 + 1],
		] as const) {
			node.write(name, "");
			fs.truncateSync(node.path(name), size);
		}
		const found = execFileSync("find", [".", "-size", "+95M", "-printf", "%P\n"], { cwd: node.workspace, encoding: "utf8" }).trim();
		const { skipped } = JSON.parse((await node.run(["--once", "--dry-run", "--json"])).stdout);
		expect(skipped).toEqual([{ path: found, reason: "too-large" }]);
		expect((await node.once()).skipped).toEqual(skipped);
		expect(world.git("hub.git", "cat-file", "-s", "main:at-the-limit").trim()).toBe("95000000");
	}, 60_000);

	test("skipped: a tracked file grows over the limit → the other side keeps its version", async () => {
		const [helios, chad] = await world.pair({ a: "1" }, { env: { MAX_FILE_MB: "0.1" } });
		helios.write("a", Buffer.alloc(150_000));
		expect(await helios.once()).toMatchObject({ skipped: [{ path: "a", reason: "too-large" }] });
		await chad.once();
		expect(chad.read("a")).toBe("1");
		expect(fs.statSync(helios.path("a")).size).toBe(150_000);
	});

	test("skipped: sockets, fifos and devices → left out", async () => {
		const [helios, chad] = await world.pair({ a: "1" });
		execFileSync("mkfifo", [helios.path("pipe")]);
		// Only root may make a device.
		const device = process.getuid?.() === 0 && spawnSync("mknod", [helios.path("device"), "c", "1", "3"]).status === 0;
		const net = await import("node:net");
		const server = net.createServer();
		await new Promise<void>((resolve) => server.listen(helios.path("socket"), resolve));
		try {
			helios.write("b", "1");
			const { skipped } = await helios.once();
			expect(skipped.map(({ path: name }) => name).sort()).toEqual([...(device ? ["device"] : []), "pipe", "socket"]);
			expect(new Set(skipped.map(({ reason }) => reason))).toEqual(new Set(["special-file"]));
			await chad.once();
			expect(chad.files()).toEqual({ a: "1", b: "1" });
		} finally {
			server.close();
		}
	});

	test("skipped: a tracked file becomes a fifo → left out", async () => {
		const [helios, chad] = await world.pair({ a: "1", b: "1" });
		helios.remove("a");
		execFileSync("mkfifo", [helios.path("a")]);
		helios.write("b", "2");
		expect((await helios.once()).skipped).toEqual([{ path: "a", reason: "special-file" }]);
		await chad.once();
		expect([chad.read("a"), chad.read("b")]).toEqual(["1", "2"]);
	});

	test("skipped: unreadable files and directories, for a user not root → left out", async () => {
		const uid = process.getuid?.() === 0 ? 65_534 : undefined;
		await world.remove();
		world = World.forOthers("left-out");
		const node = world.node("helios");
		node.write("readable", "1");
		node.write("secret", "1");
		node.write("tracked/file", "1");
		const own = () => {
			if (uid === undefined) return;
			execFileSync("chown", ["-R", `${uid}:${uid}`, world.path("helios"), world.path("hub.git")]);
		};
		own();
		const options = uid === undefined ? {} : { uid };
		fs.chmodSync(node.path("secret"), 0);
		expect((await node.once(options)).skipped).toEqual([{ path: "secret", reason: "unreadable" }]);
		node.write("readable", "2");
		node.write("closed/inside", "1");
		own();
		fs.chmodSync(node.path("secret"), 0);
		fs.chmodSync(node.path("closed"), 0);
		fs.chmodSync(node.path("tracked"), 0);
		try {
			const { skipped, status } = await node.once(options);
			expect(status).toBe("idle");
			expect(skipped.map((entry) => entry.reason)).toEqual(skipped.map(() => "unreadable"));
			const paths = skipped.map((entry) => entry.path);
			expect(paths).toContain("secret");
			expect(paths.some((name) => name.startsWith("tracked"))).toBe(true);
			expect(paths.some((name) => name.startsWith("closed"))).toBe(true);
			// An unreadable directory is not a deletion of its files.
			const tree = world.git("hub.git", "-c", "safe.directory=*", "ls-tree", "-r", "--name-only", "main").trim().split("\n");
			expect(tree).toEqual(["readable", "tracked/file"]);
		} finally {
			for (const name of ["secret", "closed", "tracked"]) fs.chmodSync(node.path(name), 0o755);
		}
		expect((await node.once(options)).skipped).toEqual([]);
	});
});

describe("nested repositories by SYNC_NESTED", () => {
	const nested = (node: Node, name: string, remote: boolean, commit = true) => {
		const repository = path.relative(world.directory, node.path(name));
		world.git(".", "init", "-q", "--initial-branch=main", repository);
		node.write(`${name}/file`, "inside\n");
		node.write(`${name}/deep/file`, "deep\n");
		if (commit) world.commitAll(repository);
		if (remote) world.git(repository, "remote", "add", "origin", "https://example.org/x.git");
	};

	test("SYNC_NESTED auto: no remote → synced as files; a clone → skipped, reported", async () => {
		const [helios, chad] = await world.pair({ a: "1" });
		nested(helios, "agents/one", false);
		nested(helios, "agents/fresh", false, false);
		nested(helios, "clones/theirs", true);
		const before = fs.readdirSync(helios.path("agents/one/.git")).sort();
		const { skipped } = await helios.once();
		expect(skipped).toEqual([{ path: "clones/theirs", reason: "nested-repository" }]);
		await chad.once();
		expect(chad.files()).toEqual({
			a: "1",
			"agents/one/file": "inside\n",
			"agents/one/deep/file": "deep\n",
			"agents/fresh/file": "inside\n",
			"agents/fresh/deep/file": "deep\n",
		});
		expect(helios.git("ls-tree", "-r", "HEAD")).not.toContain("160000");
		expect(fs.readdirSync(helios.path("agents/one/.git")).sort()).toEqual(before);
		expect(world.git("helios/agents/one", "status", "--porcelain")).toBe("");
		// From then on like any other folder, both ways.
		helios.write("agents/one/later", "1");
		chad.write("agents/one/back", "2");
		await helios.once();
		await chad.once();
		await helios.once();
		expect(helios.read("agents/one/back")).toBe("2");
		expect(chad.read("agents/one/later")).toBe("1");
	});

	test("SYNC_NESTED auto: ignored in it, whatever the first file's name → stays out", async () => {
		const [helios, chad] = await world.pair({ ".gitignore": ".env\n*.key\n" });
		world.git(".", "init", "-q", "helios/agent");
		helios.write("agent/.env", "SECRET=1");
		helios.write("agent/a.key", "secret");
		helios.write("agent/notes\nwith line feed", "1");
		helios.write("agent/z", "1");
		await helios.once();
		await chad.once();
		expect(Object.keys(chad.files()).sort()).toEqual([".gitignore", "agent/notes\nwith line feed", "agent/z"]);
		expect(helios.git("log", "--all", "--format=", "--name-only")).not.toMatch(/\.env|a\.key/);
	});

	test("SYNC_NESTED auto: only ignored or skipped files → nothing committed, ever", async () => {
		const [helios] = await world.pair({ ".gitignore": ".env\n" });
		world.git(".", "init", "-q", "helios/agent");
		helios.write("agent/.env", "SECRET=1");
		const head = helios.head();
		await helios.once();
		await helios.once();
		expect(helios.head()).toBe(head);
		expect(helios.git("status", "--porcelain").trim()).toMatch(/^(\?\? agent\/)?$/);
	});

	test("SYNC_NESTED contents or skip: one with a remote → synced; none", async () => {
		const [helios] = await world.pair({ a: "1" });
		nested(helios, "clone", true);
		nested(helios, "agent", false);
		expect((await helios.once({ env: { SYNC_NESTED: "skip" } })).skipped).toEqual(
			expect.arrayContaining([
				{ path: "agent", reason: "nested-repository" },
				{ path: "clone", reason: "nested-repository" },
			]),
		);
		expect((await helios.once({ env: { SYNC_NESTED: "contents" } })).skipped).toEqual([]);
		expect(helios.git("ls-tree", "-r", "--name-only", "HEAD")).toContain("clone/deep/file");
	});

	test("SYNC_NESTED auto: a repository in a repository → as outside", async () => {
		const [helios, chad] = await world.pair({ a: "1" });
		nested(helios, "one", false);
		nested(helios, "one/two", false);
		await helios.once();
		await chad.once();
		expect(chad.read("one/two/deep/file")).toBe("deep\n");
	});

	test("SYNC_NESTED auto: a bare link that git add committed → becomes files", async () => {
		const [helios, chad] = await world.pair({ a: "1" });
		nested(helios, "agent", false);
		helios.git("-c", "advice.addEmbeddedRepo=false", "add", "agent");
		helios.git("commit", "-q", "-m", "a bare link");
		await helios.once();
		await chad.once();
		expect(chad.read("agent/file")).toBe("inside\n");
		expect(helios.git("ls-tree", "-r", "HEAD")).not.toContain("160000");
	});
});
