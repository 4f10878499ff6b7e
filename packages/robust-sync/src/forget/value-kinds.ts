import { sizedPlaceholder } from "./binary-value.ts";
import { withoutBreaks } from "./broken-value.ts";
import { type EscapedKind, escapedKinds, withoutEscapes } from "./escaped-value.ts";

// How a value is written in files. Each way has its letter, which is part of the placeholder.

/** Shorter values would match text that is not secret. */
export const minValueBytes = 8;

/** The forms with the same bytes everywhere. */
export const kinds = ["a", "b", "c", "d", "e", "f", "g", "h", "j"] as const;
/** The same, of a value in a text in a text; searched in what all other forms leave. */
export const nestedKinds = ["o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z"] as const;
export type Kind = (typeof kinds)[number] | (typeof nestedKinds)[number];

/** The value as it is, but broken over lines: the bytes differ from place to place. */
export const brokenKind = "i";
/** How a value is written in one place. */
export type MarkKind = Kind | typeof brokenKind | EscapedKind;
export const markKinds: readonly MarkKind[] = [...kinds, brokenKind, ...escapedKinds, ...nestedKinds];
export const isEscaped = (kind: MarkKind): kind is EscapedKind => (escapedKinds as readonly MarkKind[]).includes(kind);

const swapped = (text: Buffer) => Buffer.from(text).swap16();
const toJson = (text: string) => JSON.stringify(text).slice(1, -1);
const fromJson = (value: Buffer | string) => JSON.parse(`"${value.toString("utf8")}"`) as string;
const fromAddress = (value: Buffer | string) => decodeURIComponent(value.toString("latin1"));

/** Characters that HTML and XML do not have in a text (the ampersand first, because the other entities contain it). */
const entities = [
	["&", "&amp;"],
	["<", "&lt;"],
	[">", "&gt;"],
	['"', "&quot;"],
] as const;
const toMarkup = (text: string) => entities.reduce((rest, [character, entity]) => rest.replaceAll(character, entity), text);
const fromMarkup = (text: string): string =>
	entities.toReversed().reduce((rest, [character, entity]) => rest.replaceAll(entity, character), text);

/** @throws RangeError if it has other characters, or would be so short that it matches text that is not secret */
function toLatin1(text: string): Buffer {
	const encoded = Buffer.from(text, "latin1");
	if (encoded.toString("latin1") !== text || encoded.length < minValueBytes) throw new RangeError("not in Latin-1");
	return encoded;
}

type Change = (text: string) => string;
const same: Change = (text) => text;

/**
 * A form made in one or two steps.
 * @throws RangeError, on encoding, if the value cannot be read from it: the other nodes could not derive it
 */
function nested(inner: Change, readInner: Change, outer: Change = same, readOuter: Change = same): Codec {
	const decode = (value: Buffer) => readInner(readOuter(value.toString("utf8")));
	const encode = (text: string) => {
		const encoded = Buffer.from(outer(inner(text)));
		if (decode(encoded) !== text) throw new RangeError("it does not determine the value");
		return encoded;
	};
	return { encode, decode };
}

interface Codec {
	readonly encode: (text: string) => Buffer;
	readonly decode: (value: Buffer) => string;
}

/**
 * How each kind is written, and read. As it is; as JSON and most languages quote it; in an address; in UTF-16; in an address with small
 * letters; as JSON that quotes slashes too; in HTML and XML; in Latin-1. Nested: JSON in JSON, and once more; with CR LF for LF; with `'` or `"`
 * doubled (SQL, YAML, CSV); in `'` of a shell; JSON in HTML; HTML in JSON; JSON in an address; an address in one; HTML in HTML; with LF for CR LF.
 */
export const codecs: Readonly<Record<Kind, Codec>> = {
	a: { encode: (text) => Buffer.from(text), decode: (value) => value.toString("utf8") },
	b: { encode: (text) => Buffer.from(toJson(text)), decode: fromJson },
	c: { encode: (text) => Buffer.from(encodeURIComponent(text)), decode: fromAddress },
	d: { encode: (text) => Buffer.from(text, "utf16le"), decode: (value) => value.toString("utf16le") },
	e: { encode: (text) => swapped(Buffer.from(text, "utf16le")), decode: (value) => swapped(value).toString("utf16le") },
	f: {
		encode: (text) => Buffer.from(encodeURIComponent(text).replace(/%[0-9A-F]{2}/g, (one) => one.toLowerCase())),
		decode: fromAddress,
	},
	g: { encode: (text) => Buffer.from(toJson(text).replaceAll("/", "\\/")), decode: fromJson },
	h: { encode: (text) => Buffer.from(toMarkup(text)), decode: (value) => fromMarkup(value.toString("utf8")) },
	j: { encode: toLatin1, decode: (value) => value.toString("latin1") },
	o: nested(toJson, fromJson, toJson, fromJson),
	p: nested(
		toJson,
		fromJson,
		(text) => toJson(toJson(text)),
		(text) => fromJson(fromJson(text)),
	),
	q: nested(
		(text) => text.replaceAll("\n", "\r\n"),
		(text) => text.replaceAll("\r\n", "\n"),
	),
	r: nested(
		(text) => text.replaceAll("'", "''"),
		(text) => text.replaceAll("''", "'"),
	),
	s: nested(
		(text) => text.replaceAll('"', '""'),
		(text) => text.replaceAll('""', '"'),
	),
	t: nested(
		(text) => text.replaceAll("'", "'\\''"),
		(text) => text.replaceAll("'\\''", "'"),
	),
	u: nested(toJson, fromJson, toMarkup, fromMarkup),
	v: nested(toMarkup, fromMarkup, toJson, fromJson),
	w: nested(toJson, fromJson, encodeURIComponent, fromAddress),
	x: nested(encodeURIComponent, fromAddress, encodeURIComponent, fromAddress),
	y: nested(toMarkup, fromMarkup, toMarkup, fromMarkup),
	z: nested(
		(text) => text.replaceAll("\r\n", "\n"),
		(text) => text.replaceAll("\n", "\r\n"),
	),
};

/** Whether a character has two bytes. */
export const isWide = (kind: MarkKind): kind is "d" | "e" => kind === "d" || kind === "e";
/** The usual placeholder as text. */
export const nameOf = (id: string, kind: MarkKind): string => `forgotten-${kind}${id}`;
/** Text in the encoding of a kind. */
export const encoder = (kind: MarkKind) => (isWide(kind) ? codecs[kind].encode : (text: string) => Buffer.from(text));

/** The placeholder in a text. */
export const placeholderOf = (id: string, kind: MarkKind): Buffer => encoder(kind)(nameOf(id, kind));

/** A placeholder of as many bytes as its place has. */
export const placeholderFor = (id: string, kind: MarkKind, bytes: number): Buffer =>
	encoder(kind)(sizedPlaceholder(nameOf(id, kind), isWide(kind) ? bytes / 2 : bytes));

/** What is written in a place. @throws Error if it is not of that kind */
export function decodedValue(kind: MarkKind, bytes: Buffer): Buffer {
	if (kind === brokenKind) return withoutBreaks(bytes);
	return isEscaped(kind) ? withoutEscapes(kind, bytes) : Buffer.from(codecs[kind].decode(bytes));
}
