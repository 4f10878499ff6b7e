import { countOf } from "./randomness.ts";

// Where a token may begin: not within a word, nor within base64.

const letterOrDigit = /[A-Za-z0-9]/;
const wrappedLength = 60;
/** A line of wrapped base64, such as an image in a message or notebook: no token starts in the next line. */
const wrappedLine = /[A-Za-z0-9+/]{60}(?:\r?\n|\\{1,3}n)$/;
const base64End = /(?:[A-Za-z0-9+/]|\\{1,3}n|\r?\n){40}$/;

/** Whether a text ends inside base64. A checksum, with one case only, and a path, with more slashes, do not count. */
function isInBase64(before: string, form: RegExp): boolean {
	const encoded = form.exec(before)?.[0] ?? "";
	return (
		/[a-z]/.test(encoded) && /\d/.test(encoded) && countOf(encoded, /[A-Z]/g) >= 6 && countOf(encoded, /\/(?!\/)/g) <= encoded.length / 12
	);
}

/** Whether an escape or the length of a text may end at an offset, by the characters that these contain: nearly always no. */
function mayEndEscape(text: string, at: number): boolean {
	for (let back = at - 1; back >= at - 6 && back >= 0; back--) {
		const code = text.charCodeAt(back);
		// A control character, a backslash, a percent sign; the end of a colour.
		if (code < 0x20 || code >= 0x7f || code === 0x5c || code === 0x25) return true;
	}
	return text[at - 1] === "m";
}

/** Whether a token may begin at an offset. A preceding escape or colour ends in a letter that does not belong to the token. */
export function isStart(text: string, at: number, notAfter: RegExp = letterOrDigit): boolean {
	if (at === 0) return true;
	const isWrapped = () => isInBase64(text.slice(Math.max(0, at - 72), at), wrappedLine);
	if (text[at - 1] === "\n") return text.lastIndexOf("\n", at - 2) >= at - wrappedLength || !isWrapped();
	if (!notAfter.test(text[at - 1]!)) return !/[+/]/.test(text[at - 1]!) || !isInBase64(text.slice(Math.max(0, at - 48), at), base64End);
	if (!mayEndEscape(text, at) || isWrapped()) return false;
	const before = text.slice(Math.max(0, at - 20), at);
	// In a database or a program, the byte before a text is its length, even if it is a letter.
	if (/[\x00-\x08\x0e-\x1a\x7f-\xff][!-~]{0,3}$/.test(before)) return true;
	return /\\[nrtbfv0]$|%[0-9A-Fa-f]{2}$|\\u[0-9A-Fa-f]{4}$|\\x[0-9A-Fa-f]{2}$|(?:\x1b|\\u001b|\\x1b|\\033|\\e)\[[0-9;]{0,12}m$/i.test(
		before,
	);
}
