function isJson(text: string): boolean {
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
}

const isOneLine = (text: string) => text.trim() !== "" && !text.trim().includes("\n");

/** JSON with each key and element on a line of its own; every token unchanged. */
function spread(text: string): string {
	let depth = 0;
	let lines = "";
	// Strings whole, brackets, commas, colons, and all other tokens (numbers, words); blanks between them are dropped.
	for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/gs)) {
		if (token === "}" || token === "]") {
			depth--;
			lines += /[[{]$/.test(lines) ? token : `\n${"  ".repeat(depth)}${token}`;
		} else {
			if (/[[{,]$/.test(lines) && token !== ",") lines += `\n${"  ".repeat(depth)}`;
			lines += token === ":" ? ": " : token;
			if (token === "{" || token === "[") depth++;
		}
	}
	return lines;
}

/**
 * Versions of one JSON document in the form in which they are compared: if one of them is a single line, all with a key a line. Other texts are unchanged.
 * @param texts null: a missing version
 */
export function spreadJson<T extends Readonly<Record<string, string | null>>>(texts: T): T {
	const there = Object.values(texts).filter((text) => text !== null);
	if (!there.some((text) => isOneLine(text) && /^\s*[[{]/.test(text)) || !there.every(isJson)) return texts;
	return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, text === null ? null : `${spread(text)}\n`])) as T;
}
