import { createScanner, type JSONScanner } from "jsonc-parser";
import { spend } from "../budget.ts";
import { BOM } from "../lines.ts";
import { decodeString } from "./string.ts";
import { ARRAY, FALSE, type JsonTree, NONE, NULL, NUMBER, OBJECT, STRING, TRUE } from "./tree.ts";

/** Deeper documents are merged as text: people and agents write none, and recursion over the tree stays safe. */
const maxDepth = 500;

/** `torn`: the text ends too early, as after a crash; `too-deep`: otherwise well-formed. */
export type ParseFailure = "not-json" | "torn" | "too-deep";

/** Gives equal keys equal small numbers. */
export interface KeyNumbers {
	id(key: string): number;
}

/** Thrown inside the parser only. */
class Malformed extends Error {}

/** Steps to read a node. Files that people and programs write have at most one node in ten characters. */
const stepsPerNode = 20;

/** Tokens of jsonc-parser's scanner (SyntaxKind in its declarations, a const enum without a run-time value). */
const closeBrace = 2;
const closeBracket = 4;
const COMMA = 5;
const COLON = 6;
const stringLiteral = 10;
const lineComment = 12;
const blockComment = 13;
const endOfText = 17;

const CR = 0x0d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The tokens of one character, by character code; 0: the start of another token. */
const PUNCTUATION = new Uint8Array(256);
for (const [i, character] of ["{", "}", "[", "]", ",", ":"].entries()) PUNCTUATION[character.charCodeAt(0)] = i + 1;

/** The type of value that a token is, or starts; NONE: no value. */
const valueTypes = [NONE, OBJECT, NONE, ARRAY, NONE, NONE, NONE, NULL, TRUE, FALSE, STRING, NUMBER];

/**
 * Parses JSON (RFC 8259) with the two extensions that JSONC files use: comments and a comma after the last child. The tokens are those of
 * jsonc-parser's scanner, the tree is our own (see the package's README for why). Iterative, so that no nesting can exhaust the stack.
 *
 * @param text one character per byte, a byte order mark allowed.
 * @param keys gives every key a number; documents that are compared must share it.
 * @returns the tree, or why there is none.
 */
export function parseJson(text: string, keys: KeyNumbers): JsonTree | ParseFailure {
	const parser = new Parser(text, keys);
	try {
		return parser.parse();
	} catch (error) {
		if (error instanceof Malformed) return parser.isAtEnd ? "torn" : "not-json";
		throw error;
	}
}

/** Is the text JSON (with comments and trailing commas allowed), with any depth and keys? */
export function isJson(text: string): boolean {
	const parsed = parseJson(text, { id: () => 0 });
	return typeof parsed !== "string" || parsed === "too-deep";
}

type Views = [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];

/** Eight arrays in one buffer: for a small document, eight separate allocations would take as long as parsing it. */
function views(length: number): Views {
	const memory = new ArrayBuffer(8 * length * Int32Array.BYTES_PER_ELEMENT);
	const view = (index: number) => new Int32Array(memory, index * length * Int32Array.BYTES_PER_ELEMENT, length);
	return [view(0), view(1), view(2), view(3), view(4), view(5), view(6), view(7)];
}

class Parser {
	readonly #text: string;
	readonly #keys: KeyNumbers;
	/** Created only if the text has tokens besides punctuation and plain strings. */
	#scanner: JSONScanner | null = null;
	/** The last token, and its place. */
	#token = endOfText;
	/** The end of the text read so far, where the scanner continues. */
	#position: number;
	#tokenStart = 0;
	#tokenEnd = 0;
	#capacity: number;
	#type: Uint8Array;
	#start: Int32Array;
	#end: Int32Array;
	#next: Int32Array;
	#size: Int32Array;
	#key: Int32Array;
	#keyStart: Int32Array;
	#keyEnd: Int32Array;
	#comma: Int32Array;
	#count = 0;
	/** Nodes whose steps are counted. */
	#paid = 0;
	#duplicate = false;
	#isStrict = true;
	#tooDeep = false;
	/** For each key the last object with it: finds a repeated key without a set per object. */
	readonly #lastObject: number[] = [];

	/** Key lexemes by number, and for each key (shifted by one; 0: none before it) the key that last followed it. */
	readonly #lexemes: string[] = [];
	readonly #following: number[] = [];

	constructor(text: string, keys: KeyNumbers) {
		this.#text = text;
		this.#keys = keys;
		this.#position = text.startsWith(BOM) ? BOM.length : 0;
		this.#capacity = Math.max(16, text.length >> 4);
		this.#type = new Uint8Array(this.#capacity);
		const ints = views(this.#capacity);
		[this.#start, this.#end, this.#next, this.#size, this.#key, this.#keyStart, this.#keyEnd, this.#comma] = ints;
	}

	parse(): JsonTree | ParseFailure {
		this.#document();
		spend(stepsPerNode * (this.#count - this.#paid));
		this.#advance();
		if (this.#token !== endOfText) throw new Malformed();
		if (this.#tooDeep) return "too-deep";
		return {
			text: this.#text,
			count: this.#count,
			type: this.#type,
			start: this.#start,
			end: this.#end,
			next: this.#next,
			size: this.#size,
			key: this.#key,
			keyStart: this.#keyStart,
			keyEnd: this.#keyEnd,
			comma: this.#comma,
			hasKeyTwice: this.#duplicate,
			isStrict: this.#isStrict,
		};
	}

	/** Has the whole text been read? */
	get isAtEnd(): boolean {
		return this.#position >= this.#text.length;
	}

	#document(): void {
		/** Open containers, and the last child of each. */
		const open: number[] = [];
		const last: number[] = [];
		let container = NONE;
		for (;;) {
			// One value, after its key if the container is an object; or the end of a container that is empty or has a trailing comma.
			const inObject = container !== NONE && this.#type[container] === OBJECT;
			const before = container === NONE ? NONE : last[last.length - 1]!;
			let key = NONE;
			if (inObject) key = this.#readKey(before === NONE ? NONE : this.#key[before]!);
			else this.#advance();
			if (container !== NONE && this.#token === (inObject ? closeBrace : closeBracket)) {
				if (before !== NONE) this.#isStrict = false;
				do {
					container = this.#close(open, last);
					if (container === NONE) return;
				} while (!this.#separator(container, last[last.length - 1]!));
				continue;
			}
			const keyStart = inObject ? this.#tokenStart : NONE;
			const keyEnd = inObject ? this.#tokenEnd : NONE;
			if (inObject) {
				if (this.#lastObject[key] === container) this.#duplicate = true;
				this.#lastObject[key] = container;
				this.#advance();
				if (this.#token !== COLON) throw new Malformed();
				this.#advance();
			}
			const node = this.#node(key, keyStart, keyEnd);
			if (container !== NONE) {
				if (before !== NONE) this.#next[before] = node;
				last[last.length - 1] = node;
				this.#size[container] = this.#size[container]! + 1;
			}
			if (this.#type[node]! >= ARRAY) {
				open.push(node);
				last.push(NONE);
				container = node;
				if (open.length > maxDepth) this.#tooDeep = true;
				continue;
			}
			if (container === NONE) return;
			while (!this.#separator(container, last[last.length - 1]!)) {
				container = this.#close(open, last);
				if (container === NONE) return;
			}
		}
	}

	/**
	 * Reads a key; NONE: the object ends. Similar objects repeat, so the key that last followed the preceding one
	 * is tried first.
	 */
	#readKey(before: number): number {
		const text = this.#text;
		const expected = this.#following[before + 1];
		const start = this.#skipSpace();
		if (expected !== undefined && text.startsWith(this.#lexemes[expected]!, start)) {
			this.#token = stringLiteral;
			this.#tokenStart = start;
			this.#tokenEnd = start + this.#lexemes[expected]!.length;
			this.#position = this.#tokenEnd;
			return expected;
		}
		this.#advance();
		if (this.#token === closeBrace) return NONE;
		if (this.#token !== stringLiteral) throw new Malformed();
		const lexeme = text.slice(this.#tokenStart, this.#tokenEnd);
		if (lexeme.includes("\\")) return this.#keys.id(decodeString(text, this.#tokenStart, this.#tokenEnd));
		const key = this.#keys.id(lexeme.slice(1, -1));
		this.#lexemes[key] = lexeme;
		this.#following[before + 1] = key;
		return key;
	}

	/** After a child: a comma (true), or the container's end (false). */
	#separator(container: number, child: number): boolean {
		this.#advance();
		if (this.#token === COMMA) {
			this.#comma[child] = this.#tokenStart;
			return true;
		}
		if (this.#token !== (this.#type[container] === OBJECT ? closeBrace : closeBracket)) throw new Malformed();
		return false;
	}

	/** Ends the innermost container with the current token; returns the one around it. */
	#close(open: number[], last: number[]): number {
		this.#end[open.pop()!] = this.#tokenEnd;
		last.pop();
		return open.length > 0 ? open[open.length - 1]! : NONE;
	}

	/** The current token as a node: a scalar, or the start of a container. */
	#node(key: number, keyStart: number, keyEnd: number): number {
		const type = valueTypes[this.#token] ?? NONE;
		if (type === NONE) throw new Malformed();
		if (this.#count === this.#capacity) this.#grow();
		const node = this.#count++;
		this.#type[node] = type;
		this.#start[node] = this.#tokenStart;
		this.#end[node] = this.#tokenEnd;
		this.#next[node] = NONE;
		this.#key[node] = key;
		this.#keyStart[node] = keyStart;
		this.#keyEnd[node] = keyEnd;
		this.#comma[node] = NONE;
		return node;
	}

	/** Goes to the next token that is neither whitespace nor a comment. Most tokens are punctuation or plain strings, which need no scanner. */
	#advance(): void {
		const start = this.#skipSpace();
		const c = this.#text.charCodeAt(start);
		const token = PUNCTUATION[c] ?? 0;
		const end = token !== 0 ? start + 1 : c === QUOTE ? this.#plainStringEnd(start) : NONE;
		if (end === NONE) {
			this.#scan();
			return;
		}
		this.#token = token === 0 ? stringLiteral : token;
		this.#tokenStart = start;
		this.#tokenEnd = end;
		this.#position = end;
	}

	/** The end of a string without escapes; NONE: it has some, or it is no string. */
	#plainStringEnd(start: number): number {
		const text = this.#text;
		for (let at = start + 1; at < text.length; at++) {
			const c = text.charCodeAt(at);
			if (c === QUOTE) return at + 1;
			if (c === BACKSLASH || c < 0x20) return NONE;
		}
		return NONE;
	}

	#scan(): void {
		this.#scanner ??= createScanner(this.#text);
		const scanner = this.#scanner;
		do {
			scanner.setPosition(this.#skipSpace());
			this.#token = scanner.scan();
			this.#position = scanner.getPosition();
			if (this.#token === lineComment || this.#token === blockComment) this.#isStrict = false;
			if (scanner.getTokenError() !== 0) throw new Malformed();
			// For the scanner a lone CR ends a line comment, here only LF ends a line.
			if (this.#token === lineComment && this.#text.charCodeAt(this.#position) === CR && !this.#isLineEnd(this.#position))
				throw new Malformed();
		} while (this.#token === lineComment || this.#token === blockComment);
		this.#tokenStart = scanner.getTokenOffset();
		this.#tokenEnd = this.#position;
	}

	/** The scanner reads whitespace too, but builds a string from it, character by character. */
	#skipSpace(): number {
		const text = this.#text;
		let at = this.#position;
		for (let c = text.charCodeAt(at); c === 0x20 || c === 0x0a || c === CR || c === 0x09; c = text.charCodeAt(at)) at++;
		this.#position = at;
		return at;
	}

	#isLineEnd(cr: number): boolean {
		return cr + 1 === this.#text.length || this.#text.charCodeAt(cr + 1) === 0x0a;
	}

	#grow(): void {
		spend(stepsPerNode * (this.#count - this.#paid));
		this.#paid = this.#count;
		this.#capacity *= 2;
		const type = new Uint8Array(this.#capacity);
		type.set(this.#type);
		this.#type = type;
		const old = [this.#start, this.#end, this.#next, this.#size, this.#key, this.#keyStart, this.#keyEnd, this.#comma];
		const ints = views(this.#capacity);
		for (const [index, view] of ints.entries()) view.set(old[index] as Int32Array);
		[this.#start, this.#end, this.#next, this.#size, this.#key, this.#keyStart, this.#keyEnd, this.#comma] = ints;
	}
}
