import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

// A million changes must fit into a few hundred MB: what is kept for each path decides. The heap is limited, so that the bound depends
// neither on when the collector runs nor on the load of the machine.

const count = 60_000;
/** Of it, some 15 MB are the program itself: 400 bytes a path are left. */
const heapMb = 40;
const peakMb = 220;
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
	await node.once({ env, timeoutMs: 400_000 });
	return Number(/^VmHWM:\s+(\d+)/m.exec(fs.readFileSync(file, "utf8"))?.[1]) / 1024;
}

test("many files: new here, changed by the peer → little memory for each path", async () => {
	for (let file = 0; file < count; file++) {
		if (file % 1_000 === 0) fs.mkdirSync(helios.path(`archive/${file / 1_000}`), { recursive: true });
		fs.writeFileSync(helios.path(nameOf(file)), `${file}\n`);
	}
	expect(await peakOfOnce(helios)).toBeLessThan(peakMb);
	expect(await peakOfOnce(chad)).toBeLessThan(peakMb);
	expect(chad.head()).toBe(helios.head());
	for (const file of [0, 31_415, count - 1]) expect(chad.read(nameOf(file))).toBe(`${file}\n`);
	expect(chad.dirty()).toBe("");
}, 900_000);
