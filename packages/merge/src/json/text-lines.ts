import { isAppend, mergeAppend } from "../append.ts";
import { fromLatin1, toLatin1 } from "../bytes.ts";
import { mergeCode } from "../code.ts";
import type { Merged, Sides } from "../sides.ts";
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
	const merged = mergeCut(sides) ?? (isAppend(sides) && addsLines(sides) ? mergeAppend(sides) : mergeCode(sides));
	const result = toLatin1(merged.content);
	const { olderLost } = merged;
	if (result === toLatin1(sides.later)) return { text: valueText(tree, node), olderLost };
	if (result === toLatin1(sides.older)) return { text: valueText(older.tree, older.node), olderLost };
	const lines = result.match(/[^\n]*\n|[^\n]+$/g) ?? [];
	const written = lines.map((line) => `"${line.replace("\n", String.raw`\n`)}"`);
	if (tree.type[node] === STRING) return { text: `"${result.replaceAll("\n", String.raw`\n`)}"`, olderLost };
	const layout = [later, older].find((side) => side.tree.size[side.node]! > 0)!;
	return { text: inLayoutOf(layout, written), olderLost };
}

/**
 * If one side only cut lines off at the end or at the start (a cell was split in two), and the other changed none of them, they are removed.
 *
 * @returns null: no side did.
 */
function mergeCut({ base, older, later }: Sides): Merged | null {
	if (base === null) return null;
	const [before, mine, theirs] = [base, older, later].map((content) => toLatin1(content)) as [string, string, string];
	const text = withoutCut(before, mine, theirs) ?? withoutCut(before, theirs, mine);
	return text === null ? null : { content: fromLatin1(text), olderLost: false, laterLost: false };
}

function withoutCut(base: string, cut: string, other: string): string | null {
	if (cut === "" || cut.length >= base.length) return null;
	const kept = cut.endsWith("\n") ? cut.slice(0, -1) : cut;
	if (base.startsWith(`${kept}\n`)) {
		const tail = base.slice(kept.length);
		if (tail.length > 1 && other.length > tail.length && other.endsWith(tail)) return other.slice(0, -tail.length) + cut.slice(kept.length);
	}
	if (!base.endsWith(`\n${cut}`)) return null;
	const head = base.slice(0, base.length - cut.length);
	return other.length > head.length && other.startsWith(head) ? other.slice(head.length) : null;
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
	const kids = children(tree, node);
	const [first, last] = [kids[0]!, kids[kids.length - 1]!];
	const { text } = tree;
	const open = text.slice(tree.start[node]!, tree.start[first]!);
	const close = text.slice(tree.end[last]!, tree.end[node]!);
	const line = open.search(/\r?\n[^\n]*$/);
	const between = kids.length > 1 ? text.slice(tree.end[first]!, tree.start[kids[1]!]!) : line === -1 ? ", " : `,${open.slice(line)}`;
	return strings.length === 0 ? "[]" : open + strings.join(between) + close;
}
