import { spend } from "../budget.ts";

/**
 * A structured text (TOML, YAML, INI, …) as a tree of items, each of which owns a piece of the text. The pieces in order are
 * the text, byte for byte, so that a merge can copy every piece from the version that wrote it.
 *
 * One character is one byte, and lines end in LF.
 */
export interface Item {
	/** Names the item among its siblings in a map; without meaning in a list. */
	readonly key: string;
	/** Blank lines and comments before it: whole lines in a block, any trivia in a flow collection. */
	readonly lead: string;
	/** Whitespace between the start of the line and the item. Empty in formats where indentation has no meaning. */
	readonly indent: string;
	/** The text before the value: `key: `, `- `, `[table]` with its line end. */
	readonly head: string;
	readonly value: Value;
	/** The rest of the value's line; in a flow collection the comment that follows on the line. */
	readonly tail: string;
	/** Head, value and tail. */
	readonly text: string;
}

export type Value = Leaf | Block | Flow;

/** A value that is replaced whole, or merged line by line if it has several lines. */
export interface Leaf {
	readonly type: "leaf";
	readonly text: string;
	/** Is every line of it a line of the value (block scalars, multi-line strings), so that lines can be merged? */
	readonly lines: boolean;
}

/** Items below one another, each starting a line. */
export interface Block {
	readonly type: "block";
	readonly list: boolean;
	readonly items: readonly Item[];
	/** Comments after the last item. */
	readonly foot: string;
	/** Is the first item on the line that introduces the block (`- name: x`)? */
	readonly compact: boolean;
	readonly text: string;
}

/** Items between brackets, with commas. */
export interface Flow {
	readonly type: "flow";
	readonly list: boolean;
	readonly open: string;
	readonly items: readonly Item[];
	/** The text before the closing bracket, and the bracket. */
	readonly close: string;
	/** Is there a comma after the last item? */
	readonly comma: boolean;
	readonly text: string;
}

/** Thrown by a scanner at an unsupported text, which needs another kind of merge. Without a stack trace, which no caller reads. */
export class NotScannable extends Error {
	constructor() {
		const { stackTraceLimit } = Error;
		Error.stackTraceLimit = 0;
		super();
		Error.stackTraceLimit = stackTraceLimit;
	}
}

/** Deeper nesting is not parsed. */
export const maxDepth = 100;

/** Steps to parse a text (see `spend`), for each of its characters. */
export const stepsPerCharacter = 25;

/**
 * An item whose text consists of its parts.
 *
 * @param text the same, if the caller has it: one piece of a text needs less memory than three joined ones.
 */
export function item(
	{ key, lead, indent, head, value, tail }: Omit<Item, "text">,
	text = head === "" && tail === "" ? value.text : head + value.text + tail,
): Item {
	return { key, lead, indent, head, value, tail, text };
}

/** Text of a block's items, leads and indentation included. */
function blockText(items: readonly Item[], foot: string, compact: boolean): string {
	// Most blocks of TOML have one item, or none.
	if (items.length === 0) return foot;
	if (items.length === 1 && foot === "" && (compact || (items[0]!.lead === "" && items[0]!.indent === ""))) return items[0]!.text;
	const parts: string[] = [];
	for (let i = 0; i < items.length; i++) {
		const { lead, indent, text } = items[i]!;
		if (i > 0 || !compact) parts.push(lead, indent);
		parts.push(text);
	}
	parts.push(foot);
	const text = parts.join("");
	// Each level copies its content.
	spend(text.length);
	return text;
}

export function block(list: boolean, items: readonly Item[], foot: string, compact = false): Block {
	return { type: "block", list, items, foot, compact, text: blockText(items, foot, compact) };
}

export function leaf(text: string, lines = false): Leaf {
	return { type: "leaf", text, lines };
}
