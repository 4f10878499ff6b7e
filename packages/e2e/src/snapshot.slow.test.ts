import fs from "node:fs";
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
