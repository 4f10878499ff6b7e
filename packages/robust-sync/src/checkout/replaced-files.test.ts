import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type GitPath, gitPathFromText } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { diskFiles } from "@robust-sync/system/disk-files";
import type { MonotonicClock } from "@robust-sync/system/monotonic-clock";
import { compactTimestamp } from "@robust-sync/system/timestamps";
import { parseConfig, type ReplacedFile, WorkspacePaths } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { snapshotInto } from "../cycle/commit.ts";
import { newProgress } from "../cycle/progress.ts";
import { newMemory } from "../daemon/new-memory.ts";
import { takeSnapshot } from "../snapshot/snapshot.ts";
import { cycleContext } from "../testing/cycle-context.ts";
import { mergeForeign, rescueAll } from "../testing/merge-foreign.ts";
import { replaceOnDisk } from "./replace-on-disk.ts";
import { ReplacedFiles } from "./replaced-files.ts";
import { findLateWrites } from "./rescue.ts";

let monotonic = 1_000;
const clock: MonotonicClock = { bootId: "this boot", now: () => monotonic };
let scratch: Scratch;
let paths: WorkspacePaths;
beforeEach(() => {
	monotonic = 1_000;
	scratch = new Scratch("replaced");
	scratch.init("helios");
	paths = new WorkspacePaths(scratch.path("helios"));
	fs.mkdirSync(paths.backups, { recursive: true });
});
afterEach(() => scratch.remove());

const minute = 60_000;
const noon = Date.UTC(2026, 1, 18, 12);
const name = "state.json" as GitPath;
/** Ids of blobs. */
const [one, two, three, four] = ["1", "2", "3", "4"].map((digit) => digit.repeat(40)) as [string, string, string, string];

/** A checkout that replaced `before` by `after` while the clock showed `at`. */
function replace(replaced: ReplacedFiles, before: string, after: string, at: number): void {
	const backup = compactTimestamp(at);
	fs.mkdirSync(path.join(paths.backups, backup), { recursive: true });
	replaced.write(backup, [{ path: name, file: gitPathFromText("files/state.json"), before, after, size: 1, mtime_ms: at }], at);
}

/** Commits a file. @returns its blob */
function store(content: string, file: string = name): string {
	scratch.write(`helios/${file}`, content);
	scratch.commitAll("helios");
	return scratch.git("helios", "rev-parse", `HEAD:${file}`).trim();
}

const contextOf = (memory: CycleContext["memory"], now: number) => cycleContext(scratch, "helios", { memory, now: () => now });

test("replaced files: another process changes a manifest → its records, the same age", () => {
	const replaced = new ReplacedFiles(paths, diskFiles, clock);
	replace(replaced, one, two, noon);
	monotonic += 30 * minute;
	const backup = compactTimestamp(noon);
	expect(replaced.watched(noon)).toHaveLength(1);
	const other = new ReplacedFiles(paths, diskFiles, clock);
	const [file] = other.recent(noon, 60 * minute)[0]?.manifest?.files ?? [];
	other.write(backup, [{ ...(file as ReplacedFile), before: three, size: 7 }], noon);
	expect(replaced.watched(noon).map(({ manifest }) => manifest?.files[0])).toMatchObject([{ before: three, size: 7 }]);
	monotonic += 31 * minute;
	expect(replaced.watched(noon)).toEqual([]);
});

test("replaced files: the clock is set back → order and age stay", () => {
	const replaced = new ReplacedFiles(paths, diskFiles, clock);
	replaced.recent(noon, minute);
	replace(replaced, one, two, noon + 20 * minute);
	monotonic += 2_000;
	replace(replaced, two, three, noon);
	monotonic += 3_000;
	expect(replaced.replacements(noon + 3_000).get(name)).toEqual([
		{ before: one, after: two, ageMs: 5_000 },
		{ before: two, after: three, ageMs: 3_000 },
	]);
	monotonic += 5 * minute;
	expect(replaced.replacements(noon + 5 * minute).size).toBe(0);
});

test("replaced files: the clock is set ahead → the newest does not become old", () => {
	const replaced = new ReplacedFiles(paths, diskFiles, clock);
	replaced.recent(noon, minute);
	replace(replaced, one, two, noon);
	monotonic += 1_000;
	expect(
		replaced
			.replacements(noon + 90 * minute)
			.get(name)
			?.map(({ ageMs }) => ageMs),
	).toEqual([1_000]);
	expect(replaced.recent(noon + 90 * minute, 60 * minute)).toHaveLength(1);
});

test("replaced files: restart, clock set meanwhile → order and age stay", () => {
	const first = new ReplacedFiles(paths, diskFiles, clock);
	replace(first, one, two, noon + 25 * minute);
	monotonic += 1_000;
	replace(first, two, three, noon + 25 * minute + 1_000);
	monotonic += 1_000;
	replace(first, three, four, noon);
	monotonic += 2_000;
	for (const now of [noon + 2_000, noon - 5 * minute, noon + 50 * minute])
		expect(new ReplacedFiles(paths, diskFiles, clock).replacements(now).get(name)).toEqual([
			{ before: one, after: two, ageMs: 4_000 },
			{ before: two, after: three, ageMs: 3_000 },
			{ before: three, after: four, ageMs: 2_000 },
		]);
});

test("replaced files: reboot → age by the clock, nothing in the future", () => {
	const before = new ReplacedFiles(paths, diskFiles, clock);
	replace(before, one, two, noon);
	replace(before, two, three, noon + 1_000);
	const agesAt = (now: number) =>
		new ReplacedFiles(paths, diskFiles, { bootId: "the next boot", now: () => 7 })
			.replacements(now)
			.get(name)
			?.map(({ after, ageMs }) => [after, ageMs]);
	expect(agesAt(noon + 4_000)).toEqual([
		[two, 4_000],
		[three, 3_000],
	]);
	expect(agesAt(noon - minute)).toEqual([
		[two, 0],
		[three, 0],
	]);
});

test("replaced files: kept open for 30 days → checked, not pruned, as old as it is", () => {
	const old = Date.now() - 30 * 86_400_000;
	const first = new ReplacedFiles(paths, diskFiles, clock);
	for (let index = 0; index < 12; index++) replace(first, one, two, old + index);
	const backup = compactTimestamp(old);
	const file = path.join(paths.backups, backup, "files", name);
	fs.mkdirSync(path.dirname(file));
	fs.writeFileSync(file, "1");
	const later = () => new ReplacedFiles(paths, diskFiles, { bootId: "later", now: () => 1 });
	const isWatched = (replaced: ReplacedFiles) => replaced.watched(Date.now()).some((entry) => entry.name === backup);
	const [entry] = first.watched(old).flatMap(({ name: of, manifest }) => (of === backup ? (manifest?.files ?? []) : []));
	const seen = () => ({ ...(entry as NonNullable<typeof entry>), size: fs.statSync(file).size, mtime_ms: fs.statSync(file).mtimeMs });
	first.write(backup, [seen()], old);

	const open = fs.openSync(file, "a");
	const replaced = later();
	expect(isWatched(replaced)).toBe(true);
	fs.writeSync(open, "2");
	replaced.write(backup, [seen()], Date.now());
	expect(isWatched(replaced)).toBe(true);
	expect(replaced.replacements(Date.now()).get(name)).toBeUndefined();
	expect(later().prune(Date.now())).toBe(1);
	fs.closeSync(open);
	expect(isWatched(later())).toBe(false);

	// Written before it was closed, while this process did not run.
	fs.appendFileSync(file, "3");
	const restarted = later();
	expect(isWatched(restarted)).toBe(true);
	expect(restarted.prune(Date.now())).toBe(0);
	expect(isWatched(restarted)).toBe(true);
	restarted.write(backup, [seen()], Date.now());
	expect(later().prune(Date.now())).toBe(1);
	expect(fs.existsSync(file)).toBe(false);
});

test("lost update: written over before a scan → found by the first change's time", async () => {
	const before = store('{\n"chad": 1,\n"helios": 1\n}\n');
	const after = store('{\n"chad": 2,\n"helios": 1\n}\n');
	const now = Date.now();
	const memory = newMemory(paths, true, clock);
	memory.replaced.recent(now, minute);
	replace(memory.replaced, before, after, now - 25_000);
	monotonic += 25_000;
	const context = await contextOf(memory, now);
	const written = '{\n"chad": 1,\n"helios": 3\n}\n';
	scratch.write("helios/state.json", written);
	// No process saw a change before: 25 s after the checkout it may be deliberate.
	expect(await rescueAll(context, [name])).toBe(0);
	expect(scratch.read("helios/state.json")).toBe(written);
	memory.firstChanges.set(name, monotonic - 24_000);
	expect(await rescueAll(context, [name])).toBe(1);
	expect(JSON.parse(scratch.read("helios/state.json"))).toEqual({ chad: 2, helios: 3 });
});

test("lost update: the daemon was killed → the first scan takes a write for one", async () => {
	const before = store('{\n"chad": 1,\n"helios": 1\n}\n');
	const after = store('{\n"chad": 2,\n"helios": 1\n}\n');
	const now = Date.now();
	replace(new ReplacedFiles(paths, diskFiles, clock), before, after, now - 25_000);
	monotonic += 25_000;
	const written = '{\n"chad": 1,\n"helios": 3\n}\n';
	for (const [resumed, hasScanned, rescued] of [
		[false, false, 0],
		[true, true, 0],
		[true, false, 1],
	] as const) {
		scratch.write("helios/state.json", written);
		const memory = { ...newMemory(paths, true, clock), resumed, hasScanned };
		expect(await rescueAll(await contextOf(memory, now), [name])).toBe(rescued);
	}
	expect(JSON.parse(scratch.read("helios/state.json"))).toEqual({ chad: 2, helios: 3 });
});

test("lost update: seen while a snapshot is taken → the first change for the next one", async () => {
	scratch.write("helios/state.json", "1\n");
	// Later than the latest write, which would wait.
	const now = Date.now() + minute;
	const memory = newMemory(paths, true, clock);
	memory.firstChanges.set(name, monotonic - 5_000);
	memory.firstChanges.set("other.json" as GitPath, monotonic + 1);
	const context = await contextOf(memory, now);
	expect((await takeSnapshot(context)).committed).toBe(1);
	expect([...memory.firstChanges.keys()]).toEqual(["other.json"]);
	memory.firstChanges.set(name, monotonic - 1);
	expect((await takeSnapshot(context)).committed).toBe(0);
	expect([...memory.firstChanges.keys()]).toEqual(["other.json"]);
});

test("lost update: replaces all of the file → none; grew from what it held → one", async () => {
	const now = Date.now();
	const memory = newMemory(paths, true);
	const written = { turn: "chad's\n", "notes.md": "# notes\nchad\n", "turn.json": '{"chad": 1}\n', "turn.log": "chad\n" };
	const replaced = Object.entries({
		turn: ["nobody's\n", "helios'\n"],
		"notes.md": ["# notes\n", "# notes\nhelios\n"],
		"turn.json": ["{}\n", '{"helios": 1}\n'],
		"turn.log": ["start\n", "start\nhelios\n"],
	}).map(([file, [before = "", after = ""]]) => ({
		path: gitPathFromText(file),
		file: gitPathFromText(`files/${file}`),
		before: store(before, file),
		after: store(after, file),
		size: 1,
		mtime_ms: now - 500,
	}));
	const backup = compactTimestamp(now - 500);
	fs.mkdirSync(path.join(paths.backups, backup), { recursive: true });
	memory.replaced.write(backup, replaced, now - 500);
	for (const [file, content] of Object.entries(written)) scratch.write(`helios/${file}`, content);
	const names = Object.keys(written) as GitPath[];
	expect(await rescueAll(await contextOf(memory, Date.now()), names)).toBe(3);
	expect(scratch.read("helios/turn")).toBe("chad's\n");
	expect(scratch.read("helios/notes.md")).toBe("# notes\nhelios\nchad\n");
	expect(JSON.parse(scratch.read("helios/turn.json"))).toEqual({ chad: 1, helios: 1 });
	expect(scratch.read("helios/turn.log").trim().split("\n").sort()).toEqual(["chad", "helios"]);
});

test("base: several versions were readable before → the write may be from any of them", async () => {
	const now = Date.now();
	const json = (...keys: string[]) => `${JSON.stringify(Object.fromEntries(keys.map((key) => [key, 1])), null, "\t")}\n`;
	const ours = store(json("chad", "incoming"));
	const written = store(json("chad", "first"));
	const after = store(json("chad", "first", "incoming"));
	const file = { path: name, after, size: 1, mtime_ms: now };
	for (const [madeFrom, keys] of [
		["what lay there for a moment", ["chad", "incoming", "second"]],
		["what was written before that", ["chad", "first", "second"]],
		["what was there before both", ["chad", "second"]],
	] as const) {
		fs.rmSync(paths.backups, { recursive: true });
		const memory = newMemory(paths, true);
		const backup = compactTimestamp(now);
		fs.mkdirSync(path.join(paths.backups, backup), { recursive: true });
		memory.replaced.write(
			backup,
			[
				{ ...file, file: gitPathFromText("late/1/state.json"), before: ours },
				{ ...file, file: gitPathFromText("late/0/state.json"), before: written },
			],
			now,
		);
		scratch.write("helios/state.json", json(...keys));
		expect({ madeFrom, rescued: await rescueAll(await contextOf(memory, Date.now()), [name]) }).toEqual({ madeFrom, rescued: 1 });
		// Writers that had read neither overwrote the first by themselves; the incoming change is there again.
		expect(JSON.parse(scratch.read("helios/state.json"))).toMatchObject({ chad: 1, incoming: 1, second: 1 });
		if (keys.length > 2) expect(JSON.parse(scratch.read("helios/state.json"))).toHaveProperty("first");
	}
});

/** A kept file of a checkout that ended, with a write in it. @returns the file of the backup */
function keep(memory: CycleContext["memory"], file: string, before: string, after: string, written: string): string {
	const backup = compactTimestamp(Date.now());
	scratch.write(`helios/sync/backups/${backup}/files/${file}`, written);
	const entry = {
		path: gitPathFromText(file),
		file: gitPathFromText(`files/${file}`),
		before,
		after,
		size: 0,
		mtime_ms: 0,
	};
	memory.replaced.write(backup, [entry], Date.now());
	return `helios/sync/backups/${backup}/files/${file}`;
}

/** One cycle's check of the kept files. @returns the number of writes that it merged */
async function mergeLate(context: CycleContext): Promise<number> {
	const { foreign } = await findLateWrites(context);
	await mergeForeign(context, foreign);
	return foreign.length;
}

const noBlob = "e".repeat(40);
const blobOf = (content: string) => {
	scratch.write("blob", content);
	return scratch.git("helios", "hash-object", "-w", scratch.path("blob")).trim();
};
const bases = [
	["in no commit", () => blobOf('{\n"chad": 1,\n"turn": 7\n}\n'), { chad: 2, helios: 1, new: 1 }],
	["no longer known", () => noBlob, { chad: 1, helios: 1, new: 1, turn: 7 }],
] as const;
test.each(bases)("late write: its base is %s → merged, and history has both versions", async (_what, base, expected) => {
	const after = store('{\n"chad": 2,\n"new": 1\n}\n');
	const memory = newMemory(paths, true);
	const written = '{\n"chad": 1,\n"turn": 7,\n"helios": 1\n}\n';
	const file = keep(memory, name, base(), after, written);
	const context = await contextOf(memory, Date.now());
	expect(await mergeLate(context)).toBe(1);
	const merged = JSON.parse(scratch.read("helios/state.json")) as object;
	expect(merged).toEqual(expected);
	expect(scratch.git("helios", "status", "--porcelain", "--", name)).toBe("");
	expect(scratch.git("helios", "log", "-m", "-p", "--format=%s")).toContain('"helios": 1');
	// The next write through the same descriptor has this one as its base.
	expect(await mergeLate(context)).toBe(0);
	scratch.write(file, '{\n"chad": 1,\n"turn": 7,\n"helios": 2\n}\n');
	expect(await mergeLate(context)).toBe(1);
	expect(JSON.parse(scratch.read("helios/state.json"))).toEqual({ ...merged, helios: 2 });
});

test("late write: name not UTF-8, base in no commit → merged, nothing else touched", async () => {
	const odd = "\xff.json" as GitPath;
	const head = store("other\n", "other");
	const live = Buffer.concat([Buffer.from(`${scratch.path("helios")}/`), Buffer.of(0xff), Buffer.from(".json")]);
	fs.writeFileSync(live, '{"a": 1}\n');
	scratch.commitAll("helios");
	const memory = newMemory(paths, true);
	const backup = compactTimestamp(Date.now());
	fs.mkdirSync(path.join(paths.backups, backup, "files"), { recursive: true });
	fs.writeFileSync(Buffer.concat([Buffer.from(`${paths.backups}/${backup}/files/`), Buffer.of(0xff), Buffer.from(".json")]), '{"b": 1}\n');
	const file = `files/${odd}` as GitPath;
	memory.replaced.write(backup, [{ path: odd, file, before: blobOf("{}\n"), after: null, size: 0, mtime_ms: 0 }], Date.now());
	expect(await mergeLate(await contextOf(memory, Date.now()))).toBe(1);
	expect(JSON.parse(fs.readFileSync(live, "utf8"))).toEqual({ a: 1, b: 1 });
	expect(scratch.git("helios", "rev-parse", "HEAD:other").trim()).toBe(head);
});

test("late write: larger than may be committed → merged on disk, in no commit", async () => {
	const config = parseConfig({ NODE_NAME: "helios", MAX_FILE_MB: "1" });
	const before = store("start\n", "x.log");
	const after = store("start\nnew\n", "x.log");
	const memory = newMemory(paths, true);
	const long = `${"l".repeat(1_100_000)}\n`;
	keep(memory, "x.log", before, after, `start\n${long}`);
	const context = { ...(await contextOf({ ...memory, branch: "main" }, Date.now())), config };
	const head = scratch.git("helios", "rev-parse", "HEAD");
	const { foreign } = await findLateWrites(context);
	await snapshotInto(context, newProgress(), [], foreign);
	expect(scratch.read("helios/x.log").length).toBe("start\nnew\n".length + long.length);
	expect(scratch.git("helios", "rev-parse", "HEAD")).toBe(head);
	expect((await findLateWrites(context)).foreign).toEqual([]);
});

test("replaced on disk: killed at any step → the next check finds the removed file", async () => {
	store('{"a": 1}\n');
	const after = { mode: "100644", oid: blobOf('{"a": 2}\n') };
	const before = { mode: "100644", oid: scratch.git("helios", "rev-parse", "HEAD:state.json").trim() };
	for (let steps = 1; ; steps++) {
		scratch.write("helios/state.json", '{"a": 1, "mine": 1}\n');
		fs.rmSync(paths.backups, { recursive: true });
		let left = steps;
		const assertHeld = () => {
			if (left-- === 0) throw new Error("killed");
		};
		const context = { ...(await contextOf(newMemory(paths, true), Date.now())), lock: { assertHeld, release: async () => undefined } };
		const isDone = await replaceOnDisk(context, [{ path: name, before, after }], false).then(
			() => true,
			() => false,
		);
		const found = await findLateWrites(await contextOf(newMemory(paths, true), Date.now()));
		const texts = [...found.foreign.map(({ content }) => content.toString()), scratch.read("helios/state.json")];
		expect({ steps, texts }).toEqual({ steps, texts: expect.arrayContaining(['{"a": 1, "mine": 1}\n']) });
		if (isDone) break;
	}
	expect(scratch.read("helios/state.json")).toBe('{"a": 2}\n');
});
