import { describe, expect, test } from "@jest/globals";
import { mergeContents } from "./merge.ts";

/** A list of one element beside another, written in a format. */
type Write = (name: string, body: string) => string;

const formats: readonly (readonly [path: string, write: Write])[] = [
	["steps.json", (name, body) => `[\n  {"name": "${name}", "uses": "${body}"},\n  {"name": "other", "uses": "other-thing"}\n]\n`],
	["steps.yml", (name, body) => `steps:\n  - name: ${name}\n    uses: ${body}\n  - name: other\n    uses: other-thing\n`],
	["Cargo.toml", (name, body) => `[[bin]]\nname = "${name}"\nuses = "${body}"\n\n[[bin]]\nname = "other"\nuses = "other-thing"\n`],
	["n.md", (name, body) => `---\nsteps:\n  - name: ${name}\n    uses: ${body}\n  - name: other\n    uses: other-thing\n---\ntext\n`],
	["nav.yml", (name, body) => `nav:\n  - ${name}:\n      - ${body}\n      - more.md\n      - and-more.md\n  - Other: other.md\n`],
	[
		"cell.ipynb",
		(name, body) => `{"cells": [{"source": [], "outputs": [{"output_type": "${name}", "data": {"text/html": ["${body}"]}}]}]}\n`,
	],
];

function merged(path: string, base: string, ours: string, theirs: string, later: "a" | "b"): [string, { a: boolean; b: boolean }] {
	const input = { path, base: Buffer.from(base), a: Buffer.from(ours), b: Buffer.from(theirs) };
	const output = mergeContents({ ...input, later });
	const swapped = mergeContents({ ...input, a: input.b, b: input.a, later: later === "a" ? "b" : "a" });
	expect(Buffer.from(swapped.content).equals(output.content)).toBe(true);
	return [Buffer.from(output.content).toString(), output.lost];
}

describe.each(formats)("%s:", (path, write) => {
	test.each(["a", "b"] as const)("renamed element: one side renames, the other edits (later: %s) → both, once", (later) => {
		const result = merged(path, write("build", "thing-one"), write("compile", "thing-one"), write("build", "thing-two"), later);
		expect(result).toEqual([write("compile", "thing-two"), { a: false, b: false }]);
	});

	test.each(["a", "b"] as const)("renamed element: both rename (later: %s) → the later name once, the other saved", (later) => {
		const [text, lost] = merged(path, write("build", "thing-one"), write("compile", "thing-one"), write("make", "thing-one"), later);
		expect(text).toBe(write(later === "a" ? "compile" : "make", "thing-one"));
		expect(lost).toEqual({ a: later === "b", b: later === "a" });
	});

	test("renamed element: one side removes, the other edits → the edited stays", () => {
		const [text] = merged(path, write("build", "thing-one"), write("else", "quite-another"), write("build", "thing-two"), "b");
		expect(text).toContain("thing-two");
	});
});

test("names of elements: values that many have → no rename", () => {
	const list = (name: string, on: boolean) => `[\n  {"name": "${name}", "on": ${on}},\n  {"name": "z", "on": false}\n]\n`;
	const [text] = merged("a.json", list("a", true), list("b", true), list("a", false), "b");
	expect((JSON.parse(text) as { name: string }[]).map(({ name }) => name).sort()).toEqual(["a", "b", "z"]);
});

test("names of elements: an id twice in a long list → new ones of one id are one", () => {
	const some = Array.from({ length: 45 }, (_, i) => `  {"id": "n${i === 7 ? 6 : i}", "t": "x${i}"}`);
	const list = (elements: readonly string[]) => `[\n${elements.join(",\n")}\n]\n`;
	const [mine, theirs] = ["mine", "theirs"].map((t) => `  {"id": "new", "t": "${t}"}`) as [string, string];
	const [text, lost] = merged("a.json", list(some), list([...some.slice(0, 3), mine, ...some.slice(3)]), list([...some, theirs]), "b");
	expect(text.match(/"new".*/g)).toEqual(['"new", "t": "theirs"}']);
	expect(lost).toEqual({ a: true, b: false });
});
