import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch, until } from "../fixtures/scratch.ts";
import { FileExchanger, returnExchanger, takeExchanger } from "./exchange-files.ts";

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

test("exchange: two files, a file and a link, names of any bytes → swapped", async () => {
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

test("exchange: a file that is not there → nothing happens", async () => {
	scratch.write("a", "1");
	expect(await exchanger.exchange(bytes("a"), bytes("missing"))).toBe(false);
	expect(scratch.read("a")).toBe("1");
	expect(fs.existsSync(scratch.path("missing"))).toBe(false);
});

test("exchange: many at once → answered in order", async () => {
	for (let index = 0; index < 200; index++) scratch.write(`f${index}`, String(index));
	const answers = await Promise.all(
		Array.from({ length: 100 }, (_, index) => exchanger.exchange(bytes(`f${index}`), bytes(index % 2 ? `f${index + 100}` : "missing"))),
	);
	expect(answers).toEqual(Array.from({ length: 100 }, (_, index) => index % 2 === 1));
	expect(scratch.read("f1")).toBe("101");
});

test("exchange: where it cannot be done, or after its end → refused", async () => {
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

/** getfattr(1) and setfattr(1) are not installed on every machine. @param value null: reads */
function attribute(file: string, name: string, value: Buffer | null): string {
	const program =
		value === null
			? '$v = "\\0" x 999; $n = syscall(192, $ARGV[0], $ARGV[1], $v, 999); print $n < 0 ? "none" : unpack("H*", substr($v, 0, $n))'
			: '$v = pack("H*", $ARGV[2]); print syscall(189, $ARGV[0], $ARGV[1], $v, length $v, 0)';
	return execFileSync("perl", ["-e", program, file, name, ...(value === null ? [] : [value.toString("hex")])]).toString();
}

// ACL_USER_OBJ rw, ACL_USER 12345 r, ACL_GROUP_OBJ none, ACL_MASK r, ACL_OTHER none (linux/posix_acl_xattr.h).
const accessList = Buffer.from(
	`02000000${"01000600ffffffff"}${"0200040039300000"}${"04000000ffffffff"}${"10000400ffffffff"}${"20000000ffffffff"}`,
	"hex",
);

(process.arch === "x64" ? test : test.skip)("attributes: an access list, extended ones, none, no file → carried as they are", async () => {
	for (const name of ["from", "to", "plain", "bare"]) scratch.write(name, name);
	const odd = Buffer.from([0, 1, 10, 255]);
	const given = [
		["system.posix_acl_access", accessList],
		["user.odd", odd],
		["user.empty", Buffer.alloc(0)],
	] as const;
	// An attribute that the file system refuses cannot be carried.
	for (const [name, value] of given) attribute(scratch.path("from"), name, value);
	const before = given.map(([name]) => attribute(scratch.path("from"), name, null));
	expect(await exchanger.copyAttributes(bytes("from"), bytes("to"))).toBe(before.some((value) => value !== "none"));
	expect(given.map(([name]) => attribute(scratch.path("to"), name, null))).toEqual(before);
	expect(fs.statSync(scratch.path("to")).mode & 0o777).toBe(fs.statSync(scratch.path("from")).mode & 0o777);
	expect(scratch.read("to")).toBe("to");
	expect(await exchanger.copyAttributes(bytes("plain"), bytes("bare"))).toBe(false);
	expect(await exchanger.copyAttributes(bytes("missing"), bytes("bare"))).toBe(false);
	expect(await exchanger.exchange(bytes("from"), bytes("to"))).toBe(true);
});

test("exchange: given back → taken again, unless it ended or has not answered", async () => {
	scratch.write("a", "1");
	scratch.write("b", "2");
	const first = takeExchanger();
	const other = takeExchanger();
	expect(other).not.toBe(first);
	expect(await Promise.all([first.ready, other.ready])).toEqual([true, true]);
	returnExchanger(first);
	returnExchanger(other);
	expect(takeExchanger()).toBe(first);
	expect(await other.exchange(bytes("a"), bytes("b"))).toBe(false);
	const pending = first.exchange(bytes("a"), bytes("b"));
	returnExchanger(first);
	expect(await pending).toBe(true);
	const second = takeExchanger();
	expect(second).not.toBe(first);
	expect(await second.exchange(bytes("a"), bytes("b"))).toBe(true);
	returnExchanger(second);
	second.close();
	await until(() => !second.isAtRest, "its end");
	const third = takeExchanger();
	expect(third).not.toBe(second);
	expect(await third.exchange(bytes("a"), bytes("b"))).toBe(true);
	third.close();
});
