import type { Buffer } from "node:buffer";
import { isUtf8 } from "node:buffer";

// Formats with offsets or lengths (databases, archives, images, programs) stay readable if every placeholder is as long as what it replaces.

/** Control characters that texts have: bell to carriage return, and the escape of terminals. */
const isTextControl = (code: number) => (code >= 7 && code <= 13) || code === 27;

/** Whether a placeholder of another length could damage a content: it is not text, or its format has offsets. */
export function hasFixedPlaces(content: Buffer): boolean {
	const isWide = (content[0] === 0xff && content[1] === 0xfe) || (content[0] === 0xfe && content[1] === 0xff);
	if (isWide && content.length % 2 === 0) return false;
	// A table at its end has the offset of each object, even if all of it is text.
	if (content.toString("latin1", 0, 1_024).includes("%PDF-")) return true;
	for (let at = 0; at < content.length; at++) {
		const code = content[at] as number;
		if (code < 32 && !isTextControl(code)) return true;
	}
	return !isUtf8(content);
}

/** The longest placeholder whose length is its first character. */
const shortest = 30;
export const longestShort = shortest - 1;

/**
 * A placeholder of exactly some characters. Its length is part of it, so its end is certain.
 * @param name the usual placeholder: `forgotten-`, a letter and the id
 */
export function sizedPlaceholder(name: string, length: number): string {
	if (length < shortest) return `${length.toString(36)}${name.slice(name.indexOf("-") + 1)}`.slice(0, length).padEnd(length, "-");
	return `${name}-${length}`.padEnd(length, "-");
}

/** A placeholder in a content. */
export interface SizedPlace {
	readonly start: number;
	readonly end: number;
}

/**
 * The placeholders that cover an offset. Usually one or none.
 * @param encode text in the encoding of the place @param width bytes a character
 */
export function* sizedPlacesAt(
	cleaned: Buffer,
	offset: number,
	name: string,
	encode: (text: string) => Buffer,
	width: number,
): Generator<SizedPlace> {
	const at = (start: number, length: number): SizedPlace | null => {
		const end = start + length * width;
		return start >= 0 && end > offset && cleaned.subarray(start, end).equals(encode(sizedPlaceholder(name, length)))
			? { start, end }
			: null;
	};
	const head = encode(`${name}-`);
	const start = cleaned.lastIndexOf(head, offset);
	if (start >= 0) {
		const digits = cleaned.toString("latin1", start + head.length, start + head.length + 6 * width).replaceAll("\0", "");
		const place = at(start, Number.parseInt(digits, 10) || 0);
		if (place !== null) yield place;
	}
	for (let length = shortest - 1; length > 0; length--)
		for (let back = 0; back < length * width; back++) {
			const place = at(offset - back, length);
			if (place !== null) yield place;
		}
}

/** The first byte that differs between two contents of one length; their length: none. */
export function firstDifference(one: Buffer, other: Buffer): number {
	const step = 65_536;
	let at = 0;
	while (at < one.length && one.subarray(at, at + step).equals(other.subarray(at, at + step))) at += step;
	while (at < one.length && one[at] === other[at]) at++;
	return Math.min(at, one.length);
}
