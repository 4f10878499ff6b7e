import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import {
	FileExchanger,
	type GitPath,
	type KeptFile,
	type LateWrite,
	type MoveOptions,
	moveWorkingTree,
	replaceFiles,
} from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { mergeLateWrite } from "./late-writes.ts";

// A file is swapped for the new one in one step, which reveals its content only afterwards. If that was written just before, the file
// returns to its place: meanwhile a program may have read the new one, and its next write is based on that.

let scratch: Scratch;
let ids: { from: string; to: string };
beforeEach(() => {
	scratch = new Scratch("moment");
	scratch.init("w");
	startFrom(["theirs"]);
});
afterEach(() => scratch.remove());

const live = () => scratch.path("w/list.json");
const text = (elements: readonly string[]) => `${JSON.stringify(elements, null, "\t")}\n`;
const read = () => JSON.parse(fs.readFileSync(live(), "utf8")) as string[];
function write(elements: readonly string[]): void {
	fs.writeFileSync(scratch.path("temporary"), text(elements));
	fs.renameSync(scratch.path("temporary"), live());
}

/** The present content, and the incoming one with one element more. */
function startFrom(elements: readonly string[]): void {
	const [from, to] = [elements, [...elements, "new"]].map((content) => {
		write(content);
		return scratch.commitAll("w");
	}) as [string, string];
	scratch.git("w", "reset", "-q", "--hard", from);
	ids = { from, to };
}

/** One element differs in every write: no version contains an older one whole. */
const startFromTurns = () => startFrom(["theirs", "turn 0"]);

/** Lets a program run right before each swap. */
class Interrupted extends FileExchanger {
	readonly #before: readonly (() => void)[];
	#swaps = 0;

	constructor(before: readonly (() => void)[]) {
		super();
		this.#before = before;
	}

	override async exchange(a: Buffer, b: Buffer): Promise<boolean> {
		this.#before[this.#swaps++]?.();
		return await super.exchange(a, b);
	}
}

async function move(before: readonly (() => void)[], options: Partial<MoveOptions> = {}): Promise<readonly KeptFile[]> {
	const { kept } = await moveWorkingTree(
		await scratch.open("w"),
		{
			...ids,
			ref: "refs/heads/main",
			staging: scratch.path("staging"),
			backup: scratch.path("backup"),
			mergeLate: mergeLateWrite,
			exchanger: () => new Interrupted(before),
			...options,
		},
		false,
	);
	return kept;
}

/** A program that reads the file at one step, and writes it back with one element more while a late write is merged. */
function slowProgram(element: string): { look(): string[]; mergeLate(late: LateWrite): Buffer } {
	let seen: string[] = [];
	return {
		look() {
			seen = read();
			return seen;
		},
		mergeLate(late) {
			if (seen.length > 0) write([...seen.splice(0), element]);
			return mergeLateWrite(late);
		},
	};
}

/** The leftovers of an interrupted checkout. */
function leave(directory: string, elements: readonly string[]): void {
	fs.mkdirSync(scratch.path(`backup/late/${directory}`), { recursive: true });
	fs.writeFileSync(scratch.path(`backup/late/${directory}/list.json`), text(elements));
}

const blob = (oid: string | null) => JSON.parse(scratch.git("w", "cat-file", "blob", oid ?? "")) as string[];

test("swap: one adds, another who read the swapped-out version adds → both merged", async () => {
	const { look, mergeLate } = slowProgram("second");
	await move([() => write(["theirs", "first"]), look], { mergeLate });
	expect(read().sort()).toEqual(["first", "new", "second", "theirs"]);
});

test("swap: the second is written before the first is back → both merged", async () => {
	await move([() => write(["theirs", "first"]), () => write([...read(), "second"])]);
	expect(read().sort()).toEqual(["first", "new", "second", "theirs"]);
});

test("swap: third writer from the first while the second is swapped in → all merged", async () => {
	const { look, mergeLate } = slowProgram("third");
	await move(
		[
			() => write(["theirs", "first"]),
			() => write([...read(), "second"]),
			() => {
				expect(look()).toEqual(["theirs", "first"]);
			},
		],
		{ mergeLate },
	);
	expect(read().sort()).toEqual(["first", "new", "second", "theirs", "third"]);
});

test("swap: a third is written over the first at that moment → newest stays, none lost", async () => {
	let second: string[] = [];
	await move([
		() => write(["theirs", "first"]),
		() => {
			second = [...read(), "second"];
			write(second);
		},
		() => write([...second, "third"]),
	]);
	expect(read().sort()).toEqual(["first", "new", "second", "theirs", "third"]);
});

test("swap: a fourth from the second, from which the third was made too → all merged", async () => {
	let second: string[] = [];
	const { look, mergeLate } = slowProgram("fourth");
	await move(
		[
			() => write(["theirs", "first"]),
			() => {
				second = [...read(), "second"];
				write(second);
			},
			() => write([...second, "third"]),
			() => {
				expect(look()).toEqual(second);
			},
		],
		{ mergeLate },
	);
	expect(read().sort()).toEqual(["first", "fourth", "new", "second", "theirs", "third"]);
});

test("exchange: a program adds an element at every turn → all there, none as new", async () => {
	const writes = Array.from({ length: 8 }, (_, index) => () => write([...read(), `element ${index}`]));
	const appeared: boolean[] = [];
	const mergeLate = (late: LateWrite) => {
		appeared.push(late.appeared);
		writes.shift()?.();
		return mergeLateWrite(late);
	};
	await move([() => writes.shift()?.(), () => writes.shift()?.(), () => writes.shift()?.()], { mergeLate });
	expect(appeared).toContain(false);
	expect(appeared).not.toContain(true);
	expect(read().sort()).toEqual([...Array.from({ length: 8 }, (_, index) => `element ${index}`), "new", "theirs"]);
});

test("swap: writes faster than we can merge → given up, the next start has all", async () => {
	let written = 0;
	const faster = () => write(["theirs", `write ${written++}`]);
	await expect(move(Array(200).fill(faster))).rejects.toThrow("list.json is written too fast to be merged");
	expect(written).toBeLessThan(200);
	await move([], { resume: true });
	expect(read()).toEqual(expect.arrayContaining(["theirs", "new", `write ${written - 1}`]));
});

test("swap: the second comes after all is done → its base is on record", async () => {
	const kept = await move([() => write(["theirs", "first"])]);
	expect(read().sort()).toEqual(["first", "new", "theirs"]);
	expect(kept.map(({ before, after, committed }) => ({ before: blob(before).sort(), after: blob(after).sort(), committed }))).toEqual([
		{ before: ["new", "theirs"], after: ["first", "new", "theirs"], committed: false },
		{ before: ["first", "theirs"], after: ["first", "new", "theirs"], committed: false },
	]);
});

test("swap: a process holds the swapped-out file open and writes → kept, shown as such", async () => {
	let open = 0;
	const kept = await move([
		() => write(["theirs", "first"]),
		() => {
			open = fs.openSync(live(), "a");
		},
	]);
	fs.writeSync(open, "late\n");
	fs.closeSync(open);
	const [exposed] = kept as [KeptFile];
	const file = scratch.path(`backup/${exposed.file}`);
	expect(fs.readFileSync(file, "utf8")).toBe(`${text(["theirs", "new"])}late\n`);
	expect(fs.statSync(file).size).not.toBe(exposed.size);
	expect(blob(exposed.before)).toEqual(["theirs", "new"]);
});

test("swap: killed at that moment → the next start merges both writes", async () => {
	const kill = () => {
		throw new Error("killed");
	};
	for (const meanwhile of [[], ["second"]]) {
		scratch.git("w", "reset", "-q", "--hard", ids.from);
		fs.rmSync(scratch.path("backup"), { recursive: true, force: true });
		await expect(move([() => write(["theirs", "first"]), kill])).rejects.toThrow("killed");
		expect(read()).toEqual(["theirs", "new"]);
		write([...read(), ...meanwhile]);
		await move([], { resume: true });
		expect(read().sort()).toEqual(["first", "new", ...meanwhile, "theirs"]);
	}
});

test("swap: killed, a single file is replaced → the same", async () => {
	const replace = async (before: readonly (() => void)[], options: Partial<MoveOptions> = {}) => {
		const content = Buffer.from(text(["theirs", "new"]));
		return await replaceFiles(
			await scratch.open("w"),
			{
				staging: scratch.path("staging"),
				backup: scratch.path("backup"),
				mergeLate: mergeLateWrite,
				exchanger: () => new Interrupted(before),
				...options,
			},
			[{ path: "list.json" as GitPath, mode: "100644", content, replaces: Buffer.from(text(["theirs"])) }],
		);
	};
	const checkpoint = (step: string) => {
		if (step === "swapped") throw new Error("killed");
	};
	for (const meanwhile of [[], ["second"]]) {
		write(["theirs"]);
		fs.rmSync(scratch.path("backup"), { recursive: true, force: true });
		await expect(replace([() => write(["theirs", "first"])], { checkpoint })).rejects.toThrow("killed");
		expect(read()).toEqual(["theirs", "new"]);
		write([...read(), ...meanwhile]);
		const { kept } = await replace([], { resume: true });
		expect(read().sort()).toEqual(["first", "new", ...meanwhile, "theirs"]);
		expect(kept.map(({ before }) => blob(before))).toContainEqual(["theirs", "first"]);
		for (const { after } of kept) expect(blob(after).sort()).toEqual(["first", "new", ...meanwhile, "theirs"]);
		// A second run must change nothing.
		await replace([], { resume: true });
		expect(read().sort()).toEqual(["first", "new", ...meanwhile, "theirs"]);
	}
	write(["theirs"]);
	fs.rmSync(scratch.path("backup"), { recursive: true, force: true });
	expect(await replace([], { resume: true })).toEqual({ kept: [], held: [] });
	expect(read()).toEqual(["theirs"]);
});

test("swap: killed right before it → the new one was never there, takes nothing away", async () => {
	const kill = () => {
		throw new Error("killed");
	};
	const checkpoint = (step: string) => {
		if (step === "staged") write(["theirs", "first"]);
	};
	await expect(move([kill], { checkpoint })).rejects.toThrow("killed");
	expect(read()).toEqual(["theirs", "first"]);
	write([...read(), "second"]);
	await expect(move([kill], { resume: true })).rejects.toThrow("killed");
	write([...read(), "third"]);
	const kept = await move([], { resume: true });
	expect(read().sort()).toEqual(["first", "new", "second", "theirs", "third"]);
	for (const { after } of kept.filter(({ committed }) => !committed)) expect(blob(after)).toHaveLength(5);
});

test("swap: killed after more was merged in → a write made from that keeps it", async () => {
	const merged = ["theirs", "new", "first", "second"];
	leave("0", ["theirs", "first"]);
	leave("1", merged);
	// It was there for a moment: its name identifies the inode of our file.
	const { ino } = fs.statSync(scratch.path("backup/late/1/list.json"));
	fs.renameSync(scratch.path("backup/late/1"), scratch.path(`backup/late/1-${ino}`));
	leave("2", [...merged, "third"]);
	write([...merged, "third", "fourth"]);
	await move([], { resume: true });
	expect(read().sort()).toEqual(["first", "fourth", "new", "second", "theirs", "third"]);
});

test("swap: killed after two independent writes → neither takes from the other", async () => {
	startFromTurns();
	leave("0", ["theirs", "turn 1", "first"]);
	leave("1", ["theirs", "turn 2", "new", "first", "second"]);
	write(["theirs", "turn 3", "new", "first", "second", "third"]);
	await move([], { resume: true });
	expect(read().sort()).toEqual(["first", "new", "second", "theirs", "third", "turn 3"]);
});

test("swap: in one checkout, a third made from the second → the same", async () => {
	startFromTurns();
	const writes = [
		["theirs", "turn 1", "first"],
		["theirs", "turn 2", "first", "second"],
		["theirs", "turn 3", "first", "second", "third"],
	];
	await move(writes.map((elements) => () => write(elements)));
	expect(read().sort()).toEqual(["first", "new", "second", "theirs", "third", "turn 3"]);
});

test("swap: killed with the first back, the second in our hand → both are merged", async () => {
	const killAtSecond = () => {
		let swaps = 0;
		return (step: string) => {
			if (step === "swapped" && ++swaps === 2) throw new Error("killed");
		};
	};
	for (const meanwhile of [[], ["third"]]) {
		scratch.git("w", "reset", "-q", "--hard", ids.from);
		fs.rmSync(scratch.path("backup"), { recursive: true, force: true });
		const interrupted = move([() => write(["theirs", "first"]), () => write([...read(), "second"])], { checkpoint: killAtSecond() });
		await expect(interrupted).rejects.toThrow("killed");
		expect(read()).toEqual(["theirs", "first"]);
		if (meanwhile.length > 0) write([...read(), ...meanwhile]);
		await move([], { resume: true });
		expect(read().sort()).toEqual(["first", "new", "second", "theirs", ...meanwhile]);
	}
});

test("swap: interrupted however often → all that was taken is put there at once", async () => {
	let swaps = 0;
	const count = () => {
		swaps++;
	};
	const checkpoint = (step: string) => {
		if (step === "swapped") throw new Error("killed");
	};
	for (let kill = 0; kill < 6; kill++) {
		const element = () => write([...read(), `element ${kill}`]);
		await expect(move([element], { checkpoint, resume: kill > 0 })).rejects.toThrow("killed");
	}
	await move(Array(20).fill(count), { resume: true });
	expect(read().sort()).toEqual([...Array.from({ length: 6 }, (_, kill) => `element ${kill}`), "new", "theirs"]);
	expect(swaps).toBe(1);
});

test("swap: interrupted, a single file → the same", async () => {
	const { look, mergeLate } = slowProgram("second");
	const content = text(["theirs", "new"]);
	const exchanger = () => new Interrupted([() => write(["theirs", "first"]), look]);
	await replaceFiles(await scratch.open("w"), { staging: scratch.path("staging"), backup: scratch.path("backup"), mergeLate, exchanger }, [
		{ path: "list.json" as GitPath, mode: "100644", content: Buffer.from(content), replaces: Buffer.from(text(["theirs"])) },
	]);
	expect(read().sort()).toEqual(["first", "new", "second", "theirs"]);
});
