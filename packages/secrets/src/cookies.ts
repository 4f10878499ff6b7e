import type { Assigned } from "./assignments.ts";
import { objectAround } from "./json-web-keys.ts";
import type { ListRule } from "./rule.ts";
import { looksDrawn } from "./values.ts";

// Cookies that authenticate their sender: in headers, options of commands, and the files in which browsers and tools keep them.

const maxHead = 4_000;
/** Names of cookies that authenticate their holder. */
const sessionName = /sess|^_{0,2}(?:host|secure)?-?sid$|sid$|auth|token|jwt|remember|login|credential/i;
const cookiePair = /(?<![\w.!#$%&*+^|~-])([\w.!#$%&*+^|~-]{1,80})=([^\s;,"'`\\<>(){}]{16,4000})/g;
const cookieHead =
	/(?:cookie2?(?:\\{0,3}["'`])?\s{0,3}(?:[:=,]|=>|,\s{0,3}\\{0,3}["']value\\{0,3}["']\s{0,3}:)\s{0,3}\\{0,3}["'`]?|--cookie[ =]{1,3}["']?| -b ["'])(?=[^\s"'`=]{1,80}=)/iy;

/** Session cookies in a header, or in an option of a command. */
function cookiesAt(text: string, offset: number): Assigned[] {
	cookieHead.lastIndex = offset;
	if (!cookieHead.test(text)) return [];
	const from = cookieHead.lastIndex;
	if (text[offset] === " " && !/\bcurl\b[^\n]{0,400}$/.test(text.slice(Math.max(0, offset - 420), offset))) return [];
	const line = text.slice(from, from + maxHead).split(/[\n"'`]|cookie\s?:/i, 1)[0] ?? "";
	return [...line.matchAll(cookiePair)].flatMap((pair) => {
		const [all, name = "", value = ""] = pair;
		if (!sessionName.test(name) || /^eyJ/.test(value) || !looksDrawn(value, 20)) return [];
		const start = from + (pair.index ?? 0) + all.length - value.length;
		return [{ value, start, end: start + value.length }];
	});
}

const jarLine = /\t(?:TRUE|FALSE)\t\d{1,12}\t([^\t\r\n]{1,80})\t([^\s]{16,4000})/y;

/** A session in a cookie file, in the format of browsers and curl. */
function jarAt(text: string, offset: number): Assigned[] {
	// The first of the two flags follows the domain.
	const second = /^\t(?:TRUE|FALSE)\t[^\t\n]{1,200}(?=\t)/.exec(text.slice(offset, offset + 220));
	if (second === null) return [];
	jarLine.lastIndex = offset + second[0].length;
	const [, name = "", value = ""] = jarLine.exec(text) ?? [];
	if (!sessionName.test(name) || !looksDrawn(value, 18)) return [];
	return [{ value, start: jarLine.lastIndex - value.length, end: jarLine.lastIndex }];
}

const maxList = 32_000;
const escapedQuote = String.raw`\\{0,3}["']`;
const listHead = new RegExp(`cookies${escapedQuote}\\s{0,8}:\\s{0,8}\\[`, "iy");
/** One cookie: an object without another one in it. */
const cookieObject = /\{[^{}[\]]{1,6000}\}/g;
const memberOf = (name: string) =>
	new RegExp(`${escapedQuote}${name}${escapedQuote}\\s{0,8}:\\s{0,8}${escapedQuote}(?<value>[^"'\\\\]{1,4000})`, "i");
const nameMember = memberOf("name");
const valueMember = memberOf("value");

/** The session cookie that an object is, if it is one. @param at offset of the object */
function cookieOf(object: string, at: number): Assigned[] {
	const name = nameMember.exec(object)?.groups?.value ?? "";
	const found = valueMember.exec(object);
	const value = found?.groups?.value ?? "";
	if (found === null || value.length < 16 || !sessionName.test(name) || /^eyJ/.test(value) || !looksDrawn(value, 18)) return [];
	const start = at + found.index + found[0].length - value.length;
	return [{ value, start, end: start + value.length }];
}

/** Session cookies in a list: in a HAR, or in the state of a browser that a tool saved. */
function cookieListAt(text: string, offset: number): Assigned[] {
	listHead.lastIndex = offset;
	if (!listHead.test(text)) return [];
	const from = listHead.lastIndex;
	const rest = text.slice(from, from + maxList);
	const end = rest.indexOf("]");
	return [...(end < 0 ? rest : rest.slice(0, end)).matchAll(cookieObject)].flatMap(({ 0: object, index }) =>
		cookieOf(object, from + index),
	);
}

/** A single session cookie, as extensions of browsers export it: an object with a flag for access by scripts. */
function cookieObjectAt(text: string, offset: number): Assigned[] {
	const { object, at } = objectAround(text, offset);
	return cookieOf(object, at);
}

export const cookieRules: readonly ListRule[] = [
	{ id: "session-cookie", literals: ["cookie", "--cookie", ' -b "', " -b '"], anyCase: true, findAll: cookiesAt },
	{ id: "session-cookie", literals: ["\tTRUE\t", "\tFALSE\t"], findAll: jarAt },
	{ id: "session-cookie", literals: ["cookies"], anyCase: true, findAll: cookieListAt },
	{ id: "session-cookie", literals: ["httponly"], anyCase: true, findAll: cookieObjectAt },
];
