import { type Assigned, acceptsBare } from "./assignments.ts";
import { cookieRules } from "./cookies.ts";
import type { Derived } from "./derived.ts";
import { keyRules } from "./json-web-keys.ts";
import { secretNameAt } from "./names.ts";
import { countOf } from "./randomness.ts";
import type { ListRule } from "./rule.ts";
import { looksDrawn } from "./values.ts";

// Values marked as secret by a header: the head of a column, or the kind of a document.

const maxHead = 4_000;
/** The line before and behind a table of AsciiDoc. */
const fence = /(?:^|\n)\|={3,8}\r?\n$/;
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

/** The rest of a column's name in a list of them. */
const inColumnList = /\w{3,64}["`\]]?\s{0,20}[,)]/y;
/** A text or a word of SQL. */
const sqlValue = /\s{0,20}(?:[NEB]?'(?<text>(?:[^'\\]|''|\\.){0,4000})'|(?<word>[^',()]{0,200}))\s{0,20}(?<end>[,)])/y;

/** The values of a column that an INSERT of SQL names. */
function insertedAt(text: string, offset: number): Assigned[] {
	inColumnList.lastIndex = offset;
	if (!inColumnList.test(text)) return [];
	const from = Math.max(0, offset - maxHead);
	const open = text.slice(from, offset).lastIndexOf("(") + from;
	if (open < from || !/\binto\s{1,8}[\w."`[\]]{1,120}\s{0,8}$/i.test(text.slice(Math.max(0, open - 160), open))) return [];
	const close = offset + text.slice(offset, offset + maxHead).indexOf(")");
	const names = close < offset ? [] : text.slice(open + 1, close).split(",", maxColumns + 1);
	if (names.length === 0 || names.length > maxColumns) return [];
	const column = text.slice(open + 1, offset).split(",").length - 1;
	const name = (names[column] ?? "").replaceAll(/[\s"`[\]]/g, "");
	const secretName = secretNameAt(`${name}=`, name.indexOf(text.slice(offset, offset + 3)));
	const values = /\)\s{0,20}(?:overriding[^(]{1,40})?values\s{0,20}/iy;
	values.lastIndex = close;
	if (secretName === null || !values.test(text)) return [];
	const found: Assigned[] = [];
	let at = values.lastIndex;
	for (const last = at + maxTable; at < last && text[at] === "("; ) {
		at++;
		for (let index = 0; ; index++) {
			sqlValue.lastIndex = at;
			const groups = sqlValue.exec(text)?.groups;
			if (groups === undefined) return found;
			const value = groups.text ?? "";
			const start = text.indexOf(value, at);
			if (index === column && acceptsBare(value, secretName)) found.push({ value, start, end: start + value.length });
			at = sqlValue.lastIndex;
			if (groups.end === ")") break;
		}
		const next = /\s{0,20},\s{0,20}/y;
		next.lastIndex = at;
		if (next.test(text)) at = next.lastIndex;
	}
	return found;
}

const headCellEnd = /[\w .-]{3,64}\s{0,40}(?:<\/[a-z]{1,8}>\s{0,40}){0,3}<\/t[hd]>/iy;
const cellStart = /<t[hd]\b/gi;
const tags = /<[^<>]{0,200}>/g;

/** The values of a column of a table of HTML. */
function markedUpAt(text: string, offset: number): Assigned[] {
	headCellEnd.lastIndex = offset;
	if (!headCellEnd.test(text)) return [];
	const from = Math.max(0, offset - maxHead);
	const row = text.slice(from, offset).toLowerCase().lastIndexOf("<tr") + from;
	const head = row < from ? "" : text.slice(row, offset);
	const column = countOf(head, cellStart) - 1;
	if (column < 0 || column >= maxColumns) return [];
	const before = head.slice(head.lastIndexOf(">") + 1).trimStart();
	const name = before + (/^[\w .-]{1,64}/.exec(text.slice(offset, offset + 64))?.[0] ?? "").trimEnd();
	const secretName = secretNameAt(`${name}=`, before.length);
	if (secretName === null || secretName.end !== name.length) return [];
	const rest = text.slice(offset, offset + maxTable);
	const end = rest.search(/<\/table/i);
	const found: Assigned[] = [];
	let start = offset;
	for (const line of rest
		.slice(0, end < 0 ? rest.length : end)
		.split(/(?<=<\/tr>)/i)
		.slice(1)) {
		start = text.indexOf(line, start);
		const cell = line.split(cellStart)[column + 1] ?? "";
		const value = cell
			.replace(/^[^<>]{0,200}>/, "")
			.replaceAll(tags, "")
			.trim();
		if (!acceptsBare(value, secretName)) continue;
		const at = text.indexOf(value, start);
		found.push({ value, start: at, end: at + value.length });
	}
	return found;
}

/**
 * The values of the column whose name is at an offset: in the head of a CSV, of a table with a line below its head or in HTML, or in an INSERT of SQL.
 */
export function columnAt(text: string, offset: number): Assigned[] {
	const other = [...insertedAt(text, offset), ...markedUpAt(text, offset)];
	if (other.length > 0) return other;
	if (offset > maxHead && !/[\s|_]/.test(text[offset - 1] ?? "")) return [];
	const from = Math.max(0, offset - maxHead);
	// The search forward is fast; the one backward would read a long line again at each of its names.
	if (!text.slice(offset, offset + maxHead).includes("\n")) return [];
	const start = from + text.slice(from, offset).lastIndexOf("\n") + 1;
	const length = text.slice(start, start + maxHead).indexOf("\n");
	if (length < 0) return [];
	const head = text.slice(start, start + length);
	const second = head.includes("|") ? (text.slice(start + length + 1, start + length + 1 + maxHead).split("\n", 1)[0] ?? "") : "";
	const isFenced = fence.test(text.slice(Math.max(from, start - 12), start));
	const isRuled = !isFenced && ruler.test(second);
	if (!isRuled && !isFenced && (start > maxHead || !preamble.test(text.slice(0, start)))) return [];
	const delimiter = isRuled || isFenced ? "|" : delimiterOf(head);
	if (delimiter === null) return [];
	const names = cellsOf(head, delimiter, start);
	const column = names.findIndex(({ at, text: name }) => offset >= at && offset < at + name.length);
	const name = names[column];
	if (name === undefined || names.length > maxColumns || !/^[A-Za-z][\w .-]{1,40}$/.test(name.text)) return [];
	const secretName = secretNameAt(`${name.text}=`, offset - name.at);
	if (secretName === null || secretName.end !== name.text.length) return [];
	const found: Assigned[] = [];
	const last = Math.min(text.length, start + maxTable);
	for (let at = start + length + 1 + (isRuled ? second.length + 1 : 0); at < last; ) {
		const next = text.slice(at, last).indexOf("\n");
		const end = next < 0 ? last : at + next;
		const line = text.slice(at, Math.min(end, at + maxHead));
		// A second line of this kind ends the table. reStructuredText has lines of another kind below each row.
		if (isRuled && (ruler.test(line) ? line.includes("=") === second.includes("=") : !line.includes("|"))) break;
		if (isFenced && fence.test(`${line}\n`)) break;
		const cells = cellsOf(line, delimiter, at);
		const cell = cells.length === names.length ? cells[column] : undefined;
		const value = cell === undefined || /[\s"'`\\,;<>(){}[\]|&$]/.test(cell.text) ? "" : cell.text;
		if (cell !== undefined && acceptsBare(value, secretName)) found.push({ value, start: cell.at, end: cell.at + value.length });
		at = end + 1;
	}
	return found;
}

export const kubernetesRule = "kubernetes-secret";
const maxDocument = 64_000;
/** The lines below a name. */
const linesBelow = String.raw`["']?:[ \t]*\{?[ \t]*\r?\n(?<body>(?:\1[ \t]+\S[^\n]*(?:\n|$))+)`;
const dataLine = /^[ \t]*["']?(?<name>[\w.-]{1,253})["']?:[ \t]{0,8}["']?(?<value>[A-Za-z0-9+/]{12,64000}={0,2})["']?,?[ \t]*\r?$/gm;
/** Where a Secret has its values: in base64, as they are, and either of them on one line. */
const sections: readonly (readonly [section: RegExp, entry: RegExp])[] = [
	[new RegExp(String.raw`^([ \t]*)["']?data${linesBelow}`, "gm"), dataLine],
	[
		new RegExp(String.raw`^([ \t]*)["']?(?<plain>stringData)${linesBelow}`, "gm"),
		/^[ \t]*["']?(?<name>[\w.-]{1,253})["']?:[ \t]{0,8}(["']?)(?<value>[^\s"']{8,4000})\2,?[ \t]*\r?$/gm,
	],
	[
		/["']?(?:(?<plain>string)D|d)ata["']?\s{0,4}:\s{0,4}(?<body>\{[^{}\n]{8,64000}\})/g,
		/["']?(?<name>[\w.-]{1,253})["']?\s{0,4}:\s{0,4}["'](?<value>[^\s"']{8,4000})["']/g,
	],
];

interface Entry extends Assigned {
	readonly name: string;
	/** In base64. */
	readonly isEncoded: boolean;
}

/** The values of a Kubernetes Secret. */
function kubernetesEntries(text: string, offset: number): Entry[] {
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
	const found: Entry[] = [];
	for (const [section, entry] of sections)
		for (const part of document.matchAll(section)) {
			const { body = "", plain } = part.groups ?? {};
			const base = from + part.index + part[0].length - body.length;
			for (const one of body.matchAll(entry)) {
				const { name = "", value = "" } = one.groups ?? {};
				if (entry === dataLine && value.length % 4 !== 0) continue;
				const start = base + one.index + one[0].lastIndexOf(value);
				found.push({ name, value, isEncoded: plain === undefined, start, end: start + value.length });
			}
		}
	return found;
}

/** The values of a Kubernetes Secret as a program gets them, each behind its name. @param offset of the document's kind */
export function kubernetesTexts(text: string, offset: number): Derived[] {
	return kubernetesEntries(text, offset).map(({ name, value, start, isEncoded }) => ({
		text: `${name}=${isEncoded ? Buffer.from(value, "base64").toString("latin1") : value}\n`,
		at: start,
	}));
}

/** The random values of a Kubernetes Secret, whatever their names. */
const kubernetesData = (text: string, offset: number): Assigned[] =>
	kubernetesEntries(text, offset).filter(({ value }) => value.length <= 4_000 && looksDrawn(value, 16));

export const listRules: readonly ListRule[] = [
	{
		id: kubernetesRule,
		literals: ["kind: Secret\n", "kind: Secret\r", 'kind: "Secret"', '"kind": "Secret"', '"kind":"Secret"'],
		findAll: kubernetesData,
	},
	...cookieRules,
	...keyRules,
];
