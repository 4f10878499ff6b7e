import { fromLatin1, toLatin1 } from "./bytes.ts";
import { choose } from "./choose.ts";
import { BOM, type LineEnds } from "./lines.ts";
import type { Merged, Sides } from "./sides.ts";

/** The result of a merge of plain texts; null: it cannot merge them. */
export interface MergedText {
	readonly text: string;
	readonly olderLost: boolean;
	readonly laterLost: boolean;
}

/**
 * Merges texts in a normal form: no byte order mark, LF line ends, an end after the last line. The result gets these back,
 * each from the side that changed it.
 *
 * @returns null: a version mixes line ends, or `merge` returned null.
 */
export function mergePlainly(sides: Sides, merge: (base: string | null, older: string, later: string) => MergedText | null): Merged | null {
	const base = sides.base === null ? null : plainText(sides.base);
	const [older, later] = [plainText(sides.older), plainText(sides.later)];
	if (base?.ends === "mixed" || older.ends === "mixed" || later.ends === "mixed") return null;
	const merged = merge(base?.text ?? null, older.text, later.text);
	if (merged === null) return null;
	const filled = base === null || base.text === "" ? null : base;
	const [olderEnds, laterEnds] = [older.ends === "none" ? later.ends : older.ends, later.ends === "none" ? older.ends : later.ends];
	const ends = choose(filled === null || filled.ends === "none" ? undefined : filled.ends, olderEnds, laterEnds);
	const isEnded = choose(filled?.ended, older.ended, later.ended);
	// An empty last line without an end would be no line at all.
	const text = isEnded || !/[^\n]\n$/.test(merged.text) ? merged.text : merged.text.slice(0, -1);
	const bom = choose(filled?.bom, older.bom, later.bom) ? BOM : "";
	return { ...merged, content: fromLatin1(bom + (ends === "crlf" ? text.replaceAll("\n", "\r\n") : text)) };
}

interface PlainText {
	readonly text: string;
	readonly bom: boolean;
	readonly ends: LineEnds;
	readonly ended: boolean;
}

function plainText(content: Uint8Array): PlainText {
	const text = toLatin1(content);
	const bom = text.startsWith(BOM);
	const body = bom ? text.slice(BOM.length) : text;
	const crlf = occurrences(body, "\r\n");
	const lineFeeds = crlf === 0 ? (body.includes("\n") ? 1 : 0) : occurrences(body, "\n");
	const ended = body === "" || body.endsWith("\n");
	const whole = ended ? body : `${body}\n`;
	return {
		text: crlf === 0 ? whole : whole.replaceAll("\r\n", "\n"),
		bom,
		ends: lineFeeds === 0 ? "none" : crlf === 0 ? "lf" : crlf === lineFeeds ? "crlf" : "mixed",
		ended,
	};
}

function occurrences(text: string, part: string): number {
	let count = 0;
	for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) count++;
	return count;
}
