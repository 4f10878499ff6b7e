const simpleEscapes: Record<string, string> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/**
 * The value of a JSON string: the UTF-8 bytes of its characters, one character per byte. A lone surrogate becomes its own three bytes (WTF-8),
 * so that two different ones stay different.
 *
 * @param start start of the lexeme, at its opening quote; it must be well-formed.
 * @param end past its closing quote.
 */
export function decodeString(text: string, start: number, end: number): string {
	const inside = text.slice(start + 1, end - 1);
	return inside.includes("\\") ? unescapeString(inside) : inside;
}

function unescapeString(text: string): string {
	let decoded = "";
	let from = 0;
	for (let at = text.indexOf("\\"); at !== -1; at = text.indexOf("\\", from)) {
		decoded += text.slice(from, at);
		const kind = text[at + 1]!;
		if (kind !== "u") {
			decoded += simpleEscapes[kind] ?? kind;
			from = at + 2;
			continue;
		}
		let code = codeUnit(text, at);
		from = at + 6;
		if (code >= 0xd800 && code < 0xdc00 && text.startsWith("\\u", from)) {
			const low = codeUnit(text, from);
			if (low >= 0xdc00 && low < 0xe000) {
				code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
				from += 6;
			}
		}
		decoded += utf8(code);
	}
	return decoded + text.slice(from);
}

function codeUnit(text: string, backslash: number): number {
	return Number.parseInt(text.slice(backslash + 2, backslash + 6), 16);
}

function utf8(code: number): string {
	if (code < 0x80) return String.fromCharCode(code);
	if (code < 0x800) return String.fromCharCode(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
	if (code < 0x10000) return String.fromCharCode(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
	return String.fromCharCode(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
}
