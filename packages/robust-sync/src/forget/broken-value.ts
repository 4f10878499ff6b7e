import { type Place, withPlaces } from "./places.ts";

// A value that is broken over lines: wrapped by an editor or a mail, quoted, in the strings of code, in the lines of a notebook.

/** The ends of a line within a value, each with the margin of the next line: between two strings, in a notebook, escaped, plain. */
const breaks = [
	String.raw`["'\x60][ \t]{0,4}[+.&\\]?[ \t]{0,4}\r?\n[ \t]{0,80}[+.&]?[ \t]{0,4}[brfuBRFU@]{0,2}["'\x60]`,
	String.raw`(?:\\{1,3}r)?\\{1,3}n["'],[ \t]{0,4}\r?\n[ \t]{0,80}["']`,
	String.raw`(?:\\{1,3}r)?\\{1,3}n[ ]{0,80}`,
	String.raw`[ \t]{0,4}\\?\r?\n[ \t]{0,80}(?:(?:[>#*;|%]|\/\/|--|\+)[ \t]{1,4}){0,3}`,
].join("|");
const breakHere = new RegExp(breaks, "y");
const everyBreak = new RegExp(breaks, "g");

/** A value to look for in pieces. */
export interface BrokenForm {
	/** One character a byte. */
	readonly text: string;
	readonly placeholder: Buffer;
	/** Parts of the value: a broken one has one of them whole, unless its lines are very short. */
	readonly parts: readonly Buffer[];
}

const partBytes = { least: 4, most: 16 };
const mostParts = 12;

/** @returns null: the value has lines of its own, which cannot be distinguished from breaks */
export function brokenForm(value: Buffer, placeholder: Buffer): BrokenForm | null {
	if (value.includes(10) || value.includes(13) || withoutBreaks(value).length !== value.length) return null;
	const bytes = Math.max(partBytes.least, Math.min(partBytes.most, Math.floor(value.length / 4)));
	const last = value.length - bytes;
	const count = Math.min(mostParts, Math.floor(value.length / bytes));
	const parts = Array.from({ length: count }, (_, index) => Math.round((index * last) / (count - 1)));
	return { text: value.toString("latin1"), placeholder, parts: parts.map((at) => value.subarray(at, at + bytes)) };
}

/** The end of a value that begins at an offset and has breaks in it; null: there is none. */
function brokenEnd(content: string, start: number, { text }: BrokenForm): number | null {
	let at = start;
	for (let index = 0; index < text.length; ) {
		if (content.charCodeAt(at) === text.charCodeAt(index)) {
			at++;
			index++;
			continue;
		}
		breakHere.lastIndex = at;
		if (index === 0 || !breakHere.test(content)) return null;
		at = breakHere.lastIndex;
	}
	return at === start + text.length ? null : at;
}

/** Where a content has the value broken over lines. */
export function brokenPlaces(content: Buffer, form: BrokenForm): Place[] {
	if (!form.parts.some((part) => content.includes(part))) return [];
	const text = content.toString("latin1");
	const found: Place[] = [];
	const [first = ""] = form.text;
	for (let start = text.indexOf(first); start >= 0; ) {
		const end = brokenEnd(text, start, form);
		if (end !== null) found.push([start, end]);
		start = text.indexOf(first, end ?? start + 1);
	}
	return found;
}

/**
 * A content with placeholders for the value where it is broken over lines; itself where it is not.
 * @param sized the placeholder for a place of some bytes; default: always the same one
 */
export const withoutBroken = (content: Buffer, form: BrokenForm, sized = (_bytes: number) => form.placeholder): Buffer =>
	withPlaces(content, brokenPlaces(content, form), sized);

/** A broken value as it was. */
export const withoutBreaks = (bytes: Buffer): Buffer => Buffer.from(bytes.toString("latin1").replace(everyBreak, ""), "latin1");
