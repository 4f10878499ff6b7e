import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Disturbed, OneCheckout } from "../testing/one-checkout.ts";

// A file is swapped for the incoming one in one step, which reveals its content only afterwards. A write of a moment before is a write from
// the older version, independent of later writes.

let world: OneCheckout;
beforeEach(() => {
	world = new OneCheckout("moment");
	begin(["theirs"]);
});
afterEach(() => world.remove());

const text = (elements: readonly string[]) => `${JSON.stringify(elements, null, "\t")}\n`;
const begin = (elements: readonly string[]) => world.begin({ "list.json": text(elements) }, { "list.json": text([...elements, "new"]) });
const read = () => JSON.parse(world.read("w/list.json")) as string[];
const write = (elements: readonly string[]) => world.replace("list.json", text(elements));

/** @param before called before each swap @param after called after each */
async function checkOut(before: readonly (() => void)[], after: readonly (() => void)[] = []): Promise<void> {
	let [swaps, done] = [0, 0];
	const exchanger = () =>
		new Disturbed(
			() => before[swaps++]?.(),
			() => after[done++]?.(),
		);
	await world.checkOut({ exchanger });
}

/** Stops at the nth step of a name. */
function killAt(step: string, count = 1): { checkpoint(name: string): void } {
	let seen = 0;
	return {
		checkpoint(name) {
			if (name === step && ++seen === count) throw new Error("killed");
		},
	};
}

test("swap: a write a moment before → incoming in place, then both merged", async () => {
	await checkOut([() => write(["theirs", "first"])]);
	expect(read()).toEqual(["theirs", "new"]);
	await world.settle();
	expect(read().sort()).toEqual(["first", "new", "theirs"]);
	expect(world.git("w", "status", "--porcelain")).toBe("");
});

test("swap: one adds, another who read the incoming version adds → both merged", async () => {
	await checkOut([() => write(["theirs", "first"])], [() => write([...read(), "second"])]);
	await world.settle();
	expect(read().sort()).toEqual(["first", "new", "second", "theirs"]);
});

test("swap: the first goes on from what it wrote itself → no element is lost", async () => {
	const first = ["theirs", "first"];
	await checkOut([() => write(first)], [() => write([...first, "second"])]);
	await world.settle();
	expect(read().sort()).toEqual(["first", "new", "second", "theirs"]);
	write([...first, "second", "third"]);
	await world.settle();
	expect(read().sort()).toEqual(["first", "new", "second", "theirs", "third"]);
});

test("swap: the first goes on after the merge from what it wrote → no element is lost", async () => {
	const first = ["theirs", "first"];
	await checkOut([() => write(first)]);
	await world.settle();
	write([...first, "second"]);
	await world.settle();
	expect(read().sort()).toEqual(["first", "new", "second", "theirs"]);
});

test("swap: a reader of the incoming version writes after the merge → none is lost", async () => {
	let seen: string[] = [];
	await checkOut(
		[() => write(["theirs", "first"])],
		[
			() => {
				seen = read();
			},
		],
	);
	await world.settle();
	write([...seen, "second"]);
	await world.settle();
	expect(read().sort()).toEqual(["first", "new", "second", "theirs"]);
});

test("swap: a write in every cycle, from what is there → all there", async () => {
	await checkOut([() => write(["theirs", "first"])]);
	const added = Array.from({ length: 3 }, (_, index) => `element ${index}`);
	for (const element of added) {
		write([...read(), element]);
		await world.cycle();
	}
	await world.settle();
	expect(read().sort()).toEqual([...added, "first", "new", "theirs"]);
});

test("swap: a process holds the swapped-out file open and writes → merged", async () => {
	world.begin({ log: "start\n" }, { log: "start\nnew\n" });
	const open = fs.openSync(world.path("w/log"), "a");
	await checkOut([() => fs.writeSync(open, "first\n")]);
	fs.writeSync(open, "second\n");
	await world.settle();
	fs.writeSync(open, "third\n");
	await world.settle();
	fs.closeSync(open);
	expect(world.read("w/log").trim().split("\n").sort()).toEqual(["first", "new", "second", "start", "third"]);
});

test.each([[[]], [["second"]]])("swap: killed right after it, more written: %j → all merged", async (meanwhile) => {
	const exchanger = () => new Disturbed(() => write(["theirs", "first"]));
	await expect(world.checkOut({ ...killAt("swapped"), exchanger })).rejects.toThrow("killed");
	expect(read()).toEqual(["theirs", "new"]);
	write([...read(), ...meanwhile]);
	await world.checkOut();
	await world.settle();
	expect(read().sort()).toEqual(["first", "new", ...meanwhile, "theirs"]);
});

test("swap: killed right before it, again and again → what is written then is merged", async () => {
	await expect(world.checkOut(killAt("swap"))).rejects.toThrow("killed");
	for (let kill = 0; kill < 2; kill++) {
		write([...read(), `element ${kill}`]);
		await expect(world.checkOut(killAt("swap"))).rejects.toThrow("killed");
	}
	await world.checkOut();
	await world.settle();
	expect(read().sort()).toEqual([...Array.from({ length: 2 }, (_, kill) => `element ${kill}`), "new", "theirs"]);
});

test("swap: killed with two independent writes in the backup → both are merged", async () => {
	world.leaveTaken("files", "list.json", text(["theirs", "first"]));
	world.leaveTaken("late/0", "list.json", text(["theirs", "second"]));
	write(["theirs", "new", "third"]);
	await world.checkOut();
	await world.settle();
	expect(read().sort()).toEqual(["first", "new", "second", "theirs", "third"]);
});

test("empty moment: files are made there, JSON, notes, log → merged with both versions", async () => {
	const theirs = "theirs".padEnd(100, "-");
	const lines = (words: readonly string[], gap: string) => words.map((word) => `The line of ${word}.\n`).join(gap);
	const files = (...words: string[]) => ({ "list.json": text(words), "list.md": lines(words, "\n"), "list.log": lines(words, "") });
	world.begin(files(theirs), files(theirs, "new"));
	const made = new Set<string>();
	const link = fs.linkSync;
	// The file system cannot exchange files: between the two steps the path is empty.
	class Impossible extends Disturbed {
		override async exchange(): Promise<boolean> {
			return false;
		}
	}
	fs.linkSync = (from, to) => {
		const name = to.toString().split("/").at(-1) ?? "";
		const content = (files("mine") as Record<string, string>)[name];
		if (content !== undefined && !made.has(name) && !fs.existsSync(world.path(`w/${name}`))) {
			made.add(name);
			fs.writeFileSync(world.path(`w/${name}`), content);
		}
		link(from, to);
	};
	try {
		await world.checkOut({ exchanger: () => new Impossible(() => undefined) });
	} finally {
		fs.linkSync = link;
	}
	await world.settle();
	expect(made.size).toBe(3);
	for (const name of made)
		for (const word of ["theirs", "new", "mine"])
			expect({ name, word, count: world.read(`w/${name}`).split(word).length - 1 }).toEqual({ name, word, count: 1 });
});
