import { describe, expect, test } from "@jest/globals";
import { mergeContents } from "./merge.ts";

/** A file with places for declarations, one of them of the language. */
const languages: readonly (readonly [path: string, parts: readonly [string, string, string], declaration: string])[] = [
	[
		"a.ts",
		['import a from "a";\n\n', "function one() {\n\treturn 1;\n}\n\n", "export { one };\n"],
		"/** New. */\nexport async function added(x) {\n\tif (x) {\n\t\treturn x;\n\t}\n\n\treturn 2;\n}\n\n",
	],
	["a.py", ["import os\n\n\n", "def one():\n    return 1\n\n\n", "X = 1\n"], "@cached\ndef added(x):\n    return x\n\n\n"],
	["a.rs", ["use a;\n\n", "fn one() {\n    1\n}\n\n", "fn main() {}\n"], "#[test]\npub fn added() {\n    2;\n}\n\n"],
	["a.go", ["package a\n\n", "func one() int {\n\treturn 1\n}\n\n", "var x = 1\n"], "func added() {\n\tone()\n}\n\n"],
];

function merged(path: string, base: string, ours: string, theirs: string, later: "a" | "b"): string {
	const input = { path, base: Buffer.from(base), a: Buffer.from(ours), b: Buffer.from(theirs) };
	const output = mergeContents({ ...input, later });
	const swapped = mergeContents({ ...input, a: input.b, b: input.a, later: later === "a" ? "b" : "a" });
	expect(Buffer.from(swapped.content).equals(output.content)).toBe(true);
	expect(output.lost).toEqual({ a: false, b: false });
	return Buffer.from(output.content).toString();
}

describe.each(languages)("%s:", (path, [first, second, third], declaration) => {
	const base = first + second + third;
	const [above, below] = [first + declaration + second + third, first + second + declaration + third];

	test("declaration: both add it, at two places → once, where the later has it", () => {
		expect(merged(path, base, above, below, "b")).toBe(below);
		expect(merged(path, base, above, below, "a")).toBe(above);
	});

	test("declaration: both add it, with line ends of Windows → once", () => {
		const [b, o, l] = [base, above, below].map((text) => text.replaceAll("\n", "\r\n")) as [string, string, string];
		expect(merged(path, b, o, l, "b")).toBe(l);
	});

	test("declaration: each adds another body → both stay", () => {
		const other = below.replace(/added(.*)/, "added$1 // other");
		expect(merged(path, base, above, other, "b").match(/added/g)).toHaveLength(2);
	});
});

test("declaration: the same statement in two functions → both stay", () => {
	const text = (one: string, two: string) => `function a() {\n${one}\treturn 1;\n}\n\nfunction b() {\n${two}\treturn 2;\n}\n`;
	const check = "\tif (!allowed()) {\n\t\treturn null;\n\t}\n";
	expect(merged("a.js", text("", ""), text(check, ""), text("", check), "b")).toBe(text(check, check));
});

test("declaration: an import, added above and below another → once, blanks stay", () => {
	const text = (imports: string) => `${imports}\nrun();\n`;
	const result = merged(
		"a.js",
		text('import a from "a";\n'),
		text('import b from "b";\nimport a from "a";\n'),
		text('import a from "a";\nimport b from "b";\n'),
		"b",
	);
	expect(result).toBe(text('import a from "a";\nimport b from "b";\n'));
});
