import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { mergeContents } from "./merge.ts";

const page = readFileSync(new URL("../../../docs/merge-semantics.md", import.meta.url), "utf8");

/** The cells of a table row: text in backquotes is literal. */
function cells(row: string): string[] {
	return (row.match(/(?<=^\||\|)[^|]*(?=\|)/g) ?? []).map((cell) => cell.trim());
}

/** Null: there is no such version. */
function contentOf(cell: string): Buffer | null {
	if (cell === "none") return null;
	const written = /^(`+) ?([\s\S]*?) ?\1$/.exec(cell);
	return Buffer.from(cell === "empty" ? "" : (written?.[2] ?? cell).replaceAll("⏎", "\n"));
}

const [, examples] = /### Examples\n([\s\S]*?)\n## /.exec(page) as unknown as [string, string];
const rows = examples
	.split("\n")
	.filter((line) => line.startsWith("| "))
	.slice(2)
	.map(cells);

test("merge semantics page: examples → 45 rows or more", () => {
	expect(rows.length).toBeGreaterThanOrEqual(45);
});

test.each(rows)("merge semantics page: %s → the result on the page", (_, file, base, ours, theirs, result, saved) => {
	const path = file!.replaceAll("`", "");
	const [a, b] = [contentOf(ours!)!, contentOf(theirs!)!];
	const merged = mergeContents({ path, base: contentOf(base!), a, b, later: "b" });
	const swapped = mergeContents({ path, base: contentOf(base!), a: b, b: a, later: "a" });
	expect(Buffer.from(merged.content).toString()).toBe(contentOf(result!)!.toString());
	expect(Buffer.from(swapped.content)).toEqual(Buffer.from(merged.content));
	expect(merged.lost).toEqual({ a: saved!.includes("ours"), b: saved!.includes("theirs") });
});
