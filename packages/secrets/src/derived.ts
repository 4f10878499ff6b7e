// What a content says to whoever reads its format: lines that are one, characters that are escaped, texts in base64.

/** A text that a content stands for, and where in the content. */
export interface Derived {
	readonly text: string;
	readonly at: number;
}

/** How a line goes on in the next one: a backslash at its end, a string that is put together over lines, lines in a list. */
const lineEnd = /(?:\\|\\n["'],[ \t]*|["'`][ \t]*(?:[+.&]|\.\.|<>|\|\|)?[ \t]*\\?)\r?$/;
const nextStart = /^[ \t]*(?:[+.&]|\.\.|<>|\|\|)?[ \t]*(?:[brfu@]?["'`])?/;

/** A block of YAML whose lines are one, and each of which is one word: `token: >-`. Tried where such a line begins to end. */
const foldedBlock = /[>|][-+\d]{0,2}[ \t]{0,3}\r?\n((?:[ \t]{1,40}[^\s:]{4,400}\r?\n){2,40})/y;

/** Lines that are one to whoever reads the format, joined, each with the offset where it begins. */
export function joinedLines(text: string): Derived[] {
	const lines: Derived[] = [];
	let open: { at: number; parts: string[] } | null = null;
	let lineStart = 0;
	/** Where the part of this line begins that is the end of the one before. */
	let partStart = 0;
	for (let feed = text.indexOf("\n"); ; feed = text.indexOf("\n", feed + 1)) {
		const end = feed < 0 ? text.length : feed;
		const before = text.charCodeAt(text.charCodeAt(end - 1) === 0x0d ? end - 2 : end - 1);
		// " ' ` + , . & | > \ and blanks
		const mayGoOn =
			before === 0x22 ||
			before === 0x27 ||
			before === 0x60 ||
			before === 0x2b ||
			before === 0x2c ||
			before === 0x2e ||
			before === 0x26 ||
			before === 0x7c ||
			before === 0x3e ||
			before === 0x5c ||
			before === 0x20;
		const lastButOne = text.charCodeAt(end - 2);
		if (feed >= 0 && (before === 0x3e || before === 0x7c || lastButOne === 0x3e || lastButOne === 0x7c)) {
			foldedBlock.lastIndex = before === 0x3e || before === 0x7c ? text.lastIndexOf(String.fromCharCode(before), end) : end - 2;
			const words = foldedBlock.exec(text)?.[1];
			if (words !== undefined)
				lines.push({ text: `${text.slice(lineStart, end).replace(/[>|].{0,4}$/, "")}${words.replaceAll(/\s+/g, "")}`, at: lineStart });
		}
		const cut: RegExpExecArray | null = mayGoOn && feed >= 0 ? lineEnd.exec(text.slice(Math.max(partStart, end - 12), end)) : null;
		const isString: boolean = cut !== null && cut[0][0] !== "\\" ? true : cut !== null && cut[0].length > 2;
		const next: RegExpExecArray | null = cut === null ? null : nextStart.exec(text.slice(feed + 1, feed + 200));
		const goesOn: boolean = next !== null && (!isString || /["'`]$/.test(next[0]));
		if (goesOn && cut !== null) {
			open ??= { at: lineStart, parts: [] };
			open.parts.push(text.slice(partStart, end - cut[0].length));
			const blanks = isString ? (next as RegExpExecArray)[0].length : /^[ \t]*/.exec((next as RegExpExecArray)[0])![0].length;
			partStart = feed + 1 + blanks;
		} else {
			if (open !== null) {
				open.parts.push(text.slice(partStart, end));
				lines.push({ text: open.parts.join(""), at: open.at });
				open = null;
			}
			partStart = feed + 1;
		}
		if (feed < 0) return lines;
		lineStart = feed + 1;
	}
}

/** Printable characters of ASCII as formats escape them. */
const escapes =
	/\\{1,4}u00([2-7][0-9a-f])|\\{1,4}u\{([2-7][0-9a-f])\}|\\{1,4}x([2-7][0-9a-f])|%([2-7][0-9a-f])|&#x([2-7][0-9a-f]);|&#(\d{2,3});/gi;
/** So much around an escape is decoded with it. */
const aroundEscape = 240;
/** More characters of one content than this are not decoded. */
const maxUnescaped = 2_000_000;

/** A string that is put together in one line. */
const seams = /(\\{0,3}["'`])[ \t]{0,3}(?:[+.&]|\.\.|\|\||<>)[ \t]{0,3}\1/g;

/** What an escape of a printable character begins with, or a place where strings are put together. */
export const escapeLiterals = [
	...['" + "', "' + '", "` + `", '"+"', "'+'", '" . "', "' . '", '" & "', '" || "', "' || '", '" <> "', '" .. "'],
	...["\\u00", "\\u{", "\\x", "%2", "%3", "%4", "%5", "%6", "%7", "&#"],
] as const;

/** Parts of a content with escaped characters, decoded, and with strings that are put together. @param offsets of {@link escapeLiterals}, ascending */
export function unescaped(text: string, offsets: readonly number[]): Derived[] {
	const parts: Derived[] = [];
	let start = -1;
	let end = -1;
	let size = 0;
	const flush = () => {
		if (start < 0) return;
		const part = text.slice(start, end);
		const decoded = part.replaceAll(escapes, decodeEscape).replaceAll(seams, "");
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
	const hexadecimal = groups.slice(0, 5).find((group) => typeof group === "string");
	if (typeof hexadecimal === "string") return String.fromCharCode(Number.parseInt(hexadecimal, 16));
	const code = Number(groups[5]);
	return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : all;
}

/**
 * Each way in which base64 writes a text, by where in a group of three bytes it begins; without the characters that depend on what is around
 * it. `at`: where in a group of four characters the spelling begins.
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
/** So much of a text in base64 is decoded, before and after the place that says that it may hold a secret. */
const maxBase64 = 6_000;

/** What a text in base64 says, around a place in it. @param phase where in a group of four characters the place is */
export function decodedAround(text: string, offset: number, phase: number): Derived & { readonly end: number } {
	let start = offset;
	while (start > 0 && offset - start < maxBase64 && isBase64(text.charCodeAt(start - 1))) start--;
	start += (((offset - start - phase) % 4) + 4) % 4;
	let end = offset;
	while (end < text.length && end - offset < maxBase64 && isBase64(text.charCodeAt(end))) end++;
	return { text: Buffer.from(text.slice(Math.min(start, offset), end), "base64").toString("latin1"), at: start, end };
}
