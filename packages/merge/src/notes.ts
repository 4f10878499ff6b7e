import { fromLatin1, toLatin1 } from "./bytes.ts";
import { mergeCode } from "./code.ts";
import type { Lines } from "./lines.ts";
import { type Lost, mergeAddedBlocks, mergeBlocks } from "./notes/blocks.ts";
import { isValidFrontMatter, mergeFrontMatter, type Note, splitNote } from "./notes/front-matter.ts";
import { mayHaveStatements, mergeStatements } from "./notes/lines.ts";
import { INDENTED, type Markup, mayHaveBlocks, splitUnits, type Unit } from "./notes/units.ts";
import { type MergedText, mergePlainly } from "./plain-text.ts";
import { mergeProseLines } from "./prose.ts";
import type { Merged, Sides } from "./sides.ts";
import { isLenientJson, isStrictJson, isTomlText, isYamlText } from "./valid.ts";

/** The merge of a note's text below its front matter. */
export interface NoteSyntax {
	readonly markup: Markup;
	/** Lines that depend on their neighbours: the later side's version of a stretch stays. */
	readonly asCode: boolean;
}

/**
 * Merges a note: its front matter by key, blocks of data by their kind, tasks and properties without duplicates, the rest as prose.
 *
 * @returns null: it has none of these, or mixes line ends: it is plain prose.
 */
export function mergeNote(sides: Sides, syntax: NoteSyntax): Merged | null {
	return mergePlainly(sides, (base, older, later) => {
		const blank = base === null || /^[ \t\n]*$/.test(base);
		return mergeParts(blank ? null : splitNote(base), splitNote(older), splitNote(later), syntax);
	});
}

function mergeParts(base: Note | null, older: Note, later: Note, { markup, asCode }: NoteSyntax): MergedText | null {
	const hasFront = [base, older, later].some((note) => note !== null && (note.front !== null || note.torn));
	// A side whose front matter has no end is a torn write.
	if (older.torn !== later.torn) {
		const [whole, torn] = older.torn ? [later, older] : [older, later];
		if (whole.front !== null) return { text: noteText(whole), olderLost: torn === older, laterLost: torn === later };
	}
	const front = mergeFrontMatter(base?.front ?? null, older.front, later.front);
	const lost: Lost = { olderLost: front.olderLost, laterLost: front.laterLost };
	if (asCode) {
		if (!hasFront) return null;
		const body = mergeCode({
			base: base === null ? null : fromLatin1(base.body),
			older: fromLatin1(older.body),
			later: fromLatin1(later.body),
		});
		return { text: front.text + toLatin1(body.content), olderLost: lost.olderLost || body.olderLost, laterLost: lost.laterLost };
	}
	const sides = [older.body, later.body];
	if (!hasFront && !sides.some((body) => mayHaveBlocks(body, markup)) && !sides.every((body) => mayHaveStatements(body, markup)))
		return null;
	const units = {
		base: base === null ? [] : splitUnits(base.body, markup),
		older: splitUnits(older.body, markup),
		later: splitUnits(later.body, markup),
	};
	const hasBlocks = [units.older, units.later].some((version) => version.some(({ block }) => block !== null));
	if (base === null) mergeAddedBlocks(units, lost);
	else mergeBlocks(units, lost);
	const hasStatements = mergeStatements(units, markup, lost);
	if (!hasFront && !hasBlocks && !hasStatements) return null;
	const split = (text: string) => asLines(splitUnits(text, markup));
	const body = mergeProseLines(base === null ? null : asLines(units.base), asLines(units.older), asLines(units.later), split);
	return { text: front.text + body.text, olderLost: lost.olderLost || body.olderLost, laterLost: lost.laterLost || body.laterLost };
}

function noteText({ front, body }: Note): string {
	return front === null ? body : front.open + front.inner + front.close + body;
}

function asLines(units: readonly Unit[]): Lines {
	return { bom: false, keys: units.map(({ text }) => text), crlf: null, ended: true };
}

/**
 * Is a note whole: its front matter parses and has an end, every block of data parses, every block has an end? Returns the parts that are not, so
 * that a note which a person left half written is no worse after a merge.
 *
 * @param known blocks that need no check, as {@link blocksOf} returns them.
 */
export function noteFaults(content: Uint8Array, markup: Markup, known: () => ReadonlySet<string> = () => new Set()): Set<string> {
	const faults = new Set<string>();
	let blocks: ReadonlySet<string> | null = null;
	const { front, body, torn } = splitNote(plainText(content));
	if (torn) faults.add("front matter without end");
	if (front === null) faults.add("no front matter");
	else if (!isValidFrontMatter(front)) faults.add("front matter");
	// Two blocks of properties: the second is text for every reader.
	if (front !== null && splitNote(body.replace(/^\n+/, "")).front?.format === front.format) faults.add("front matter twice");
	for (const { block, text } of mayHaveBlocks(body, markup) ? splitUnits(body, markup) : []) {
		if (block === null) continue;
		if (block.close === "" && block.language !== INDENTED) faults.add("block without end");
		if (!/^(?:json|ya?ml$|toml$)/.test(block.language)) continue;
		blocks ??= known();
		if (blocks.has(text)) continue;
		const inner = fromLatin1(block.inner);
		if (/^json/.test(block.language) ? !isLenientJson(inner) : false) faults.add("json");
		if (block.language === "json" && !isStrictJson(inner)) faults.add("strict json");
		if (/^ya?ml$/.test(block.language) && !isYamlText(block.inner)) faults.add("yaml");
		if (block.language === "toml" && !isTomlText(block.inner)) faults.add("toml");
	}
	return faults;
}

/** The blocks of notes, verbatim. */
export function blocksOf(contents: readonly Uint8Array[], markup: Markup): Set<string> {
	const found = new Set<string>();
	for (const content of contents) {
		const { body } = splitNote(plainText(content));
		for (const { block, text } of mayHaveBlocks(body, markup) ? splitUnits(body, markup) : []) if (block !== null) found.add(text);
	}
	return found;
}

/** Does a note start with front matter that has an end? */
export function hasFrontMatter(content: Uint8Array): boolean {
	const start = toLatin1(content.subarray(0, 1024));
	return /^(?:\xef\xbb\xbf)?\s*(?:---|\+\+\+|;;;|\{|$)/.test(start) && splitNote(plainText(content)).front !== null;
}

function plainText(content: Uint8Array): string {
	return toLatin1(content)
		.replace(/^\xef\xbb\xbf/, "")
		.replaceAll("\r\n", "\n");
}
