// Controls (C0, C1), line and paragraph separators, and the marks that turn the direction of text around.
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/g;

/**
 * Any text as one line that is safe to show: no control or direction characters, valid Unicode, at most `maxLength`
 * UTF-16 units (cut between characters, with `…` at the end).
 */
export function oneLine(text: string, maxLength = 300): string {
	const line = wellFormed(text.replace(unprintable, " ").replace(/ {2,}/g, " ").trim());
	return line.length <= maxLength ? line : `${wellFormed(line.slice(0, maxLength - 1)).replace(/\ufffd$/, "")}…`;
}

/** Lone surrogates, which have no UTF-8 form, replaced by U+FFFD. */
function wellFormed(text: string): string {
	return Buffer.from(text, "utf8").toString("utf8");
}
