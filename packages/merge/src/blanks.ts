/** A text (one character per byte) without the spaces, tabs and line feeds at its ends. String.trim would remove bytes of letters. */
export function trimBlanks(text: string): string {
	let [from, to] = [0, text.length];
	while (from < to && isBlank(text.charCodeAt(from))) from++;
	while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
	return text.slice(from, to);
}

function isBlank(c: number): boolean {
	return c === 0x20 || c === 0x09 || c === 0x0a;
}

/** The end of the value that starts at `from` on its line: before the comment (` #`) and the blanks before it. */
export function beforeComment(line: string, from: number): number {
	let end = from;
	for (let at = from; at < line.length; at++) {
		const c = line.charCodeAt(at);
		if (c === 0x23 && (at === 0 || isBlank(line.charCodeAt(at - 1)))) return end;
		if (!isBlank(c)) end = at + 1;
	}
	return end;
}
