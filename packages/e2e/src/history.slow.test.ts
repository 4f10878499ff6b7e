import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { bin } from "./fixture/executables.ts";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
let helios: Node;
let chad: Node;
const json = '{\n  "a": 1,\n  "b": 2\n}\n';
beforeEach(async () => {
	world = new World("history");
	[helios, chad] = await world.pair({ "s.json": json, "notes.md": "one\n\ntwo\n", "d/x": "x\n", "d/y": "y\n" });
});
afterEach(() => world.remove());

const run = async (node: Node, ...args: string[]) => {
	const { code, stdout, stderr } = await node.run(args);
	return { code, stdout, stderr, json: () => JSON.parse(stdout) };
};
const head = (node: Node) => node.head() ?? "";

describe("restore", () => {
	test("restore: a directory as it was → as it was, other paths untouched, on both nodes", async () => {
		const at = head(helios);
		helios.remove("d/x");
		helios.write("d/y", "changed\n");
		helios.write("d/new", "new\n");
		helios.write("s.json", "{}\n");
		await helios.once();
		const { code, stdout } = await run(helios, "--restore", "d", "--at", at);
		expect([code, stdout.split("\n").slice(0, 3)]).toEqual([0, ["remove   d/new", "restore  d/x", "replace  d/y"]]);
		await chad.once();
		for (const node of [helios, chad])
			expect(node.files()).toEqual({ "s.json": "{}\n", "notes.md": "one\n\ntwo\n", "d/x": "x\n", "d/y": "y\n" });
		expect((await run(helios, "--restore", "d", "--at", `${head(helios)}~1`, "--deleted-only")).stdout).toContain("restore  d/new");
		expect(helios.read("d/y")).toBe("y\n");
		helios.fsck();
	});

	test("restore: a link in the directory's place → not written through, exit code 1", async () => {
		const at = head(helios);
		world.write("outside/x", "safe\n");
		helios.remove("d");
		fs.symlinkSync(world.path("outside"), helios.path("d"));
		await helios.once();
		for (const more of [["--dry-run"], ["--json"], []]) {
			const { code, stdout, stderr } = await run(helios, "--restore", "d/x", "--at", at, ...more);
			expect([code, stderr.includes("nothing is restored")]).toEqual([1, true]);
			expect(stdout).toContain("d/x");
		}
		expect(world.read("outside/x")).toBe("safe\n");
		expect((await run(helios, "--restore", "d", "--at", at)).code).toBe(0);
		expect([helios.read("d/x"), world.read("outside/x")]).toEqual(["x\n", "safe\n"]);
	});

	test("restore: a path that never was → exit code 1, and no failure of syncing", async () => {
		await helios.once();
		for (const args of [
			["nosuch/x", "--at", "HEAD"],
			["d/x", "--at", "2001-01-01"],
		]) {
			const { code, stderr } = await run(helios, "--restore", ...args);
			expect([code, stderr]).toEqual([1, expect.stringMatching(/^robust-sync: [^\n]*(not found at|no commit yet)[^\n]*\n$/)]);
			expect(stderr).not.toContain("INTERNAL");
		}
		expect(helios.state()).toMatchObject({ status: "idle", last_error: null, consecutive_failures: 0 });
	});

	test("restore: names of any bytes, modes, links, binary content → byte for byte", async () => {
		const odd = Buffer.concat([Buffer.from(`${helios.workspace}/odd/`), Buffer.from([0x66, 0xff, 0x0a, 0x22])]);
		fs.mkdirSync(helios.path("odd"));
		fs.writeFileSync(odd, Buffer.from([0, 255, 10, 13]));
		helios.write("odd/run", "#!/bin/sh\n", 0o755);
		fs.symlinkSync("../nowhere", helios.path("odd/link"));
		await helios.once();
		const other = Buffer.concat([Buffer.from(`${helios.workspace}/odd/`), Buffer.from([0x66, 0xfe, 0x0a, 0x22])]);
		fs.writeFileSync(other, "another, which is shown by the same name");
		await helios.once();
		fs.rmSync(odd);
		fs.rmSync(other);
		await helios.once();
		// Node cannot pass an argument that is not UTF-8; a shell can.
		const named = `"${process.execPath}" "${path.join(bin, "robust-sync")}" --workspace . --restore "$(printf 'odd/f\\377\\n"')" --at HEAD~1`;
		execFileSync("sh", ["-c", named], { cwd: helios.workspace, env: world.environment({ NODE_NAME: "helios" }) });
		expect([fs.existsSync(odd), fs.existsSync(other)]).toEqual([true, false]);
		const before = helios.files();
		const at = head(helios);
		helios.remove("odd");
		await helios.once();
		expect((await run(helios, "--restore", "odd", "--at", at, "--dry-run")).stdout.match(/would restore/g)).toHaveLength(3);
		expect((await run(helios, "--restore", "odd", "--at", at)).code).toBe(0);
		await chad.once();
		expect(helios.files()).toEqual(before);
		expect(chad.files()).toEqual(before);
		expect(fs.statSync(chad.path("odd/run")).mode & 0o111).not.toBe(0);
		const out = world.path("out");
		expect((await run(helios, "--restore", "odd", "--at", at, "--to", out)).code).toBe(0);
		expect(fs.readdirSync(path.join(out, "odd"))).toHaveLength(3);
		const again = await run(helios, "--restore", "odd", "--at", at, "--to", out);
		expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("nothing was written")]);
	});

	test("restore: beside a daemon, over an uncommitted edit → the edit is in history", async () => {
		const at = head(helios);
		helios.write("notes.md", "second\n");
		await helios.once();
		await helios.start();
		helios.write("notes.md", "third, just now\n");
		expect((await run(helios, "--restore", "notes.md", "--at", at)).code).toBe(0);
		expect(helios.read("notes.md")).toBe("one\n\ntwo\n");
		expect(helios.git("log", "-p", "--format=", "--", "notes.md")).toContain("+third, just now");
	});

	test.each([
		[["--restore", "d"], 2, "--at TIME"],
		[["--restore", "d", "--at", "gestern"], 2, "no time"],
		[["--restore", "../x", "--at", "HEAD"], 2, "not in the workspace"],
		[["--restore", "sync", "--at", "HEAD"], 2, "never synced"],
		[["--restore", "nothing-there", "--at", "HEAD"], 1, "not found at HEAD"],
		[["--undo"], 2, "--undo takes commits"],
		[["--undo", "HEAD", "--by", "chad"], 2, "not both"],
		[["--undo", "--by", "helios"], 2, "add --since TIME"],
		[["--undo", "--by", "helios", "."], 2, "or --all"],
		[["--undo", "--all"], 2, "--undo takes commits"],
		[["--undo", "HEAD", "--all"], 2, "not both"],
		[["--undo", "0".repeat(40)], 1, "there is no commit 0000"],
		[["--undo", "deadbeef"], 1, "there is no commit deadbeef"],
		[["--undo", "HEAD~99"], 1, "there is no commit HEAD~99"],
		[["--history", "--since", "x y"], 2, "no time"],
	])("restore, undo, history: %j → exit %i, with the remedy", async (args, code, said) => {
		const before = head(helios);
		const ended = await run(helios, ...args);
		expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining(said)]);
		expect(ended.stderr.trim().split("\n")).toHaveLength(1);
		expect(head(helios)).toBe(before);
	});
});

describe("undo", () => {
	test("undo: one key of a node → the other's later key stays; undone, it is back", async () => {
		helios.write("s.json", json.replace("1", "10"));
		helios.remove("d/x");
		await helios.once();
		const bad = head(helios);
		await chad.once();
		chad.write("s.json", json.replace("1", "10").replace("2\n", '2,\n  "c": 3\n'));
		await chad.once();
		await helios.once();
		const dry = await run(helios, "--undo", bad, "--dry-run", "--json");
		expect(dry.json()).toMatchObject({ dry_run: true, undone: [bad], files: [{ path: "d/x" }, { path: "s.json" }], left: [] });
		expect((await run(helios, "--undo", bad)).code).toBe(0);
		expect(JSON.parse(helios.read("s.json"))).toEqual({ a: 1, b: 2, c: 3 });
		await chad.once();
		expect([chad.read("d/x"), chad.files()]).toEqual(["x\n", helios.files()]);
		expect((await run(chad, "--undo", head(chad))).code).toBe(0);
		expect(JSON.parse(chad.read("s.json"))).toEqual({ a: 10, b: 2, c: 3 });
		expect(chad.exists("d/x")).toBe(false);
	});

	test("undo: of a node and a period → later work on the same line is left, and listed", async () => {
		helios.write("d/x", "helios\n");
		helios.write("d/y", "helios\n");
		await helios.once();
		await chad.once();
		chad.write("d/x", "chad\n");
		await chad.once();
		await helios.run(["--send", "-"], { input: "a message\n" });
		await helios.once();
		const { code, stdout } = await run(helios, "--undo", "--by", "helios", "--since", `${head(helios)}~3`);
		expect(code).toBe(0);
		expect(stdout).toMatch(/^d\/x \([0-9a-f]{12}\): left: undoing it would remove later work$/m);
		expect([helios.read("d/x"), helios.read("d/y"), helios.messages()]).toEqual(["chad\n", "y\n", ["a message\n"]]);
	});

	test("undo: a merge that is named → refused, nothing happens", async () => {
		helios.write("a", "1\n");
		chad.write("b", "1\n");
		await helios.once();
		await chad.once();
		const merge = chad.git("log", "--merges", "--format=%H", "-1").trim();
		const { code, stderr } = await run(chad, "--undo", merge);
		expect([code, stderr]).toEqual([2, expect.stringContaining("is a merge and cannot be undone")]);
	});

	test("undo: the oldest commit of a shallow clone → refused, older files stay", async () => {
		helios.write("notes.md", "three\n");
		await helios.once();
		helios.git("fetch", "--quiet", "--depth=1", `file://${world.path("hub.git")}`, "main");
		const before = helios.files();
		for (const args of [["--since", "1h"], [head(helios)]]) {
			const { code, stderr } = await run(helios, "--undo", ...args);
			expect([code, stderr]).toEqual([1, expect.stringContaining("git fetch --unshallow")]);
		}
		expect((await run(helios, "--history", "--json")).json().entries).toMatchObject([{ commit: head(helios), files: [] }]);
		expect(helios.files()).toEqual(before);
	});

	test("undo: the remote is away → done here, reported, published later", async () => {
		helios.write("d/x", "bad\n");
		await helios.once();
		fs.renameSync(world.path("hub.git"), world.path("away.git"));
		const { code, stdout, stderr } = await run(helios, "--undo", head(helios));
		expect([code, stdout, stderr]).toEqual([0, expect.stringContaining("1 commit undone"), expect.stringContaining("not published yet")]);
		fs.renameSync(world.path("away.git"), world.path("hub.git"));
		await helios.once();
		await chad.once();
		expect(chad.read("d/x")).toBe("x\n");
	});

	test("undo: eighty files that were added → the other node takes the deletion for meant", async () => {
		for (let index = 0; index < 80; index++) helios.write(`many/${index}`, `file ${index}\n`);
		await helios.once();
		await chad.once();
		expect((await run(helios, "--undo", head(helios))).code).toBe(0);
		expect(helios.state()?.status).toBe("idle");
		expect(await chad.once()).toMatchObject({ status: "idle" });
		expect(chad.exists("many")).toBe(false);
	});
});

test("history: annotated, over a rename, by node, agent and run → text and JSON", async () => {
	expect((await run(helios, "--annotate", "tidy the notes\n\nAgent: forged", "--agent", "bot", "--run", "42")).code).toBe(0);
	fs.renameSync(helios.path("notes.md"), helios.path("d/plan.md"));
	await helios.once();
	await chad.once();
	chad.write("d/plan.md", "one\n\ntwo\n\nthree\n");
	await chad.once();
	await helios.once();
	const { entries } = (await run(helios, "--history", "d/plan.md", "--json", "--diff")).json();
	expect(entries).toMatchObject([
		{ node: "chad", kind: "change", agent: null, lines_added: 2, diff: expect.stringContaining("+three") },
		{ node: "helios", agent: "bot", run: "42", text: "tidy the notes\n\nAgent: forged", files: [{ from: "notes.md", change: "renamed" }] },
		{ node: "helios", files: [{ path: "notes.md", change: "added" }] },
	]);
	// The number of shown entries does not change their content.
	for (const limit of [1, 2, 3]) {
		const shown = (await run(helios, "--history", "d/plan.md", "--json", "--diff", "--limit", `${limit}`)).json();
		expect(shown.entries).toEqual(entries.slice(0, limit));
	}
	for (const filter of [
		["--agent", "bot"],
		["--run", "42"],
		["--since", "HEAD~2", "--until", "HEAD~1"],
	])
		expect((await run(helios, "--history", "--json", ...filter)).json().entries.map((entry: { run: string }) => entry.run)).toEqual(["42"]);
	expect((await run(helios, "--history", "--by", "chad")).stdout).toMatch(
		/^\S+ \S+ {2}chad {8}change {3}[0-9a-f]{12} {2}1 changed \(\+2 −0\): d\/plan\.md\n$/,
	);
	expect((await run(helios, "--history", "--by", "juno")).stdout).toBe("nothing\n");
	helios.write("s.json", "{}\n");
	await helios.once();
	expect((await run(helios, "--history", "--limit", "1", "--json")).json().entries[0]).toMatchObject({ agent: null, text: null });
});
