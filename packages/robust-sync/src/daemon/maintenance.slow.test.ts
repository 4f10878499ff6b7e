import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { killRunningGit } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { countStorage, maintainRepository } from "./maintenance.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("maintenance");
	scratch.init("helios");
	scratch.write("helios/notes.md", "hello\n");
	scratch.commitAll("helios");
});
afterEach(() => scratch.remove());

const git = (...args: string[]) => scratch.git("helios", ...args);
const makeLoose = (count: number) => scratch.makeLooseObjects("helios", count);
const hasLocks = () =>
	fs.readdirSync(scratch.path("helios/.git"), { recursive: true, encoding: "utf8" }).some((name) => name.endsWith(".lock"));

test("maintenance: many loose objects → a pack, none lost; few → as they are", async () => {
	const repository = await scratch.open("helios");
	expect(await maintainRepository(repository, Date.now())).toBeNull();
	expect(countStorage(repository).packs).toBe(0);
	const blobs = makeLoose(3_500);
	expect(await maintainRepository(repository, Date.now())).toMatch(/^about \d+ loose objects and 0 packs became 0 and 1$/);
	expect(countStorage(repository)).toEqual({ loose: 0, packs: 1 });
	for (const blob of [blobs[0], blobs.at(-1)]) expect(git("cat-file", "-t", blob ?? "").trim()).toBe("blob");
	git("fsck", "--strict", "--no-dangling");
	expect(hasLocks()).toBe(false);
});

test("maintenance: many small packs → rolled up into few", async () => {
	const repository = await scratch.open("helios");
	for (let index = 0; index < 31; index++) {
		scratch.write("helios/notes.md", `${index}\n`);
		scratch.commitAll("helios");
		git("repack", "-q", "-d");
	}
	expect(countStorage(repository).packs).toBe(31);
	await maintainRepository(repository, Date.now());
	expect(countStorage(repository).packs).toBeLessThan(5);
	expect(git("rev-list", "--count", "HEAD").trim()).toBe("32");
});

test("maintenance: commit graph, a killed writer's lock → written, the next runs", async () => {
	const repository = await scratch.open("helios");
	fs.mkdirSync(scratch.path("helios/.git/objects/info/commit-graphs"), { recursive: true });
	scratch.write("helios/.git/objects/info/commit-graphs/commit-graph-chain.lock", "");
	await maintainRepository(repository, Date.now());
	expect(fs.existsSync(scratch.path("helios/.git/objects/info/commit-graphs/commit-graph-chain"))).toBe(true);
	git("commit-graph", "verify");
	expect(hasLocks()).toBe(false);
});

test("maintenance: another git collects garbage → nothing is done", async () => {
	const repository = await scratch.open("helios");
	makeLoose(3_500);
	const other = spawn("git", ["cat-file", "--batch"], { cwd: scratch.path("helios"), stdio: ["pipe", "ignore", "ignore"] });
	try {
		scratch.write("helios/.git/gc.pid", `${other.pid} ${os.hostname()}`);
		expect(await maintainRepository(repository, Date.now())).toBeNull();
		expect(countStorage(repository).packs).toBe(0);
	} finally {
		other.stdin.end();
		await new Promise((resolve) => other.once("exit", resolve));
	}
	// Its pid belongs to no process now.
	expect(await maintainRepository(repository, Date.now())).not.toBeNull();
});

test("maintenance: half-written leftovers → removed after hours, not before", async () => {
	const repository = await scratch.open("helios");
	const leftovers = ["pack/tmp_pack_abc", "17/tmp_obj_def"].map((name) => `helios/.git/objects/${name}`);
	for (const name of [...leftovers, "helios/.git/objects/pack/tmp_pack_now"]) scratch.write(name, "half");
	const old = Date.now() / 1000 - 7 * 60 * 60;
	for (const name of leftovers) fs.utimesSync(scratch.path(name), old, old);
	await maintainRepository(repository, Date.now());
	for (const name of leftovers) expect(fs.existsSync(scratch.path(name))).toBe(false);
	expect(fs.existsSync(scratch.path("helios/.git/objects/pack/tmp_pack_now"))).toBe(true);
});

test("maintenance: killed at any moment → every object stays, the next one finishes", async () => {
	const repository = await scratch.open("helios");
	const blobs: string[] = [];
	let killed = 0;
	for (let round = 0; round < 3; round++) {
		blobs.push(...makeLoose(2_300));
		const done = maintainRepository(repository, Date.now()).catch(() => killed++);
		const rest = performance.now() + 8 * round;
		while (performance.now() < rest) await new Promise((resolve) => setImmediate(resolve));
		killRunningGit("SIGKILL");
		await done;
	}
	expect(killed).toBeGreaterThan(0);
	blobs.push(...makeLoose(2_300));
	await maintainRepository(repository, Date.now());
	expect(countStorage(repository).loose).toBeLessThan(2_000);
	const { stdout } = await repository.run(["cat-file", "--batch-check"], { input: `${blobs.join("\n")}\n` });
	expect(stdout.toString("latin1").match(/ blob /g)).toHaveLength(blobs.length);
	git("fsck", "--strict", "--no-dangling");
}, 90_000);
