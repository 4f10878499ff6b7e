import type { Derived } from "./derived.ts";

// Characters that are not visible, as editors and pages put them into copied text, and wide signs. Contents have one character for each byte of UTF-8.

/** Colours of a terminal; soft hyphen; zero-width space, joiners, marks of direction; word joiner and invisible signs; byte order mark. */
const invisible = /\x1b\[[\d;]{0,12}[mK]|\xc2\xad|\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xa9]|\xef\xbb\xbf/g;
/** No-break spaces, and the colon and equals sign of East Asian texts. */
const spaces = /\xc2\xa0|\xe2\x80[\x80-\x8a\xaf]|\xe3\x80\x80/g;
const anyOfThem = /\x1b\[|\xc2[\xa0\xad]|\xe2\x80[\x80-\x8f\xaa-\xaf]|\xe2\x81[\xa0-\xa9]|\xef\xbb\xbf|\xe3\x80\x80|\xef\xbc[\x9a\x9d]/g;
/** The first bytes of these: the search for a byte is the fastest. */
const firstBytes = [0x1b, 0xc2, 0xe2, 0xe3, 0xef];
/** A line without a word of this length holds no secret. */
const wordOfAscii = /[!-~]{8}/;

/** More characters of one content than this are not searched again. */
const maxCharacters = 2_000_000;

/** Lines with such characters, without them; each with the offset where it begins. @param bytes the text as bytes */
export function visibleLines(text: string, bytes: Uint8Array): Derived[] {
	const lines: Derived[] = [];
	if (!firstBytes.some((byte) => bytes.includes(byte))) return lines;
	let size = 0;
	anyOfThem.lastIndex = text.startsWith("\xef") ? 3 : 0;
	for (let found = anyOfThem.exec(text); found !== null && size < maxCharacters; found = anyOfThem.exec(text)) {
		const start = text.lastIndexOf("\n", found.index) + 1;
		const feed = text.indexOf("\n", found.index);
		const end = feed < 0 ? text.length : feed;
		size += end - start;
		const line = text
			.slice(start, end)
			.replaceAll(invisible, "")
			.replaceAll(spaces, " ")
			.replaceAll("\xef\xbc\x9a", ":")
			.replaceAll("\xef\xbc\x9d", "=");
		if (wordOfAscii.test(line)) lines.push({ text: line, at: start });
		anyOfThem.lastIndex = end;
	}
	return lines;
}
