import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

// A million changes must fit into a few hundred MB: what is kept for each path decides. The heap is limited, so that the bound depends
// neither on when the collector runs nor on the load of the machine. Lists of paths are outside of it, and count with the growth of the process.

const count = 60_000;
/** Of it, some 15 MB are the program itself. With a text and an object for each path 33 MB were not enough for half of the snapshot. */
const heapMb = 36;
/** Beside a cycle with one file: contents in memory at once, the heap up to its limit, and the lists of paths. */
const growthMb = 75;
const nameOf = (file: number) => `archive/${Math.floor(file / 1_000)}/file-${file}.txt`;

let world: World;
let helios: Node;
let chad: Node;

beforeEach(async () => {
	world = new World("many-files");
	[helios, chad] = await world.pair();
	world.write(
		"peak.mjs",
		`import fs from "node:fs";\nprocess.on("exit", () => fs.writeFileSync(process.env.PEAK_FILE, fs.readFileSync("/proc/self/status")));\n`,
	);
}, 60_000);
afterEach(() => world.remove(), 60_000);

/** One cycle with a small heap. @returns the most memory that the process had, MB */
async function peakOfOnce(node: Node): Promise<number> {
	const file = world.path(`peak-of-${node.name}`);
	const env = { NODE_OPTIONS: `--max-old-space-size=${heapMb} --import=${world.path("peak.mjs")}`, PEAK_FILE: file };
	await node.once({ env, timeoutMs: 900_000 });
	return Number(/^VmHWM:\s+(\d+)/m.exec(fs.readFileSync(file, "utf8"))?.[1]) / 1024;
}

test("many files: new here, changed by the peer → little memory for each path", async () => {
	helios.write("first.md", "1\n");
	const [few, fewThere] = [await peakOfOnce(helios), await peakOfOnce(chad)];
	for (let file = 0; file < count; file++) {
		if (file % 1_000 === 0) fs.mkdirSync(helios.path(`archive/${file / 1_000}`), { recursive: true });
		fs.writeFileSync(helios.path(nameOf(file)), `${file}\n`);
	}
	expect(await peakOfOnce(helios)).toBeLessThan(few + growthMb);
	expect(await peakOfOnce(chad)).toBeLessThan(fewThere + growthMb);
	expect(chad.head()).toBe(helios.head());
	for (const file of [0, 31_415, count - 1]) expect(chad.read(nameOf(file))).toBe(`${file}\n`);
	expect(chad.dirty()).toBe("");
}, 1_800_000);
