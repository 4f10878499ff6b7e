/** The UTF-8 byte order mark, one character per byte. */
export const BOM = "\xef\xbb\xbf";

/** A text as lines. What separates lines is kept apart from what they say, so that a change of line ends is not a change of every line. */
export interface Lines {
	readonly bom: boolean;
	/** The lines without their ends. */
	readonly keys: readonly string[];
	/** For each line: does it end in CR LF? Null: none does. */
	readonly crlf: Uint8Array | null;
	/** Does the last line have an end? An empty text has no lines and counts as ended. */
	readonly ended: boolean;
}

/** One merged line: what it says and how it ends. */
export interface MergedLine {
	readonly key: string;
	readonly crlf: boolean;
}

export type LineEnds = "lf" | "crlf" | "mixed" | "none";

/** Splits a text (one character per byte) into lines. Only LF ends a line; a CR before it belongs to the end. */
export function splitLines(text: string): Lines {
	const bom = text.startsWith(BOM);
	const keys: string[] = [];
	const hasCr = text.includes("\r\n");
	const crlf: number[] = [];
	let start = bom ? BOM.length : 0;
	for (let end = text.indexOf("\n", start); end !== -1; end = text.indexOf("\n", start)) {
		const cr = hasCr && end > start && text.charCodeAt(end - 1) === 13;
		keys.push(text.slice(start, cr ? end - 1 : end));
		if (hasCr) crlf.push(cr ? 1 : 0);
		start = end + 1;
	}
	const ended = start === text.length;
	if (!ended) {
		keys.push(text.slice(start));
		// What its end would be, were it not the last: as the line before it.
		if (hasCr) crlf.push(crlf[crlf.length - 1] ?? 0);
	}
	return { bom, keys, crlf: hasCr ? Uint8Array.from(crlf) : null, ended };
}

/** No lines at all: the base of something that both sides added. */
export const NO_LINES: Lines = { bom: false, keys: [], crlf: null, ended: true };

/** How the lines of a text end, as far as it has ended lines. */
export function lineEnds(lines: Lines): LineEnds {
	const ended = lines.ended ? lines.keys.length : lines.keys.length - 1;
	if (ended <= 0) return "none";
	if (lines.crlf === null) return "lf";
	let crlf = 0;
	for (let i = 0; i < ended; i++) crlf += lines.crlf[i]!;
	return crlf === 0 ? "lf" : crlf === ended ? "crlf" : "mixed";
}

/** Does line `index` end in CR LF? */
export function isCrlf(lines: Lines, index: number): boolean {
	return lines.crlf !== null && lines.crlf[index] === 1;
}

/** Puts lines together again. */
export function joinLines(lines: readonly MergedLine[], bom: boolean, ended: boolean): string {
	const last = lines.length - 1;
	const parts: string[] = [];
	for (let i = 0; i <= last; i++) {
		const { key, crlf } = lines[i]!;
		parts.push(crlf && (i < last || ended) ? `${key}\r` : key);
	}
	if (ended && last >= 0) parts.push("");
	return (bom ? BOM : "") + parts.join("\n");
}
