import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { SmallDisk } from "../fixture/small-disk.ts";
import { World } from "../fixture/world.ts";
import { checkLines, checkOwned, evidence } from "./checker.ts";
import { Ledger } from "./ledger.ts";
import { Random } from "./random.ts";
import { programs } from "./writers.ts";

let world: World;
let hub: string;
beforeEach(() => {
	world = new World("checker");
	hub = world.hub("hub.git");
	world.init("w", hub);
	world.git("w", "commit", "-q", "--allow-empty", "-m", "first");
	world.git("w", "push", "-q", "origin", "main");
});
afterEach(() => world.remove());

/** Every pause is as short as can be. */
class Hurried extends Random {
	override between(low: number): number {
		return low;
	}
}

// When lines ended in their number, a cut line 10 looked like line 1.
test("checker: a line cut by a full disk → not a line that was written before", async () => {
	const disk = SmallDisk.mount(world, "disk", "size=64k");
	// Only root may mount.
	if (disk === null) return expect(process.getuid?.()).not.toBe(0);
	const file = path.join(disk.directory, "shared.log");
	const upToTen = Array.from({ length: 10 }, (_, count) => `node1 line ${count};\n`).join("");
	// The page ends after the first digit of line 10, and there is no other.
	fs.writeFileSync(file, `${"x".repeat(4_096 - upToTen.length - "node1 line 1".length - 1)}\n`);
	disk.fill();
	const ledger = new Ledger(() => 0);
	const stop = new AbortController();
	const ended = programs.appender(disk.directory, "node1", ledger, new Hurried(1), stop.signal);
	await until(() => ledger.halfLines.length > 0, "a torn line");
	disk.free();
	await until(() => ledger.size >= 12, "more lines");
	stop.abort();
	await ended;
	const text = fs.readFileSync(file, "utf8");
	expect(text).toContain("\nnode1 line 1\nnode1 line ");
	const problems = checkLines(disk.directory, hub, ledger).filter(({ what }) => !what.includes("xxx"));
	expect(problems).toEqual([]);
	// And it still detects a line that is there twice.
	fs.appendFileSync(file, "node1 line 3;\n");
	expect(checkLines(disk.directory, hub, ledger).map(({ what }) => what)).toContain("shared.log: 'node1 line 3;' is there 2 times");
}, 30_000);

test("checker: a file came back → reported, unless an --amend made two commits", () => {
	const commit = (...args: string[]) => world.git("w", "commit", "-q", "-m", "node1: 1 file", ...args);
	const writeOwned = (content: string) => {
		fs.writeFileSync(world.path("w/owned.md"), content);
		world.git("w", "add", "-A");
	};
	const ledger = new Ledger(() => 0);
	ledger.own("owned.md", "node1", null);
	const problems = () => {
		world.git("w", "push", "-q", "--force", "origin", "main");
		return checkOwned(world.path("w"), [world.path("w")], hub, ledger).map(({ what }) => what);
	};
	writeOwned("it is there\n");
	commit();
	expect(problems()).toEqual(["owned.md came back"]);
	world.git("w", "branch", "published");
	world.git("w", "commit", "-q", "--amend", "-m", "the same once more");
	world.git("w", "rm", "-q", "owned.md");
	commit();
	expect(problems()).toEqual([]);
	world.git("w", "merge", "-q", "--no-edit", "published");
	expect(fs.existsSync(world.path("w/owned.md"))).toBe(true);
	expect(problems()).toEqual([]);
});

test("checker: a key is lost → evidence names the commit that took it back", () => {
	const commit = (state: object | null, subject: string, ...args: string[]) => {
		if (state !== null) fs.writeFileSync(world.path("w/state.json"), JSON.stringify(state));
		world.git("w", "add", "-A");
		world.git("w", "commit", "-q", "--allow-empty", "-m", subject, ...args);
		return world.git("w", "rev-parse", "--short", "HEAD").trim();
	};
	commit({}, "before");
	const added = commit({ node1: { k1: 1 } }, "added");
	const taken = commit({ node1: {} }, "taken back");
	commit({ node1: { k2: 2 } }, "later");
	world.git("w", "checkout", "-q", "-b", "side", added);
	commit({ node1: { k1: 1 }, node2: {} }, "beside");
	world.git("w", "checkout", "-q", "main");
	world.git("w", "merge", "-q", "-s", "ours", "-m", "merge", "side");
	world.git("w", "push", "-q", "origin", "main");
	const isKept = (text: string | null) => text?.includes("k1") === true;
	expect(evidence(hub, { what: "lost", file: "state.json", isKept }).filter((line) => line.startsWith("taken back"))).toEqual([
		expect.stringMatching(`^taken back by ${taken} of ${added}, .*: taken back$`),
	]);
	const isDeleted = (text: string | null) => text === null;
	world.git("w", "rm", "-q", "state.json");
	const removed = commit(null, "removed");
	const back = commit({}, "back");
	world.git("w", "push", "-q", "origin", "main");
	expect(evidence(hub, { what: "came back", file: "state.json", isKept: isDeleted })).toContainEqual(
		expect.stringMatching(`^taken back by ${back} of ${removed}, `),
	);
});
