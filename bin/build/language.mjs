// The rules of docs/glossary.md that a program can check. Part of `npm run lint`.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { root } from "./bootstrap.mjs";

/** How many there may be. Two sources match git's own words for a working tree. */
export const bounds = { bannedWords: 0, otherSpellings: 2, longTestNames: 0, formlessTestNames: 0 };
export const maxTestNameLength = 80;

/** @returns the words that the glossary's last section lists, each as a pattern */
export function bannedWords(glossary) {
	const list = /## Not used\n[^:]*: ([^\n]+)\./.exec(glossary)?.[1];
	if (!list) throw new Error("docs/glossary.md has no list of words that are not used");
	return list.split(", ").map((word) => new RegExp(`\\b${word}`, "gi"));
}

/** @returns the spellings that the glossary replaces by another one, each as a pattern */
export function otherSpellings(glossary) {
	const list = /## Spelled one way\n[^:]*: ([^\n]+)\./.exec(glossary)?.[1];
	if (!list) throw new Error("docs/glossary.md has no list of terms that are spelled one way");
	return list.split(", ").map((pair) => new RegExp(`\\b${pair.split(" → ")[0]}\\b`, "gi"));
}

/** @returns the names of the tests in a source, as they are written there */
export function testNames(text) {
	const call = /\btest(?:\.each\((?:[^"'`]|"[^"\n]*"|'[^'\n]*'|`[^`]*`)*?\))?\(\s*(?:"((?:[^"\\\n]|\\.)*)"|`([^`]*)`)/g;
	return [...text.matchAll(call)].map(([, quoted, template]) => quoted ?? template);
}

/** @returns the names of tests in a source that are longer than 80 characters */
export function longTestNames(text) {
	return testNames(text).filter((name) => name.length > maxTestNameLength);
}

/** @returns the names of tests in a source that are not `subject: condition → outcome`; the subject may be a `describe` that ends with a colon */
export function formlessTestNames(text) {
	const form = /\bdescribe\(\s*"[^"\n]*[:,]"/.test(text) ? / → / : /^.+: .+ → .+$/;
	return testNames(text).filter((name) => !form.test(name));
}

/** @returns the files of the repository that a document links to, or names by a path from the top; from the top, without anchors */
export function namedFiles(file, text) {
	const links = [...text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target]) => path.join(path.dirname(file), target));
	const paths = [...text.matchAll(/`((?:packages|bin|deploy|docs|bench)\/[\w./-]+\.(?:tsx?|mjs|md|sh|json))`/g)].map(([, name]) => name);
	return [...links, ...paths];
}

/** The problem of a group of sentences, if there are more than the bound. @param found `{ where, what }` */
export function overBound(found, bound, rule) {
	if (found.length <= bound) return [];
	const shown = found.slice(-5).map(({ where, what }) => `  ${where}: ${what}`);
	return [`language: ${found.length} ${rule}, at most ${bound} may be there; the last of them:\n${shown.join("\n")}`];
}

/** Checks all texts of the repository. @returns the problems, a line each */
export function checkLanguage() {
	const files = execFileSync("git", ["-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" })
		.split("\0")
		.filter((name) => /\.(ts|tsx|mjs|sh|md)$/.test(name) && !/^(docs\/glossary|CHANGELOG)\.md$/.test(name))
		.filter((name) => existsSync(path.join(root, name)));
	const glossary = readFileSync(path.join(root, "docs/glossary.md"), "utf8");
	const [banned, others] = [bannedWords(glossary), otherSpellings(glossary)];
	const words = [];
	const spellings = [];
	const names = [];
	const formless = [];
	const missing = [];
	for (const file of files) {
		// The test of these rules holds what they forbid.
		if (file === "bin/build/language.test.ts") continue;
		const text = readFileSync(path.join(root, file), "utf8");
		for (const word of others) for (const [what] of text.matchAll(word)) spellings.push({ where: file, what });
		for (const word of banned) for (const [what] of text.matchAll(word)) words.push({ where: file, what });
		if (file.endsWith(".md"))
			for (const what of namedFiles(file, text)) if (!existsSync(path.join(root, what))) missing.push({ where: file, what });
		if (!file.endsWith(".test.ts")) continue;
		for (const what of longTestNames(text)) names.push({ where: file, what });
		for (const what of formlessTestNames(text)) formless.push({ where: file, what });
	}
	return [
		...overBound(words, bounds.bannedWords, "words of docs/glossary.md's list"),
		...overBound(spellings, bounds.otherSpellings, "terms that docs/glossary.md spells another way"),
		...overBound(names, bounds.longTestNames, `names of tests above ${maxTestNameLength} characters`),
		...overBound(missing, 0, "names of files in documents, where there is no such file"),
		...overBound(formless, bounds.formlessTestNames, "names of tests without '<subject>: <condition> → <outcome>'"),
	];
}
