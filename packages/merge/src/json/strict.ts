import { children, type JsonTree, NONE } from "./tree.ts";

/** A document without its comments and without commas after last children. */
export interface Strict {
	readonly text: string;
	/** Did it have comments? */
	readonly hadComments: boolean;
}

/** Writes a document in a form that every JSON parser reads. */
export function strict(tree: JsonTree): Strict {
	const { text } = tree;
	/** The parts that stay, in order: lexemes of keys and values, and the commas and colons between them. */
	const dropped = new Set<number>();
	for (let node = 0; node < tree.count; node++) {
		if (tree.size[node] === 0) continue;
		const kids = children(tree, node);
		const comma = tree.comma[kids[kids.length - 1]!]!;
		if (comma !== NONE) dropped.add(comma);
	}
	const out: string[] = [];
	let hadComments = false;
	let [from, inString] = [0, false];
	for (let at = 0; at < text.length; at++) {
		const c = text.charCodeAt(at);
		if (inString) {
			if (c === 0x5c) at++;
			else if (c === 0x22) inString = false;
		} else if (c === 0x22) inString = true;
		else if (c === 0x2c && dropped.has(at)) {
			out.push(text.slice(from, at));
			from = at + 1;
		} else if (c === 0x2f) {
			hadComments = true;
			const isLine = text[at + 1] === "/";
			const end = isLine ? text.indexOf("\n", at) : text.indexOf("*/", at + 2) + 2;
			const past = end === -1 ? text.length : isLine && text[end - 1] === "\r" ? end - 1 : end;
			out.push(text.slice(from, at).replace(/[ \t]+$/, ""));
			from = past;
			at = past - 1;
		}
	}
	out.push(text.slice(from));
	return { text: out.join(""), hadComments };
}
