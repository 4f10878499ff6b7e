import { spend } from "./budget.ts";
import { choose } from "./choose.ts";
import type { Lines } from "./lines.ts";
import type { Unified } from "./record-objects.ts";

/** Steps to find a row by its name. */
const stepsPerRow = 40;
/** Steps to cut a row into fields and to merge them. */
const stepsPerCharacter = 8;

/**
 * Merges the common changes of a CSV or TSV file: its header (the later side's), and the rows, if the first column names them in every
 * version: field by field if they have equal numbers of fields. If one side changed the table's columns, the other side's rows get them.
 *
 * @returns null: both changed neither; "later": both changed the columns, and it is unknown which values belong together.
 */
export function unifyRows(base: Lines, older: Lines, later: Lines, separator: string): Unified | "later" | null {
	const headers = [base, older, later].map(({ keys }) => (keys.length === 0 ? [] : fieldsOf(keys[0]!, separator)));
	const hasHeader = headers.every((header) => header.length === 0 || isHeader(header));
	const [inBase, inOlder, inLater] = headers as [string[], string[], string[]];
	// A single word may be anything.
	const areTables = hasHeader && [inBase, inOlder, inLater].every((header) => header.length > 1);
	if (areTables && inOlder.length !== inLater.length) {
		const [isOlders, isLaters] = [!sameColumns(inBase, inOlder), !sameColumns(inBase, inLater)];
		if (isOlders && isLaters) return "later";
		const [other, changed] = isOlders ? [later, older] : [older, later];
		const target = isOlders ? inOlder : inLater;
		// A side that did not give its own rows the column leaves those of others unchanged, too.
		if (!changed.keys.every((row) => row === "" || fieldsOf(row, separator).length === target.length))
			return unifyFields(base, older, later, separator, true);
		const converted = (lines: Lines): Lines => ({
			...lines,
			keys: lines.keys.map((row, i) => (i === 0 ? target.join(separator) : inColumns(row, inBase, target, separator))),
		});
		const isLost = losesValues(base, other, inBase, target, separator);
		const [before, mine, theirs] = [converted(base), isOlders ? changed : converted(other), isOlders ? converted(other) : changed];
		const unified = unifyFields(before, mine, theirs, separator, true) ?? {
			older: mine,
			later: theirs,
			olderLost: false,
			laterLost: false,
		};
		return {
			...unified,
			base: before,
			olderLost: unified.olderLost || (isLost && !isOlders),
			laterLost: unified.laterLost || (isLost && isOlders),
		};
	}
	return unifyFields(base, older, later, separator, hasHeader);
}

function sameColumns(one: readonly string[], other: readonly string[]): boolean {
	return one.length === other.length && one.every((name) => other.includes(name));
}

/** A row converted to other columns, by their names. A row that does not fit its own header stays unchanged. */
function inColumns(row: string, from: readonly string[], to: readonly string[], separator: string): string {
	const fields = fieldsOf(row, separator);
	if (row === "" || fields.length !== from.length) return row;
	return to.map((name) => fields[from.indexOf(name)] ?? "").join(separator);
}

/** Did a side write a value into a removed column? */
function losesValues(base: Lines, side: Lines, from: readonly string[], to: readonly string[], separator: string): boolean {
	const gone = from.flatMap((name, i) => (to.includes(name) ? [] : [i]));
	if (gone.length === 0) return false;
	const before = new Set(base.keys.map((row) => valuesAt(fieldsOf(row, separator), gone)));
	return side.keys.some((row) => !before.has(valuesAt(fieldsOf(row, separator), gone)));
}

function valuesAt(fields: readonly string[], columns: readonly number[]): string {
	return columns.map((column) => fields[column] ?? "").join("\0");
}

function unifyFields(base: Lines, older: Lines, later: Lines, separator: string, hasHeader: boolean): Unified | null {
	const [olderKeys, laterKeys] = [[...older.keys], [...later.keys]];
	let [changes, olderLost, laterLost] = [0, false, false];
	// A row of the older side cannot be its header as well.
	if (hasHeader && isConflict(base.keys[0], older.keys[0], later.keys[0]) && !older.keys.includes(later.keys[0]!)) {
		olderKeys[0] = laterKeys[0]!;
		[changes, olderLost] = [1, true];
	}
	const columns = hasHeader ? fieldsOf(choose(base.keys[0], older.keys[0] ?? "", later.keys[0] ?? ""), separator).length : 0;
	const [inBase, inOlder, inLater] = [base, older, later].map(({ keys }) => rows(keys, separator, hasHeader ? 1 : 0));
	for (const [name, l] of inBase && inOlder && inLater ? inLater : []) {
		const [b, o] = [inBase!.get(name), inOlder!.get(name)];
		// Rows that both added may have one first field by chance: both stay.
		if (b === undefined || o === undefined) continue;
		const [before, mine, theirs] = [base.keys[b]!, older.keys[o]!, later.keys[l]!];
		if (!isConflict(before, mine, theirs)) continue;
		spend(stepsPerCharacter * (before.length + mine.length + theirs.length));
		const [inBefore, inMine, inTheirs] = [before, mine, theirs].map((row) => fieldsOf(row, separator)) as [string[], string[], string[]];
		let row = theirs;
		if (inMine.length === inTheirs.length && inMine.length === inBefore.length) {
			row = inTheirs.map((field, i) => choose(inBefore[i], inMine[i]!, field)).join(separator);
			olderLost ||= inTheirs.some((field, i) => isConflict(inBefore[i], inMine[i], field));
		} else if (inMine.length === columns && inTheirs.length !== columns) {
			[row, laterLost] = [mine, true];
		} else olderLost = true;
		olderKeys[o] = laterKeys[l] = row;
		changes++;
	}
	return changes === 0 ? null : { older: { ...older, keys: olderKeys }, later: { ...later, keys: laterKeys }, olderLost, laterLost };
}

/** Did both sides change it, to different values? A missing row was not changed. */
function isConflict(base: string | undefined, older: string | undefined, later: string | undefined): boolean {
	return older !== undefined && later !== undefined && older !== later && older !== base && later !== base;
}

/** A header names columns: all fields are distinct, and none is a number or a time. */
function isHeader(fields: readonly string[]): boolean {
	return new Set(fields).size === fields.length && fields.every((field) => /^"?\s*[^\s\d"+-]/.test(field));
}

/** The rows by their first field; null: it does not name them. */
function rows(keys: readonly string[], separator: string, from: number): Map<string, number> | null {
	const found = new Map<string, number>();
	spend(stepsPerRow * keys.length);
	for (let i = from; i < keys.length; i++) {
		if (keys[i] === "") continue;
		const [name] = fieldsOf(keys[i]!, separator, 1);
		if (name === "" || found.has(name!)) return null;
		found.set(name!, i);
	}
	return found;
}

/** The fields of a record, verbatim with quotes; of a longer record only the requested number. */
function fieldsOf(record: string, separator: string, limit = Number.POSITIVE_INFINITY): string[] {
	const fields: string[] = [];
	let [from, quoted] = [0, false];
	for (let at = 0; at < record.length && fields.length < limit; at++) {
		if (record[at] === '"') quoted = !quoted;
		else if (!quoted && record[at] === separator) {
			fields.push(record.slice(from, at));
			from = at + 1;
		}
	}
	if (fields.length < limit) fields.push(record.slice(from));
	return fields;
}
