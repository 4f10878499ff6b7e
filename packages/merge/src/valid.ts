import { parse as parseToml } from "smol-toml";
import { parseAllDocuments, visit } from "yaml";
import { trimBlanks } from "./blanks.ts";
import { spend } from "./budget.ts";
import { isValidUtf8, latin1ToUtf8, toLatin1 } from "./bytes.ts";
import { isJson } from "./json/parse.ts";
import { type Block, type Leaf, NotScannable } from "./keyed-text/item.ts";
import { scanYaml } from "./keyed-text/scan-yaml.ts";
import { BOM } from "./lines.ts";

/** Is a content valid for its kind? */
export type Check = (content: Uint8Array) => boolean;

/** The parser is slow (about 1 MB a second); a file that takes longer than a few seconds to check is not worth merging. */
export const maxYamlBytes = 2 * 1024 * 1024;

/** Steps of the parsers for a byte. */
const stepsPerYamlByte = 300;
const stepsPerTomlByte = 30;
/** Steps to set the parser up: a note can have thousands of blocks. */
const stepsPerYamlText = 3_000;
const tooMany = Number.MAX_SAFE_INTEGER;

/** Does every YAML document of a text parse, with no key twice in a map and no alias without its anchor? */
export function isYaml(content: Uint8Array): boolean {
	return content.length <= maxYamlBytes && isYamlText(toLatin1(content));
}

/** The same of a text with one character per byte. */
export function isYamlText(text: string): boolean {
	if (text.length > parsedBytes && isPlainYaml(text)) return true;
	spend(isTooDeep(text) ? tooMany : stepsPerYamlText + text.length * stepsPerYamlByte);
	// Garbage gives an error for each of its characters: none of them needs a stack trace.
	const { stackTraceLimit } = Error;
	Error.stackTraceLimit = 0;
	try {
		// Keys are compared here: the parser compares each with all others.
		const documents = parseAllDocuments(latin1ToUtf8(text), { logLevel: "silent", uniqueKeys: false, prettyErrors: false });
		return (
			!Array.isArray(documents) ||
			documents.every((document) => {
				if (document.errors.length > 0) return false;
				let valid = true;
				const anchors = new Set<string>();
				visit(document, {
					Node: (_, node) => {
						if ("anchor" in node && typeof node.anchor === "string") anchors.add(node.anchor);
					},
					Alias: (_, { source }) => {
						if (anchors.has(source)) return undefined;
						valid = false;
						return visit.BREAK;
					},
					Map: (_, { items }) => {
						const keys = items.map(({ key }) => (key !== null && typeof key === "object" && "value" in key ? key.value : key));
						if (new Set(keys).size === keys.length) return undefined;
						valid = false;
						return visit.BREAK;
					},
				});
				return valid;
			})
		);
	} catch {
		return false;
	} finally {
		Error.stackTraceLimit = stackTraceLimit;
	}
}

/** Deeper nesting is not given to the parser: with a full stack V8 ends the whole process when it compiles a regular expression. */
const maxYamlDepth = 100;

/** May a text be nested too deep for the parser? A line that starts far in, or with many dashes, counts as deep, and so do brackets left open. */
function isTooDeep(text: string): boolean {
	let [brackets, indicators, inIndent] = [0, 0, true];
	for (let at = 0; at < text.length; at++) {
		const c = text.charCodeAt(at);
		if (c === 0x0a) [indicators, inIndent] = [0, true];
		else if (inIndent) {
			// Spaces, dashes, question marks, colons: each can be a level of its own.
			if (c === 0x20 || c === 0x2d || c === 0x3f || c === 0x3a || c === 0x09) indicators++;
			else inIndent = false;
			if (indicators > 2 * maxYamlDepth) return true;
		}
		if (c === 0x5b || c === 0x7b) brackets++;
		else if ((c === 0x5d || c === 0x7d) && brackets > 0) brackets--;
		if (brackets > maxYamlDepth) return true;
	}
	return false;
}

/** Up to this size the parser always decides. */
const parsedBytes = 64 * 1024;

/**
 * Large files are mostly lists of words and numbers. If every key is a word and every value plain words, a number, a string in quotes with
 * the usual escapes, or an indented text, the scanner finds every error that a parser would.
 */
function isPlainYaml(text: string): boolean {
	if (!/^[\n -~\x80-\xff]*$/.test(text)) return false;
	try {
		const { documents } = scanYaml(text);
		return documents.every(
			({ value, tail }) => tail === "" && (value.type === "block" ? isPlainBlock(value) : /^(?:[ \t]*(?:#.*)?\n)*$/.test(value.text)),
		);
	} catch (error) {
		if (error instanceof NotScannable) return false;
		throw error;
	}
}

/** Blocks are nested no deeper than the scanner goes. */
function isPlainBlock({ items, list }: Block): boolean {
	return items.every(({ head, value, tail }) => {
		if (!(list ? /^- *\n?$/ : /^(?:[\w$/.][\w$/.-]*|"[^"\\\n]*"|'[^'\n]*'): *\n?$/).test(head) || !/^(?: +#[^\n]*)?\n?$/.test(tail))
			return false;
		return value.type === "block" ? isPlainBlock(value) : value.type === "leaf" && isPlainLeaf(value);
	});
}

function isPlainLeaf({ text, lines }: Leaf): boolean {
	if (!lines) return /^(?:-?[\w$/.](?:[^\n:#]|:(?=[^ \n]))*|"(?:[^"\\\n]|\\["\\/nrt])*"|'(?:[^'\n]|'')*')?$/.test(text);
	// A blank first line may be further in than the text: the parser decides that case.
	return /^[|>][+-]?\n( +)[^ \n].*\n(?:(?:\1.*)?\n)*$/.test(text);
}

/** Is it TOML (1.0.0; tables and keys once)? */
export function isToml(content: Uint8Array): boolean {
	return isValidUtf8(content) && isTomlText(toLatin1(content));
}

/** The same of a text with one character per byte. */
export function isTomlText(text: string): boolean {
	spend(text.length * stepsPerTomlByte);
	try {
		parseToml(latin1ToUtf8(text.startsWith(BOM) ? text.slice(BOM.length) : text), { integersAsBigInt: true });
		return true;
	} catch {
		return false;
	}
}

/** Is it JSON, comments and trailing commas allowed, with no key twice in an object? */
export function isLenientJson(content: Uint8Array): boolean {
	return isValidUtf8(content) && isJson(toLatin1(content));
}

/** Is it JSON as RFC 8259 has it, perhaps after a byte order mark? */
export function isStrictJson(content: Uint8Array): boolean {
	return isLenientJson(content) && parses(toLatin1(content).replace(new RegExp(`^${BOM}`), ""));
}

/** Is it JSON, in any encoding of its letters? */
export function isJsonInBytes(content: Uint8Array): boolean {
	return parses(toLatin1(content).replace(new RegExp(`^${BOM}`), ""));
}

/** Is every line that is not blank JSON? */
export function isJsonLines(content: Uint8Array): boolean {
	const text = toLatin1(content);
	return (text.startsWith(BOM) ? text.slice(BOM.length) : text).split("\n").every((line) => /^[ \t\r]*$/.test(line) || parses(line));
}

function parses(text: string): boolean {
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
}

/** Are all elements of an XML text closed in order, with no attribute twice in a tag? */
export function isBalancedXml(content: Uint8Array): boolean {
	const text = toLatin1(content);
	const open: string[] = [];
	const token =
		/<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<!(?!--|\[CDATA)(?:[^>[]*\[[^\]]*\][^>]*|[^>]*)>|<(\/?)([^\s<>/!?"'=]+)((?:"[^"]*"|'[^']*'|[^<>"'])*)>|</g;
	for (let found = token.exec(text); found !== null; found = token.exec(text)) {
		const [all, slash, name, attributes] = found;
		if (all === "<") return false;
		if (name === undefined) continue;
		if (slash === "/") {
			if (open.pop() !== name) return false;
			continue;
		}
		const names = (attributes!.match(/(?<![^\s"'=/<>])[^\s"'=/<>]+(?=[ \t\r\n]*=[ \t\r\n]*["'])/g) ?? []) as string[];
		if (new Set(names).size !== names.length) return false;
		if (!attributes!.endsWith("/")) open.push(name);
	}
	return open.length === 0;
}

/** Does every BEGIN of a calendar or contact file have its END? */
export function isBalancedCalendar(content: Uint8Array): boolean {
	const open: string[] = [];
	for (const line of toLatin1(content).split(/\r?\n/)) {
		const found = /^(BEGIN|END):(.*)$/i.exec(line);
		if (found === null) continue;
		const name = trimBlanks(found[2]!).toUpperCase();
		if (found[1]!.toUpperCase() === "BEGIN") open.push(name);
		else if (open.pop() !== name) return false;
	}
	return open.length === 0;
}

/** Are there as many closing braces as opening ones, and none before its opening one? */
export function hasBalancedBraces(content: Uint8Array): boolean {
	let depth = 0;
	for (const byte of content) {
		if (byte === 0x7b) depth++;
		else if (byte === 0x7d && --depth < 0) return false;
	}
	return depth === 0;
}
