import { type Lines, splitLines } from "./lines.ts";

/**
 * Splits a file of records into records: one a line, but in CSV (RFC 4180) a quoted field may span lines, and such lines stay together.
 * If the quotes do not balance, the file is not of that format, and every line is a record.
 */
export function splitRecords(text: string, quoted: boolean): Lines {
	const lines = splitLines(text);
	if (!quoted || !text.includes('"')) return lines;
	const keys: string[] = [];
	const crlf: number[] = [];
	let open: string | null = null;
	for (let i = 0; i < lines.keys.length; i++) {
		const key = lines.keys[i]!;
		const whole: string = open === null ? key : open + key;
		if (oddQuotes(key) !== (open !== null)) {
			// Inside a quoted field: the line end belongs to the record.
			open = `${whole}${lines.crlf?.[i] === 1 ? "\r" : ""}\n`;
		} else {
			keys.push(whole);
			crlf.push(lines.crlf?.[i] ?? 0);
			open = null;
		}
	}
	if (open !== null) return lines;
	return { bom: lines.bom, keys, crlf: lines.crlf === null ? null : Uint8Array.from(crlf), ended: lines.ended };
}

function oddQuotes(line: string): boolean {
	let quotes = 0;
	for (let at = line.indexOf('"'); at !== -1; at = line.indexOf('"', at + 1)) quotes++;
	return quotes % 2 === 1;
}
