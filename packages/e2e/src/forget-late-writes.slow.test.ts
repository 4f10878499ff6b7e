import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { oneKey, untilSame, valueFile } from "./fixture/forgetting.ts";
import { type Node, untilConverged } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

// Files that a checkout replaced are kept, and cleaned by a command while a daemon runs: that is no write of a program.

let world: World;
let helios: Node;
let chad: Node;
beforeEach(async () => {
	world = new World("forget-late-writes");
	// Long enough for the command between two cycles of the daemon, which would apply the map itself.
	[helios, chad] = await world.pair({ "base.md": "base\n" }, { env: { ...oneKey.env, SYNC_INTERVAL: "4" } });
	for (const node of [helios, chad]) await node.once();
});
afterEach(() => world.remove());

const value = "tok_9sK2mQ7vXcL4rT8wYb6nZp3dHf5jGk1aSx0eUq8i";
const first = {
	"x.bin": `b\0one ${value}`,
	"c.json": `{"token":"${value}","n":1}\n`,
	"conf.yaml": `k: ${value}\n`,
	"del.txt": `p ${value}\n`,
};
const second = { "x.bin": "b\0two", "c.json": '{"token":"env","n":2}\n', "conf.yaml": "k: env\n" };

/** chad writes files, changes them and deletes one; helios's daemon checks out all of it. */
async function replaceOnHelios(): Promise<void> {
	for (const [name, content] of Object.entries(first)) chad.write(name, content);
	await chad.once();
	await untilConverged(world, [helios, chad]);
	for (const [name, content] of Object.entries(second)) chad.write(name, content);
	fs.rmSync(chad.path("del.txt"));
	await chad.once();
	await untilConverged(world, [helios, chad]);
	// In its next cycle the daemon reads the manifest of the replaced files.
	helios.write("next.md", "next\n");
	await helios.untilState(() => helios.git("ls-tree", "HEAD", "next.md") !== "", "a further cycle");
	await chad.once();
}

async function forgetOnHelios(args: readonly string[]): Promise<void> {
	const { code, stderr } = await helios.run(args);
	expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
	// A change that arrives shows that the daemon had cycles since.
	chad.write("after.md", "after\n");
	await chad.once();
	await untilConverged(world, [helios, chad]);
	helios.write("own.md", "own\n");
	await helios.untilState(({ head }) => head === helios.head() && helios.git("ls-tree", "HEAD", "own.md") !== "", "its own change");
	await chad.once();
	await untilConverged(world, [helios, chad]);
}

const subjects = () => helios.git("log", "--format=%s", "main");

describe("forget beside a daemon", () => {
	test("value: replaced files have it → the newest versions stay", async () => {
		await helios.start();
		await replaceOnHelios();
		await forgetOnHelios(["--forget-value", valueFile(world, value)]);
		for (const node of [helios, chad]) {
			expect(Object.fromEntries(Object.keys(second).map((name) => [name, node.read(name)]))).toEqual(second);
			expect(node.exists("del.txt")).toBe(false);
		}
		expect(subjects()).not.toContain("a later write");
	});

	test("paths: replaced files have them → they stay away", async () => {
		await helios.start();
		await replaceOnHelios();
		await forgetOnHelios(["--forget", "x.bin", "del.txt"]);
		for (const node of [helios, chad]) expect(["x.bin", "del.txt"].filter((name) => node.exists(name))).toEqual([]);
		expect(subjects()).not.toContain("a later write");
	});

	test("value: a program appends to a replaced log afterwards → its line, once", async () => {
		await helios.start();
		chad.write("p.log", `one ${value}\n`);
		await chad.once();
		await untilConverged(world, [helios, chad]);
		const log = fs.openSync(helios.path("p.log"), "a");
		try {
			chad.write("p.log", `one ${value}\ntwo\n`);
			await chad.once();
			await untilConverged(world, [helios, chad]);
			await forgetOnHelios(["--forget-value", valueFile(world, value)]);
			fs.writeSync(log, "three\n");
			await helios.untilState(() => helios.read("p.log").includes("three"), "the late write");
		} finally {
			fs.closeSync(log);
		}
		await helios.killAll();
		await untilSame([helios, chad]);
		expect(chad.read("p.log").replace(/forgotten-a[0-9a-f]{12}[-\d]*/g, "*")).toBe("one *\ntwo\nthree\n");
	});
});
