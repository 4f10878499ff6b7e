import { spend } from "../budget.ts";

/**
 * A structured text (TOML, YAML, INI, …) as a tree of items, each of which owns a piece of the text. Put together again in order the pieces are
 * the text, byte for byte, so that a merge can take every piece from the version that wrote it.
 *
 * One character is one byte, and lines end in LF.
 */
export interface Item {
	/** Names the item among its siblings in a map; in a list it means nothing. */
	readonly key: string;
	/** Blank lines and comments before it: whole lines in a block, any trivia in a flow collection. */
	readonly lead: string;
	/** Whitespace between the start of the line and the item. Empty where indentation has no meaning. */
	readonly indent: string;
	/** What introduces the value: `key: `, `- `, `[table]` with its line end. */
	readonly head: string;
	readonly value: Value;
	/** The rest of the value's line; in a flow collection the comment that follows on the line. */
	readonly tail: string;
	/** Head, value and tail. */
	readonly text: string;
}

export type Value = Leaf | Block | Flow;

/** A value that is taken whole, or line by line if it has several. */
export interface Leaf {
	readonly type: "leaf";
	readonly text: string;
	/** Is every line of it a line of what it says (block scalars, multi-line strings), so that lines can be merged? */
	readonly lines: boolean;
}

/** Items below one another, each starting a line. */
export interface Block {
	readonly type: "block";
	readonly list: boolean;
	readonly items: readonly Item[];
	/** Comments after the last item. */
	readonly foot: string;
	/** Does the first item stand on the line that introduces the block (`- name: x`)? */
	readonly compact: boolean;
	readonly text: string;
}

/** Items between brackets, with commas. */
export interface Flow {
	readonly type: "flow";
	readonly list: boolean;
	readonly open: string;
	readonly items: readonly Item[];
	/** What stands before the closing bracket, and the bracket. */
	readonly close: string;
	/** Is there a comma after the last item? */
	readonly comma: boolean;
	readonly text: string;
}

/** Thrown by a scanner at a text that it does not understand: the text is to be merged in another way. Nobody needs to know where it was made. */
export class NotScannable extends Error {
	constructor() {
		const { stackTraceLimit } = Error;
		Error.stackTraceLimit = 0;
		super();
		Error.stackTraceLimit = stackTraceLimit;
	}
}

/** Deeper nesting is not taken apart. */
export const MAX_DEPTH = 100;

/** What it takes to take a text apart (see `spend`), for each of its characters. */
export const STEPS_PER_CHARACTER = 25;

/**
 * An item whose text follows from its parts.
 *
 * @param text the same where it is at hand: a piece of a text takes less memory than three that are put together.
 */
export function item(
	{ key, lead, indent, head, value, tail }: Omit<Item, "text">,
	text = head === "" && tail === "" ? value.text : head + value.text + tail,
): Item {
	return { key, lead, indent, head, value, tail, text };
}

/** Text of a block's items, leads and indentation included. */
export function blockText(items: readonly Item[], foot: string, compact: boolean): string {
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
	// Each level copies what is in it.
	spend(text.length);
	return text;
}

export function block(list: boolean, items: readonly Item[], foot: string, compact = false): Block {
	return { type: "block", list, items, foot, compact, text: blockText(items, foot, compact) };
}

export function leaf(text: string, lines = false): Leaf {
	return { type: "leaf", text, lines };
}
