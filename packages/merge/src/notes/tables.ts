import { trimBlanks } from "../blanks.ts";
import { spend } from "../budget.ts";
import { choose } from "../choose.ts";
import type { Lost, Versions } from "./blocks.ts";
import type { Unit } from "./units.ts";

/** The line below the head of a table. */
export const tableRule = /^[ \t>]*(?:\|[ \t]*)?:?-+:?[ \t]*(?:[|+][ \t]*:?-+:?[ \t]*)*\|[ \t:-]*$/;

/**
 * If a side changed a table's number of columns, its head and the line below it are one unit: a line of one side below the head of the other
 * makes no table.
 */
export function mergeTableHeads({ base, older, later }: Versions, lost: Lost): boolean {
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

/** The words of a row's first cell. */
export function firstCell(line: string): string {
	return trimBlanks(/^[ \t>]*\|?([^|]*)/.exec(line)![1]!);
}

/** Steps to find a row by its name, and to cut it into cells. */
const stepsPerRow = 60;

/** The places of rows of tables by the first cells of their head and of themselves; null: several have them. */
type Rows = Map<string, number | null>;

function tableRows(units: readonly Unit[]): Rows {
	const found: Rows = new Map();
	let head: string | null = null;
	for (const [index, { text, block }] of units.entries()) {
		if (block !== null || !text.includes("|")) head = null;
		else if (tableRule.test(text)) head = index > 0 ? firstCell(units[index - 1]!.text) : null;
		else if (head !== null) {
			spend(stepsPerRow);
			const name = firstCell(text);
			const subject = `${head}\n${name}`;
			if (name !== "") found.set(subject, found.has(subject) ? null : index);
		}
	}
	return found;
}

/**
 * Merges the rows that both sides changed cell by cell, if the first cell names them; the later side's row, if the numbers of cells differ. All
 * versions get the resulting row.
 *
 * @returns whether a version was changed.
 */
export function mergeTableRows({ base, older, later }: Versions, lost: Lost): boolean {
	const [inBase, inOlder, inLater] = [base, older, later].map(tableRows) as [Rows, Rows, Rows];
	let changed = false;
	for (const [subject, b] of inBase) {
		const [o, l] = [inOlder.get(subject), inLater.get(subject)];
		if (b === null || o == null || l == null) continue;
		const [before, mine, theirs] = [base[b]!.text, older[o]!.text, later[l]!.text];
		if (mine === theirs || mine === before || theirs === before) continue;
		// With what is before the first bar and behind the last one.
		const [inBefore, inMine, inTheirs] = [before, mine, theirs].map((row) => row.split(/(?<!\\)\|/)) as [string[], string[], string[]];
		let text = theirs;
		if (inBefore.length === inMine.length && inBefore.length === inTheirs.length) {
			// Blanks that line cells up are no change.
			const cells = inTheirs.map((cell, i) => {
				const [inB, inO, inL] = [inBefore[i]!, inMine[i]!, cell].map(trimBlanks) as [string, string, string];
				if (inO !== inL && inO !== inB && inL !== inB) lost.olderLost = true;
				return choose(inB, inO, inL) === inL ? cell : inMine[i]!;
			});
			text = cells.join("|");
		} else if (inTheirs.length === inBefore.length) {
			// The other side gave the table more columns, or fewer.
			text = mine;
			lost.laterLost = true;
		} else lost.olderLost = true;
		base[b] = older[o] = later[l] = { text, block: null };
		changed = true;
	}
	return changed;
}
