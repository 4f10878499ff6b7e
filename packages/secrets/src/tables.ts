import { type Assigned, acceptsBare } from "./assignments.ts";
import { secretNameAt } from "./names.ts";
import { looksDrawn } from "./values.ts";

// Values marked as secret by a header: the head of a column, or the kind of a document.

const maxHead = 4_000;
/** Limits: wider or longer tables are data, not lists of credentials. */
const maxColumns = 64;
const maxTable = 64_000;
/** The line between the head of a table and its rows: in Markdown, Org, reStructuredText, and as databases print it. */
const ruler = /^(?=.{0,400}[-=])(?=.{0,400}[|+])[ \t>|:+=-]{3,400}\r?$/;
/** Characters before the head of a CSV. */
const preamble = /^(?:\xef\xbb\xbf)?(?:(?:#[^\n]*|sep=.\r?|[ \t\r]*)\n)*$/;
const delimiters = [",", ";", "\t", "|"] as const;

interface Cell {
	readonly text: string;
	readonly at: number;
}

/** The cells of a line, without their quotes. @param from offset of the line */
function cellsOf(line: string, delimiter: string, from: number): Cell[] {
	const cells: Cell[] = [];
	for (let at = 0; at <= line.length; ) {
		let quote = line[at] === '"' ? line.indexOf('"', at + 1) : -1;
		while (quote >= 0 && line[quote + 1] === '"') quote = line.indexOf('"', quote + 2);
		const next = line.indexOf(delimiter, Math.max(quote, at));
		const end = next < 0 ? line.length : next;
		const raw = line.slice(at, end);
		// A byte order mark may precede the first cell.
		const text = raw.replace(/^[\s"'`\xef\xbb\xbf]+/, "");
		cells.push({ text: text.replace(/[\s"'`]+$/, ""), at: from + at + raw.length - text.length });
		at = end + 1;
	}
	return cells;
}

/** The delimiter of a head's cells. Null: not a table's head. */
function delimiterOf(head: string): string | null {
	const counts = delimiters.map((delimiter) => head.split(delimiter).length - 1);
	const most = Math.max(...counts);
	return most === 0 ? null : (delimiters[counts.indexOf(most)] ?? null);
}

/** The values of the column whose name is at an offset: in the head of a CSV, or of a table with a line below its head. */
export function columnAt(text: string, offset: number): Assigned[] {
	if (offset > maxHead && !/[\s|_]/.test(text[offset - 1] ?? "")) return [];
	const from = Math.max(0, offset - maxHead);
	const start = from + text.slice(from, offset).lastIndexOf("\n") + 1;
	const length = text.slice(start, start + maxHead).indexOf("\n");
	if (length < 0) return [];
	const head = text.slice(start, start + length);
	const second = head.includes("|") ? (text.slice(start + length + 1, start + length + 1 + maxHead).split("\n", 1)[0] ?? "") : "";
	const isRuled = ruler.test(second);
	if (!isRuled && (start > maxHead || !preamble.test(text.slice(0, start)))) return [];
	const delimiter = isRuled ? "|" : delimiterOf(head);
	if (delimiter === null) return [];
	const names = cellsOf(head, delimiter, start);
	const column = names.findIndex(({ at, text: name }) => offset >= at && offset < at + name.length);
	const name = names[column];
	if (name === undefined || names.length > maxColumns || !/^[A-Za-z][\w .-]{1,40}$/.test(name.text)) return [];
	const said = secretNameAt(`${name.text}=`, offset - name.at);
	if (said === null || said.end !== name.text.length) return [];
	const found: Assigned[] = [];
	const last = Math.min(text.length, start + maxTable);
	for (let at = start + length + 1 + (isRuled ? second.length + 1 : 0); at < last; ) {
		const next = text.slice(at, last).indexOf("\n");
		const end = next < 0 ? last : at + next;
		const line = text.slice(at, Math.min(end, at + maxHead));
		// A second line of this kind ends the table. reStructuredText has lines of another kind below each row.
		if (isRuled && (ruler.test(line) ? line.includes("=") === second.includes("=") : !line.includes("|"))) break;
		const cells = cellsOf(line, delimiter, at);
		const cell = cells.length === names.length ? cells[column] : undefined;
		const value = cell === undefined || /[\s"'`\\,;<>(){}[\]|&$]/.test(cell.text) ? "" : cell.text;
		if (cell !== undefined && acceptsBare(value, said.kind)) found.push({ value, start: cell.at, end: cell.at + value.length });
		at = end + 1;
	}
	return found;
}

const maxDocument = 64_000;
const dataLine = /^[ \t]*["']?[\w.-]{1,253}["']?:[ \t]{0,8}["']?([A-Za-z0-9+/]{12,4000}={0,2})["']?,?[ \t]*\r?$/gm;

/** The base64 values of a Kubernetes Secret, whatever their names. */
function kubernetesData(text: string, offset: number): Assigned[] {
	// Text between two marks is searched for both, so nothing is read more than twice.
	const mark = text.startsWith("kind: S", offset) ? "kind: Secret" : '"Secret"';
	const [start, end] = [Math.max(0, offset - maxDocument), Math.min(text.length, offset + maxDocument)];
	const nearest = start + Math.max(0, text.slice(start, offset).lastIndexOf(mark));
	const before = text.slice(nearest, offset).lastIndexOf("\n---");
	const from = before < 0 ? nearest : nearest + before + 4;
	const next = text.slice(offset + 20, end).indexOf(mark);
	const rest = text.slice(offset, next < 0 ? end : offset + 20 + next);
	const after = rest.indexOf("\n---");
	const document = text.slice(from, offset) + (after < 0 ? rest : rest.slice(0, after));
	const found: Assigned[] = [];
	for (const block of document.matchAll(/^([ \t]*)["']?data["']?:[ \t]*\{?[ \t]*\r?\n((?:\1[ \t]+\S[^\n]*(?:\n|$))+)/gm)) {
		const [all, , lines = ""] = block;
		const base = from + (block.index ?? 0) + all.length - lines.length;
		for (const line of lines.matchAll(dataLine)) {
			const [whole, value = ""] = line;
			if (value.length % 4 !== 0 || !looksDrawn(value, 16)) continue;
			const start = base + (line.index ?? 0) + whole.lastIndexOf(value);
			found.push({ value, start, end: start + value.length });
		}
	}
	return found;
}

/** Names of cookies that authenticate their holder. */
const sessionName = /sess|^_{0,2}(?:host|secure)?-?sid$|sid$|auth|token|jwt|remember|login|credential/i;
const cookiePair = /(?<![\w.!#$%&*+^|~-])([\w.!#$%&*+^|~-]{1,80})=([^\s;,"'`\\<>(){}]{16,4000})/g;
const cookieHead =
	/(?:cookie2?(?:\\{0,3}["'`])?\s{0,3}(?:[:=,]|=>|,\s{0,3}\\{0,3}["']value\\{0,3}["']\s{0,3}:)\s{0,3}\\{0,3}["'`]?|--cookie[ =]{1,3}["']?| -b ["'])(?=[^\s"'`=]{1,80}=)/iy;

/** Session cookies in a header, or in an option of a command. */
function cookiesAt(text: string, offset: number): Assigned[] {
	cookieHead.lastIndex = offset;
	if (!cookieHead.test(text)) return [];
	const from = cookieHead.lastIndex;
	if (text[offset] === " " && !/\bcurl\b[^\n]{0,400}$/.test(text.slice(Math.max(0, offset - 420), offset))) return [];
	const line = text.slice(from, from + maxHead).split(/[\n"'`]|cookie\s?:/i, 1)[0] ?? "";
	return [...line.matchAll(cookiePair)].flatMap((pair) => {
		const [all, name = "", value = ""] = pair;
		if (!sessionName.test(name) || /^eyJ/.test(value) || !looksDrawn(value, 20)) return [];
		const start = from + (pair.index ?? 0) + all.length - value.length;
		return [{ value, start, end: start + value.length }];
	});
}

const jarLine = /\t(?:TRUE|FALSE)\t\d{1,12}\t([^\t\r\n]{1,80})\t([^\s]{16,4000})/y;

/** A session in a cookie file, in the format of browsers and curl. */
function jarAt(text: string, offset: number): Assigned[] {
	// The first of the two flags follows the domain.
	const second = /^\t(?:TRUE|FALSE)\t[^\t\n]{1,200}(?=\t)/.exec(text.slice(offset, offset + 220));
	if (second === null) return [];
	jarLine.lastIndex = offset + second[0].length;
	const [, name = "", value = ""] = jarLine.exec(text) ?? [];
	if (!sessionName.test(name) || !looksDrawn(value, 18)) return [];
	return [{ value, start: jarLine.lastIndex - value.length, end: jarLine.lastIndex }];
}

/** A rule that may find several values at one place. */
export interface ListRule {
	readonly id: string;
	readonly literals: readonly string[];
	readonly anyCase?: boolean;
	readonly next?: string;
	findAll(text: string, offset: number): Assigned[];
}

export const listRules: readonly ListRule[] = [
	{
		id: "kubernetes-secret",
		literals: ["kind: Secret\n", "kind: Secret\r", 'kind: "Secret"', '"kind": "Secret"'],
		findAll: kubernetesData,
	},
	{ id: "session-cookie", literals: ["cookie", "--cookie", ' -b "', " -b '"], anyCase: true, findAll: cookiesAt },
	{ id: "session-cookie", literals: ["\tTRUE\t", "\tFALSE\t"], findAll: jarAt },
];
