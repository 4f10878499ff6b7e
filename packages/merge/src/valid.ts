import { parse as parseToml } from "smol-toml";
import { parseAllDocuments, visit } from "yaml";
import { isValidUtf8, latin1ToUtf8, toLatin1 } from "./bytes.ts";
import { isJson } from "./json/parse.ts";
import { NotScannable } from "./keyed-text/item.ts";
import { scanYaml } from "./keyed-text/scan-yaml.ts";
import { BOM } from "./lines.ts";

/** Is a content what files of its kind must be? */
export type Check = (content: Uint8Array) => boolean;

/** The parser is slow (about 1 MB a second); what takes longer than a few seconds to check is not worth merging. */
export const MAX_YAML_BYTES = 2 * 1024 * 1024;

/** Does every YAML document of a text parse, with no key twice in a map and no alias without its anchor? */
export function isYaml(content: Uint8Array): boolean {
	return content.length <= MAX_YAML_BYTES && isYamlText(toLatin1(content));
}

/** The same of a text with one character per byte. */
export function isYamlText(text: string): boolean {
	if (text.length > PARSED_BYTES && isPlainYaml(text)) return true;
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
	}
}

/** Up to this size the parser always has the word. */
const PARSED_BYTES = 64 * 1024;

/**
 * Large files are mostly lists of plain words and numbers. Where every line is a key, a dash, and a plain word that could be nothing else in any
 * version of YAML, finding where things stand is all that a parser would do.
 */
function isPlainYaml(text: string): boolean {
	const plain = /^ *(?:- +)*(?:[A-Za-z_][\w.-]*:(?: +[\w.][\w .+/-]*)?|[A-Za-z_][\w .+/-]*)? *$|^ *#/;
	if (!text.split("\n").every((line) => plain.test(line))) return false;
	try {
		scanYaml(text);
		return true;
	} catch (error) {
		if (error instanceof NotScannable) return false;
		throw error;
	}
}

/** Is it TOML (1.0.0; tables and keys once)? */
export function isToml(content: Uint8Array): boolean {
	return isValidUtf8(content) && isTomlText(toLatin1(content));
}

/** The same of a text with one character per byte. */
export function isTomlText(text: string): boolean {
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
		/<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<!(?!--|\[CDATA)[^>[]*(?:\[[^\]]*\])?[^>]*>|<(\/?)([^\s<>/!?"'=]+)((?:"[^"]*"|'[^']*'|[^<>"'])*)>|</g;
	for (let found = token.exec(text); found !== null; found = token.exec(text)) {
		const [all, slash, name, attributes] = found;
		if (all === "<") return false;
		if (name === undefined) continue;
		if (slash === "/") {
			if (open.pop() !== name) return false;
			continue;
		}
		const names = (attributes!.match(/[^\s"'=/<>]+(?=[ \t\r\n]*=[ \t\r\n]*["'])/g) ?? []) as string[];
		if (new Set(names).size !== names.length) return false;
		if (!attributes!.endsWith("/")) open.push(name);
	}
	return open.length === 0;
}

/** Does every BEGIN of a calendar or contact file have its END? */
export function isBalancedCalendar(content: Uint8Array): boolean {
	const open: string[] = [];
	for (const line of toLatin1(content).split(/\r?\n/)) {
		const found = /^(BEGIN|END):(.*?)[ \t]*$/i.exec(line);
		if (found === null) continue;
		if (found[1]!.toUpperCase() === "BEGIN") open.push(found[2]!.toUpperCase());
		else if (open.pop() !== found[2]!.toUpperCase()) return false;
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
