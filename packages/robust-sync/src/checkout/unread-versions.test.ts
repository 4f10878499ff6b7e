import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { blobOid, checkOutTree, type GitPath, readStatus } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { replacedFile } from "@robust-sync/resolve";
import { type MonotonicClock, monotonicClock } from "@robust-sync/system/monotonic-clock";
import { compactTimestamp } from "@robust-sync/system/timestamps";
import { WorkspacePaths } from "@robust-sync/workspace";
import fc from "fast-check";
import type { CycleContext } from "../context/cycle-context.ts";
import { newMemory } from "../daemon/new-memory.ts";
import { anyRound, contentOf, fileOf, problemsOf, type Round, save } from "../testing/agents.ts";
import { cycleContext } from "../testing/cycle-context.ts";
import { rescueAll } from "../testing/merge-foreign.ts";
import { lookAtReads } from "./rescue.ts";

let scratch: Scratch;
let paths: WorkspacePaths;
let aheadMs = 0;
const clock: MonotonicClock = { bootId: monotonicClock.bootId, now: () => monotonicClock.now() + aheadMs };
beforeEach(() => {
	aheadMs = 0;
	scratch = new Scratch("unread");
	scratch.init("w");
	paths = new WorkspacePaths(scratch.path("w"));
	fs.mkdirSync(paths.sync);
	scratch.git("w", "config", "core.excludesFile", scratch.path("ignore"));
	scratch.write("ignore", "sync\n");
});
afterEach(() => scratch.remove());

const file = (name: string) => scratch.path(`w/${name}`);
const log: string[] = [];

/** Checks out versions one after the other, as cycles do. @returns the context of the next cycle */
async function checkOut(versions: readonly Readonly<Record<string, string>>[]): Promise<CycleContext> {
	const commits = versions.map((files) => {
		for (const [name, content] of Object.entries(files)) scratch.write(`w/${name}`, content);
		return scratch.commitAll("w");
	});
	scratch.git("w", "reset", "-q", "--hard", commits[0] as string);
	const memory = newMemory(paths, true, clock);
	const lines = { debug: () => undefined, info: (line: string) => void log.push(line), warn: () => undefined, error: () => undefined };
	const fields = { memory, now: () => Date.now() + aheadMs, log: lines };
	const context = await cycleContext(scratch, "w", fields);
	for (const [index, to] of commits.slice(1).entries()) {
		const backup = compactTimestamp(Date.now() + index);
		const move = {
			from: commits[index] as string,
			to,
			ref: "refs/heads/main",
			staging: paths.staging,
			backup: `${paths.backups}/${backup}`,
			versions: paths.versions,
			keepsVersions: true,
		};
		const { kept, placed } = await checkOutTree(context.repository, move, false);
		memory.replaced.write(backup, kept.map(replacedFile), Date.now());
		memory.placed.add(placed);
	}
	return context;
}

const json = (...keys: string[]) => `${JSON.stringify(Object.fromEntries(keys.map((key) => [key, 1])), null, "\t")}\n`;

/** Agents write this long after the last checkout, and a cycle finds the write. @param stepMs a later step of the clock ahead */
async function writeAll(context: CycleContext, files: Readonly<Record<string, string>>, byGit: readonly string[] = [], stepMs = 0) {
	aheadMs = 60_000;
	for (const [name, content] of Object.entries(files)) save(file(name), content, "rename", aheadMs + stepMs);
	const later = { ...context, now: () => Date.now() + aheadMs + stepMs };
	lookAtReads(later);
	await rescueAll(later, Object.keys(files) as GitPath[], new Set(byGit as GitPath[]));
	return Object.fromEntries(Object.keys(files).map((name) => [name, scratch.read(`w/${name}`)]));
}

test("unread version: written over within 10 minutes → both changes stay", async () => {
	const rounds = fc.sample(anyRound, 40);
	const side = (agents: readonly string[]) =>
		Object.fromEntries(rounds.map((each, number) => [fileOf(each, number), contentOf(each.kind, number, agents)]));
	const context = await checkOut([side([]), side(["helios"])]);
	for (const seconds of new Set(rounds.map((each) => each.waits))) {
		aheadMs = seconds * 1000;
		const writes = [...rounds.entries()].filter(([, each]) => each.waits === seconds);
		for (const [number, each] of writes) {
			const full = file(fileOf(each, number));
			if (each.isDeliberate) fs.readFileSync(full);
			save(full, contentOf(each.kind, number, ["chad"]), each.way, aheadMs);
		}
		lookAtReads(context);
		const names = writes.map(([number, each]) => fileOf(each, number) as GitPath);
		if (names.length > 0) await rescueAll(context, names);
	}
	const read = (each: Round, number: number) => scratch.read(`w/${fileOf(each, number)}`);
	expect(rounds.flatMap((each, number) => problemsOf(each, number, [read(each, number), read(each, number)]))).toEqual([]);
	expect(log).toContainEqual(expect.stringMatching(/was written from an older version \(no program has read the newest version\)/));
});

test("unread versions: where the rule holds → and where a write stands after 10 s", async () => {
	const names = ["several", "second", "read", "link", "same", "local", "git"].map((name) => `${name}.json`);
	const version = (turn: string, ...keys: string[]) => ({ turn, ...Object.fromEntries(names.map((name) => [name, json(...keys)])) });
	const context = await checkOut([version("0\n", "zero"), version("1\n", "zero", "one"), version("2\n", "zero", "one", "two")]);
	fs.readFileSync(file("read.json"));
	fs.rmSync(`${paths.versions}/${fs.statSync(file("link.json"), { bigint: true }).ino}`);
	// A program saves the same content once more. Later readers do not read the file of the checkout.
	save(file("same.json"), json("zero", "one", "two"), "rename");
	lookAtReads(context);
	context.memory.placed.retire(context.repository, []);
	// A commit that reads no other file.
	scratch.write("w/local.json", json("zero", "one", "two", "local"));
	const oid = scratch.git("w", "hash-object", "-w", "local.json").trim();
	scratch.git("w", "update-index", "--cacheinfo", `100644,${oid},local.json`);
	const commit = scratch.git("w", "commit-tree", "-p", "HEAD", "-m", "local", scratch.git("w", "write-tree").trim()).trim();
	scratch.git("w", "update-ref", "refs/heads/main", commit);
	const mine = json("zero", "mine");
	const stale = Object.fromEntries(names.map((name) => [name, mine]));
	const found = await writeAll(context, { ...stale, turn: "mine\n", "second.json": json("one", "mine") }, ["git.json"]);
	const merged = { "several.json": json("zero", "one", "two", "mine"), "second.json": json("one", "two", "mine") };
	const sorted = (text: string) => (text.startsWith("{") ? Object.keys(JSON.parse(text) as object).sort() : text);
	const expected = { ...stale, turn: "mine\n", ...merged };
	expect(Object.fromEntries(Object.entries(found).map(([name, text]) => [name, sorted(text)]))).toEqual(
		Object.fromEntries(Object.entries(expected).map(([name, text]) => [name, sorted(text)])),
	);
});

test("unread version: SYNC_ATIME=off, or the clock was set by a week → as after a read", async () => {
	const context = await checkOut([
		{ "a.json": json("zero"), "b.json": json("zero") },
		{ "a.json": json("zero", "one"), "b.json": json("zero", "one") },
	]);
	const mine = json("zero", "mine");
	expect(await writeAll({ ...context, config: { ...context.config, syncAtime: "off" } }, { "a.json": mine })).toEqual({ "a.json": mine });
	expect(await writeAll(context, { "b.json": mine }, [], 7 * 86_400_000)).toEqual({ "b.json": mine });
});

test("unread version: git reads a file just written in place → both changes stay", async () => {
	const names = ["at-once.json", "waits.json"] as GitPath[];
	const version = (...keys: string[]) => Object.fromEntries(names.map((name) => [name, json(...keys)]));
	const context = await checkOut([version("zero"), version("zero", "one")]);
	aheadMs = 60_000;
	const later = { ...context, now: () => Date.now() + aheadMs };
	lookAtReads(later);
	for (const name of names) save(file(name), json("zero", "mine"), "in place", aheadMs);
	const accessed = () => names.map((name) => fs.statSync(file(name)).atimeMs);
	const before = accessed();
	scratch.git("w", "status");
	expect(accessed().every((time, at) => time !== before[at])).toBe(true);
	await rescueAll(later, ["at-once.json" as GitPath]);
	// Files that are being written wait for the next cycle.
	later.memory.placed.retire(later.repository, ["waits.json" as GitPath]);
	lookAtReads(later);
	await rescueAll(later, ["waits.json" as GitPath]);
	const keys = names.map((name) => Object.keys(JSON.parse(scratch.read(`w/${name}`)) as object).sort());
	expect(keys).toEqual([
		["mine", "one", "zero"],
		["mine", "one", "zero"],
	]);
});

test("unread version: the next process → git reads no file that is as it was placed", async () => {
	const names = ["intact", "changed", "executable", "read"].map((name) => `${name}.json` as GitPath);
	const version = (...keys: string[]) => Object.fromEntries(names.map((name) => [name, json(...keys)]));
	const context = await checkOut([version("zero"), version("zero", "one")]);
	const { atimeMs, mtimeMs } = fs.statSync(file("changed.json"));
	fs.writeFileSync(file("changed.json"), json("zero", "two"));
	fs.utimesSync(file("changed.json"), atimeMs / 1000, mtimeMs / 1000);
	fs.chmodSync(file("executable.json"), 0o755);
	fs.readFileSync(file("read.json"));
	const memory = newMemory(paths, true, clock);
	lookAtReads({ ...context, memory });
	expect(memory.placed.untouched(context.repository)).toEqual(["intact.json"]);
	// A second later the index has what git compares.
	memory.placed.settle(context.repository, Date.now() + 1000);
	fs.utimesSync(file(".git/index"), Date.now() / 1000, Date.now() / 1000 + 2);
	const { atimeMs: before } = fs.statSync(file("intact.json"));
	scratch.git("w", "status");
	expect(fs.statSync(file("intact.json")).atimeMs).toBe(before);
});

test("unread version: 501 files placed within one second → git reads none", async () => {
	const names = Array.from({ length: 501 }, (_, number) => `d/${number}.json` as GitPath);
	const version = (...keys: string[]) => Object.fromEntries(names.map((name) => [name, json(...keys)]));
	const { repository, memory } = await checkOut([version("zero"), version("zero", "one")]);
	const oid = blobOid(Buffer.from(json("zero", "one")), "sha1");
	const placed = names.map((path) => {
		// As if staged right now.
		fs.utimesSync(file(path), new Date(Date.now() - 86_400_000), new Date());
		const stats = fs.lstatSync(file(path), { bigint: true });
		const found = { ino: String(stats.ino), atimeMs: Number(stats.atimeMs), mtimeMs: Number(stats.mtimeNs) / 1e6 };
		return { path, mode: "100644", oid, version: found, stats, isIntact: true };
	});
	memory.placed.add(placed);
	const accessed = () => names.map((name) => fs.statSync(file(name)).atimeMs);
	const before = accessed();
	await memory.placed.settleBeforeScan(repository);
	const { entries } = await readStatus(repository, memory.placed.untouched(repository));
	expect([...entries.filter((entry) => entry.path.startsWith("d/"))]).toEqual([]);
	expect(accessed()).toEqual(before);
});

test("unread version: placed by another process → both changes stay", async () => {
	const names = ["at-once.json", "later.json"] as GitPath[];
	const version = (...keys: string[]) => Object.fromEntries(names.map((name) => [name, json(...keys)]));
	const { repository, ...other } = await checkOut([version("zero"), version("zero", "one")]);
	const daemon = { ...other, repository, memory: newMemory(paths, true, clock), now: () => Date.now() + aheadMs };
	const look = () => {
		daemon.memory.replaced.watched(daemon.now());
		lookAtReads(daemon);
	};
	// As before the other process's checkout.
	fs.renameSync(paths.backups, scratch.path("backups"));
	look();
	fs.renameSync(scratch.path("backups"), paths.backups);
	aheadMs = 60_000;
	for (const name of names) {
		save(file(name), json("zero", "mine"), "in place", aheadMs);
		look();
		await readStatus(repository, daemon.memory.placed.untouched(repository));
		await rescueAll(daemon, [name]);
		daemon.memory.placed.retire(repository, []);
	}
	const keys = names.map((name) => Object.keys(JSON.parse(scratch.read(`w/${name}`)) as object).sort());
	expect(keys).toEqual([
		["mine", "one", "zero"],
		["mine", "one", "zero"],
	]);
});
