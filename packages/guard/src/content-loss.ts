/** What became of one file's content. */
export type ContentChange = "kept" | "emptied" | "replaced";

/** Files with fewer words than this hold a value rather than a text: another value is no loss. */
const minWords = 8;
/** So much of the words must be left for a file to be the same one, changed. */
const keptShare = 0.2;
/** And so much for one of another name. */
const editedShare = 0.5;
/** A binary file of less is a value, too. */
const minBinaryBytes = 64;
/** Formats announce themselves in their first bytes. */
const magicBytes = 4;
/** As git does it: what has a NUL byte early on is binary. */
const binaryWindow = 8_000;

// Letters first: numbers alone change with every measurement. Bytes above 0x7f are letters of UTF-8.
const word = /[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]+/g;

function wordsOf(content: Buffer): Set<string> {
	return new Set(content.toString("latin1").toLowerCase().match(word) ?? []);
}

const isBinary = (content: Buffer) => content.subarray(0, binaryWindow).includes(0);

/** Whether nothing is written there: no byte at all, blanks, or the zeros that a crash leaves. */
export function isBlank(content: Buffer): boolean {
	return !content.some((byte) => byte !== 0 && byte !== 0x20 && (byte < 0x09 || byte > 0x0d));
}

/**
 * Compares two versions of a file. "replaced": another text, or bytes of another format; reformatting the same words keeps them.
 */
export function contentChange(before: Buffer, after: Buffer): ContentChange {
	if (isBlank(before)) return "kept";
	if (isBlank(after)) return "emptied";
	if (isBinary(before)) {
		if (before.length < minBinaryBytes) return "kept";
		return before.subarray(0, magicBytes).equals(after.subarray(0, magicBytes)) ? "kept" : "replaced";
	}
	const words = wordsOf(before);
	return words.size < minWords || shareLeft(words, after) >= keptShare ? "kept" : "replaced";
}

/** How much of some words a content has. */
function shareLeft(words: ReadonlySet<string>, content: Buffer): number {
	const left = wordsOf(content);
	let kept = 0;
	for (const one of words) if (left.has(one)) kept++;
	return kept / words.size;
}

/** Whether a file of another name is the same text, edited. What is too short to tell is not. */
export function isEdited(before: Buffer, after: Buffer): boolean {
	if (isBinary(before)) return false;
	const words = wordsOf(before);
	return words.size >= minWords && shareLeft(words, after) >= editedShare;
}
