import { trimBlanks } from "../blanks.ts";
import { choose } from "../choose.ts";
import type { Lost, Versions } from "./blocks.ts";
import type { Markup, Unit } from "./units.ts";

/** A line with one statement, so that only one of two versions can stay. */
interface Statement {
	/** The subject of the line. */
	readonly subject: string;
	/** The value of the subject; the rest of the line is before and behind. */
	readonly before: string;
	readonly says: string;
	readonly behind: string;
}

/** The time when a task was done or cancelled, as plugins of Obsidian write it after its words; a character may be several bytes. */
const COMPLETION = /(?:[ \t]+\xe2(?:\x9c\x85|\x9d\x8c)[ \t]*\d{4}-\d{2}-\d{2}|[ \t]+[[(](?:completion|cancelled)::[^\])]*[\])])+[ \t]*$/;

/** A task of a list: its words are the subject, the mark in its box and the time of completion are the value. */
function task(line: string): Statement | null {
	const found = /^([ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]+\[)([^\]]{1,4})(\][ \t].*)$/.exec(line);
	if (found === null) return null;
	const [, before, mark, behind] = found as unknown as [string, string, string, string];
	return { subject: `task ${behind.replace(COMPLETION, "")}`, before, says: mark + behind, behind: "" };
}

/** A heading of Org with the state of its task: the words are the subject, the state is the value (https://orgmode.org/manual/TODO-Items.html). */
function orgTask(line: string): Statement | null {
	const found = /^(\*+[ \t]+)(TODO|DONE|NEXT|WAIT(?:ING)?|HOLD|STARTED|DOING|PROJ|IDEA|KILL|CANCELL?ED|DELEGATED|SOMEDAY)([ \t].*)$/.exec(
		line,
	);
	return found === null ? null : { subject: `task ${found[3]}`, before: found[1]!, says: found[2]!, behind: found[3]! };
}

/** A property on a line of its own: `key:: value`, `#+KEY: value` in Org, `:key: value` in AsciiDoc and reStructuredText. */
function property(line: string, markup: Markup): Statement | null {
	const pattern =
		markup === "org"
			? /^([ \t]*(?:#\+(?!begin_|end_)(?=[\w-]+:)|:(?!end:)(?=[\w-]+:))([\w-]+):)([ \t].*)$/i
			: markup === "markdown"
				? /^((?:[-*+][ \t]+)?([\w-]+)::)([ \t].*)$/
				: /^(:([\w-]+):)([ \t].*)$/;
	const found = pattern.exec(line);
	return found === null ? null : { subject: `property ${found[2]!.toLowerCase()}`, before: found[1]!, says: found[3]!, behind: "" };
}

/** The head of a table: a table has one. The words of its first column and the line below it identify the table. */
function tableHead(line: string, next: string | undefined): Statement | null {
	if (next === undefined || !tableRule.test(next) || !line.includes("|")) return null;
	return { subject: `table ${firstCell(line)} ${next}`, before: "", says: line, behind: "" };
}

const tableRule = /^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|[ \t:-]*$/;

/** May a body have tasks, properties or tables? */
export function mayHaveStatements(text: string, markup: Markup): boolean {
	if (markup === "markdown" && text.includes("|") && /^[ \t]*\|?[ \t]*:?-+:?[ \t]*\|/m.test(text)) return true;
	if (text.includes("[") && /^[ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]+\[[^\]\n]{1,4}\][ \t]/m.test(text)) return true;
	if (markup === "org" && /^\*+[ \t]+[A-Z]{4,9}[ \t]/m.test(text)) return true;
	return markup === "markdown" ? text.includes("::") : /^[ \t]*(?:#\+|:)[\w-]+:[ \t]/m.test(text);
}

/**
 * If both sides give one subject different values, the later side's stays: all versions get the resulting line. A subject that is in a
 * version more than once is left alone.
 *
 * @returns whether a version was changed.
 */
export function mergeStatements({ base, older, later }: Versions, markup: Markup, lost: Lost): boolean {
	let changed = markup === "markdown" && mergeTableHeads({ base, older, later }, lost);
	const [inBase, inOlder, inLater] = [base, older, later].map((units) => statements(units, markup)) as [Found, Found, Found];
	for (const [subject, o] of inOlder) {
		const l = inLater.get(subject);
		const b = inBase.get(subject);
		if (o === null || l === undefined || l === null || b === null) continue;
		const isTask = subject.startsWith("task ");
		if (o.statement.says === l.statement.says && (!isTask || b === undefined || b.statement.says === o.statement.says)) continue;
		// A property that one side alone changed is merged as any other line.
		if (!isTask && b !== undefined && (b.statement.says === o.statement.says || b.statement.says === l.statement.says)) continue;
		const says = choose(b?.statement.says, o.statement.says, l.statement.says);
		if (o.statement.says !== says && o.statement.says !== b?.statement.says) lost.olderLost = true;
		for (const [units, found] of [
			[base, b],
			[older, o],
			[later, l],
		] as const) {
			if (found === undefined) continue;
			const { before, behind } = found.statement;
			units[found.index] = { text: before + says + behind, block: null };
		}
		changed = true;
	}
	return changed;
}

/**
 * If a side changed a table's number of columns, its head and the line below it are one unit: a line of one side below the head of the other
 * makes no table.
 */
function mergeTableHeads({ base, older, later }: Versions, lost: Lost): boolean {
	const [inBase, inOlder, inLater] = [base, older, later].map(tableHeads) as [Heads, Heads, Heads];
	const found: { readonly units: Unit[]; readonly index: number; readonly text: string }[] = [];
	for (const [subject, o] of inOlder) {
		const [b, l] = [inBase.get(subject), inLater.get(subject)];
		if (o === null || !l || b === null || (o.rule === l.rule && (b === undefined || b.rule === o.rule))) continue;
		// The side that changed the columns has the cells for them.
		const rule = choose(b?.rule, o.rule, l.rule);
		const text = o.rule === l.rule ? choose(b?.text, o.text, l.text) : rule === o.rule ? o.text : l.text;
		if (o.text !== text && o.text !== b?.text) lost.olderLost = true;
		if (l.text !== text && l.text !== b?.text) lost.laterLost = true;
		for (const [units, head] of [
			[base, b],
			[older, o],
			[later, l],
		] as const)
			if (head !== undefined) found.push({ units, index: head.index, text });
	}
	for (const units of [base, older, later])
		joinHeads(units, new Map(found.filter((one) => one.units === units).map(({ index, text }) => [index, text])));
	return found.length > 0;
}

/** Makes one unit of each head at these places and the line below it. */
function joinHeads(units: Unit[], texts: ReadonlyMap<number, string>): void {
	let length = 0;
	for (let i = 0; i < units.length; i++) {
		const text = texts.get(i);
		units[length++] = text === undefined ? units[i]! : { text, block: null };
		if (text !== undefined) i++;
	}
	units.length = length;
}

/** Heads of tables with the line below them, by the words of their first column; null: there are several. */
type Heads = Map<string, { readonly index: number; readonly rule: string; readonly text: string } | null>;

function tableHeads(units: readonly Unit[]): Heads {
	const found: Heads = new Map();
	for (const [index, { text, block }] of units.entries()) {
		const next = units[index + 1];
		if (block !== null || next === undefined || next.block !== null || !text.includes("|") || !tableRule.test(next.text)) continue;
		const subject = firstCell(text);
		found.set(subject, found.has(subject) ? null : { index, rule: next.text, text: `${text}\n${next.text}` });
	}
	return found;
}

function firstCell(line: string): string {
	return trimBlanks(/^[ \t]*\|?([^|]*)/.exec(line)![1]!);
}

/** Statements by subject; null: the subject occurs more than once. */
type Found = Map<string, { index: number; statement: Statement } | null>;

function statements(units: readonly Unit[], markup: Markup): Found {
	const found: Found = new Map();
	for (const [index, { text, block }] of units.entries()) {
		if (block !== null) continue;
		const next = markup === "markdown" ? units[index + 1] : undefined;
		const state = markup === "org" ? orgTask(text) : null;
		const statement = state ?? task(text) ?? property(text, markup) ?? tableHead(text, next?.block === null ? next.text : undefined);
		if (statement !== null) found.set(statement.subject, found.has(statement.subject) ? null : { index, statement });
	}
	return found;
}
