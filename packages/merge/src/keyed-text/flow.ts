import { trimBlanks } from "../blanks.ts";
import { type Flow, type Item, item, leaf, maxDepth, NotScannable, type Value } from "./item.ts";

export type FlowSyntax = "toml" | "yaml";

/**
 * Parses a flow collection: a TOML array or inline table, a YAML flow sequence or mapping.
 *
 * @param from place of its opening bracket.
 * @returns the collection and its end; a leaf if its notation is not supported.
 * @throws NotScannable if it has no end.
 */
export function scanFlow(text: string, from: number, syntax: FlowSyntax): { value: Value; end: number } {
	const end = closing(text, from, syntax);
	try {
		const scanner = new FlowScanner(text, from, syntax);
		const value = scanner.collection(0);
		if (scanner.at === end) return { value, end };
	} catch (error) {
		if (!(error instanceof NotScannable)) throw error;
	}
	return { value: leaf(text.slice(from, end)), end };
}

/** The end of the bracket at `from`, past the closing bracket. */
function closing(text: string, from: number, syntax: FlowSyntax): number {
	let depth = 0;
	for (let at = from; at < text.length; ) {
		const c = text[at]!;
		if (c === "[" || c === "{") depth++;
		else if (c === "]" || c === "}") {
			if (--depth === 0) return at + 1;
		} else if (isQuote(text, at, syntax)) {
			at = stringEnd(text, at, syntax);
			continue;
		} else if (isComment(text, at, syntax)) {
			at = lineEnd(text, at);
			continue;
		}
		at++;
	}
	throw new NotScannable();
}

/** In YAML a quote inside a plain scalar (`it's`) is a letter. */
function isQuote(text: string, at: number, syntax: FlowSyntax): boolean {
	const c = text[at];
	if (c !== '"' && c !== "'") return false;
	return syntax === "toml" || /[ \t\n,[\]{}:]/.test(text[at - 1] ?? " ");
}

function isComment(text: string, at: number, syntax: FlowSyntax): boolean {
	return text[at] === "#" && (syntax === "toml" || /[ \t\n]/.test(text[at - 1] ?? "\n"));
}

function lineEnd(text: string, at: number): number {
	const end = text.indexOf("\n", at);
	return end === -1 ? text.length : end;
}

/**
 * The end of a quoted string, past its last quote.
 *
 * @throws NotScannable if it does not end.
 */
export function stringEnd(text: string, from: number, syntax: FlowSyntax): number {
	const quote = text[from]!;
	const triple = syntax === "toml" && text.startsWith(quote.repeat(3), from);
	const close = triple ? quote.repeat(3) : quote;
	for (let at = from + close.length; at < text.length; ) {
		if (text[at] === "\\" && quote === '"') at += 2;
		else if (syntax === "yaml" && quote === "'" && text.startsWith("''", at)) at += 2;
		else if (text.startsWith(close, at)) {
			at += close.length;
			// Up to two quotes may precede the closing three.
			for (let more = 0; triple && more < 2 && text[at] === quote; more++) at++;
			return at;
		} else if (text[at] === "\n" && syntax === "toml" && !triple) break;
		else at++;
	}
	throw new NotScannable();
}

class FlowScanner {
	readonly #text: string;
	readonly #syntax: FlowSyntax;
	at: number;

	constructor(text: string, from: number, syntax: FlowSyntax) {
		this.#text = text;
		this.#syntax = syntax;
		this.at = from;
	}

	collection(depth: number): Flow {
		if (depth > maxDepth) throw new NotScannable();
		const text = this.#text;
		const from = this.at++;
		const list = text[from] === "[";
		const bracket = list ? "]" : "}";
		const items: Item[] = [];
		const keys = new Set<string>();
		let comma = false;
		for (;;) {
			const leadFrom = this.at;
			this.#trivia();
			const lead = text.slice(leadFrom, this.at);
			if (text[this.at] === bracket) {
				this.at++;
				return { type: "flow", list, open: text[from]!, items, close: lead + bracket, comma, text: text.slice(from, this.at) };
			}
			if (items.length > 0 && !comma) throw new NotScannable();
			const start = this.at;
			const key = list ? "" : this.#key();
			if (!list && keys.has(key)) throw new NotScannable();
			keys.add(key);
			const head = text.slice(start, this.at);
			const value = this.#value(depth);
			const before = this.#sameLine();
			comma = false;
			let after = "";
			if (text[this.at] === ",") {
				this.at++;
				comma = true;
				after = this.#sameLine();
				// A comment between the value and its comma has no place of its own.
				if (before !== "") throw new NotScannable();
			}
			items.push(item({ key, lead, indent: "", head, value, tail: before + after }));
		}
	}

	/** Whitespace and comments. */
	#trivia(): void {
		for (;;) {
			const c = this.#text[this.at];
			if (c === " " || c === "\t" || c === "\n") this.at++;
			else if (c === "#") this.at = lineEnd(this.#text, this.at);
			else return;
		}
	}

	/** The comment that follows on the line, with the whitespace before it; empty if there is none. */
	#sameLine(): string {
		const from = this.at;
		let at = from;
		while (this.#text[at] === " " || this.#text[at] === "\t") at++;
		if (this.#text[at] !== "#") return "";
		this.at = lineEnd(this.#text, at);
		return this.#text.slice(from, this.at);
	}

	#key(): string {
		const text = this.#text;
		const from = this.at;
		const separator = this.#syntax === "toml" ? "=" : ":";
		while (this.at < text.length && text[this.at] !== separator) {
			if (isQuote(text, this.at, this.#syntax)) this.at = stringEnd(text, this.at, this.#syntax);
			else if (/[[\]{},\n#]/.test(text[this.at]!)) throw new NotScannable();
			else this.at++;
		}
		const key = plainKey(text.slice(from, this.at));
		this.at++;
		if (this.#syntax === "yaml" && !/[ ]/.test(text[this.at] ?? "")) throw new NotScannable();
		while (text[this.at] === " " || text[this.at] === "\t") this.at++;
		return key;
	}

	#value(depth: number): Value {
		const text = this.#text;
		const c = text[this.at]!;
		if (c === "[" || c === "{") return this.collection(depth + 1);
		const from = this.at;
		if (c === '"' || c === "'") this.at = stringEnd(text, from, this.#syntax);
		else {
			while (this.at < text.length && !/[,[\]{}\n]/.test(text[this.at]!) && !isComment(text, this.at, this.#syntax)) {
				if (this.#syntax === "yaml" && text[this.at] === ":" && /[ \n,\]}]/.test(text[this.at + 1] ?? "\n")) throw new NotScannable();
				this.at++;
			}
			while (this.at > from && /[ \t]/.test(text[this.at - 1]!)) this.at--;
		}
		if (this.at === from) throw new NotScannable();
		return leaf(text.slice(from, this.at));
	}
}

/** A key without whitespace and needless quotes, so that `"a"` and `a` are one key. */
export function plainKey(written: string): string {
	if (/^[\w-]+$/.test(written)) return written;
	const key = trimBlanks(written);
	const quoted = /^(["'])([\w-]+)\1$/.exec(key);
	return quoted === null ? key.split(".").map(trimBlanks).join(".") : quoted[2]!;
}
