/** Kinds of JSON values. */
export const NULL = 0;
export const TRUE = 1;
export const FALSE = 2;
export const NUMBER = 3;
export const STRING = 4;
export const ARRAY = 5;
export const OBJECT = 6;

/** No node, key or comma. */
export const NONE = -1;

/**
 * A JSON document as a syntax tree over its text, in typed arrays: a file with 100,000 objects has a million nodes, and as objects they
 * would cost more than everything else.
 *
 * Nodes are numbered in document order, the root is 0, and the first child of a container `n` is `n + 1`.
 */
export interface JsonTree {
	/** One character per byte. */
	readonly text: string;
	/** The number of nodes; the arrays may be longer. */
	readonly count: number;
	readonly type: Uint8Array;
	/** The start and the end (past the last character) of the value. */
	readonly start: Int32Array;
	readonly end: Int32Array;
	/** The next child of the same container, or NONE. */
	readonly next: Int32Array;
	/** The number of children of a container. */
	readonly size: Int32Array;
	/** Interned key of a member; NONE for elements and the root. */
	readonly key: Int32Array;
	/** The start and the end of the key's lexeme, quotes included. */
	readonly keyStart: Int32Array;
	readonly keyEnd: Int32Array;
	/** The place of the comma after a child, or NONE. */
	readonly comma: Int32Array;
	/** Has some object a key twice? For most readers the last one counts. */
	readonly hasKeyTwice: boolean;
	/** Is it JSON without comments and without commas after the last child? */
	readonly isStrict: boolean;
}

/** The text of a value. */
export function valueText(tree: JsonTree, node: number): string {
	return tree.text.slice(tree.start[node]!, tree.end[node]!);
}

/** The children of a container, in order. */
export function children(tree: JsonTree, node: number): number[] {
	const found: number[] = [];
	if (tree.size[node]! > 0) for (let child = node + 1; child !== NONE; child = tree.next[child]!) found.push(child);
	return found;
}
