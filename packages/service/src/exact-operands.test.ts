import { expect, test } from "@jest/globals";
import { exactOperands, textOfBytes } from "./exact-operands.ts";

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

test("operands: two names that Node decodes alike → two texts, in their order", () => {
	const raw = ["node", "x", "--at", "2h", "q\xff", "plain", "q\xfe", "\xef\xbf\xbd"].map(bytes);
	expect(exactOperands(["q\ufffd", "plain", "q\ufffd", "\ufffd"], () => raw)).toEqual(["q\udcff", "plain", "q\udcfe", "\ufffd"]);
});

test("operands: not among the arguments → unchanged", () => {
	expect(exactOperands(["q\ufffd"], () => [])).toEqual(["q\ufffd"]);
	expect(exactOperands(["a"])).toEqual(["a"]);
});
