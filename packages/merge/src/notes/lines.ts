import { choose } from "../choose.ts";
import { align } from "../diff.ts";
import { Interner } from "../interner.ts";
import { hunks } from "../line-alignment.ts";
import type { Lost, Versions } from "./blocks.ts";
import {
	asciidocRevision,
	directiveOption,
	namedLine,
	orgPlanning,
	plannedTask,
	type Statement,
	taskOfBullet,
	withoutEnding,
} from "./statements.ts";
import { firstCell, mergeTableHeads, mergeTableRows, tableRule } from "./tables.ts";
import type { Markup, Unit } from "./units.ts";

/** The time when a task was done or cancelled, as plugins of Obsidian write it after its words; a character may be several bytes. */
const COMPLETION =
	/(?<![ \t])(?:[ \t]+\xe2(?:\x9c\x85|\x9d\x8c)[ \t]*\d{4}-\d{2}-\d{2}|[ \t]+[[(](?:completion|cancelled)::[^[\]()]*[\])])+[ \t]*$/;

const TASK = /^([ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]+\[)([^\]]{1,4})(\][ \t].*)$/;

/** A task of a list: its words are the subject, the mark in its box and the time of completion are the value. */
function task(line: string): Statement | null {
	const found = taskParts(line);
	if (found === null) return null;
	const { before, mark, words, completion } = found;
	return { subject: `task ${words}`, before, says: mark + words + completion, behind: "" };
}

/**
 * A heading of Org with the state and priority of its task: the words are the subject (https://orgmode.org/manual/TODO-Items.html,
 * https://orgmode.org/manual/Priorities.html).
 */
function orgTask(line: string): Statement | null {
	const found =
		/^(\*+[ \t]+)((?:TODO|DONE|NEXT|WAIT(?:ING)?|HOLD|STARTED|DOING|PROJ|IDEA|KILL|CANCELL?ED|DELEGATED|SOMEDAY)(?:[ \t]+\[#[A-Z0-9]\])?)([ \t].*)$/.exec(
			line,
		);
	return found === null ? null : { subject: `task ${found[3]}`, before: found[1]!, says: found[2]!, behind: found[3]! };
}

/** A line of a todo.txt that is done or has a priority (https://github.com/todotxt/todo.txt). */
function plainTask(line: string): Statement | null {
	const found = PLAIN_TASK.exec(line);
	return found === null ? null : { subject: `plain task ${found[2]}`, before: "", says: found[1]!, behind: found[2]! };
}

const PLAIN_TASK = /^((?:x (?:\d{4}-\d{2}-\d{2} ){0,2})?(?:\([A-Z]\) )?)(?<=.)(\S.*)$/m;

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

/** The definition of a footnote or of a link: readers take only one of a label (https://spec.commonmark.org/0.31.2/#link-reference-definitions). */
function definition(line: string): Statement | null {
	const found = DEFINITION.exec(line);
	return found === null ? null : { subject: `definition ${found[2]!.toLowerCase()}`, before: found[1]!, says: found[3]!, behind: "" };
}

const DEFINITION = /^( {0,3}\[(\^?[^\]\s[][^\][]*)\]:)([ \t].*)$/m;

/** The definition of a link, footnote, citation or substitution of reStructuredText (https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html). */
function restructuredDefinition(line: string): Statement | null {
	const found = /^(\.\. (_[^_:`][^:]*:|\[[^\]]+\]|\|[^|]+\| [\w-]+::))([ \t].*)$/.exec(line);
	return found === null ? null : { subject: `definition ${found[2]!.toLowerCase()}`, before: found[1]!, says: found[3]!, behind: "" };
}

/** The title: the only heading of the first level. */
function title(line: string, next: string | undefined, markup: Markup): Statement | null {
	const mark = markup === "markdown" ? "# " : markup === "asciidoc" ? "= " : null;
	const isUnderlined = (markup === "markdown" || markup === "restructured") && next !== undefined && /^={3,}[ \t]*$/.test(next);
	if (!((mark !== null && line.startsWith(mark)) || (isUnderlined && /\S/.test(line)))) return null;
	return { subject: "title", before: "", says: line, behind: "" };
}

/** A line with a date or a time: two that differ in nothing else are one. */
function stamped(line: string): Statement | null {
	const rest = line.replaceAll(STAMP, "\0");
	if (rest === line || !/[A-Za-z\x80-\xff]/.test(rest)) return null;
	return { subject: `stamp ${rest}`, before: "", says: line, behind: "" };
}

/** A date, with or without a time, or a time, or how many tasks below are done: `[1/2]`, `[50%]`. */
const STAMP =
	/(?<!\d)\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?(?!\d)|(?<!\d)\d{1,2}:\d{2}(?::\d{2})?(?!\d)|\[\d+(?:\/\d+|%)\]/g;

/** Statements that two new lines may share by chance. */
const ofOldLines = /^(?:field|stamp|title|planned)/;

/** A line `Status: open`, also bold or in a list. Its value is a few words: a longer one may be a sentence. */
function field(line: string): Statement | null {
	const found = FIELD.exec(line);
	return found === null ? null : { subject: `field ${found[2]!.toLowerCase()}`, before: found[1]!, says: found[3]!, behind: "" };
}

const FIELD =
	/^([ \t>]*(?:[-*+][ \t]+)?(?:\*\*|__)?([A-Z\xc3-\xf4][\w\x80-\xff-]*(?: [\w\x80-\xff-]+){0,2})(?:\*\*:|:\*\*|__:|:__|:))([ \t]+\S.{0,60})$/m;

const hasTables = (markup: Markup) => markup === "markdown" || markup === "org";

/** The head of a table: a table has one. The words of its first column and the line below it identify the table. */
function tableHead(line: string, next: string | undefined): Statement | null {
	if (next === undefined || !tableRule.test(next) || !line.includes("|")) return null;
	return { subject: `table ${firstCell(line)} ${next}`, before: "", says: line, behind: "" };
}

/** May a body have tasks, properties, definitions or tables? */
export function mayHaveStatements(text: string, markup: Markup): boolean {
	if (hasTables(markup) && text.includes("|") && /^[ \t>]*(?:\|[ \t]*)?:?-+:?[ \t]*[|+]/m.test(text)) return true;
	if (text.includes("[") && /^[ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]+\[[^\]\n]{1,4}\][ \t]/m.test(text)) return true;
	if (markup === "org" && /^\*+[ \t]+[A-Z]{4,9}[ \t]/m.test(text)) return true;
	if (text.search(STAMP) >= 0 || FIELD.test(text) || PLAIN_TASK.test(text) || /^[#=] |^===/m.test(text)) return true;
	if (markup === "restructured" && text.includes(".. ")) return true;
	if (markup === "org" && text.includes(":") && /^[ \t]*(?:CLOSED|SCHEDULED|DEADLINE):/m.test(text)) return true;
	if (markup === "markdown" && (/[ \t]\^[A-Za-z0-9-]+[ \t]*$/m.test(text) || /^[ \t>]*(?:[-*+]|#{1,6})[ \t]+[A-Z]{3,9}[ \t]/m.test(text)))
		return true;
	if (markup === "markdown" && text.includes("]:") && DEFINITION.test(text)) return true;
	return markup === "markdown" ? text.includes("::") : /^[ \t]*(?:#\+|:)[\w-]+:[ \t]/m.test(text);
}

/**
 * If both sides give one subject different values, the later side's stays: all versions get the resulting line. A subject that is in a
 * version more than once is left alone.
 *
 * @returns whether a version was changed.
 */
export function mergeStatements({ base, older, later }: Versions, markup: Markup, lost: Lost): boolean {
	let changed = mergeTaskWords({ base, older, later }, lost);
	if (hasTables(markup)) {
		if (mergeTableRows({ base, older, later }, lost)) changed = true;
		if (mergeTableHeads({ base, older, later }, lost)) changed = true;
	}
	if (mergeFound({ base, older, later }, lost, (line, index, next, units) => statementOf(line, index, next, units, markup))) changed = true;
	// A task that both planned otherwise.
	if (markup === "markdown" && mergeFound({ base, older, later }, lost, plannedTask)) changed = true;
	return changed;
}

type Finder = (line: string, index: number, next: string | undefined, units: readonly Unit[]) => Statement | null;

function mergeFound({ base, older, later }: Versions, lost: Lost, find: Finder): boolean {
	let changed = false;
	const [inBase, inOlder, inLater] = [base, older, later].map((units) => statements(units, find)) as [Found, Found, Found];
	for (const [subject, o] of inOlder) {
		const l = inLater.get(subject);
		const b = inBase.get(subject);
		if (o === null || l === undefined || l === null || b === null) continue;
		if (b === undefined && ofOldLines.test(subject)) continue;
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

function statementOf(line: string, index: number, next: string | undefined, units: readonly Unit[], markup: Markup): Statement | null {
	const special =
		markup === "org"
			? (orgTask(line) ?? orgPlanning(line, units[index - 1]?.text))
			: markup === "markdown"
				? (namedLine(line) ?? taskOfBullet(line))
				: markup === "restructured"
					? directiveOption(line, index, units)
					: markup === "asciidoc"
						? asciidocRevision(line, index)
						: null;
	return (
		special ??
		task(line) ??
		plainTask(line) ??
		property(line, markup) ??
		(markup === "markdown" ? definition(line) : markup === "restructured" ? restructuredDefinition(line) : null) ??
		(hasTables(markup) ? tableHead(line, next) : null) ??
		title(line, next, markup) ??
		field(line) ??
		stamped(line)
	);
}

/** Statements by subject; null: the subject occurs more than once. */
type Found = Map<string, { index: number; statement: Statement } | null>;

function statements(units: readonly Unit[], find: Finder): Found {
	const found: Found = new Map();
	for (const [index, { text, block }] of units.entries()) {
		if (block !== null) continue;
		const next = units[index + 1]?.block === null ? units[index + 1]!.text : undefined;
		const statement = find(text, index, next, units);
		if (statement !== null) found.set(statement.subject, found.has(statement.subject) ? null : { index, statement });
	}
	return found;
}

/** A task in parts: its mark and time of completion are its state. */
interface TaskParts {
	readonly before: string;
	readonly mark: string;
	readonly words: string;
	readonly completion: string;
}

function taskParts(line: string): TaskParts | null {
	const found = TASK.exec(line);
	if (found === null) return null;
	const [, before, mark, behind] = found as unknown as [string, string, string, string];
	const words = withoutEnding(behind, COMPLETION);
	return { before, mark, words, completion: behind.slice(words.length) };
}

interface PlacedTask extends TaskParts {
	readonly index: number;
}

function taskAt(units: readonly Unit[], index: number): PlacedTask | null {
	const unit = units[index];
	const parts = unit === undefined || unit.block !== null ? null : taskParts(unit.text);
	return parts === null ? null : { ...parts, index };
}

/** Tasks by their words; null: several have them. */
function tasksByWords(units: readonly Unit[]): Map<string, PlacedTask | null> {
	const found = new Map<string, PlacedTask | null>();
	for (const index of units.keys()) {
		const parts = taskAt(units, index);
		if (parts !== null) found.set(parts.words, found.has(parts.words) ? null : parts);
	}
	return found;
}

/** One side changed the mark of a task, the other its words: all versions get the task with both changes. */
function mergeTaskWords({ base, older, later }: Versions, lost: Lost): boolean {
	const [inBase, inOlder, inLater] = [base, older, later].map(tasksByWords) as [Tasks, Tasks, Tasks];
	let changed = false;
	let toOlder: ((index: number) => number | null) | null = null;
	let toLater: ((index: number) => number | null) | null = null;
	for (const [words, b] of inBase) {
		if (b === null) continue;
		const [marked, isOlder] = inOlder.has(words) ? [inOlder.get(words), true] : [inLater.get(words), false];
		if (!marked || (inOlder.has(words) && inLater.has(words)) || isSameState(marked, b)) continue;
		toOlder ??= counterpart(base, older);
		toLater ??= counterpart(base, later);
		const place = (isOlder ? toLater : toOlder)(b.index);
		const reworded = place === null ? null : taskAt(isOlder ? later : older, place);
		// A task with other words that was there before, or shares less than half of them, is another one.
		if (reworded === null || inBase.has(reworded.words) || !isReworded(words, reworded.words)) continue;
		const [o, l] = isOlder ? [marked, reworded] : [reworded, marked];
		const state = isSameState(l, b) ? o : l;
		if (state !== o && !isSameState(o, b) && !isSameState(o, l)) lost.olderLost = true;
		const text = choose(b.before, o.before, l.before) + state.mark + reworded.words + state.completion;
		base[b.index] = older[o.index] = later[l.index] = { text, block: null };
		changed = true;
	}
	return changed;
}

type Tasks = ReturnType<typeof tasksByWords>;

function isSameState(one: TaskParts, other: TaskParts): boolean {
	return one.mark === other.mark && one.completion === other.completion;
}

function isReworded(before: string, after: string): boolean {
	const [old, changed] = [before, after].map((text) => text.split(/[ \t]+/).filter((word) => /[\w\x80-\xff]/.test(word))) as [
		string[],
		string[],
	];
	const known = new Set(old);
	return 2 * changed.filter((word) => known.has(word)).length >= Math.max(old.length, changed.length, 1);
}

/** Gives the line of a version that took the place of a line of the base: the one in its place where a stretch kept its number of lines. */
function counterpart(base: readonly Unit[], side: readonly Unit[]): (index: number) => number | null {
	const interner = new Interner();
	const [ids, sideIds] = [base, side].map((units) => interner.ids(units.map(({ text }) => text))) as [Int32Array, Int32Array];
	const places = new Map<number, number>();
	for (const { start, end, from, to } of hunks(align(ids, sideIds), side.length)) {
		if (end - start === to - from) for (let k = 0; k < end - start; k++) places.set(start + k, from + k);
	}
	return (index) => places.get(index) ?? null;
}
