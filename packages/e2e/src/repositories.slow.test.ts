import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("special");
});
afterEach(() => world.remove());

/** A node whose workspace was made in another way than by `git init`. */
function adopt(name: string): Node {
	const node = new Node(world, name, {});
	world.nodes.push(node);
	return node;
}

describe("attributes and filters", () => {
	test("attributes: eol=crlf → CRLF on disk on both sides, LF in history, no changes", async () => {
		const [helios, chad] = await world.pair({ ".gitattributes": "*.txt text eol=crlf\n", "a.txt": "1\r\n" });
		expect(helios.git("show", "HEAD:a.txt")).toBe("1\n");
		expect(chad.read("a.txt")).toBe("1\r\n");
		chad.write("a.txt", "1\r\nchad\r\n");
		await chad.once();
		await helios.once();
		expect(helios.read("a.txt")).toBe("1\r\nchad\r\n");
		expect(helios.dirty()).toBe("");
		const head = helios.head();
		await helios.once();
		expect(helios.head()).toBe(head);
	});

	test("attributes: a user's filter that fails → its path is held, nothing corrupt", async () => {
		const helios = world.node("helios");
		const chad = world.node("chad");
		for (const node of [helios, chad]) {
			node.git("config", "filter.rot.clean", "tr a-zA-Z n-za-mN-ZA-M");
			node.git("config", "filter.rot.smudge", "tr a-zA-Z n-za-mN-ZA-M");
			node.git("config", "filter.rot.required", "true");
		}
		helios.write(".gitattributes", "*.rot filter=rot\n");
		helios.write("a.rot", "hello\n");
		await helios.once();
		await chad.once();
		expect(chad.read("a.rot")).toBe("hello\n");
		expect(chad.git("show", "HEAD:a.rot")).toBe("uryyb\n");
		chad.git("config", "filter.rot.smudge", "false");
		helios.write("a.rot", "hello again\n");
		await helios.once();
		helios.write("other", "1");
		await helios.once();
		expect((await chad.once()).skipped).toMatchObject([{ path: "a.rot", reason: "filter-failed" }]);
		expect(chad.read("other")).toBe("1");
		expect(chad.read("a.rot")).toBe("hello\n");
		chad.git("config", "filter.rot.smudge", "tr a-zA-Z n-za-mN-ZA-M");
		await chad.once();
		expect(chad.read("a.rot")).toBe("hello again\n");
		expect(chad.dirty()).toBe("");
	});

	test("attributes: content here that cannot be encoded → held, merged once it can", async () => {
		const [helios, chad] = await world.pair({ ".gitattributes": "*.txt working-tree-encoding=UTF-16LE-BOM\n" });
		const utf16 = (text: string) => Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from(text, "utf16le")]);
		helios.write("a.txt", utf16("one\n\ntwo\n\nthree\n"));
		await helios.once();
		await chad.once();
		chad.write("a.txt", "odd");
		expect((await chad.once()).skipped).toMatchObject([{ path: "a.txt", reason: "filter-failed" }]);
		helios.write("a.txt", utf16("ONE\n\ntwo\n\nthree\n"));
		helios.write("other", "1");
		await helios.once();
		for (let cycle = 0; cycle < 2; cycle++) expect((await chad.once()).skipped).toMatchObject([{ path: "a.txt", reason: "filter-failed" }]);
		expect([chad.read("a.txt"), chad.read("other")]).toEqual(["odd", "1"]);
		expect(chad.tree()).toBe(helios.tree());
		chad.write("a.txt", utf16("one\n\ntwo\n\nTHREE\n"));
		expect((await chad.once()).skipped).toEqual([]);
		await helios.once();
		await chad.once();
		for (const node of [helios, chad]) {
			expect(fs.readFileSync(node.path("a.txt"))).toEqual(utf16("ONE\n\ntwo\n\nTHREE\n"));
			expect(node.dirty()).toBe("");
		}
	});

	test("Git LFS: not installed → marked files travel as they are", async () => {
		const [helios, chad] = await world.pair({ ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "a.bin": "\0binary" });
		expect(chad.read("a.bin")).toBe("\0binary");
		chad.write("a.bin", "\0changed");
		await chad.once();
		await helios.once();
		expect(helios.read("a.bin")).toBe("\0changed");
	});

	test("Git LFS: installed → content before its pointer, of two at once one is whole", async () => {
		if (spawnSync("git", ["lfs", "version"]).status !== 0) return;
		const [helios, chad] = [world.node("helios"), world.node("chad")];
		const large = (letter: string, size: number) => Buffer.alloc(size, letter);
		helios.git("lfs", "install", "--skip-repo");
		helios.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
		helios.write("a.bin", large("a", 300_000));
		await helios.once();
		await chad.once();
		expect(helios.git("show", "HEAD:a.bin")).toMatch(/^version https:\/\/git-lfs/);
		expect(chad.read("a.bin")).toBe(large("a", 300_000).toString());
		helios.write("a.bin", large("b", 1_000));
		chad.write("a.bin", large("c", 2_000));
		await helios.once();
		await chad.once();
		await helios.once();
		// Which one is the later: both may be committed in the same second.
		const winner = chad.read("a.bin");
		expect([large("b", 1_000).toString(), large("c", 2_000).toString()]).toContain(winner);
		expect(helios.files()).toEqual(chad.files());
		expect([helios.dirty(), chad.dirty()]).toEqual(["", ""]);
		// The losing version is in history, with its content on the remote.
		fs.rmSync(chad.path(".git/lfs/objects"), { recursive: true });
		chad.git("lfs", "fetch", "--all", "origin");
		expect(chad.git("lfs", "ls-files", "--all").trim().split("\n")).toHaveLength(3);
		// A remote that lost a file: that path is held, its file here is not touched, and comes once it can.
		helios.write("a.bin", large("d", 4_000));
		await helios.once();
		fs.renameSync(world.path("hub.git/lfs"), world.path("lfs-away"));
		expect((await chad.once()).skipped).toMatchObject([{ path: "a.bin", reason: "filter-failed" }]);
		expect(chad.read("a.bin")).toBe(winner);
		fs.rmSync(world.path("hub.git/lfs"), { recursive: true, force: true });
		fs.renameSync(world.path("lfs-away"), world.path("hub.git/lfs"));
		expect((await chad.once()).skipped).toEqual([]);
		expect(chad.read("a.bin")).toBe(large("d", 4_000).toString());
	});
});

test("submodules: the pointer syncs → the checkout inside is never touched", async () => {
	world.init("library");
	world.write("library/l", "1");
	world.commitAll("library");
	const [helios, chad] = await world.pair({ a: "1" });
	helios.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", world.path("library"), "lib");
	helios.write("a", "2");
	await helios.once();
	await chad.once();
	expect(chad.git("ls-files", "--stage", "lib")).toMatch(/^160000/);
	expect(fs.existsSync(chad.path("lib/l"))).toBe(false);
	expect(chad.read("a")).toBe("2");
	expect(chad.dirty()).toBe("");
	chad.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init");
	chad.write("lib/l", "changed inside");
	chad.write("a", "3");
	await chad.once();
	expect(chad.read("lib/l")).toBe("changed inside");
	world.write("library/l", "2");
	world.commitAll("library");
	helios.git("-c", "protocol.file.allow=always", "-C", "lib", "pull", "-q");
	await helios.once();
	await chad.once();
	expect(chad.git("ls-tree", "HEAD", "lib")).toBe(helios.git("ls-tree", "HEAD", "lib"));
	expect(chad.read("lib/l")).toBe("changed inside");
});

test("shallow clone: both ways → syncs, grows no holes", async () => {
	const [helios] = await world.pair({ a: "1" });
	for (const text of ["2", "3", "4"]) {
		helios.write("a", text);
		await helios.once();
	}
	world.git(".", "clone", "-q", "--depth=1", `file://${world.path("hub.git")}`, "shallow");
	const shallow = adopt("shallow");
	shallow.write("from-shallow", "1");
	helios.write("from-helios", "1");
	await helios.once();
	await shallow.once();
	await helios.once();
	expect(helios.files()).toEqual(shallow.files());
	shallow.fsck();
	helios.fsck();
});

test("partial clone: objects missing → fetched on demand", async () => {
	const [helios] = await world.pair({ a: "1\n", "d/b": "1\n" });
	world.git("hub.git", "config", "uploadpack.allowFilter", "true");
	world.git("hub.git", "config", "uploadpack.allowAnySHA1InWant", "true");
	world.git(".", "clone", "-q", "--filter=blob:none", `file://${world.path("hub.git")}`, "partial");
	const partial = adopt("partial");
	helios.write("a", "1\nhelios\n");
	helios.write("d/b", "2\n");
	await helios.once();
	partial.write("a", "partial\n1\n");
	await partial.once();
	await helios.once();
	expect(helios.files()).toEqual(partial.files());
	expect(helios.read("a")).toBe("partial\n1\nhelios\n");
});

test("sparse checkout: both ways → keeps its shape, loses nothing that is not shown", async () => {
	const [helios, chad] = await world.pair({ "in/a": "1", "out/b": "1", top: "1" });
	chad.git("status");
	chad.git("sparse-checkout", "set", "in");
	expect(chad.exists("out/b")).toBe(false);
	helios.write("in/a", "2");
	helios.write("out/b", "2");
	helios.write("out/new", "1");
	await helios.once();
	await chad.once();
	expect(chad.read("in/a")).toBe("2");
	expect(chad.exists("out")).toBe(false);
	expect(chad.dirty()).toBe("");
	chad.write("in/c", "1");
	await chad.once();
	await helios.once();
	expect(helios.files()).toEqual({ "in/a": "2", "in/c": "1", "out/b": "2", "out/new": "1", top: "1" });
});

test("linked working tree: as workspace → syncs like any other", async () => {
	const [helios, chad] = await world.pair({ a: "1" });
	world.git("hub.git", "branch", "side", "main");
	world.git(".", "clone", "-q", "--no-checkout", world.path("hub.git"), "owner");
	world.git("owner", "worktree", "add", "-q", "-b", "main-tree", world.path("linked"), "origin/main");
	const linked = adopt("linked");
	linked.git("checkout", "-q", "-B", "side", "origin/side");
	linked.write("from-linked", "1");
	await linked.once();
	expect(world.git("hub.git", "show", "side:from-linked")).toBe("1");
	await helios.once();
	await chad.once();
	expect(chad.files()).toEqual({ a: "1" });
});

test("SHA-256: as object format → syncs", async () => {
	world.git(".", "init", "-q", "--bare", "--object-format=sha256", "--initial-branch=main", "hub256.git");
	const nodes = ["one", "two"].map((name) => {
		world.git(".", "init", "-q", "--object-format=sha256", "--initial-branch=main", name);
		world.git(name, "remote", "add", "origin", world.path("hub256.git"));
		return adopt(name);
	});
	const [one, two] = nodes as [Node, Node];
	one.write("a.json", '{"x":1}\n');
	await one.once();
	await two.once();
	one.write("a.json", '{"x":1,"one":1}\n');
	two.write("a.json", '{"x":1,"two":1}\n');
	await one.once();
	await two.once();
	await one.once();
	expect(JSON.parse(one.read("a.json"))).toEqual({ x: 1, one: 1, two: 1 });
	expect(one.files()).toEqual(two.files());
});

test("owner: another user's repository → refused, unless safe.directory allows it", async () => {
	if (process.getuid?.() !== 0) return;
	const [node] = await world.pair({ a: "1" });
	fs.chmodSync(world.directory, 0o755);
	execFileSync("chown", ["-R", "12345:12345", node.workspace]);
	const failure = await node.failure();
	expect(failure).toMatchObject({ code: "PERMISSION_DENIED", message: expect.stringContaining("safe.directory") });
	fs.writeFileSync(world.path(".gitconfig"), `[safe]\n\tdirectory = ${node.workspace}\n`);
	await node.once();
});

test("symbolic link: the workspace reached through one → syncs", async () => {
	const [helios, chad] = await world.pair({ a: "1" });
	fs.symlinkSync(helios.workspace, world.path("alias"));
	helios.write("b", "1");
	await helios.once({ env: { SYNC_WORKSPACE: world.path("alias") } });
	await chad.once();
	expect(chad.read("b")).toBe("1");
});
