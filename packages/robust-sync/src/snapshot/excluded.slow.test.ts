import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { ensureExcluded, parseConfig } from "@robust-sync/workspace";
import { runCycle } from "../cycle/cycle.ts";
import { newMemory } from "../daemon/new-memory.ts";
import { cycleContext } from "../testing/cycle-context.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("exclude");
	scratch.hub();
	for (const name of ["helios", "chad"]) ensureExcluded(scratch.init(name, scratch.path("hub.git")));
});
afterEach(() => scratch.remove());

/** One cycle of a node, as in `--once`. */
async function cycle(name: string, exclude = "", env: Record<string, string> = {}) {
	const config = parseConfig({ NODE_NAME: name, SYNC_EXCLUDE: exclude, ...env });
	const fields = await cycleContext(scratch, name, { config });
	return await runCycle({ ...fields, memory: newMemory(fields.paths, false) });
}

const exists = (file: string) => fs.existsSync(scratch.path(file));
const onHub = (file: string) => scratch.git("hub.git", "show", `main:${file}`);
const dirty = (name: string) => scratch.git(name, "status", "--porcelain", "-uall");

async function pair(files: Record<string, string>): Promise<void> {
	for (const [name, content] of Object.entries(files)) scratch.write(`helios/${name}`, content);
	await cycle("helios");
	await cycle("chad");
}

test("SYNC_EXCLUDE: switched on, then off → work goes out, files leave and come back", async () => {
	await pair({ "media/a": "1\n", "media/b": "1\n", top: "1\n" });
	scratch.write("chad/media/a", "1\nchad\n");
	scratch.write("chad/media/new", "chad\n");
	expect(await cycle("chad", "media/")).toMatchObject({ excluded: 3 });
	expect([onHub("media/a"), onHub("media/new")]).toEqual(["1\nchad\n", "chad\n"]);
	expect([exists("chad/media"), exists("chad/top"), dirty("chad")]).toEqual([false, true, ""]);
	// A change, a deletion and a new file of the other node are merged without a file on disk.
	scratch.write("helios/media/a", "1\nhelios\n");
	fs.rmSync(scratch.path("helios/media/b"));
	scratch.write("helios/media/c", "1\n");
	scratch.write("chad/top", "2\n");
	await cycle("helios");
	// A merge, in the object store.
	await cycle("chad", "media/");
	expect([exists("chad/media"), dirty("chad"), onHub("top")]).toEqual([false, "", "2\n"]);
	expect(scratch.git("chad", "rev-parse", "HEAD^{tree}")).toBe(scratch.git("hub.git", "rev-parse", "main^{tree}"));
	expect(await cycle("chad")).toMatchObject({ excluded: 0 });
	expect(fs.readdirSync(scratch.path("chad/media")).sort()).toEqual(["a", "c", "new"]);
	expect(scratch.read("chad/media/a")).toBe(scratch.read("helios/media/a"));
	expect([dirty("chad"), scratch.git("chad", "ls-files", "-v").match(/^S/m)]).toEqual(["", null]);
	scratch.write("chad/media/c", "back\n");
	await cycle("chad");
	expect(onHub("media/c")).toBe("back\n");
}, 120_000);

test("SYNC_EXCLUDE: a local file, whatever comes in → never sent, replaced or removed", async () => {
	await pair({ "media/a": "1\n", top: "1\n", ".gitignore": "!media/own\n" });
	await cycle("chad", "media/");
	scratch.write("chad/media/a", "chad's own\n");
	scratch.write("chad/media/own", "chad's own\n");
	scratch.write("chad/media/same", "1\n");
	scratch.git("chad", "add", "-A");
	await cycle("chad", "media/");
	scratch.write("helios/media/a", "2\n");
	scratch.write("helios/media/own", "helios\n");
	scratch.write("helios/media/same", "1\n");
	await cycle("helios");
	const { skipped } = await cycle("chad", "media/");
	expect(skipped.map(({ path, reason }) => `${path} ${reason}`).sort()).toEqual([
		"media/a ignored-here",
		"media/own ignored-here",
		"media/same ignored-here",
	]);
	fs.rmSync(scratch.path("helios/media/a"));
	await cycle("helios");
	scratch.write("chad/media/own", "chad's own, changed\n");
	await cycle("chad", "media/");
	expect(["a", "own", "same"].map((name) => scratch.read(`chad/media/${name}`))).toEqual(["chad's own\n", "chad's own, changed\n", "1\n"]);
	expect([onHub("media/own"), scratch.git("hub.git", "ls-tree", "--name-only", "main:media")]).toEqual(["helios\n", "own\nsame\n"]);
	// Included again, it is merged with what HEAD has.
	await cycle("chad");
	await cycle("helios");
	expect(scratch.read("helios/media/own")).toBe(scratch.read("chad/media/own"));
	expect(scratch.git("hub.git", "log", "--format=%H", "-S", "chad's own, changed", "main")).not.toBe("");
	expect(onHub("media/a")).toBe("chad's own\n");
}, 120_000);

test("SYNC_EXCLUDE: index lost, or all deleted elsewhere → no deletion, none held", async () => {
	await pair({
		...Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`media/${index}`, `${index} of many files\n`])),
		top: "1\n",
	});
	await cycle("chad", "media/");
	fs.writeFileSync(scratch.path("chad/.git/index"), "");
	await cycle("chad", "media/");
	scratch.git("chad", "read-tree", "HEAD");
	scratch.git("chad", "add", "-A");
	await cycle("chad", "media/");
	expect(scratch.git("hub.git", "ls-tree", "--name-only", "main:media").trim().split("\n")).toHaveLength(60);
	// A deletion by all other nodes is no loss here.
	fs.rmSync(scratch.path("helios/media"), { recursive: true });
	await cycle("helios", "", { GUARD: "0" });
	expect(await cycle("chad", "media/")).toMatchObject({ held: [], removed: 0, excluded: 0 });
}, 120_000);

test("SYNC_EXCLUDE: set before the first cycle → nothing excluded is placed or sent", async () => {
	for (const name of ["media/a", "top"]) scratch.write(`helios/${name}`, "1\n");
	await cycle("helios");
	scratch.write("chad/media/mine", "1\n");
	scratch.write("chad/b", "1\n");
	await cycle("chad", "media/");
	expect([fs.readdirSync(scratch.path("chad/media")), exists("chad/top")]).toEqual([["mine"], true]);
	expect(scratch.git("hub.git", "ls-tree", "-r", "--name-only", "main").trim().split("\n")).toEqual(["b", "media/a", "top"]);
	scratch.git(".", "clone", "-q", "--no-checkout", "hub.git", "juno");
	await cycle("juno", "/*");
	expect(fs.readdirSync(scratch.path("juno")).filter((name) => name !== "sync")).toEqual([".git"]);
}, 120_000);

test("SYNC_EXCLUDE: beside a person's sparse checkout → deletes nothing", async () => {
	await pair({ "media/a": "1\n", "out/o": "1\n", "in/i": "1\n" });
	scratch.git("chad", "sparse-checkout", "set", "in", "media");
	await cycle("chad", "media/");
	scratch.write("helios/media/a", "2\n");
	scratch.write("helios/out/o", "2\n");
	await cycle("helios");
	expect(await cycle("chad", "media/")).toMatchObject({ committed: 0, deleted: 0, pushed: 0 });
	expect([exists("chad/media"), exists("chad/in/i")]).toEqual([false, true]);
	await cycle("chad");
	expect([scratch.read("chad/media/a"), onHub("out/o")]).toEqual(["2\n", "2\n"]);
}, 120_000);

test("SYNC_EXCLUDE: a submodule, also a newer one → not reported, its directory stays", async () => {
	const [first, second] = ["1".repeat(40), "2".repeat(40)];
	const link = (oid: string) => scratch.git("helios", "update-index", "--add", "--cacheinfo", `160000,${oid},media/lib`);
	scratch.write("helios/.gitmodules", '[submodule "media/lib"]\n\tpath = media/lib\n\turl = ../lib\n');
	fs.mkdirSync(scratch.path("helios/media/lib"), { recursive: true });
	link(first);
	await pair({ top: "1\n" });
	expect(exists("chad/media/lib")).toBe(true);
	expect(await cycle("chad", "media/")).toMatchObject({ excluded: 1, skipped: [] });
	link(second);
	await cycle("helios");
	expect(await cycle("chad", "media/")).toMatchObject({ excluded: 1, skipped: [] });
	expect([dirty("chad"), scratch.git("chad", "rev-parse", "HEAD:media/lib").trim()]).toEqual(["", second]);
	expect(await cycle("chad")).toMatchObject({ excluded: 0, skipped: [] });
	expect([exists("chad/media/lib"), dirty("chad"), scratch.git("chad", "rev-parse", "HEAD:media/lib").trim()]).toEqual([true, "", second]);
}, 120_000);
