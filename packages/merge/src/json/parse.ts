import { BOM } from "../lines.ts";
import { decodeString } from "./string.ts";
import { ARRAY, FALSE, type JsonTree, NONE, NULL, NUMBER, OBJECT, STRING, TRUE } from "./tree.ts";

/** Deeper documents are merged as text: nothing that people or agents write is, and what recurses over the tree stays safe. */
export const MAX_DEPTH = 500;

export type ParseFailure = "not-json" | "duplicate-key" | "too-deep";

/** Gives equal keys equal small numbers. */
export interface KeyNumbers {
	id(key: string): number;
}

/** Thrown inside the parser only. */
class Malformed extends Error {}

/**
 * Parses JSON (RFC 8259) with the two extensions that JSONC files use: comments and a comma after the last child. Iterative, so that no
 * nesting can exhaust the stack.
 *
 * Why not a library's parser: see the package's README for what was measured.
 *
 * @param text one character per byte, a byte order mark allowed.
 * @param keys gives every key a number; documents that are to be compared must share it.
 * @returns the tree, or why there is none. `duplicate-key` and `too-deep` are only said of documents that are well-formed otherwise.
 */
export function parseJson(text: string, keys: KeyNumbers): JsonTree | ParseFailure {
	try {
		return new Parser(text, keys).parse();
	} catch (error) {
		if (error instanceof Malformed) return "not-json";
		throw error;
	}
}

/** Is the text JSON (with comments and trailing commas allowed), whatever its depth and keys? */
export function isJson(text: string): boolean {
	return parseJson(text, { id: () => 0 }) !== "not-json";
}

class Parser {
	readonly #text: string;
	readonly #keys: KeyNumbers;
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
	#at: number;
	#duplicate = false;
	#tooDeep = false;
	/** For each key the object that last had it: a key twice in one object is seen without a set per object. */
	readonly #lastObject: number[] = [];

	/** Key lexemes by number, and for each key (shifted by one; 0: none before it) the key that followed it last. */
	readonly #lexemes: string[] = [];
	readonly #following: number[] = [];

	constructor(text: string, keys: KeyNumbers) {
		this.#text = text;
		this.#keys = keys;
		this.#at = text.startsWith(BOM) ? BOM.length : 0;
		this.#capacity = Math.max(16, text.length >> 4);
		this.#type = new Uint8Array(this.#capacity);
		[this.#start, this.#end, this.#next, this.#size] = [this.#ints(), this.#ints(), this.#ints(), this.#ints()];
		[this.#key, this.#keyStart, this.#keyEnd, this.#comma] = [this.#ints(), this.#ints(), this.#ints(), this.#ints()];
	}

	parse(): JsonTree | ParseFailure {
		this.#document();
		this.#trivia();
		if (this.#at < this.#text.length) throw new Malformed();
		if (this.#tooDeep) return "too-deep";
		if (this.#duplicate) return "duplicate-key";
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
		};
	}

	#document(): void {
		const text = this.#text;
		/** Open containers, and for each its child read last. */
		const open: number[] = [];
		const last: number[] = [];
		let container = NONE;
		for (;;) {
			// One value, after its key where the container is an object.
			let [key, keyStart, keyEnd] = [NONE, NONE, NONE];
			this.#trivia();
			if (container !== NONE) {
				const inObject = this.#type[container] === OBJECT;
				if (text.charCodeAt(this.#at) === (inObject ? 0x7d : 0x5d)) {
					// Empty, or after a trailing comma.
					this.#at++;
					do {
						container = this.#close(open, last);
						if (container === NONE) return;
					} while (!this.#separator(container, last[last.length - 1]!));
					continue;
				}
				if (inObject) {
					keyStart = this.#at;
					const before = last[last.length - 1]!;
					key = this.#readKey(before === NONE ? NONE : this.#key[before]!);
					keyEnd = this.#at;
					if (this.#lastObject[key] === container) this.#duplicate = true;
					this.#lastObject[key] = container;
					this.#trivia();
					if (text.charCodeAt(this.#at) !== 0x3a) throw new Malformed();
					this.#at++;
					this.#trivia();
				}
			}
			const node = this.#node(key, keyStart, keyEnd);
			if (container !== NONE) {
				const before = last[last.length - 1]!;
				if (before !== NONE) this.#next[before] = node;
				last[last.length - 1] = node;
				this.#size[container] = this.#size[container]! + 1;
			}
			if (this.#type[node]! >= ARRAY) {
				open.push(node);
				last.push(NONE);
				container = node;
				if (open.length > MAX_DEPTH) this.#tooDeep = true;
				continue;
			}
			if (container === NONE) return;
			while (!this.#separator(container, last[last.length - 1]!)) {
				container = this.#close(open, last);
				if (container === NONE) return;
			}
		}
	}

	/** Reads a key. The same objects come again and again, so the key that followed the one before last time is tried first. */
	#readKey(before: number): number {
		const text = this.#text;
		const expected = this.#following[before + 1];
		if (expected !== undefined && text.startsWith(this.#lexemes[expected]!, this.#at)) {
			this.#at += this.#lexemes[expected]!.length;
			return expected;
		}
		const start = this.#at;
		const escaped = this.#string();
		const key = this.#keys.id(escaped ? decodeString(text, start, this.#at) : text.slice(start + 1, this.#at - 1));
		if (!escaped) {
			this.#lexemes[key] = text.slice(start, this.#at);
			this.#following[before + 1] = key;
		}
		return key;
	}

	/** After a child: a comma (true), or the container's end (false), which is consumed. */
	#separator(container: number, child: number): boolean {
		this.#trivia();
		const c = this.#text.charCodeAt(this.#at);
		if (c === 0x2c) {
			this.#comma[child] = this.#at++;
			return true;
		}
		if (c !== (this.#type[container] === OBJECT ? 0x7d : 0x5d)) throw new Malformed();
		this.#at++;
		return false;
	}

	/** Ends the innermost container at the current position; returns the one around it. */
	#close(open: number[], last: number[]): number {
		this.#end[open.pop()!] = this.#at;
		last.pop();
		return open.length > 0 ? open[open.length - 1]! : NONE;
	}

	/** Reads a scalar, or the start of a container. */
	#node(key: number, keyStart: number, keyEnd: number): number {
		if (this.#count === this.#capacity) this.#grow();
		const node = this.#count++;
		this.#key[node] = key;
		this.#keyStart[node] = keyStart;
		this.#keyEnd[node] = keyEnd;
		this.#next[node] = NONE;
		this.#comma[node] = NONE;
		this.#start[node] = this.#at;
		switch (this.#text.charCodeAt(this.#at)) {
			case 0x22:
				this.#string();
				this.#type[node] = STRING;
				break;
			case 0x7b:
				this.#at++;
				this.#type[node] = OBJECT;
				break;
			case 0x5b:
				this.#at++;
				this.#type[node] = ARRAY;
				break;
			case 0x74:
				this.#word("true");
				this.#type[node] = TRUE;
				break;
			case 0x66:
				this.#word("false");
				this.#type[node] = FALSE;
				break;
			case 0x6e:
				this.#word("null");
				this.#type[node] = NULL;
				break;
			default:
				this.#number();
				this.#type[node] = NUMBER;
		}
		this.#end[node] = this.#at;
		return node;
	}

	#word(word: string): void {
		if (!this.#text.startsWith(word, this.#at)) throw new Malformed();
		this.#at += word.length;
	}

	#number(): void {
		const text = this.#text;
		let at = this.#at;
		if (text.charCodeAt(at) === 0x2d) at++;
		const first = text.charCodeAt(at);
		if (first === 0x30) at++;
		else at = this.#digits(at);
		if (text.charCodeAt(at) === 0x2e) at = this.#digits(at + 1);
		const exponent = text.charCodeAt(at);
		if (exponent === 0x65 || exponent === 0x45) {
			const sign = text.charCodeAt(at + 1);
			at = this.#digits(sign === 0x2b || sign === 0x2d ? at + 2 : at + 1);
		}
		this.#at = at;
	}

	#digits(from: number): number {
		const text = this.#text;
		let at = from;
		for (let c = text.charCodeAt(at); c >= 0x30 && c <= 0x39; c = text.charCodeAt(at)) at++;
		if (at === from) throw new Malformed();
		return at;
	}

	/** Reads a string; returns whether it has escapes. */
	#string(): boolean {
		const text = this.#text;
		if (text.charCodeAt(this.#at) !== 0x22) throw new Malformed();
		let at = this.#at + 1;
		let escaped = false;
		for (;;) {
			const c = text.charCodeAt(at);
			if (c === 0x22) break;
			if (c === 0x5c) {
				escaped = true;
				at = this.#escape(at + 1);
			} else if (c >= 0x20) at++;
			// A raw control character, or NaN: the end of the text.
			else throw new Malformed();
			if (at > text.length) throw new Malformed();
		}
		this.#at = at + 1;
		return escaped;
	}

	#escape(at: number): number {
		switch (this.#text.charCodeAt(at)) {
			case 0x22:
			case 0x5c:
			case 0x2f:
			case 0x62:
			case 0x66:
			case 0x6e:
			case 0x72:
			case 0x74:
				return at + 1;
			case 0x75:
				for (let k = 1; k <= 4; k++) if (!isHex(this.#text.charCodeAt(at + k))) throw new Malformed();
				return at + 5;
			default:
				throw new Malformed();
		}
	}

	/** Skips whitespace and comments. */
	#trivia(): void {
		const text = this.#text;
		let at = this.#at;
		// Nearly always the next token follows at once, or after one space.
		if (text.charCodeAt(at) > 0x2f) return;
		for (;;) {
			const c = text.charCodeAt(at);
			if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) at++;
			else if (c === 0x2f) {
				const kind = text.charCodeAt(at + 1);
				if (kind === 0x2f) {
					const end = text.indexOf("\n", at);
					at = end === -1 ? text.length : end;
				} else if (kind === 0x2a) {
					const end = text.indexOf("*/", at + 2);
					if (end === -1) throw new Malformed();
					at = end + 2;
				} else throw new Malformed();
			} else break;
		}
		this.#at = at;
	}

	#ints(): Int32Array {
		return new Int32Array(this.#capacity);
	}

	#grow(): void {
		this.#capacity *= 2;
		const type = new Uint8Array(this.#capacity);
		type.set(this.#type);
		this.#type = type;
		const grown = (old: Int32Array): Int32Array => {
			const ints = this.#ints();
			ints.set(old);
			return ints;
		};
		this.#start = grown(this.#start);
		this.#end = grown(this.#end);
		this.#next = grown(this.#next);
		this.#size = grown(this.#size);
		this.#key = grown(this.#key);
		this.#keyStart = grown(this.#keyStart);
		this.#keyEnd = grown(this.#keyEnd);
		this.#comma = grown(this.#comma);
	}
}

function isHex(c: number): boolean {
	return (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66);
}
