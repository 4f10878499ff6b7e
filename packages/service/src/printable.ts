/**
 * The code points that never reach a terminal, log, page, alert or state as they are: control characters (C0, C1, DEL), line and
 * paragraph separators, format characters (bidirectional overrides and isolates, zero-width characters, tags), all other ignorable
 * characters, and lone surrogates. The two variation selectors of ordinary symbols and emoji stay.
 */
const unprintable = /(?![\ufe0e\ufe0f])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;
/** JSON.stringify itself writes only these two, between values. */
const unprintableInJson = /(?![\ufe0e\ufe0f\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;
/** Matches most texts, which need no change. */
const plain = /^[\u0020-\u007e]*$/;
const plainJson = /^[\t\n\u0020-\u007e]*$/;

const shortEscapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** As JSON and JavaScript escape it: `\u202e`, a character beyond the BMP as its two units. */
const units = (character: string) =>
	Array.from({ length: character.length }, (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`).join("");

const escaped = (character: string) => shortEscapes[character] ?? units(character);

/**
 * Any text as one line that is safe to show: each code point that could move the cursor, hide or reorder text, or begin another line
 * is replaced by its escape (`\n`, `\u001b`). This is the one function through which names, reasons and remote text become output.
 * The result is valid Unicode, and printable text is returned as it is.
 */
export function printable(text: string): string {
	return plain.test(text) ? text : text.replace(unprintable, escaped);
}

/**
 * A value as a JSON document that is safe to show and keeps every string whole: characters that {@link printable} would escape are escaped as JSON
 * escapes it.
 * @param indent as of JSON.stringify
 */
export function printableJson(value: unknown, indent?: number | string): string {
	return printableJsonText(JSON.stringify(value, null, indent) ?? "null");
}

/** The same for a text that is JSON already, as JSON.stringify writes it: line feeds and tabs are between values only. */
export function printableJsonText(text: string): string {
	return plainJson.test(text) ? text : text.replace(unprintableInJson, units);
}

const octal = (byte: number) => `\\${byte.toString(8).padStart(3, "0")}`;

/**
 * A text as one word of a command line to paste into a POSIX shell (bash, zsh, dash): the shell reads exactly this text from it. The
 * word itself is printable.
 */
export function shellWord(text: string): string {
	if (printable(text) === text) {
		return /^[\w./:@%+,-][\w./:@%+,=-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
	}
	// A shell's own $'…' is not known to every sh. printf's format takes bytes in octal; `!` would be history in an interactive shell.
	const bytesOf = (character: string) => [...Buffer.from(character, "utf8")].map(octal).join("");
	if (text.endsWith("\n")) {
		const quoted = text.replaceAll(/[\\']/g, bytesOf).replace(unprintable, bytesOf);
		return `$'${quoted}'`;
	}
	const format = text
		.replaceAll(/[\\'"!`$]/g, bytesOf)
		.replaceAll("%", "%%")
		.replace(unprintable, bytesOf);
	return `"$(printf -- '${format}')"`;
}

/**
 * The path of a file as such a word. A name that ends in a line feed gets a trailing slash, which commands ignore: shells
 * drop line feeds at the end, and not every shell has another way to write them.
 */
export function shellPath(file: string): string {
	return shellWord(file.endsWith("\n") ? `${file}/` : file);
}
