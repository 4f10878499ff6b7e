import { expect, test } from "@jest/globals";
import { exactArguments, textOfBytes } from "./exact-operands.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");

test.each([
	["caf\xe9.txt", "caf\udce9.txt"],
	["\xff", "\udcff"],
	["\xe2\x82", "\udce2\udc82"],
	["\xe2\x82\xac\xe2", "€\udce2"],
	["\xf0\x9f\x98\x80\xf0", "😀\udcf0"],
	["\xed\xa0\x80", "\udced\udca0\udc80"],
	["plain", "plain"],
	["", ""],
])("bytes: %j → each byte that is not UTF-8 becomes a lone surrogate", (given, expected) => {
	expect(textOfBytes(bytes(given))).toBe(expected);
});

test("arguments: two names that Node decodes alike → two texts, in their order", () => {
	const raw = ["node", "x", "--to", "q\xfd", "--file=q\xff", "plain", "q\xfe", "\xef\xbf\xbd"].map(bytes);
	const args = ["--to", "q\ufffd", "--file=q\ufffd", "plain", "q\ufffd", "\ufffd"];
	expect(exactArguments(args, () => raw)).toEqual(["--to", "q\udcfd", "--file=q\udcff", "plain", "q\udcfe", "\ufffd"]);
	// The process itself has options of Node, and the script by another name.
	expect(exactArguments(["node", "/x\ufffd", "q\ufffd"], () => ["node", "--flag", "x\xff", "q\xff"].map(bytes))).toEqual([
		"node",
		"/x\ufffd",
		"q\udcff",
	]);
});

test("arguments: not those of the process → unchanged", () => {
	expect(exactArguments(["q\ufffd"], () => [])).toEqual(["q\ufffd"]);
	expect(exactArguments(["a"])).toEqual(["a"]);
});
