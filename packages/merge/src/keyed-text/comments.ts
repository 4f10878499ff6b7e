import { beforeComment, trimBlanks } from "../blanks.ts";
import { spend } from "../budget.ts";
import type { Block, Item, Value } from "./item.ts";

/** More comment signs in a line are ignored. */
const maxSignsPerLine = 8;

/** The comment lines before an item. */
export function commentLines(trivia: string): string[] {
	return trivia === ""
		? []
		: trivia
				.split("\n")
				.map(trimBlanks)
				.filter((line) => line !== "");
}

/** The number of times that each comment is between the items of a block. */
export function commentsBetween(version: Block | null): Map<string, number> {
	const found = new Map<string, number>();
	for (const trivia of version === null ? [] : [...version.items.map(({ lead }) => lead), version.foot])
		for (const line of commentLines(trivia)) found.set(line, (found.get(line) ?? 0) + 1);
	return found;
}

/** May a text have comments in it? */
export function mayHaveComments({ text }: { readonly text: string }): boolean {
	return text.includes("#") || text.includes(";") || text.includes("!");
}

/** An item without its comments. */
export function withoutComments(item: Item): string {
	if (!mayHaveComments(item)) return item.text;
	spend(item.text.length);
	return bareTail(item.head) + bareValue(item.value) + bareTail(item.tail);
}

function bareValue(value: Value): string {
	if (value.type === "leaf") return value.text;
	if (value.type === "block") {
		const items = value.items.map(
			(item, i) => (i > 0 || !value.compact ? bareTrivia(item.lead) + item.indent : "") + withoutComments(item),
		);
		return items.join("") + bareTrivia(value.foot);
	}
	const items = value.items.map((item) => bareTrivia(item.lead) + bareTail(item.head) + bareValue(item.value));
	return value.open + items.join(",") + (value.comma ? "," : "") + bareTrivia(value.close);
}

function bareTrivia(trivia: string): string {
	return trivia.replace(/[ \t]*[#;!][^\n]*\n?/g, "");
}

/** The rest of a line without its comment. */
function bareTail(text: string): string {
	if (!text.includes("#")) return text;
	return text.slice(0, beforeComment(text, 0)) + (text.endsWith("\n") ? "\n" : "");
}

/** Does a version have a comment that neither the base nor the text has? */
export function hasLostComment(base: Block | null, version: Block, text: string): boolean {
	if (!mayHaveComments(version)) return false;
	const known = new Set<string>();
	if (base !== null) collect(base, known);
	const mine = new Set<string>();
	collect(version, mine);
	const own = [...mine].filter((comment) => !known.has(comment));
	if (own.length === 0) return false;
	spend(text.length);
	const there = new Set<string>();
	for (const line of text.split("\n")) {
		there.add(trimBlanks(line));
		let signs = 0;
		for (let at = line.indexOf("#"); at !== -1 && signs < maxSignsPerLine; at = line.indexOf("#", at + 1), signs++)
			there.add(trimBlanks(line.slice(at)));
	}
	return own.some((comment) => !there.has(comment));
}

function collect(value: Value, into: Set<string>): void {
	if (value.type === "leaf") return;
	const isBlock = value.type === "block";
	const addTrivia = (trivia: string) => {
		for (const line of commentLines(trivia)) if (isBlock || line.startsWith("#")) into.add(line);
	};
	for (const { lead, head, value: inner, tail } of value.items) {
		addTrivia(lead);
		collect(inner, into);
		for (const rest of [head, tail]) {
			const comment = rest.includes("#") ? trimBlanks(rest.slice(beforeComment(rest, 0))) : "";
			if (comment.startsWith("#")) into.add(comment);
		}
	}
	addTrivia(isBlock ? value.foot : value.close);
}
