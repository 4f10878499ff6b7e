import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { bannedWords, formlessTestNames, longTestNames, namedFiles, otherSpellings, overBound } from "./language.mjs";

const glossary = readFileSync(path.resolve(import.meta.dirname, "../../docs/glossary.md"), "utf8");

test("language: the words of the glossary's last section → found in any case, as words", () => {
	const found = bannedWords(glossary).flatMap((word: RegExp) => "Made ANEW, renewed; so  many, so many.".match(word) ?? []);
	expect(found).toEqual(["ANEW", "so many"]);
	expect(() => bannedWords("# Glossary")).toThrow("no list");
});

test("language: a term that the glossary spells another way → found", () => {
	const found = otherSpellings(glossary).flatMap((word: RegExp) => "A Work tree, a working tree, a newline.".match(word) ?? []);
	expect(found).toEqual(["Work tree", "newline"]);
	expect(() => otherSpellings("# Glossary")).toThrow("no list");
});

test("language: a name above 80 characters → named; one of 80, other strings → not", () => {
	const [short, long] = ["n".repeat(80), "n".repeat(81)];
	const text = [`test("${short}", run);`, `test("${long}", run);`, `test.each([1, 2])("${long}", run);`, `say("${long}");`].join("\n");
	expect(longTestNames(text)).toEqual([long, long]);
});

test("language: a name without subject, condition and outcome → named", () => {
	const text = 'test("goes on", run);\ntest.each([["(", 1]])("disk: %s → named", run);\ntest(`full → held`, run);';
	expect(formlessTestNames(text)).toEqual(["goes on", "full → held"]);
	expect(formlessTestNames(`describe("disk:", () => {${text}});`)).toEqual(["goes on"]);
});

test("language: a document names files → links and paths from the top, nothing else", () => {
	const text = "[a](../x.md#y), [b](https://x.org/z.md), [c](#d), `bench/e.ts`, `held.ts`, `packages/merge`, ![f](g.svg)";
	expect(namedFiles("docs/start/h.md", text)).toEqual(["docs/x.md", "docs/start/g.svg", "bench/e.ts"]);
});

test("language: more than the bound → one problem that names files; as many → none", () => {
	const found = [1, 2, 3].map((number) => ({ where: `file${number}.ts`, what: "anew" }));
	expect(overBound(found, 3, "words")).toEqual([]);
	expect(overBound(found, 2, "words").join()).toContain("file3.ts: anew");
});

test("glossary: each term → defined once, in at most 40 words", () => {
	const rows = [...glossary.matchAll(/^\| (?!Term)([^|-][^|]*) \| ([^|]*) \|$/gm)].map(([, term, meaning]) => ({
		term,
		words: meaning!.split(" ").length,
	}));
	expect(rows.length).toBeGreaterThanOrEqual(40);
	expect(new Set(rows.map(({ term }) => term)).size).toBe(rows.length);
	expect(rows.filter(({ words }) => words > 40)).toEqual([]);
});
