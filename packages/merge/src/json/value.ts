import { decodeString } from "./string.ts";
import { ARRAY, children, type JsonTree, NONE, NUMBER, OBJECT, STRING, valueText } from "./tree.ts";

/** Are two values written alike, byte for byte? */
export function sameText(a: JsonTree, x: number, b: JsonTree, y: number): boolean {
	const [startA, endA, startB, endB] = [a.start[x]!, a.end[x]!, b.start[y]!, b.end[y]!];
	return endA - startA === endB - startB && a.text.slice(startA, endA) === b.text.slice(startB, endB);
}

/**
 * Are two values equal, however they are written? Order of members, whitespace, comments, string escapes and number lexemes do not
 * count; numbers are compared exactly, as decimals. Both trees must have been parsed with the same key numbers.
 */
export function sameValue(a: JsonTree, x: number, b: JsonTree, y: number): boolean {
	if (a.type[x] !== b.type[y] || a.size[x] !== b.size[y]) return false;
	if (sameText(a, x, b, y)) return true;
	switch (a.type[x]) {
		case ARRAY: {
			const other = children(b, y);
			return children(a, x).every((child, i) => sameValue(a, child, b, other[i]!));
		}
		case OBJECT: {
			const other = new Map(children(b, y).map((child) => [b.key[child]!, child]));
			return children(a, x).every((child) => {
				const counterpart = other.get(a.key[child]!);
				return counterpart !== undefined && sameValue(a, child, b, counterpart);
			});
		}
		default:
			return scalarValue(a, x) === scalarValue(b, y);
	}
}

/** A scalar as a string that equals another's exactly if the values are equal: the text "1" and the number 1 are not. */
export function scalarValue(tree: JsonTree, node: number): string {
	const text = valueText(tree, node);
	if (tree.type[node] === STRING) return text.includes("\\") ? `"${decodeString(tree.text, tree.start[node]!, tree.end[node]!)}"` : text;
	return tree.type[node] === NUMBER ? exactDecimal(text) : text;
}

/**
 * A value as a string that equals another's exactly if the values are equal in the sense of {@link sameValue} and their numbers are written
 * alike: in a sequence `1` and `1.0` are two elements, so that neither can go for the other.
 */
export function canonical(tree: JsonTree, node: number): string {
	switch (tree.type[node]) {
		case ARRAY:
			return `[${children(tree, node)
				.map((child) => lengthPrefixed(canonical(tree, child)))
				.join("")}]`;
		case OBJECT:
			return `{${children(tree, node)
				.sort((x, y) => tree.key[x]! - tree.key[y]!)
				.map((child) => `${tree.key[child]}:${lengthPrefixed(canonical(tree, child))}`)
				.join("")}}`;
		case NUMBER:
			return valueText(tree, node);
		default:
			return scalarValue(tree, node);
	}
}

function lengthPrefixed(text: string): string {
	return `${text.length} ${text}`;
}

/** The member of an object with a key, or NONE. */
export function member(tree: JsonTree, object: number, key: number): number {
	if (tree.type[object] !== OBJECT || tree.size[object] === 0) return NONE;
	for (let child = object + 1; child !== NONE; child = tree.next[child]!) if (tree.key[child] === key) return child;
	return NONE;
}

/** Writes a JSON number as its significant digits and an exponent, exactly: `1.0`, `1` and `10e-1` are one; `-0` and `0` are two. */
function exactDecimal(lexeme: string): string {
	if (/^[1-9]\d{0,14}$/.test(lexeme)) return lexeme;
	const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(lexeme);
	if (parts === null) return lexeme;
	const fraction = parts[3] ?? "";
	const digits = (parts[2]! + fraction).replace(/^0+/, "");
	const significant = digits.replace(/0+$/, "");
	if (significant === "") return `${parts[1]}0`;
	const exponent = BigInt(parts[4] ?? 0) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
	// Small integers are what most numbers are: these are their own names, however they are written.
	if (exponent >= 0n && BigInt(significant.length) + exponent <= 15n && parts[1] === "") return significant + "0".repeat(Number(exponent));
	return `${parts[1]}${significant}e${exponent}`;
}
