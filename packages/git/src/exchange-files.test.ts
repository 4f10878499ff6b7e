import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { FileExchanger } from "./exchange-files.ts";
import { Scratch } from "./fixtures/scratch.ts";

let scratch: Scratch;
let exchanger: FileExchanger;
beforeEach(() => {
	scratch = new Scratch("exchange");
	exchanger = new FileExchanger();
});
afterEach(async () => {
	exchanger.close();
	await scratch.remove();
});

const bytes = (name: string) => Buffer.from(scratch.path(name));

test("two files, a file and a link, names with any bytes", async () => {
	scratch.write("a", "1");
	scratch.write("b", "2");
	expect(await exchanger.exchange(bytes("a"), bytes("b"))).toBe(true);
	expect([scratch.read("a"), scratch.read("b")]).toEqual(["2", "1"]);
	const odd = Buffer.concat([Buffer.from(`${scratch.directory}/`), Buffer.from([0x0a, 0xff, 0x20, 0x27])]);
	fs.symlinkSync("nowhere", odd);
	expect(await exchanger.exchange(odd, bytes("a"))).toBe(true);
	expect(fs.readFileSync(odd, "utf8")).toBe("2");
	expect(fs.readlinkSync(scratch.path("a"))).toBe("nowhere");
});

test("a file that is not there: nothing happens", async () => {
	scratch.write("a", "1");
	expect(await exchanger.exchange(bytes("a"), bytes("missing"))).toBe(false);
	expect(scratch.read("a")).toBe("1");
	expect(fs.existsSync(scratch.path("missing"))).toBe(false);
});

test("many at once are answered in order", async () => {
	for (let index = 0; index < 200; index++) scratch.write(`f${index}`, String(index));
	const answers = await Promise.all(
		Array.from({ length: 100 }, (_, index) => exchanger.exchange(bytes(`f${index}`), bytes(index % 2 ? `f${index + 100}` : "missing"))),
	);
	expect(answers).toEqual(Array.from({ length: 100 }, (_, index) => index % 2 === 1));
	expect(scratch.read("f1")).toBe("101");
});

test("where it cannot be done it says no, and so it does after its end", async () => {
	scratch.write("a", "1");
	scratch.write("b", "2");
	expect(await new FileExchanger("abacus").exchange(bytes("a"), bytes("b"))).toBe(false);
	expect(await new FileExchanger("x64", "plan9").exchange(bytes("a"), bytes("b"))).toBe(false);
	const path = process.env.PATH;
	process.env.PATH = scratch.directory;
	try {
		expect(await new FileExchanger().exchange(bytes("a"), bytes("b"))).toBe(false);
	} finally {
		process.env.PATH = path;
	}
	expect(scratch.read("a")).toBe("1");
});
