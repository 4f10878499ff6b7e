import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { diskFiles } from "@robust-sync/system/disk-files";
import { FileExchanger } from "../files/exchange-files.ts";
import { Scratch } from "../fixtures/scratch.ts";
import type { TreeChange } from "../objects/diff.ts";
import { gitPathOf } from "../paths/git-path.ts";
import { AttributesAhead, coarseClockMs } from "./attributes-ahead.ts";

let scratch: Scratch;
let exchanger: FileExchanger;
beforeEach(() => {
	scratch = new Scratch("attributes");
	exchanger = new FileExchanger();
});
afterEach(async () => {
	exchanger.close();
	await scratch.remove();
});

// setxattr(2) and getxattr(2).
const set = (file: string, name: string) =>
	execFileSync("perl", ["-e", 'my ($f, $n, $v) = (@ARGV, "v"); syscall(188, $f, $n, $v, 1, 0)', file, name]);
const has = (file: string, name: string) =>
	execFileSync("perl", ["-e", 'my ($f, $n, $v) = (@ARGV, "\\0" x 9); print syscall(191, $f, $n, $v, 9)', file, name]).toString() === "1";

const change = (name: string): TreeChange => {
	const entry = { mode: "100644", oid: "" };
	return { path: gitPathOf(name), before: entry, after: entry };
};

(process.arch === "x64" ? test : test.skip)("attributes ahead: file unchanged, changed since, gone → those of the file there", async () => {
	const names = ["d/same", "d/changed", "d/gone", "nowhere/at/all", "other/fresh"];
	const staged = names.map((_, index) => scratch.path(`staged-${index}`));
	for (const file of staged) fs.writeFileSync(file, "staged");
	for (const name of names.slice(0, 3)) {
		scratch.write(name, "live");
		set(scratch.path(name), "user.before");
	}
	await sleep(coarseClockMs * 2);
	scratch.write("other/fresh", "live");
	const ahead = new AttributesAhead({ root: scratch.directory, files: diskFiles }, exchanger);
	const descriptors = fs.readdirSync("/proc/self/fd").length;
	ahead.begin(0, names.map(change), staged);
	set(scratch.path("d/changed"), "user.later");
	set(scratch.path("other/fresh"), "user.later");
	fs.rmSync(scratch.path("d/gone"));
	const finish = async (index: number) => await ahead.finish(Buffer.from(scratch.path(names[index] ?? "")), staged[index] ?? "");
	for (const index of names.keys()) await finish(index);
	const given = staged.map((file) => ["user.before", "user.later"].filter((name) => has(file, name)));
	// A file system without such attributes has none to copy.
	const isKept = has(scratch.path("d/same"), "user.before");
	if (isKept)
		expect([given[0], given[1], given[3], given[4]]).toEqual([["user.before"], ["user.before", "user.later"], [], ["user.later"]]);
	expect(fs.readdirSync("/proc/self/fd").length).toBe(descriptors);
	// Not the first of a batch: no call is made.
	ahead.begin(1, names.map(change), staged);
	await finish(0);
	expect(fs.readFileSync(staged[0] ?? "", "utf8")).toBe("staged");
});
