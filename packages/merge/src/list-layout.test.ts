import { expect, test } from "@jest/globals";
import { mergeContents } from "./merge.ts";

const lines = (...words: readonly string[]) => `tags:\n${words.map((word) => `  - ${word}\n`).join("")}`;
const brackets = (...words: readonly string[]) => `tags: [${words.join(", ")}]\n`;
const files: readonly (readonly [path: string, write: (list: string) => string])[] = [
	["a.yaml", (list) => list],
	["n.md", (list) => `---\n${list}title: x\n---\ntext\n`],
	["nested.yml", (list) => `note:\n${list.replace(/^(?=.)/gm, "    ")}`],
];

/** Base, the older and the later side, and the result. */
const rows: readonly (readonly [name: string, base: string, older: string, later: string, result: string])[] = [
	["one side writes lines", brackets("a"), lines("a", "b"), brackets("a", "c"), lines("a", "b", "c")],
	["one side writes brackets", lines("a", "b"), brackets("a", "b", '"c d"'), lines("b"), brackets("b", '"c d"')],
	["both write lines, one removes", brackets("a", "b"), lines("a"), lines("a", "b", "c"), lines("a", "c")],
	["an empty list is filled", "tags: []\n", lines("a"), brackets("b"), lines("a", "b")],
	["both add the list", "x: 1\n", `x: 1\n${lines("a")}`, `x: 1\n${brackets("b")}`, `x: 1\n${brackets("a", "b")}`],
];

test.each(files.flatMap(([path, write]) => rows.map(([name, ...texts]) => [name, path, write, texts] as const)))(
	"list layout: %s (%s) → elements of both",
	(_, path, write, texts) => {
		const [base, a, b, result] = texts.map((text) => Buffer.from(write(text))) as [Buffer, Buffer, Buffer, Buffer];
		const merged = mergeContents({ path, base, a, b, later: "b" });
		expect(Buffer.from(merged.content).toString()).toBe(result.toString());
		expect(merged.lost).toEqual({ a: false, b: false });
		const swapped = mergeContents({ path, base, a: b, b: a, later: "a" });
		expect(Buffer.from(swapped.content).equals(merged.content)).toBe(true);
	},
);

test.each([
	["a comment", "tags:\n  - a # why\n"],
	["elements of other kinds", "tags:\n  - a: 1\n"],
])("list layout: %s that brackets cannot hold → the later list, the other saved", (_, list) => {
	const merged = mergeContents({
		path: "a.yaml",
		base: Buffer.from("x: 1\n"),
		a: Buffer.from(list),
		b: Buffer.from(brackets("b")),
		later: "b",
	});
	expect([Buffer.from(merged.content).toString().trim(), merged.lost.a]).toEqual([brackets("b").trim(), true]);
});
