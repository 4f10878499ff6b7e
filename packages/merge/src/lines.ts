import { spend } from "./budget.ts";
import { toLatin1 } from "./bytes.ts";
import { commonEnd, commonStart } from "./common-ends.ts";

/** The UTF-8 byte order mark, one character per byte. */
export const BOM = "\xef\xbb\xbf";

/** A text as lines. Line ends are separate from the lines, so that a change of line ends is not a change of every line. */
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

/** A text, split. */
export interface SplitText {
	readonly text: string;
	readonly lines: Lines;
}

/**
 * Splits a text (one character per byte) into lines. Only LF ends a line; a CR before it belongs to the end.
 *
 * @param like another version: common lines at the start and at the end are shared with it, which is quicker than splitting.
 */
export function splitLines(text: string, like?: SplitText): Lines {
	const bom = text.startsWith(BOM);
	const keys = like === undefined ? null : splitAlike(text, like);
	return keys === null ? splitAll(text, bom) : { bom, keys, crlf: null, ended: text === "" || text.endsWith("\n") };
}

/** The lines of a text, split like another version of it; null: the versions share too little. */
function splitAlike(text: string, { text: other, lines }: SplitText): string[] | null {
	const most = Math.min(text.length, other.length);
	if (most < minAlike || lines.crlf !== null || lines.bom || text.startsWith(BOM) || text.includes("\r\n")) return null;
	const { keys } = lines;
	const atStart = commonStart(text, 0, other, 0, most);
	const atEnd = commonEnd(text, text.length, other, other.length, most - atStart);
	let [first, from] = [0, 0];
	while (first < keys.length && from + keys[first]!.length + 1 <= atStart) from += keys[first++]!.length + 1;
	let [last, behind] = [keys.length, 0];
	// A last line without its end is split separately.
	if (lines.ended && text.endsWith("\n")) {
		// The line end before a line must be equal as well.
		while (last > first && behind + keys[last - 1]!.length + 1 < atEnd) behind += keys[--last]!.length + 1;
	}
	const middle = text.slice(from, text.length - behind);
	const own = middle === "" ? [] : middle.split("\n");
	if (own[own.length - 1] === "") own.pop();
	return [...keys.slice(0, first), ...own, ...keys.slice(last)];
}

/** Splitting a shorter text is quicker than comparing it. */
const minAlike = 4096;

/** Steps to cut out a line. */
const stepsPerLine = 10;

function splitAll(text: string, bom: boolean): Lines {
	const keys = (bom ? text.slice(BOM.length) : text).split("\n");
	spend(stepsPerLine * keys.length);
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
	// The end that it would have if it were not the last: that of the line before it.
	if (!ended && last > 0) crlf[last] = crlf[last - 1]!;
	return { bom, keys, crlf, ended };
}

/** No lines at all: the base of a file that both sides added. */
export const noLines: Lines = { bom: false, keys: [], crlf: null, ended: true };

/** Splits three versions of a text; without a base it has no lines. */
export function splitVersions(base: Uint8Array | null, older: Uint8Array, later: Uint8Array): Record<"base" | "older" | "later", Lines> {
	const inBase = base === null ? null : splitLines(toLatin1(base));
	const inOlder = splitLines(toLatin1(older), base === null || inBase === null ? undefined : { text: toLatin1(base), lines: inBase });
	const like = base === null || inBase === null ? { text: toLatin1(older), lines: inOlder } : { text: toLatin1(base), lines: inBase };
	return { base: inBase ?? noLines, older: inOlder, later: splitLines(toLatin1(later), like) };
}

/** The line ends of a text, as far as it has ended lines. */
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

/** Joins lines. */
export function joinLines({ bom, keys, crlf, ended }: Lines): string {
	const last = keys.length - 1;
	const lines = crlf === null ? keys : keys.map((key, i) => (crlf[i] === 1 && (i < last || ended) ? `${key}\r` : key));
	return (bom ? BOM : "") + lines.join("\n") + (ended && last >= 0 ? "\n" : "");
}
