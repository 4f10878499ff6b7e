import { isAppend, mergeAppend } from "../append.ts";
import { fromLatin1, toLatin1 } from "../bytes.ts";
import { mergeCode } from "../code.ts";
import { ARRAY, children, type JsonTree, STRING, valueText } from "./tree.ts";

/** One version of a text that JSON holds as a string, or as a list of the text's lines, each with its line feed. */
export interface TextNode {
	readonly tree: JsonTree;
	readonly node: number;
}

/** In a notebook: the source of a cell, its output, and its results in any text format (`text/plain`). */
export function isNotebookText({ tree, node }: TextNode): boolean {
	const key = tree.text.slice(tree.keyStart[node]! + 1, tree.keyEnd[node]! - 1);
	if (key !== "source" && key !== "text" && !/^[\w.+-]+\/[\w.+-]+$/.test(key)) return false;
	return tree.type[node] === STRING || (tree.type[node] === ARRAY && children(tree, node).every((kid) => tree.type[kid] === STRING));
}

/**
 * Merges two versions of a text line by line: appended lines of both sides stay, elsewhere the later side's version of a line.
 *
 * @param base null: both sides added the text.
 * @returns the value as written, in the later side's layout; null: the sides hold the text in different ways.
 */
export function mergeTextLines(base: TextNode | null, older: TextNode, later: TextNode): { text: string; olderLost: boolean } | null {
	const { tree, node } = later;
	if (older.tree.type[older.node] !== tree.type[node]) return null;
	const sides = {
		base: base === null ? null : fromLatin1(plainText(base)),
		older: fromLatin1(plainText(older)),
		later: fromLatin1(plainText(later)),
	};
	const merged = isAppend(sides) && addsLines(sides) ? mergeAppend(sides) : mergeCode(sides);
	const result = toLatin1(merged.content);
	const { olderLost } = merged;
	if (result === toLatin1(sides.later)) return { text: valueText(tree, node), olderLost };
	if (result === toLatin1(sides.older)) return { text: valueText(older.tree, older.node), olderLost };
	const layout = tree.type[node] === STRING ? later : [later, older].find((side) => side.tree.size[side.node]! > 0)!;
	return { text: writtenLines(layout, linesOf(result)), olderLost };
}

/** The lines of a text, each with its line feed, as {@link mergeTextLines} reads them. */
export function plainLines(text: TextNode): string[] {
	return linesOf(plainText(text));
}

function linesOf(text: string): string[] {
	return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Lines as a value in JSON, written as another one is: a string, or a list in its layout. */
export function writtenLines(like: TextNode, lines: readonly string[]): string {
	const written = lines.map((line) => line.replace("\n", String.raw`\n`));
	if (like.tree.type[like.node] === STRING) return `"${written.join("")}"`;
	return inLayoutOf(
		like,
		written.map((line) => `"${line}"`),
	);
}

/** Did both sides begin a new line? A side that finished the last line wrote another one. */
function addsLines({ base, older, later }: { base: Uint8Array | null; older: Uint8Array; later: Uint8Array }): boolean {
	const length = base?.length ?? 0;
	const starts = (side: Uint8Array) => length === 0 || base![length - 1] === 0x0a || side.length === length || side[length] === 0x0a;
	return starts(older) && starts(later);
}

/** The text with its line feeds decoded; every other escape stays. */
function plainText({ tree, node }: TextNode): string {
	const strings = tree.type[node] === STRING ? [node] : children(tree, node);
	return strings
		.map((kid) => valueText(tree, kid).slice(1, -1))
		.join("")
		.replace(/\\[\s\S]/g, (escaped) => (escaped === String.raw`\n` ? "\n" : escaped));
}

/** An array of strings, with the spacing of another. */
function inLayoutOf({ tree, node }: TextNode, strings: readonly string[]): string {
	if (strings.length === 0) return "[]";
	const kids = children(tree, node);
	if (kids.length === 0) return `[${strings.join(", ")}]`;
	const [first, last] = [kids[0]!, kids[kids.length - 1]!];
	const { text } = tree;
	const open = text.slice(tree.start[node]!, tree.start[first]!);
	const close = text.slice(tree.end[last]!, tree.end[node]!);
	const line = open.search(/\r?\n[^\n]*$/);
	const between = kids.length > 1 ? text.slice(tree.end[first]!, tree.start[kids[1]!]!) : line === -1 ? ", " : `,${open.slice(line)}`;
	return open + strings.join(between) + close;
}
