import { isUtf8 } from "node:buffer";
import { type Place, withPlaces } from "./places.ts";

// A value in which characters are written with escapes, any of them and in any way: in the strings of code and JSON, in a shell, in addresses, in markup.
// A content is decoded from left to right, once for each family of escapes, so the cost does not depend on the number of combinations.

/** The letters of the families in placeholders: backslashes, percent, percent with `+` for a space, entities. */
export const escapedKinds = ["k", "l", "m", "n"] as const;
export type EscapedKind = (typeof escapedKinds)[number];

interface Family {
	/** A content without it has no such escape. */
	readonly lead: string;
	/** One escape, in a content with one character a byte. */
	readonly pattern: RegExp;
	/** What it stands for, with one character a byte of UTF-8. */
	decode(text: string): string;
}

const bytesOf = (text: string) => Buffer.from(text).toString("latin1");
const ofCode = (code: number) => (code <= 0x10_ff_ff ? bytesOf(String.fromCodePoint(code)) : bytesOf("\ufffd"));

const letters: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", v: "\v", a: "\x07", e: "\x1b" };
const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };

/** Escaped bytes: UTF-8 where they can be that, otherwise the first characters of Unicode. */
function ofBytes(codes: readonly number[]): string {
	const bytes = Buffer.from(codes);
	return isUtf8(bytes) ? bytes.toString("latin1") : bytes.toString("latin1").replace(/[\x80-\xff]/g, bytesOf);
}

/** Several backslashes before one character: a string within a string. */
const slashes = String.raw`\\{1,4}`;
const backslashes = new RegExp(
	[
		`${slashes}u[dD][89abAB][0-9a-fA-F]{2}${slashes}u[dD][c-fC-F][0-9a-fA-F]{2}`,
		`${slashes}u[0-9a-fA-F]{4}`,
		String.raw`${slashes}u\{[0-9a-fA-F]{1,8}\}`,
		`${slashes}U[0-9a-fA-F]{8}`,
		`${slashes}x[c-fC-F][0-9a-fA-F](?:${slashes}x[89abAB][0-9a-fA-F]){1,3}`,
		`${slashes}x[0-9a-fA-F]{2}`,
		`${slashes}3[0-7]{2}(?:${slashes}2[0-7]{2}){1,3}`,
		`${slashes}[0-3][0-7]{2}`,
		String.raw`${slashes}[!-/:-@\[\]^-\x60{-~ ]`,
		`${slashes}[nrtbfvae]`,
		String.raw`\\\\`,
	].join("|"),
	"g",
);

function ofBackslashes(text: string): string {
	const rest = text.replace(/^\\+/, "");
	const [first = ""] = rest;
	if (first === "") return "\\";
	if (first === "u" && rest.includes("\\"))
		return bytesOf(rest.replace(/\\*u([0-9a-fA-F]{4})/g, (_one, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))));
	if (first === "u" || first === "U") return ofCode(Number.parseInt(rest.replace(/[^0-9a-fA-F]/g, ""), 16));
	if (first === "x") return ofBytes((rest.match(/[0-9a-fA-F]{2}/g) ?? []).map((digits) => Number.parseInt(digits, 16)));
	if (rest.length > 1) return ofBytes((rest.match(/[0-7]{3}/g) ?? []).map((digits) => Number.parseInt(digits, 8)));
	return letters[first] ?? first;
}

const ofPercent = (text: string) => String.fromCharCode(Number.parseInt(text.slice(1), 16));

function ofEntity(text: string): string {
	const name = text.slice(1, -1);
	if (!name.startsWith("#")) return bytesOf(named[name] ?? name);
	return ofCode(/^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number.parseInt(name.slice(1), 10));
}

const families: Readonly<Record<EscapedKind, Family>> = {
	k: { lead: "\\", pattern: backslashes, decode: ofBackslashes },
	l: { lead: "%", pattern: /%[0-9a-fA-F]{2}/g, decode: ofPercent },
	m: { lead: "+", pattern: /%[0-9a-fA-F]{2}|\+/g, decode: (one) => (one === "+" ? " " : ofPercent(one)) },
	n: {
		lead: "&",
		pattern: /&(?:amp|lt|gt|quot|apos|nbsp|#[0-9]{1,9}|#[xX][0-9a-fA-F]{1,8});/g,
		decode: ofEntity,
	},
};

/** The text of a place without escapes, with one character a byte. */
const decoded = (text: string, { pattern, decode }: Family) => text.replace(pattern, decode);

/** The value that is written in a place. */
export const withoutEscapes = (kind: EscapedKind, bytes: Buffer): Buffer =>
	Buffer.from(decoded(bytes.toString("latin1"), families[kind]), "latin1");

/** Whether a content has an escape of what is in the value. Few have, of values that are letters and digits. */
function hasEscapeOf(text: string, value: string, { pattern, decode }: Family): boolean {
	for (const [one] of text.matchAll(pattern)) {
		const character = decode(one);
		if (value.includes(character)) return true;
	}
	return false;
}

function placesOf(text: string, value: string, family: Family): Place[] {
	if (!hasEscapeOf(text, value, family)) return [];
	const ends: { readonly source: number; readonly decoded: number; readonly width: number; readonly bytes: number }[] = [];
	const parts: string[] = [];
	let done = 0;
	let length = 0;
	for (const { 0: one, index } of text.matchAll(family.pattern)) {
		const character = family.decode(one);
		parts.push(text.slice(done, index), character);
		length += index - done;
		ends.push({ source: index, decoded: length, width: one.length, bytes: character.length });
		length += character.length;
		done = index + one.length;
	}
	parts.push(text.slice(done));
	const whole = parts.join("");
	/** The offset in the content; null: within an escape. */
	const sourceOf = (offset: number): number | null => {
		let low = 0;
		for (let high = ends.length; low < high; ) {
			const middle = (low + high) >> 1;
			if ((ends[middle]?.decoded ?? 0) < offset) low = middle + 1;
			else high = middle;
		}
		const before = ends[low - 1];
		if (before === undefined) return offset;
		const after = offset - before.decoded - before.bytes;
		return after < 0 ? null : before.source + before.width + after;
	};
	const found: Place[] = [];
	for (let at = whole.indexOf(value); at >= 0; ) {
		const start = sourceOf(at);
		const end = start === null ? null : sourceOf(at + value.length);
		const isPlace = start !== null && end !== null && end - start > 0 && text.slice(start, end) !== value;
		const isSame = isPlace && decoded(text.slice(start, end), family) === value;
		if (isSame) found.push([start, end]);
		at = whole.indexOf(value, isSame ? at + value.length : at + 1);
	}
	return found;
}

/** Where a content has a value written with escapes of one family; both with one character a byte. */
function escapedPlaces(text: string, value: string, kind: EscapedKind): Place[] {
	const family = families[kind];
	const isPossible = (kind !== "m" || value.includes(" ")) && text.includes(family.lead);
	return isPossible ? placesOf(text, value, family) : [];
}

const leads = Object.values(families).map(({ lead }) => lead);

/** Whether a content, or its text with one character a byte, may have escapes at all. */
export const mayHaveEscapes = (content: Buffer | string): boolean => leads.some((lead) => content.includes(lead));

/** Whether a content has a value written with escapes. */
export function hasEscaped(content: Buffer, value: Buffer): boolean {
	if (!mayHaveEscapes(content)) return false;
	const text = content.toString("latin1");
	const wanted = value.toString("latin1");
	return escapedKinds.some((kind) => escapedPlaces(text, wanted, kind).length > 0);
}

/**
 * A content with placeholders for a value that is written with escapes; itself where it is not.
 * @param placeholder of a place with some bytes
 */
export function withoutEscaped(content: Buffer, value: Buffer, placeholder: (kind: EscapedKind, bytes: number) => Buffer): Buffer {
	const wanted = value.toString("latin1");
	return escapedKinds.reduce(
		(rest, kind) => withPlaces(rest, escapedPlaces(rest.toString("latin1"), wanted, kind), (bytes) => placeholder(kind, bytes)),
		content,
	);
}
