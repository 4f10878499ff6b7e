/** How the content of one file changed. */
export type ContentChange = "kept" | "emptied" | "replaced";

/** A text with fewer words is compared by the form of its lines as well: a table of numbers, a list of flags. */
const minWords = 8;
/** The share of the words that must remain for a file to count as changed and not as replaced. */
const keptShare = 0.2;
/** The same for a file with another name. */
const editedShare = 0.5;
/** A shorter text, or a smaller binary file, is a value rather than a text: another value is no loss, bytes in place of a text are one. */
const minTextBytes = 256;
const minBinaryBytes = 64;
/** A binary file of the same format must keep this share of its size: a placeholder, or the first bytes alone, are no new version. */
const keptSizeShare = 0.2;
/** Magic numbers: the first bytes of binary formats. */
const magicBytes = 4;
/** As in git: a file with an early NUL byte is binary. */
const binaryWindow = 8_000;

// Letters first: numbers alone change with every measurement.
const word = /[A-Za-z_][A-Za-z0-9_]+/g;
const anyWord = /[\p{L}_][\p{L}\p{M}\p{N}_]+/gu;
/** Scripts without blanks between words: each two adjacent characters count as a word. */
const unspaced =
	/^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}]/u;

const isAscii = (text: string) => !/[\x80-\xff]/.test(text);

function wordsOf(content: Buffer): Set<string> {
	const bytes = content.toString("latin1");
	if (isAscii(bytes)) return new Set(bytes.toLowerCase().match(word) ?? []);
	const words = new Set<string>();
	for (const one of content.toString("utf8").toLowerCase().match(anyWord) ?? []) {
		if (!unspaced.test(one)) words.add(one);
		else for (let at = 0; at + 1 < one.length; at++) words.add(one.slice(at, at + 2));
	}
	return words;
}

/** The lines of a text, without numbers and blanks. */
function formsOf(content: Buffer): Set<string> {
	const forms = content
		.toString("latin1")
		.split("\n")
		.map((line) =>
			line
				.replace(/\s+/g, " ")
				.replace(/[-+]?\d[\d.]*/g, "0")
				.trim(),
		);
	return new Set(forms.filter((form) => form !== ""));
}

const isBinary = (content: Buffer) => content.subarray(0, binaryWindow).includes(0);

/** A tenth of random bytes are such characters. A text has almost none, except for the escapes that colour a log. */
const controlCharacter = /[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]/g;
const controlShare = 0.04;
/** A run of base64, base32 or hexadecimal. */
const codedRun = /[A-Za-z0-9+/=_-]{32,}/g;
/** At least this share of an encrypted text consists of such runs; the rest is at most a header. */
const codedShare = 0.8;
const isHexadecimal = (run: string) => /^(?:[0-9a-f]+|[0-9A-F]+)$/.test(run);
const isRandom = (run: string) =>
	/\d/.test(run) && (isHexadecimal(run) || /^[A-Z2-7=]+$/.test(run) || (/[a-z]/.test(run) && /[A-Z]/.test(run)));

/** Whether a content is unreadable, as encryption leaves it: bytes that are not text, or those bytes as base64, base32 or hexadecimal. */
function isScrambled(content: Buffer): boolean {
	const start = content.subarray(0, binaryWindow).toString("latin1");
	if (start.includes("\0") || (start.match(controlCharacter) ?? []).length > controlShare * start.length) return true;
	const coded = (start.match(codedRun) ?? []).filter(isRandom).reduce((sum, run) => sum + run.length, 0);
	return coded > 0 && coded >= codedShare * start.replace(/\s/g, "").length;
}

const packedFormats = ["1f8b", "28b52ffd", "fd377a58", "425a68", "504b0304", "377abcaf"].map((magic) => Buffer.from(magic, "hex"));

/** How the content of a deleted file changed if a new file is named after it. A compressed or packed successor keeps it. */
export function successorChange(before: Buffer, after: Buffer): ContentChange {
	return packedFormats.some((magic) => after.subarray(0, magic.length).equals(magic)) ? "kept" : slowContentChange(before, after);
}

/** Whether a file is empty: no byte at all, blanks, or the zeros that a crash leaves. */
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
		const isSameFormat = before.subarray(0, magicBytes).equals(after.subarray(0, magicBytes));
		return isSameFormat && after.length >= keptSizeShare * before.length ? "kept" : "replaced";
	}
	const words = wordsOf(before);
	if (words.size >= minWords) return shareLeft(words, wordsOf(after)) >= keptShare ? "kept" : "replaced";
	if (before.length < minTextBytes) return before.length >= minBinaryBytes && isBinary(after) ? "replaced" : "kept";
	return shareLeft(formsOf(before), formsOf(after)) >= keptShare ? "kept" : "replaced";
}

/**
 * The same for a file that was changed in small steps. Then a different text counts as work; bytes of another format and encrypted text count
 * as loss.
 */
export function slowContentChange(before: Buffer, after: Buffer): ContentChange {
	const change = contentChange(before, after);
	if (change !== "replaced" || isBinary(before)) return change;
	return isScrambled(after) && !isScrambled(before) ? "replaced" : "kept";
}

/** The share of some words that another content has. */
function shareLeft(words: ReadonlySet<string>, left: ReadonlySet<string>): number {
	let kept = 0;
	for (const one of words) if (left.has(one)) kept++;
	return kept / words.size;
}

/** Whether a file of another name is the same text, edited. False for texts that are too short to decide. */
export function isEdited(before: Buffer, after: Buffer): boolean {
	if (isBinary(before)) return false;
	const words = wordsOf(before);
	return words.size >= minWords && shareLeft(words, wordsOf(after)) >= editedShare;
}
