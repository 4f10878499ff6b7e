import { trimBlanks } from "../blanks.ts";
import { spend } from "../budget.ts";
import { type Block, block, type Item, item, leaf, stepsPerCharacter } from "./item.ts";

/** The meaning of lines without `=` or `:`, and of the lines below a key. */
export interface IniSyntax {
	/** Does a value in quotes continue over lines (`.env`)? */
	readonly quotedLines: boolean;
	/** A key, which is the group, and the separator between key and value: `=`, `:`, or only a blank (`.tool-versions`). */
	readonly between: RegExp;
}

/** Steps for a line besides its characters: it becomes an item. */
const stepsPerLine = 60;

/**
 * Parses a text of keys and values, with sections (`[name]`) if it has any: INI, `.env`, Java properties, systemd units, git configuration.
 * Any other line is a key without a value.
 */
export function scanIni(text: string, syntax: IniSyntax): Block {
	spend(text.length * stepsPerCharacter);
	const lines = text.split("\n");
	if (lines[lines.length - 1] === "") lines.pop();
	spend(stepsPerLine * lines.length);
	const root: Item[] = [];
	const sections: Item[] = [];
	let section: { lead: string; head: string; key: string; items: Item[] } | null = null;
	let lead = "";
	/** The start of the next line. */
	let at = 0;
	/** Quotes that do not occur again: a string that they open would never end. */
	const endless = new Set<string>();
	const close = () => {
		if (section !== null) sections.push(item({ ...section, indent: "", value: block(false, section.items, ""), tail: "" }));
	};
	for (let i = 0; i < lines.length; ) {
		const line = lines[i]!;
		const start = firstOf(line);
		if (start === "" || start === "#" || start === ";") {
			lead += `${line}\n`;
			at += line.length + 1;
			i++;
			continue;
		}
		const header = start === "[" ? /^[ \t]*\[([^\]]*)\][ \t]*(?:[#;].*)?$/.exec(line) : null;
		if (header !== null) {
			close();
			section = { lead, head: `${line}\n`, key: header[1]!, items: [] };
			lead = "";
			at += line.length + 1;
			i++;
			continue;
		}
		const { key, head, past } = entryAt(lines, i, syntax, endless);
		const from = at;
		const isLong = past > i + 1;
		for (; i < past; i++) at += lines[i]!.length + 1;
		const value = leaf(text.slice(from + head.length, at), isLong);
		(section?.items ?? root).push(item({ key, lead, indent: "", head, value, tail: "" }, text.slice(from, at)));
		lead = "";
	}
	close();
	const part = (key: string, items: Item[], end: string) =>
		item({ key, lead: "", indent: "", head: "", value: block(false, items, end), tail: "" });
	const [afterRoot, afterSections] = sections.length === 0 ? [lead, ""] : ["", lead];
	return block(false, [part("", root, afterRoot), part("sections", sections, afterSections)], "");
}

/** The text of a line and its continuation lines, and the start of the next line. */
function entryAt(
	lines: readonly string[],
	from: number,
	{ quotedLines, between }: IniSyntax,
	endless: Set<string>,
): { readonly key: string; readonly head: string; readonly past: number } {
	const line = lines[from]!;
	const found = between.exec(line);
	const head = found === null ? "" : found[0];
	const key = found === null ? trimBlanks(line) : trimBlanks(found[1]!).replace(/^export[ \t]+/, "");
	let end = from + 1;
	const quote = quotedLines ? /^["']/.exec(line.slice(head.length))?.[0] : undefined;
	if (quote !== undefined && !endless.has(quote) && !isClosed(line.slice(head.length + 1), quote)) {
		let closing = from + 1;
		while (closing < lines.length && !isClosed(lines[closing]!, quote)) closing++;
		if (closing < lines.length) end = closing + 1;
		else endless.add(quote);
	}
	while (end < lines.length && (continues(lines[end - 1]!) || isContinuation(lines, from, end, found !== null))) end++;
	return { key, head, past: end };
}

/** The first non-blank character of a line; empty: none. */
function firstOf(line: string): string {
	let at = 0;
	while (line[at] === " " || line[at] === "\t") at++;
	return line[at] ?? "";
}

function isClosed(text: string, quote: string): boolean {
	return text.replace(/\\./g, "").includes(quote);
}

function continues(line: string): boolean {
	return line.endsWith("\\") && /(?:^|[^\\])(?:\\\\)*\\$/.test(line);
}

/** An indented line below a key that is no key itself continues the value, as in Python's configparser. */
function isContinuation(lines: readonly string[], from: number, at: number, hasValue: boolean): boolean {
	const line = lines[at]!;
	if (!hasValue || (line[0] !== " " && line[0] !== "\t") || !/^[ \t]+[^ \t#;[]/.test(line)) return false;
	const indent = (text: string) => /^[ \t]*/.exec(text)![0].length;
	return indent(line) > indent(lines[from]!);
}

/** Is every line of a text a section, a comment, a key with its value, or a continuation of one? */
export function isIniText(text: string): boolean {
	let entries = 0;
	for (const line of text.split(/\r?\n/)) {
		if (/^[ \t]*(?:[#;].*)?$/.test(line) || /^[ \t]*\[[^\]]*\][ \t]*(?:[#;].*)?$/.test(line)) continue;
		if (/^[ \t]*[^= \t{}<>();][^={}<>();]*=/.test(line)) entries++;
		else if (entries === 0 || !/^[ \t]+[^ \t{}]/.test(line)) return false;
	}
	return entries > 0;
}
