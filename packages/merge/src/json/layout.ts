import { children, type JsonTree, NONE } from "./tree.ts";

/**
 * One version of a container, cut so that every byte between its brackets belongs to something that can be merged:
 *
 *     { <lead> "key": value <tail>, <post> <lead> "key": value <post> <close> }
 *
 * A child owns the whitespace and comments before it (lead), those between it and its comma (tail), and the comments that follow on
 * its line (post). The rest before the closing bracket is the container's (close).
 */
export interface Layout {
	readonly tree: JsonTree;
	readonly node: number;
	readonly kids: readonly number[];
	/** Where each child's lead starts. */
	readonly leadStart: Int32Array;
	/** Where each child's post ends. */
	readonly postEnd: Int32Array;
	readonly close: string;
	readonly trailingComma: boolean;
}

/** Whitespace of a container without its comments: before the first child, before the others, before the closing bracket. */
export interface Style {
	readonly first: string;
	readonly between: string;
	readonly close: string;
}

export function layout(tree: JsonTree, node: number): Layout {
	const kids = children(tree, node);
	const { text } = tree;
	const leadStart = new Int32Array(kids.length);
	const postEnd = new Int32Array(kids.length);
	const bracket = tree.end[node]! - 1;
	let at = tree.start[node]! + 1;
	for (let i = 0; i < kids.length; i++) {
		const kid = kids[i]!;
		leadStart[i] = at;
		const comma = tree.comma[kid]!;
		const after = comma === NONE ? tree.end[kid]! : comma + 1;
		at = endOfLineComments(text, after, i + 1 < kids.length ? headStart(tree, kids[i + 1]!) : bracket);
		postEnd[i] = at;
	}
	const last = kids[kids.length - 1];
	return {
		tree,
		node,
		kids,
		leadStart,
		postEnd,
		close: text.slice(at, bracket),
		trailingComma: last !== undefined && tree.comma[last] !== NONE,
	};
}

/** Where a child starts: its key, or its value in an array. */
export function headStart(tree: JsonTree, kid: number): number {
	const key = tree.keyStart[kid]!;
	return key === NONE ? tree.start[kid]! : key;
}

export function lead({ tree, kids, leadStart }: Layout, i: number): string {
	return tree.text.slice(leadStart[i]!, headStart(tree, kids[i]!));
}

/** Key and colon of a member; nothing for an element. */
export function head({ tree, kids }: Layout, i: number): string {
	return tree.text.slice(headStart(tree, kids[i]!), tree.start[kids[i]!]!);
}

export function tail({ tree, kids }: Layout, i: number): string {
	const kid = kids[i]!;
	return tree.comma[kid] === NONE ? "" : tree.text.slice(tree.end[kid]!, tree.comma[kid]!);
}

export function post({ tree, kids, postEnd }: Layout, i: number): string {
	const kid = kids[i]!;
	return tree.text.slice(tree.comma[kid] === NONE ? tree.end[kid]! : tree.comma[kid]! + 1, postEnd[i]!);
}

/** The style of a container that has children. */
export function style(of: Layout): Style {
	const first = plain(lead(of, 0));
	const between =
		of.kids.length > 1
			? plain(lead(of, 1))
			: first.includes("\n")
				? first.slice(first.lastIndexOf("\n") - (first.includes("\r\n") ? 1 : 0))
				: gap(of);
	return { first, between, close: plain(of.close) };
}

/** Whitespace without the comments in it. */
function plain(trivia: string): string {
	if (!hasComment(trivia)) return trivia;
	const line = trivia.lastIndexOf("\n");
	if (line === -1) return trivia.startsWith(" ") ? " " : "";
	return trivia.slice(trivia[line - 1] === "\r" ? line - 1 : line).replace(/\/.*/s, "");
}

/** The text after a comma in a container on one line: as after its first comma, else as after a colon, else a space. */
function gap({ tree, node }: Layout): string {
	const { text } = tree;
	for (let inner = node + 1; inner < tree.count && tree.start[inner]! < tree.end[node]!; inner++) {
		if (tree.comma[inner] !== NONE) return text[tree.comma[inner]! + 1] === " " ? " " : "";
		if (tree.keyEnd[inner] !== NONE) return text[tree.start[inner]! - 1] === " " ? " " : "";
	}
	return tree.count > 1 && tree.keyEnd[1] !== NONE && text[tree.start[1]! - 1] !== " " ? "" : " ";
}

/** Does whitespace between tokens hold a comment? */
export function hasComment(trivia: string): boolean {
	return trivia.includes("/");
}

/** The comments in whitespace between tokens, each without the whitespace around it. */
export function comments(trivia: string): string[] {
	return hasComment(trivia) ? (trivia.match(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g) ?? []).map((comment) => comment.trimEnd()) : [];
}

/** Does whitespace between tokens end inside a line comment, so that only a new line may follow? */
export function endsInLineComment(trivia: string): boolean {
	for (let at = trivia.indexOf("/"); at !== -1; at = trivia.indexOf("/", at)) {
		const isLine = trivia[at + 1] === "/";
		const end = isLine ? trivia.indexOf("\n", at + 2) : trivia.indexOf("*/", at + 2);
		if (end === -1) return isLine;
		at = isLine ? end + 1 : end + 2;
	}
	return false;
}

/** The end of the comments on the line of the preceding token; `from` if more than comments follows on the line. */
function endOfLineComments(text: string, from: number, limit: number): number {
	let at = from;
	let found = from;
	while (at < limit) {
		const c = text.charCodeAt(at);
		if (c === 0x0a || c === 0x0d) return found;
		if (c === 0x2f) {
			const isLine = text.charCodeAt(at + 1) === 0x2f;
			const end = isLine ? text.indexOf("\n", at) : text.indexOf("*/", at + 2) + 2;
			at = isLine && end !== -1 ? (text.charCodeAt(end - 1) === 0x0d ? end - 1 : end) : end === -1 ? limit : end;
			found = at;
		} else at++;
	}
	// The next child or the bracket is on the same line: before a bracket the comment is the last child's.
	const c = text.charCodeAt(limit);
	return c === 0x7d || c === 0x5d ? found : from;
}
