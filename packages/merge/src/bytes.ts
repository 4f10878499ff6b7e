import { isUtf8 } from "node:buffer";

/** git's own rule for binary content: a NUL among the first 8000 bytes (buffer_is_binary in git's xdiff-interface.c). */
const binaryProbeBytes = 8000;

/** Are two contents the same bytes? */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
	return a === b || (a.length === b.length && asBuffer(a).equals(b));
}

/** Does `whole` begin with all of `prefix`? */
export function startsWithBytes(whole: Uint8Array, prefix: Uint8Array): boolean {
	return whole.length >= prefix.length && asBuffer(whole).subarray(0, prefix.length).equals(prefix);
}

/** The texts of the contents that the running merge has read: its steps ask for the same ones. */
let texts: Map<Uint8Array, string> | null = null;

/** Runs work that decodes the same contents repeatedly, and changes none of them. */
export function withTextsKept<T>(work: () => T): T {
	if (texts !== null) return work();
	texts = new Map();
	try {
		return work();
	} finally {
		texts = null;
	}
}

/** One character per byte: every byte survives a round trip through string operations, valid UTF-8 or not. */
export function toLatin1(bytes: Uint8Array): string {
	const known = texts?.get(bytes);
	if (known !== undefined) return known;
	const text = asBuffer(bytes).toString("latin1");
	if (text.length >= minKeptBytes) texts?.set(bytes, text);
	return text;
}

/** The inverse of {@link toLatin1}. */
export function fromLatin1(text: string): Uint8Array {
	const bytes = Buffer.from(text, "latin1");
	if (text.length >= minKeptBytes) texts?.set(bytes, text);
	return bytes;
}

/** Decoding a shorter content is quicker than a lookup. */
const minKeptBytes = 4096;

/** Decodes a one-character-per-byte string as UTF-8 (invalid sequences become U+FFFD). */
export function latin1ToUtf8(text: string): string {
	return Buffer.from(text, "latin1").toString("utf8");
}

/** Is the content binary, as git sees it? UTF-16 counts as binary, as in git. */
export function isBinary(bytes: Uint8Array): boolean {
	return asBuffer(bytes).subarray(0, binaryProbeBytes).includes(0);
}

/** Is the content valid UTF-8 (RFC 3629)? */
export function isValidUtf8(bytes: Uint8Array): boolean {
	return isUtf8(bytes);
}

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
	return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
