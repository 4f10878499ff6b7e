import type { Literal } from "./literals.ts";

// The texts that a content represents in its format: joined lines, unescaped characters, decoded base64.

/** A text that a content represents, and its place in the content. */
export interface Derived {
	readonly text: string;
	readonly at: number;
}

/** The seam between two lines: a backslash, a string in several parts, lines in a list. */
const lineEnd = /(?:\\|\\n["'],[ \t]*|["'`][ \t]*(?:[+.&]|\.\.|<>|\|\|)?[ \t]*\\?)\r?$/;
const nextStart = /^[ \t]*(?:[+.&]|\.\.|<>|\|\|)?[ \t]*(?:[brfu@]?["'`])?/;

const isQuote = (code: number) => code === 0x22 || code === 0x27 || code === 0x60;

/** The last place at or before `at` that is not blank. */
function behindBlanks(text: string, start: number, from: number): number {
	let at = from;
	for (let code = text.charCodeAt(at); at >= start && (code === 0x20 || code === 0x09); code = text.charCodeAt(at)) at--;
	return at;
}

/** Whether `lineEnd` can match, by the last characters of the line: nearly always no. */
function lineMayGoOn(text: string, start: number, end: number): boolean {
	let at = end - 1;
	if (text.charCodeAt(at) === 0x0d) at--;
	const last = text.charCodeAt(at);
	if (last === 0x5c) return true;
	at = behindBlanks(text, start, at);
	// A comma: only of a list of lines, `\n",`.
	if (text.charCodeAt(at) === 0x2c) return isQuote(text.charCodeAt(at - 1)) && text.charCodeAt(at - 2) === 0x6e;
	// + . & | >
	for (let count = 0; count < 2; count++) {
		const code = text.charCodeAt(at);
		if (code === 0x2b || code === 0x2e || code === 0x26 || code === 0x7c || code === 0x3e) at--;
	}
	if (text.charCodeAt(at) === 0x3c) at--;
	at = behindBlanks(text, start, at);
	return at >= start && isQuote(text.charCodeAt(at));
}

/** A folded block of YAML, each line one word: `token: >-`. */
const foldedStart = /[>|][-+\d]{0,2}[ \t]{0,3}\r?$/;
const foldedLines = /(?:[ \t]{1,40}[^\s:]{4,400}\r?\n){2,40}/y;

/** The ends of a line that may continue in the next one, and the characters that may follow. */
const stringEnds = [
	...['"', "'", "`"].flatMap((quote) => ["", " ", ".", " ."].map((tail) => quote + tail)),
	...["+", "+ ", "&", "& ", "..", "||", "|| ", "<>", "<> "],
];
const foldedEnds = [">", "|"].flatMap((sign) => ["", "-", "+", "2", "4", "2-", "4-", "- "].map((tail) => ` ${sign}${tail}`));
const nextOfString = " \t\"'`+.&|<brfuBRFU@";
const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(0x20 + index)).join("");
/** Ends of lines that may continue: only these are searched. */
export const lineEndLiterals: readonly Literal[] = [
	...stringEnds.map((text) => ({ text, next: nextOfString })),
	{ text: "\\", next: `${printable}\t` },
	...['\\n",', "\\n',", ...foldedEnds].map((text) => ({ text, next: "" })),
].flatMap(({ text, next }) => ["\n", "\r\n"].map((feed) => ({ text: text + feed, anyCase: false, next })));

/** The seam between two lines: the numbers of characters at the end of one, and at the start of the next, that are not part of the value. */
function seamAt(text: string, start: number, feed: number): { readonly before: number; readonly behind: number } | null {
	if (!lineMayGoOn(text, start, feed)) return null;
	const cut = lineEnd.exec(text.slice(Math.max(start, feed - 12), feed));
	const next = cut === null ? null : nextStart.exec(text.slice(feed + 1, feed + 200));
	if (cut === null || next === null) return null;
	const isString = cut[0][0] !== "\\" || cut[0].length > 2;
	if (isString && !/["'`]$/.test(next[0])) return null;
	return { before: cut[0].length, behind: isString ? next[0].length : /^[ \t]*/.exec(next[0])![0].length };
}

/** Joins lines that the format treats as one; each with the offset where it begins. @param feeds of line ends that may continue, ascending */
export function joinedLines(text: string, feeds: readonly number[]): Derived[] {
	const lines: Derived[] = [];
	let doneTo = 0;
	for (const feed of feeds) {
		if (feed < doneTo) continue;
		const lineStart = feed === 0 ? 0 : text.lastIndexOf("\n", feed - 1) + 1;
		const folded = foldedStart.exec(text.slice(Math.max(lineStart, feed - 8), feed));
		if (folded !== null) {
			foldedLines.lastIndex = feed + 1;
			const words = foldedLines.exec(text)?.[0];
			if (words !== undefined)
				lines.push({ text: `${text.slice(lineStart, feed - folded[0].length)}${words.replaceAll(/\s+/g, "")}`, at: lineStart });
		}
		const parts: string[] = [];
		let partStart = lineStart;
		let end = feed;
		for (let seam = seamAt(text, partStart, end); seam !== null; seam = end < text.length ? seamAt(text, partStart, end) : null) {
			parts.push(text.slice(partStart, end - seam.before));
			partStart = end + 1 + seam.behind;
			const next = text.indexOf("\n", partStart);
			end = next < 0 ? text.length : next;
		}
		if (parts.length === 0) continue;
		parts.push(text.slice(partStart, end));
		lines.push({ text: parts.join(""), at: lineStart });
		doneTo = end;
	}
	return lines;
}

/** Printable characters of ASCII in the escapes of several formats. */
const escapes =
	/\\{1,4}u00([2-7][0-9a-f])|\\{1,4}u\{([2-7][0-9a-f])\}|\\{1,4}x([2-7][0-9a-f])|%([2-7][0-9a-f])|&#x([2-7][0-9a-f]);|&#0{0,2}(\d{2,3});|&(?:quot|amp|apos|lt|gt);|&#xa;|&#xd;/gi;
const entities: Readonly<Record<string, string>> = { "&quot;": '"', "&amp;": "&", "&apos;": "'", "&lt;": "<", "&gt;": ">" };
/** Characters around an escape that are decoded with it. */
const aroundEscape = 240;
/** More characters of one content than this are not decoded. */
const maxUnescaped = 2_000_000;

/** A string in several parts on one line. */
const seams = /(\\{0,3}["'`])[ \t]{0,3}(?:[+.&]|\.\.|\|\||<>)[ \t]{0,3}\1/g;

/** A list of strings that is joined, and a string within a template. */
const joins = /\[([^[\]\n]{1,400})\]\.join\((["'`])\2\)|(["'])\3\.join\([[(]([^[\]()\n]{1,400})[\])]\)/g;
const joinSeams = /(["'`])\s{0,8},\s{0,8}\1/g;
const templates = /\$\{\s{0,3}(["'])([^"'{}$\n]{1,200})\1\s{0,3}\}/g;
const joined = (_all: string, list: string | undefined, _quote: unknown, _mark: unknown, other = "") =>
	(list ?? other).replaceAll(joinSeams, "");

/** The starts of an escaped printable character, and of the seam of a string. */
export const escapeLiterals: readonly Literal[] = [
	...['" + "', "' + '", "` + `", '"+"', "'+'", '" . "', "' . '", '" & "', '" || "', "' || '", '" <> "', '" .. "'],
	...["\\u00", "\\u{", '].join("")', "].join('')", '"".join([', "''.join([", "${'", '${"'],
]
	.map((text): Literal => ({ text, anyCase: false }))
	.concat(
		{ text: "\\x", anyCase: false, next: "234567" },
		{ text: "&#", anyCase: false, next: "xX0123456789" },
		{ text: "&quot;", anyCase: false },
		{ text: "&amp;", anyCase: false },
		["%2", "%3", "%4", "%5", "%6", "%7"].map((text) => ({ text, anyCase: false, next: "0123456789abcdefABCDEF" })),
	);

/** The parts of a content with escaped characters or strings in several parts, decoded. @param offsets of {@link escapeLiterals}, ascending */
export function unescaped(text: string, offsets: readonly number[]): Derived[] {
	const parts: Derived[] = [];
	let start = -1;
	let end = -1;
	let size = 0;
	const flush = () => {
		if (start < 0) return;
		const part = text.slice(start, end);
		const decoded = part.replaceAll(escapes, decodeEscape).replaceAll(seams, "").replaceAll(joins, joined).replaceAll(templates, "$2");
		if (decoded !== part) parts.push({ text: decoded, at: start });
		size += part.length;
	};
	for (const offset of offsets) {
		if (size > maxUnescaped) break;
		const from = Math.max(0, offset - aroundEscape);
		if (start < 0 || from > end) {
			flush();
			start = from;
		}
		end = Math.min(offset + aroundEscape, text.length);
	}
	flush();
	return parts;
}

function decodeEscape(all: string, ...groups: unknown[]): string {
	if (/^&#x[ad];$/i.test(all)) return "\n";
	const hexadecimal = groups.slice(0, 5).find((group) => typeof group === "string");
	if (typeof hexadecimal === "string") return String.fromCharCode(Number.parseInt(hexadecimal, 16));
	if (/^&[a-z]/i.test(all)) return entities[all.toLowerCase()] ?? all;
	const code = Number(groups[5]);
	return (code >= 0x20 && code < 0x7f) || code === 10 || code === 13 ? String.fromCharCode(code) : all;
}

/**
 * The three spellings of a text in base64, one for each offset within a group of three bytes, without the characters that depend on the text around
 * it. `at`: offset of the spelling within its group of four characters.
 */
export function base64Spellings(value: string): { readonly spelling: string; readonly at: number }[] {
	return [0, 1, 2].map((before) => {
		const encoded = Buffer.from("\0".repeat(before) + value, "latin1").toString("base64");
		const at = Math.ceil((before * 8) / 6);
		return { spelling: encoded.slice(at, Math.floor(((before + value.length) * 8) / 6)), at };
	});
}

const isBase64 = (code: number) =>
	(code >= 0x61 && code <= 0x7a) ||
	(code >= 0x41 && code <= 0x5a) ||
	(code >= 0x2f && code <= 0x39) ||
	code === 0x2b ||
	code === 0x2d ||
	code === 0x5f;
/** Characters of base64 that are decoded before and after a place that may hold a secret. */
const maxBase64 = 6_000;

/** Lines of wrapped base64 are at least this long. */
const shortestWrapped = 40;

/** The offset at which base64 continues in the next line. Null: it ends here. */
function wrappedAt(text: string, end: number): number | null {
	let next = end;
	if (text.charCodeAt(next) === 0x0d) next++;
	if (text.charCodeAt(next) !== 0x0a) return null;
	for (let back = 1; back <= shortestWrapped; back++) if (!isBase64(text.charCodeAt(end - back))) return null;
	for (next++; text.charCodeAt(next) === 0x20 || text.charCodeAt(next) === 0x09; ) next++;
	for (let ahead = 0; ahead < 4; ahead++) if (!isBase64(text.charCodeAt(next + ahead))) return null;
	return next;
}

/** Printable characters of UTF-16 in a content of another encoding: lines that a shell appends to a log, the texts of a program or database. */
const wideRuns = /(?:[\x09\x0a\x0d\x20-\x7e]\0){12,}/g;

/** Texts in UTF-16 (little endian) within a content that is not in it. */
export function wideTexts(text: string): Derived[] {
	if (!text.includes("\0")) return [];
	return [...text.matchAll(wideRuns)].map(({ 0: run, index }) => ({ text: run.replaceAll("\0", ""), at: index }));
}

/** The text that base64 represents, around a place in it. @param phase offset of the place within its group of four characters */
export function decodedAround(text: string, offset: number, phase: number): Derived & { readonly end: number } {
	let start = offset;
	while (start > 0 && offset - start < maxBase64 && isBase64(text.charCodeAt(start - 1))) start--;
	start += (((offset - start - phase) % 4) + 4) % 4;
	let end = offset;
	for (;;) {
		while (end < text.length && end - offset < maxBase64 && isBase64(text.charCodeAt(end))) end++;
		const next = wrappedAt(text, end);
		if (next === null || next - offset >= maxBase64) break;
		end = next;
	}
	const encoded = text.slice(Math.min(start, offset), end).replaceAll(/\s+/g, "");
	return { text: Buffer.from(encoded, "base64").toString("latin1"), at: start, end };
}
