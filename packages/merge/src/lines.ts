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

export type LineEnds = "lf" | "crlf" | "mixed" | "none";

/** Splits a text (one character per byte) into lines. Only LF ends a line; a CR before it belongs to the end. */
export function splitLines(text: string): Lines {
	const bom = text.startsWith(BOM);
	const keys = (bom ? text.slice(BOM.length) : text).split("\n");
	const ended = keys[keys.length - 1] === "";
	if (ended) keys.pop();
	if (!text.includes("\r\n")) return { bom, keys, crlf: null, ended };
	const crlf = new Uint8Array(keys.length);
	const last = ended ? keys.length : keys.length - 1;
	for (let i = 0; i < last; i++) {
		if (!keys[i]!.endsWith("\r")) continue;
		keys[i] = keys[i]!.slice(0, -1);
		crlf[i] = 1;
	}
	// What its end would be, were it not the last: as the line before it.
	if (!ended && last > 0) crlf[last] = crlf[last - 1]!;
	return { bom, keys, crlf, ended };
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
export function joinLines({ bom, keys, crlf, ended }: Lines): string {
	const last = keys.length - 1;
	const lines = crlf === null ? keys : keys.map((key, i) => (crlf[i] === 1 && (i < last || ended) ? `${key}\r` : key));
	return (bom ? BOM : "") + lines.join("\n") + (ended && last >= 0 ? "\n" : "");
}
