/**
 * Splits contents into pieces as a person sees them: leaves of JSON, records, lines. Independent of the merge's code: the
 * trees are jsonc-parser's own (the merge has only the tokens from it), and JSON.parse decides what is valid.
 */
import jsonc, { type Node } from "jsonc-parser";

/** The frequency of each piece in a content. */
export type Pieces = Map<string, number>;

const LENIENT = { allowTrailingComma: true, disallowComments: false };

export function text(content: Uint8Array): string {
	return Buffer.from(content).toString("utf8");
}

/** The tree of a JSON document (comments and trailing commas allowed), or null. */
export function tree(content: Uint8Array): Node | null {
	const errors: jsonc.ParseError[] = [];
	const source = text(content).replace(/^\uFEFF/, "");
	const root = jsonc.parseTree(source, errors, LENIENT);
	return errors.length > 0 || root === undefined ? null : root;
}

/** Does JSON.parse accept it? */
export function isStrictJson(content: Uint8Array): boolean {
	try {
		JSON.parse(text(content).replace(/^\uFEFF/, ""));
		return true;
	} catch {
		return false;
	}
}

/** Leaves with the keys that lead to them. Elements have no names here: their correspondence can change. */
export function leaves(content: Uint8Array): Pieces {
	const source = text(content).replace(/^\uFEFF/, "");
	const found: string[] = [];
	const walk = (node: Node, path: string): void => {
		if (node.type === "object") {
			for (const property of node.children!) walk(property.children![1]!, `${path}.${JSON.stringify(property.children![0]!.value)}`);
		} else if (node.type === "array") {
			for (const element of node.children!) walk(element, `${path}[]`);
		} else
			found.push(
				`${path} = ${node.type === "number" ? source.slice(node.offset, node.offset + node.length) : (JSON.stringify(node.value) ?? node.type)}`,
			);
	};
	walk(tree(content)!, "");
	return count(found);
}

/** The `id` of an object, if it has one. */
export function idOf(node: Node): string | null {
	const property = node.type === "object" ? node.children!.find((child) => child.children![0]!.value === "id") : undefined;
	return property === undefined ? null : JSON.stringify(property.children![1]!.value);
}

/** A value without its spacing and comments; keys sorted. */
export function plainValue(node: Node, source: string): string {
	if (node.type === "array") return `[${node.children!.map((child) => plainValue(child, source)).join(",")}]`;
	if (node.type === "object") {
		const members = node.children!.map(
			(child) => `${JSON.stringify(child.children![0]!.value)}:${plainValue(child.children![1]!, source)}`,
		);
		return `{${members.sort().join(",")}}`;
	}
	return node.type === "number" ? source.slice(node.offset, node.offset + node.length) : JSON.stringify(node.value);
}

/** Lines without their ends. */
export function lines(content: Uint8Array): string[] {
	const all = Buffer.from(content)
		.toString("latin1")
		.replace(/^\xef\xbb\xbf/, "")
		.split("\n")
		.map((line) => line.replace(/\r$/, ""));
	return all[all.length - 1] === "" ? all.slice(0, -1) : all;
}

export function count(all: Iterable<string>): Pieces {
	const counts: Pieces = new Map();
	for (const piece of all) counts.set(piece, (counts.get(piece) ?? 0) + 1);
	return counts;
}

/** Comments of a JSONC document, in order. */
export function comments(content: Uint8Array): string[] {
	const found: string[] = [];
	const source = text(content);
	jsonc.visit(source, { onComment: (offset, length) => found.push(source.slice(offset, offset + length).trimEnd()) }, LENIENT);
	return found;
}
