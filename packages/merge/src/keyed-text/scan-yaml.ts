import { beforeComment, trimBlanks } from "../blanks.ts";
import { spend } from "../budget.ts";
import { scanFlow, stringEnd } from "./flow.ts";
import { type Block, block, type Item, item, leaf, maxDepth, NotScannable, stepsPerCharacter, type Value } from "./item.ts";

/** The line before a document. */
export const documentStart = "---\n";

export interface YamlStream {
	/** Does the text start with `---`? If not, the first document gets one here that is not in the text. */
	readonly headed: boolean;
	readonly documents: readonly Item[];
}

/**
 * Parses the usual forms of YAML: block mappings and sequences, flow collections, scalars of every style, anchors, tags,
 * comments, several documents. Not supported: directives, explicit keys (`? `), keys that are no plain or quoted scalar, and tabs in indentation.
 *
 * It does not replace a parser: it finds the places of items in YAML that a parser accepts.
 *
 * @throws NotScannable
 */
export function scanYaml(text: string): YamlStream {
	spend(text.length * stepsPerCharacter);
	const lines = text.split("\n");
	if (lines[lines.length - 1] === "") lines.pop();
	const starts: number[] = [];
	for (const [i, line] of lines.entries()) {
		if (line.startsWith("%")) throw new NotScannable();
		if (/^\.\.\.(?:[ \t]|$)/.test(line)) throw new NotScannable();
		if (!/^---(?:[ \t]|$)/.test(line)) continue;
		if (!/^---[ \t]*(?:#.*)?$/.test(line)) throw new NotScannable();
		starts.push(i);
	}
	const documents: Item[] = [];
	// The text before the first `---` is a document if it has more than comments; else it belongs to that document's lead.
	const headed = starts.length > 0 && lines.slice(0, starts[0]).every(isTrivia);
	if (!headed) documents.push(document(documentStart, lines, 0, starts[0] ?? lines.length));
	for (const [i, start] of starts.entries()) {
		const head = lines
			.slice(i === 0 && headed ? 0 : start, start + 1)
			.map((line) => `${line}\n`)
			.join("");
		documents.push(document(head, lines, start + 1, starts[i + 1] ?? lines.length));
	}
	return { headed, documents };
}

function isTrivia(line: string): boolean {
	return /^[ \t]*(?:#.*)?$/.test(line);
}

function document(head: string, lines: readonly string[], from: number, to: number): Item {
	const scanner = new Scanner(lines, from, to);
	const value = scanner.document();
	return item({ key: resourceKey(value), lead: "", indent: "", head, value, tail: "" });
}

/** The name of a Kubernetes resource among the documents of a file; empty for any other document. */
function resourceKey(value: Value): string {
	const read = (of: Value | undefined, name: string) => {
		const found = of?.type === "block" && !of.list ? of.items.find(({ key }) => key === name)?.value : undefined;
		return found;
	};
	const text = (of: Value | undefined) => (of?.type === "leaf" ? of.text : "");
	const metadata = read(value, "metadata");
	const [kind, name, namespace] = [text(read(value, "kind")), text(read(metadata, "name")), text(read(metadata, "namespace"))];
	return kind === "" || name === "" ? "" : [kind, namespace, name].join("/");
}

const SPACE = /[ \t]/;

class Scanner {
	readonly #lines: readonly string[];
	readonly #to: number;
	#line: number;

	constructor(lines: readonly string[], from: number, to: number) {
		this.#lines = lines;
		this.#line = from;
		this.#to = to;
	}

	document(): Value {
		const from = this.#line;
		const first = this.#nextContent(from);
		if (first === this.#to) return leaf(this.#slice(from, this.#to));
		const content = this.#lines[first]!;
		const indent = indentation(content);
		if (isDash(content, indent)) return this.#whole(this.#sequence(indent, -1, null, 0), first);
		if (keyEnd(content, indent) !== null) return this.#whole(this.#mapping(indent, -1, null, 0), first);
		throw new NotScannable();
	}

	#whole(found: Block, first: number): Block {
		if (this.#line !== this.#to || first === this.#to) throw new NotScannable();
		return found;
	}

	#slice(from: number, to: number): string {
		return this.#lines
			.slice(from, to)
			.map((line) => `${line}\n`)
			.join("");
	}

	#nextContent(from: number): number {
		let at = from;
		while (at < this.#to && isTrivia(this.#lines[at]!)) at++;
		// Every block that ends at one place asks for the text there.
		spend(at - from);
		return at;
	}

	#mapping(indent: number, parent: number, compact: { column: number } | null, depth: number): Block {
		return this.#items(indent, parent, compact, depth, false);
	}

	#sequence(indent: number, parent: number, compact: { column: number } | null, depth: number): Block {
		return this.#items(indent, parent, compact, depth, true);
	}

	/** @param compact start of the first item on the current line, if it is after a dash. */
	#items(indent: number, parent: number, compact: { column: number } | null, depth: number, list: boolean): Block {
		if (depth > maxDepth) throw new NotScannable();
		const items: Item[] = [];
		const keys = new Set<string>();
		const blanks = " ".repeat(indent);
		for (let first = compact !== null; ; first = false) {
			const leadFrom = this.#line;
			let lead = "";
			if (!first) {
				const at = this.#nextContent(leadFrom);
				const line = at < this.#to ? this.#lines[at]! : "";
				const found = at < this.#to ? indentation(line) : -1;
				const ends = found < indent || (found === indent && list !== isDash(line, indent));
				if (ends) {
					if (found > parent && found !== indent) throw new NotScannable();
					if (found === indent && list && parent !== indent) throw new NotScannable();
					if (found === indent && !list) throw new NotScannable();
					const footEnd = this.#footEnd(leadFrom, at, indent, parent);
					this.#line = footEnd;
					return block(list, items, this.#slice(leadFrom, footEnd), compact !== null);
				}
				if (found > indent) throw new NotScannable();
				lead = this.#slice(leadFrom, at);
				this.#line = at;
			}
			const column = first ? compact!.column : indent;
			const next = list ? this.#element(column, indent, lead, blanks, depth) : this.#pair(column, indent, lead, blanks, depth);
			if (!list && keys.has(next.key)) throw new NotScannable();
			keys.add(next.key);
			items.push(next);
		}
	}

	/** Comments after the last item with the indentation of the block's items; at the end of the document all of them. */
	#footEnd(from: number, to: number, indent: number, parent: number): number {
		if (to === this.#to && parent === -1) return to;
		for (let at = to; at > from; at--) {
			const line = this.#lines[at - 1]!;
			if (line.includes("#") && indentation(line) >= indent && indent > parent) return at;
		}
		return from;
	}

	#pair(column: number, indent: number, lead: string, blanks: string, depth: number): Item {
		const line = this.#lines[this.#line]!;
		const end = keyEnd(line, column);
		if (end === null) throw new NotScannable();
		const key = keyOf(line.slice(column, end));
		const found = this.#value(column, end + 1, indent, depth, true);
		return item({ key, lead, indent: blanks, ...found });
	}

	#element(column: number, indent: number, lead: string, blanks: string, depth: number): Item {
		const line = this.#lines[this.#line]!;
		let at = column + 1;
		while (line[at] === " ") at++;
		if (line[at] === "\t") throw new NotScannable();
		const isEmpty = at === line.length || line[at] === "#";
		if (!isEmpty && (isDash(line, at) || keyEnd(line, at) !== null)) {
			const value = isDash(line, at)
				? this.#sequence(at, indent, { column: at }, depth + 1)
				: this.#mapping(at, indent, { column: at }, depth + 1);
			return item({ key: "", lead, indent: blanks, head: line.slice(column, at), value, tail: "" });
		}
		return item({ key: "", lead, indent: blanks, ...this.#value(column, column + 1, indent, depth, false) });
	}

	/**
	 * The value after a key's colon or a dash.
	 *
	 * @param column start of the item on its line; its head runs from there.
	 * @param from start of the value at the earliest.
	 */
	#value(column: number, from: number, indent: number, depth: number, inMapping: boolean): Pick<Item, "head" | "value" | "tail"> {
		const line = this.#lines[this.#line]!;
		let at = afterBlanks(line, from);
		const simple = this.#simple(column, from, at, indent);
		if (simple !== null) return simple;
		while (line[at] === "&" || line[at] === "!") {
			while (at < line.length && !/[ \t,[\]{}]/.test(line[at]!)) at++;
			at = afterBlanks(line, at);
		}
		const c = line[at];
		if (c === undefined || (c === "#" && SPACE.test(line[at - 1]!))) return this.#below(column, indent, depth, inMapping);
		const head = line.slice(column, at);
		if (c === "|" || c === ">") return { head, value: this.#blockScalar(at, indent), tail: "" };
		if (c === '"' || c === "'" || c === "[" || c === "{") return { head, ...this.#delimited(at) };
		if (c === "*") {
			const alias = /^\*[^ \t,[\]{}]+/.exec(line.slice(at));
			if (alias === null) throw new NotScannable();
			return { head, value: leaf(alias[0]), tail: this.#restOfLine(at + alias[0].length) };
		}
		return { head, ...this.#plain(at, indent) };
	}

	/** The usual value: a word or a number that does not continue on the next line; null: any other value, for the full check. */
	#simple(column: number, from: number, at: number, indent: number): Pick<Item, "head" | "value" | "tail"> | null {
		const line = this.#lines[this.#line]!;
		if (at === from) return null;
		for (let i = at; i < line.length; i++) if (!isPlainCharacter(line.charCodeAt(i))) return null;
		if (at === line.length || line.charCodeAt(line.length - 1) === 0x20) return null;
		if (line[at] === "-") return null;
		const below = this.#line + 1 < this.#to ? this.#lines[this.#line + 1]! : "x";
		// A line that is not further in than this item is not part of it.
		let further = 0;
		while (below.charCodeAt(further) === 0x20) further++;
		if (further > indent || below.length === further || below[further] === "#" || below[further] === "\t") return null;
		this.#line++;
		return { head: line.slice(column, at), value: leaf(line.slice(at)), tail: "\n" };
	}

	/** A value on the lines below its key or dash, or none. */
	#below(column: number, indent: number, depth: number, inMapping: boolean): Pick<Item, "head" | "value" | "tail"> {
		const line = this.#lines[this.#line]!;
		const next = this.#nextContent(this.#line + 1);
		const found = next < this.#to ? indentation(this.#lines[next]!) : -1;
		const content = next < this.#to ? this.#lines[next]! : "";
		const isList = found !== -1 && isDash(content, found);
		const nested = found > indent || (found === indent && isList && inMapping);
		if (!nested) {
			const end = beforeComment(line, column);
			this.#line++;
			return { head: line.slice(column, end), value: leaf(""), tail: `${line.slice(end)}\n` };
		}
		if (!isList && keyEnd(content, found) === null) throw new NotScannable();
		const head = `${line.slice(column)}\n`;
		this.#line++;
		const value = isList ? this.#sequence(found, indent, null, depth + 1) : this.#mapping(found, indent, null, depth + 1);
		return { head, value, tail: "" };
	}

	#restOfLine(from: number): string {
		const line = this.#lines[this.#line]!;
		const rest = line.slice(from);
		if (!/^[ \t]*(?:[ \t]#.*)?$/.test(rest)) throw new NotScannable();
		this.#line++;
		return `${rest}\n`;
	}

	/** A quoted scalar or flow collection. */
	#delimited(at: number): { value: Value; tail: string } {
		const line = this.#lines[this.#line]!;
		const isQuoted = line[at] === '"' || line[at] === "'";
		// Most values end on their line or soon after: only as much of the text below is copied as needed.
		for (let count = 1; ; count *= 2) {
			const to = Math.min(this.#line + count, this.#to);
			const text = this.#lines.slice(this.#line, to).join("\n");
			let found: { value: Value; end: number };
			try {
				found = isQuoted ? quoted(text, at) : scanFlow(text, at, "yaml");
			} catch (error) {
				if (!(error instanceof NotScannable) || to === this.#to) throw error;
				continue;
			}
			const taken = text.slice(0, found.end).split("\n");
			this.#line += taken.length - 1;
			return { value: found.value, tail: this.#restOfLine(taken[taken.length - 1]!.length) };
		}
	}

	#plain(at: number, indent: number): { value: Value; tail: string } {
		const line = this.#lines[this.#line]!;
		if (/[,[\]{}#&*!|>'"%@`]/.test(line[at]!) || /^[-?:](?:[ \t]|$)/.test(line.slice(at))) throw new NotScannable();
		const end = plainEnd(line, at);
		const below = this.#nextContent(this.#line + 1);
		const goesOn = below < this.#to && indentation(this.#lines[below]!) > indent;
		if (!goesOn) return { value: leaf(line.slice(at, end)), tail: this.#restOfLine(end) };
		if (end !== line.length) throw new NotScannable();
		let last = this.#line;
		for (let next = last + 1; next < this.#to; next++) {
			const more = this.#lines[next]!;
			if (/^[ \t]*$/.test(more)) continue;
			if (indentation(more) <= indent) break;
			const start = indentation(more);
			if (more[start] === "#" || plainEnd(more, start) !== more.length) throw new NotScannable();
			last = next;
		}
		const text = this.#lines.slice(this.#line, last + 1).join("\n");
		this.#line = last + 1;
		return { value: leaf(text.slice(at)), tail: "\n" };
	}

	#blockScalar(at: number, indent: number): Value {
		const line = this.#lines[this.#line]!;
		const header = /^[|>](?:[1-9]?[+-]?|[+-][1-9])[ \t]*(?:[ \t]#.*)?$/.exec(line.slice(at));
		if (header === null) throw new NotScannable();
		const keep = header[0].slice(0, 3).includes("+");
		let end = this.#line + 1;
		for (let next = end; next < this.#to; next++) {
			const more = this.#lines[next]!;
			if (/^ *$/.test(more)) {
				if (keep) end = next + 1;
				continue;
			}
			if (/^ */.exec(more)![0].length <= indent) break;
			end = next + 1;
		}
		const text = `${line.slice(at)}\n${this.#slice(this.#line + 1, end)}`;
		this.#line = end;
		return leaf(text, true);
	}
}

/** A letter, a digit, or a sign without meaning for YAML within a word. */
function isPlainCharacter(c: number): boolean {
	return (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a) || (c >= 0x2d && c <= 0x39) || c === 0x20 || c === 0x5f || c >= 0x80;
}

function quoted(text: string, at: number): { value: Value; end: number } {
	const end = stringEnd(text, at, "yaml");
	return { value: leaf(text.slice(at, end)), end };
}

/** The number of spaces at the start of a line. */
function indentation(line: string): number {
	let at = 0;
	while (line[at] === " ") at++;
	if (line[at] === "\t") throw new NotScannable();
	return at;
}

function afterBlanks(line: string, from: number): number {
	let at = from;
	while (line[at] === " " || line[at] === "\t") at++;
	return at;
}

function isDash(line: string, at: number): boolean {
	return line[at] === "-" && (at + 1 === line.length || line[at + 1] === " " || line[at + 1] === "\t");
}

/** The end of a plain scalar that starts at `at` on its line. */
function plainEnd(line: string, at: number): number {
	for (let i = at; i < line.length; i++) {
		if (line[i] === ":" && (i + 1 === line.length || SPACE.test(line[i + 1]!))) throw new NotScannable();
		if (line[i] === "#" && i > at && SPACE.test(line[i - 1]!)) break;
	}
	return beforeComment(line, at);
}

/** The place of the colon of a key that starts at `at`; null: no key starts there. */
function keyEnd(line: string, at: number): number | null {
	const c = line[at];
	if (c === undefined || /[#&*!|>%@`{}[\],]/.test(c) || /^[-?:](?:[ \t]|$)/.test(line.slice(at, at + 2))) return null;
	let colon = at;
	if (c === '"' || c === "'") {
		try {
			colon = afterBlanks(line, stringEnd(line, at, "yaml"));
		} catch {
			return null;
		}
		if (line[colon] !== ":") return null;
		return colon + 1 === line.length || SPACE.test(line[colon + 1]!) ? colon : null;
	}
	for (; colon < line.length; colon++) {
		if (line[colon] === ":" && (colon + 1 === line.length || SPACE.test(line[colon + 1]!))) return colon;
		if (line[colon] === "#" && SPACE.test(line[colon - 1] ?? "")) return null;
	}
	return null;
}

/** The canonical form of a key: `"a"` and `a` are one. */
function keyOf(written: string): string {
	const key = trimBlanks(written);
	const quotes = /^(["'])([^\\"']*)\1$/.exec(key);
	return quotes === null ? key : quotes[2]!;
}
