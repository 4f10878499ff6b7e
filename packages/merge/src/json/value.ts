import { spend } from "../budget.ts";
import { Interner } from "../interner.ts";
import { decodeString } from "./string.ts";
import { ARRAY, children, type JsonTree, NONE, NUMBER, OBJECT, STRING, valueText } from "./tree.ts";

/** Are two values identical, byte for byte? */
export function sameText(a: JsonTree, x: number, b: JsonTree, y: number): boolean {
	const [startA, endA, startB, endB] = [a.start[x]!, a.end[x]!, b.start[y]!, b.end[y]!];
	return endA - startA === endB - startB && a.text.slice(startA, endA) === b.text.slice(startB, endB);
}

/** A scalar as a string that equals another's exactly if the values are equal: the text "1" and the number 1 are not. */
export function scalarValue(tree: JsonTree, node: number): string {
	const text = valueText(tree, node);
	if (tree.type[node] === STRING) return text.includes("\\") ? `"${decodeString(tree.text, tree.start[node]!, tree.end[node]!)}"` : text;
	return tree.type[node] === NUMBER ? exactDecimal(text) : text;
}

/** As {@link scalarValue}, but a number is its lexeme: in a list `1` and `1.0` are two elements, so that neither can replace the other. */
export function writtenScalar(tree: JsonTree, node: number): string {
	return tree.type[node] === NUMBER ? valueText(tree, node) : scalarValue(tree, node);
}

/** The cost of numbering a value: a table lookup of its text. */
const stepsPerNumber = 100;

/** The members of an object in the order of their key numbers, as {@link Values} numbers them. */
export interface Members {
	readonly keys: Int32Array;
	readonly values: Int32Array;
}

/** The numbers of the nodes of one document; NONE: not numbered yet. */
interface Numbered {
	readonly equal: Int32Array;
	readonly written: Int32Array;
	readonly kids: Map<number, readonly number[]>;
	readonly members: Map<number, Members>;
}

/**
 * Numbers the values of several documents, so that values are compared in one step. Every node is numbered at most once in each of the two
 * senses, at any depth. All documents must have been parsed with the same key numbers.
 */
export class Values {
	readonly #equal = new Interner();
	readonly #written = new Interner();
	readonly #documents = new Map<JsonTree, Numbered>();

	/**
	 * Are two values equal, in any notation? Order of members, whitespace, comments, string escapes and number lexemes do not count;
	 * numbers are compared exactly, as decimals.
	 */
	same(a: JsonTree, x: number, b: JsonTree, y: number): boolean {
		if (a.type[x] !== b.type[y] || a.size[x] !== b.size[y]) return false;
		return sameText(a, x, b, y) || this.equal(a, x) === this.equal(b, y);
	}

	/** The same number for values that are equal in the sense of {@link same}. */
	equal(tree: JsonTree, node: number): number {
		return this.#number(tree, node, this.#of(tree).equal, this.#equal, scalarValue);
	}

	/** The same number for values that are equal and whose numbers have the same notation. */
	written(tree: JsonTree, node: number): number {
		return this.#number(tree, node, this.#of(tree).written, this.#written, writtenScalar);
	}

	/** The children of a container, computed once. */
	kids(tree: JsonTree, node: number): readonly number[] {
		const { kids } = this.#of(tree);
		let found = kids.get(node);
		if (found === undefined) {
			found = children(tree, node);
			kids.set(node, found);
		}
		return found;
	}

	/** The members of an object, computed once. */
	members(tree: JsonTree, node: number): Members {
		const { members } = this.#of(tree);
		let found = members.get(node);
		if (found === undefined) {
			const sorted = [...this.kids(tree, node)].sort((x, y) => tree.key[x]! - tree.key[y]!);
			found = {
				keys: Int32Array.from(sorted, (kid) => tree.key[kid]!),
				values: Int32Array.from(sorted, (kid) => this.equal(tree, kid)),
			};
			members.set(node, found);
		}
		return found;
	}

	#of(tree: JsonTree): Numbered {
		let known = this.#documents.get(tree);
		if (known === undefined) {
			const numbers = () => new Int32Array(tree.count).fill(NONE);
			known = { equal: numbers(), written: numbers(), kids: new Map(), members: new Map() };
			this.#documents.set(tree, known);
		}
		return known;
	}

	#number(tree: JsonTree, node: number, numbers: Int32Array, interner: Interner, scalar: (tree: JsonTree, node: number) => string): number {
		if (numbers[node] !== NONE) return numbers[node]!;
		let last = node;
		while (last + 1 < tree.count && tree.start[last + 1]! < tree.end[node]!) last++;
		spend(stepsPerNumber * (last - node + 1));
		// Children have greater numbers than their container: a loop from the last one needs no recursion.
		for (let at = last; at >= node; at--) {
			if (numbers[at] !== NONE) continue;
			const type = tree.type[at]!;
			if (type < ARRAY) {
				numbers[at] = interner.id(scalar(tree, at));
				continue;
			}
			numbers[at] = interner.id(type === ARRAY ? listText(tree, at, numbers) : membersText(tree, at, numbers));
		}
		return numbers[node]!;
	}
}

/** The numbers of an array's elements as a text. Plain loops, because this runs for every container of a document. */
function listText(tree: JsonTree, array: number, numbers: Int32Array): string {
	let text = "[";
	for (let kid = tree.size[array] === 0 ? NONE : array + 1; kid !== NONE; kid = tree.next[kid]!) text += `${numbers[kid]},`;
	return text;
}

/** The same for an object's members, in the order of their key numbers. */
function membersText(tree: JsonTree, object: number, numbers: Int32Array): string {
	if (tree.size[object] === 1) return `{${tree.key[object + 1]}:${numbers[object + 1]},`;
	const kids = children(tree, object).sort((x, y) => tree.key[x]! - tree.key[y]!);
	let text = "{";
	for (const kid of kids) text += `${tree.key[kid]}:${numbers[kid]},`;
	return text;
}

/** Is a value more than a number, a truth value or a short word, which many elements can have? */
export function isTelling(tree: JsonTree, node: number): boolean {
	return tree.type[node]! >= ARRAY
		? tree.size[node]! > 0
		: tree.type[node] === STRING && /[A-Za-z\x80-\xff]{2}.*[^"]{2}/.test(valueText(tree, node));
}

/** The member of an object with a key, or NONE. */
export function member(tree: JsonTree, object: number, key: number): number {
	if (tree.type[object] !== OBJECT || tree.size[object] === 0) return NONE;
	for (let child = object + 1; child !== NONE; child = tree.next[child]!) if (tree.key[child] === key) return child;
	return NONE;
}

/** Exponents with more digits are not added up: meaningful numbers have none. */
const longestExponent = 15;

/** Writes a JSON number as its significant digits and an exponent, exactly: `1.0`, `1` and `10e-1` are one; `-0` and `0` are two. */
function exactDecimal(lexeme: string): string {
	if (/^[1-9]\d{0,14}$/.test(lexeme)) return lexeme;
	const sign = lexeme.startsWith("-") ? "-" : "";
	const e = lexeme.search(/[eE]/);
	const [mantissa, power] = e === -1 ? [lexeme.slice(sign.length), "0"] : [lexeme.slice(sign.length, e), lexeme.slice(e + 1)];
	const point = mantissa.indexOf(".");
	const fraction = point === -1 ? "" : mantissa.slice(point + 1);
	const digits = point === -1 ? mantissa : mantissa.slice(0, point) + fraction;
	let [first, past] = [0, digits.length];
	while (first < past && digits[first] === "0") first++;
	while (past > first && digits[past - 1] === "0") past--;
	if (first === past) return `${sign}0`;
	const significant = digits.slice(first, past);
	if (power.length > longestExponent) return lexeme;
	const exponent = Number(power) - fraction.length + (digits.length - past);
	// Most numbers are small integers: these are their own canonical form.
	if (exponent >= 0 && significant.length + exponent <= 15 && sign === "") return significant + "0".repeat(exponent);
	return `${sign}${significant}e${exponent}`;
}
