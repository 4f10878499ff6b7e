import { spend } from "../budget.ts";
import { plainKey, scanFlow, stringEnd } from "./flow.ts";
import { type Block, block, type Item, item, leaf, maxDepth, NotScannable, stepsPerCharacter, type Value } from "./item.ts";

interface Table {
	readonly path: string;
	readonly isElement: boolean;
	readonly lead: string;
	readonly head: string;
	readonly pairs: Item[];
	/** Tables of the last element that follow it (`[bin.metadata]` after `[[bin]]`). */
	readonly tables: Table[];
}

/**
 * Parses a TOML document: the keys of the root, then its tables, each with its keys. The elements of an array of tables are a list, and the
 * tables below an element are the element's.
 *
 * @param apart each element is an item of its own, identified by its name: for files with interleaved arrays of tables.
 * @throws NotScannable
 */
export function scanToml(text: string, apart = false): Block {
	spend(text.length * stepsPerCharacter);
	const root: Table = { path: "", isElement: false, lead: "", head: "", pairs: [], tables: [] };
	let at = 0;
	/** Tables that are open, each below the one before it. */
	let open: Table[] = [root];
	for (;;) {
		const leadFrom = at;
		at = afterTrivia(text, at);
		const lead = text.slice(leadFrom, at);
		if (at === text.length) return written(root, lead, apart);
		const first = afterBlanks(text, at);
		if (text[first] === "[") {
			const table = tableAt(text, at, first, lead);
			at += table.head.length;
			open = open.filter((other) => other === root || (other.isElement && table.path.startsWith(`${other.path}.`)));
			if (open.length > maxDepth) throw new NotScannable();
			const parent = open[open.length - 1]!;
			parent.tables.push(table);
			open.push(table);
		} else {
			const pair = pairAt(text, at, first, lead);
			at += pair.text.length;
			open[open.length - 1]!.pairs.push(pair);
		}
	}
}

function afterTrivia(text: string, from: number): number {
	let at = from;
	for (;;) {
		const next = afterBlanks(text, at);
		if (text[next] === "\n") at = next + 1;
		else if (text[next] === "#") at = afterLine(text, next);
		else return next === text.length ? next : at;
	}
}

function afterBlanks(text: string, from: number): number {
	let at = from;
	while (text[at] === " " || text[at] === "\t") at++;
	return at;
}

function afterLine(text: string, at: number): number {
	const end = text.indexOf("\n", at);
	return end === -1 ? text.length : end + 1;
}

/** Past the end of a line that may only contain a comment. */
function endOfStatement(text: string, from: number): number {
	const at = afterBlanks(text, from);
	if (at < text.length && text[at] !== "\n" && text[at] !== "#") throw new NotScannable();
	return afterLine(text, at);
}

function tableAt(text: string, lineStart: number, from: number, lead: string): Table {
	const isElement = text[from + 1] === "[";
	const { key, end } = keyAt(text, from + (isElement ? 2 : 1), "]");
	const close = isElement ? "]]" : "]";
	if (!text.startsWith(close, end)) throw new NotScannable();
	return {
		path: key,
		isElement,
		lead,
		head: text.slice(lineStart, endOfStatement(text, end + close.length)),
		pairs: [],
		tables: [],
	};
}

/** A key of one or more parts. */
function keyAt(text: string, from: number, until: string): { key: string; end: number } {
	const parts: string[] = [];
	let at = from;
	for (;;) {
		at = afterBlanks(text, at);
		const start = at;
		if (text[at] === '"' || text[at] === "'") at = stringEnd(text, at, "toml");
		else while (at < text.length && /[\w-]/.test(text[at]!)) at++;
		if (at === start) throw new NotScannable();
		parts.push(plainKey(text.slice(start, at)));
		at = afterBlanks(text, at);
		if (text[at] === ".") at++;
		else if (text[at] === until) return { key: parts.join("."), end: at };
		else throw new NotScannable();
	}
}

function pairAt(text: string, lineStart: number, from: number, lead: string): Item {
	const { key, end } = keyAt(text, from, "=");
	const valueFrom = afterBlanks(text, end + 1);
	const { value, end: valueEnd } = valueAt(text, valueFrom);
	const past = endOfStatement(text, valueEnd);
	const head = text.slice(lineStart, valueFrom);
	return item({ key, lead, indent: "", head, value, tail: text.slice(valueEnd, past) }, text.slice(lineStart, past));
}

function valueAt(text: string, from: number): { value: Value; end: number } {
	const c = text[from];
	if (c === "[" || c === "{") return scanFlow(text, from, "toml");
	let end = from;
	if (c === '"' || c === "'") end = stringEnd(text, from, "toml");
	else {
		while (end < text.length && text[end] !== "\n" && text[end] !== "#") end++;
		while (end > from && /[ \t]/.test(text[end - 1]!)) end--;
	}
	if (end === from) throw new NotScannable();
	const value = text.slice(from, end);
	return { value: leaf(value, value.includes("\n")), end };
}

/** The name of an element of an array of tables. */
function nameOf({ pairs }: Table): string {
	for (const name of ["id", "key", "name"]) {
		const found = pairs.find(({ key }) => key === name);
		if (found?.value.type === "leaf") return `${name} ${found.value.text}`;
	}
	throw new NotScannable();
}

/** A table as its keys and the tables below it: two blocks, so that a key never follows a table. */
function written({ pairs, tables }: Table, foot: string, apart: boolean): Block {
	const groups: Item[] = [];
	const elementPaths = new Set<string>();
	const names = new Set<string>();
	for (let i = 0; i < tables.length; i++) {
		const table = tables[i]!;
		if (!table.isElement || apart) {
			const key = table.isElement ? `${table.path}\0${nameOf(table)}` : table.path;
			if (table.isElement && names.has(key)) throw new NotScannable();
			names.add(key);
			groups.push(item({ key, lead: table.lead, indent: "", head: table.head, value: written(table, "", apart), tail: "" }));
			continue;
		}
		if (elementPaths.has(table.path)) throw new NotScannable();
		elementPaths.add(table.path);
		const elements: Item[] = [];
		for (; i < tables.length && tables[i]!.isElement && tables[i]!.path === table.path; i++) {
			const { lead, head } = tables[i]!;
			elements.push(item({ key: "", lead, indent: "", head, value: written(tables[i]!, "", apart), tail: "" }));
		}
		i--;
		groups.push(item({ key: table.path, lead: "", indent: "", head: "", value: block(true, elements, ""), tail: "" }));
	}
	const part = (key: string, items: Item[], end: string) =>
		item({ key, lead: "", indent: "", head: "", value: block(false, items, end), tail: "" });
	const [afterPairs, afterTables] = tables.length === 0 ? [foot, ""] : ["", foot];
	return block(false, [part("", pairs, afterPairs), part("tables", groups, afterTables)], "");
}
