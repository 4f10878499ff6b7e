import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("snapshot");
});
afterEach(() => world.remove());

describe("a snapshot", () => {
	test("snapshot: changes → one commit by the node, with a line for people", async () => {
		const node = world.node("helios");
		for (const name of ["notes.md", "state.json", "z"]) node.write(name, "1");
		await node.once();
		expect(node.git("log", "-1", "--format=%s|%an <%ae>|%cn <%ce>").trim()).toBe(
			"helios: 3 files (notes.md, state.json, …)|helios <helios@robust-sync>|helios <helios@robust-sync>",
		);
		node.write("z", "2");
		await node.once();
		expect(node.git("log", "-1", "--format=%s").trim()).toBe("helios: 1 file (z)");
	});

	test("snapshot: git has an identity → committed as that person", async () => {
		const node = world.node("helios");
		node.git("config", "user.name", "Caleb");
		node.git("config", "user.email", "caleb@example.org");
		node.write("a", "1");
		await node.once();
		expect(node.git("log", "-1", "--format=%an <%ae>").trim()).toBe("Caleb <caleb@example.org>");
	});

	test("snapshot: no change, or a file only touched → no commit", async () => {
		const [node] = await world.pair({ a: "1" });
		const head = node.head();
		fs.utimesSync(node.path("a"), new Date(), new Date());
		expect(await node.once()).toMatchObject({ last_cycle: { committed: 0, pushed: 0 } });
		expect(node.head()).toBe(head);
	});

	test("snapshot: a person has staged something → taken as well", async () => {
		const [node] = await world.pair({ a: "1" });
		node.write("a", "2");
		node.git("add", "a");
		node.write("a", "3");
		await node.once();
		expect(node.git("show", "HEAD:a")).toBe("3");
		node.git("rm", "-q", "--cached", "a");
		node.remove("a");
		await node.once();
		expect(node.git("ls-tree", "HEAD")).toBe("");
	});

	test("snapshot: a .gitignore takes the exclusion back → still none of our own files", async () => {
		const node = world.node("helios");
		node.write(".gitignore", "!/sync/\n!/logs/\n!.sync_env\n");
		node.write(".sync_env", "export NODE_NAME=helios\n");
		node.write("a", "1");
		await node.once();
		await node.once();
		expect(node.git("ls-tree", "-r", "--name-only", "HEAD").trim().split("\n")).toEqual([".gitignore", "a"]);
		expect(fs.readFileSync(node.path(".gitignore"), "utf8")).toBe("!/sync/\n!/logs/\n!.sync_env\n");
	});

	test("snapshot: a person's .gitignore → left out", async () => {
		const node = world.node("helios");
		node.write(".gitignore", "*.tmp\nnode_modules/\n");
		for (const name of ["a.tmp", "node_modules/x/y", "kept"]) node.write(name, "1");
		await node.once();
		expect(node.git("ls-tree", "-r", "--name-only", "HEAD").trim().split("\n")).toEqual([".gitignore", "kept"]);
	});
});

describe("names and contents are synced byte for byte", () => {
	test("names: blanks, quotes, line feeds, 255 bytes, not UTF-8, Unicode forms → as is", async () => {
		const names = [
			" leading",
			"with blank",
			'"q"',
			"it's",
			"new\nline",
			"tab\t",
			"-rf",
			"--help",
			"--",
			"back\\slash",
			"*",
			"[a]",
			":(top)x",
			"readme",
			"README",
			"\u00fc",
			"u\u0308",
			"🙂",
			"a -> b",
			"$(id)",
			"%s%n",
			"n".repeat(255),
		].map((name) => Buffer.from(name));
		names.push(Buffer.from([0x66, 0xff, 0xfe]), Buffer.from([0x01, 0x1b, 0x7f]));
		const [helios, chad] = await world.pair();
		const file = (workspace: string, name: Buffer) => Buffer.concat([Buffer.from(`${workspace}/`), name]);
		for (const [index, name] of names.entries()) fs.writeFileSync(file(helios.workspace, name), `${index}`);
		await helios.once();
		await chad.once();
		expect(chad.dirty()).toBe("");
		for (const [index, name] of names.entries()) expect(fs.readFileSync(file(chad.workspace, name), "utf8")).toBe(`${index}`);
		for (const [index, name] of names.entries())
			index % 2 ? fs.rmSync(file(chad.workspace, name)) : fs.writeFileSync(file(chad.workspace, name), "changed");
		await chad.once();
		await helios.once();
		expect(helios.files()).toEqual(chad.files());
		expect(helios.dirty()).toBe("");
	});

	test("renames: by case or Unicode form only, the other side changes it → both arrive", async () => {
		const composed = "\u00fc";
		const decomposed = "u\u0308";
		const lines = "1\n2\n3\n";
		const [helios, chad] = await world.pair({ readme: lines, [composed]: lines, "Dir/inside": lines });
		for (const [from, to] of [
			["readme", "README"],
			[composed, decomposed],
			["Dir", "dir"],
		] as const)
			fs.renameSync(helios.path(from), helios.path(to));
		chad.write("readme", `${lines}4\n`);
		await helios.once();
		await chad.once();
		await helios.once();
		const bytes = (name: string) => Buffer.from(name).toString("latin1");
		expect(chad.files()).toEqual({ README: `${lines}4\n`, [bytes(decomposed)]: lines, "dir/inside": lines });
		expect(helios.files()).toEqual(chad.files());
		expect([helios.dirty(), chad.dirty()]).toEqual(["", ""]);
	});

	test("contents: modes, links, empty, CRLF, BOM, NUL, no last line feed → as they are", async () => {
		const helios = world.node("helios");
		const chad = world.node("chad");
		helios.git("config", "core.autocrlf", "true");
		helios.write("run.sh", "#!/bin/sh\n", 0o755);
		helios.write("empty", "");
		helios.write("crlf.txt", "1\r\n2\r\n");
		helios.write("mixed.txt", "1\r\n2\n3");
		helios.write("bom.txt", "\ufeffx\n");
		helios.write("binary", Buffer.from([0, 1, 2, 255, 13, 10, 10]));
		fs.symlinkSync("empty", helios.path("link"));
		fs.symlinkSync("nowhere at all", helios.path("dangling"));
		fs.symlinkSync("/etc/hostname", helios.path("outside"));
		await helios.once();
		await chad.once();
		expect(chad.files()).toEqual(helios.files());
		expect(fs.statSync(chad.path("run.sh")).mode & 0o111).not.toBe(0);
		expect(fs.readlinkSync(chad.path("outside"))).toBe("/etc/hostname");
		fs.chmodSync(chad.path("run.sh"), 0o644);
		fs.chmodSync(chad.path("empty"), 0o755);
		fs.rmSync(chad.path("link"));
		chad.write("link", "a file now");
		await chad.once();
		await helios.once();
		expect(helios.files()).toEqual(chad.files());
		expect(fs.statSync(helios.path("run.sh")).mode & 0o111).toBe(0);
		expect(fs.statSync(helios.path("empty")).mode & 0o111).not.toBe(0);
	});

	test("kinds: a file becomes a directory and back, a directory a link → arrives", async () => {
		const [helios, chad] = await world.pair({ a: "1", "b/c/d": "2", "e/f": "3" });
		helios.remove("a");
		helios.write("a/x", "4");
		helios.remove("b");
		helios.write("b", "5");
		helios.remove("e");
		fs.symlinkSync("b", helios.path("e"));
		await helios.once();
		await chad.once();
		expect(chad.files()).toEqual({ "a/x": "4", b: "5", e: "-> b" });
	});
});

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
		world = World.forOthers("snapshot");
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
	const nested = (
		node: { path(name: string): string; write(name: string, text: string): void },
		name: string,
		remote: boolean,
		commit = true,
	) => {
		world.git(".", "init", "-q", "--initial-branch=main", path.relative(world.directory, node.path(name)));
		node.write(`${name}/file`, "inside\n");
		node.write(`${name}/deep/file`, "deep\n");
		if (commit) world.commitAll(path.relative(world.directory, node.path(name)));
		if (remote) world.git(path.relative(world.directory, node.path(name)), "remote", "add", "origin", "https://example.org/x.git");
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

describe("commits run without a person's habits", () => {
	test("commits: failing hooks, signing, fsmonitor, template, editor → do not matter", async () => {
		const [node] = await world.pair({ a: "1" });
		for (const hook of [
			"pre-commit",
			"commit-msg",
			"prepare-commit-msg",
			"post-commit",
			"pre-push",
			"reference-transaction",
			"post-index-change",
		])
			node.write(`.git/hooks/${hook}`, "#!/bin/sh\necho $0 >> ../hooks-ran\nsleep 60\nexit 1\n", 0o755);
		// A pinentry that waits for a person, and a file system monitor that hangs and then reports no changes.
		for (const program of ["pinentry", "monitor"])
			node.write(`.git/${program}`, `#!/bin/sh\necho $0 >> ${world.path("hooks-ran")}\nsleep 60\n`, 0o755);
		node.write(".git/template", "# a template\n");
		for (const [key, value] of [
			["commit.gpgSign", "true"],
			["gpg.program", node.path(".git/pinentry")],
			["user.signingKey", "0123456789ABCDEF"],
			["tag.gpgSign", "true"],
			["commit.template", node.path(".git/template")],
			["core.editor", "sleep 60"],
			["commit.verbose", "true"],
			["push.gpgSign", "true"],
			["core.pager", "sleep 60"],
			["core.hooksPath", node.path(".git/hooks")],
			["user.useConfigOnly", "true"],
			["core.commentChar", "h"],
			["push.default", "nothing"],
			["pull.ff", "only"],
			["merge.ff", "false"],
			["status.showUntrackedFiles", "no"],
			["status.relativePaths", "true"],
			["core.quotePath", "true"],
			["diff.noprefix", "true"],
			["color.ui", "always"],
			["core.fsmonitor", node.path(".git/monitor")],
			["feature.manyFiles", "true"],
			["core.splitIndex", "true"],
			["index.version", "4"],
			["fetch.prune", "true"],
			["submodule.recurse", "true"],
			["protocol.version", "0"],
			["transfer.fsckObjects", "true"],
		] as const)
			node.git("config", key, value);
		node.write("a", "2");
		node.write("new", "1");
		const started = performance.now();
		expect(await node.once()).toMatchObject({ status: "idle", last_cycle: { committed: 2, pushed: 1 } });
		expect(performance.now() - started).toBeLessThan(20_000);
		expect(fs.existsSync(world.path("hooks-ran"))).toBe(false);
		expect(node.git("log", "-1", "--format=%s").trim()).toBe("helios: 2 files (a, new)");
	});

	test("SYNC_HOOKS 1: hooks run → a failing one is HOOK_FAILED", async () => {
		const [node] = await world.pair({ a: "1" }, { env: { SYNC_HOOKS: "1" } });
		node.write(".git/hooks/pre-commit", "#!/bin/sh\necho 'no secrets here' >&2\nexit 1\n", 0o755);
		node.write("a", "2");
		expect(await node.failure()).toMatchObject({
			code: "HOOK_FAILED",
			message: `a git hook refused the commit: no secrets here: correct ${node.path(".git/hooks/pre-commit")}, or set SYNC_HOOKS=0`,
		});
		node.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n", 0o755);
		// The output of a hook decides nothing, and hooks may be elsewhere.
		node.write("own/pre-push", "#!/bin/sh\necho 'fatal: Connection refused' >&2\nexit 1\n", 0o755);
		node.git("config", "core.hooksPath", "own");
		expect(await node.failure()).toMatchObject({
			code: "HOOK_FAILED",
			message: `a git hook refused the push: fatal: Connection refused: correct ${node.path("own/pre-push")}, or set SYNC_HOOKS=0`,
		});
		node.git("config", "--unset", "core.hooksPath");
		await node.once();
	});

	test("SYNC_HOOKS 1: one hangs → killed after GIT_TIMEOUT, HOOK_FAILED, syncs without", async () => {
		const [node] = await world.pair({ a: "1" }, { env: { SYNC_HOOKS: "1", GIT_TIMEOUT: "1" } });
		node.write(".git/hooks/pre-commit", `#!/bin/sh\ntrap '' TERM\nsleep 987654 &\necho $! >'${world.path("child")}'\nwait\nwait\n`, 0o755);
		node.write("a", "2");
		expect(await node.failure()).toMatchObject({
			code: "HOOK_FAILED",
			message: expect.stringMatching(/did not end within 1 s .*: correct .*\/pre-commit, or set SYNC_HOOKS=0$/),
		});
		// A zombie counts as dead, too (proc(5), state Z).
		const child = `/proc/${world.read("child").trim()}/stat`;
		await until(() => !fs.existsSync(child) || /\) Z /.test(fs.readFileSync(child, "latin1")), "what the hook started to be gone");
		node.remove(".git/hooks/pre-commit");
		await node.once();
		expect(world.git("hub.git", "show", "main:a")).toBe("2");
	}, 30_000);
});
