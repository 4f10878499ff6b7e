import { trimBlanks } from "../blanks.ts";
import { spend } from "../budget.ts";
import { fromLatin1, toLatin1 } from "../bytes.ts";
import { choose } from "../choose.ts";
import { mergeCode } from "../code.ts";
import { align, UNMATCHED } from "../diff.ts";
import { Interner } from "../interner.ts";
import { mergeJson } from "../json.ts";
import { type Block, block, type Item, item, leaf } from "../keyed-text/item.ts";
import { mergeTrees } from "../keyed-text/merge.ts";
import { type KeyedFormat, mergeKeyedText } from "../keyed-text.ts";
import { hunks } from "../line-alignment.ts";
import { mergeProse } from "../prose.ts";
import { mergeRecords } from "../records.ts";
import type { Merged, Sides } from "../sides.ts";
import { isJsonLines, isLenientJson, isStrictJson, isTomlText, isYamlText } from "../valid.ts";
import type { FencedBlock, Unit } from "./units.ts";

/** Units of the three versions; the merge of blocks makes a block equal in all of them. */
export interface Versions {
	readonly base: Unit[];
	readonly older: Unit[];
	readonly later: Unit[];
}

export interface Lost {
	olderLost: boolean;
	laterLost: boolean;
}

const KEYED: Readonly<Record<string, KeyedFormat>> = {
	yaml: "yaml",
	yml: "yaml",
	toml: "toml",
	ini: "ini",
	properties: "properties",
	env: "env",
	dotenv: "env",
};
const jsonLanguages = new Set(["json", "jsonc", "json5", "geojson", "topojson"]);
const recordLanguages: Readonly<Record<string, string>> = { csv: ".csv", tsv: ".tsv", jsonl: ".jsonl", ndjson: ".ndjson" };
/** Steps to compare two blocks, apart from their characters. */
const stepsPerPair = 100;
/** Blocks of one value. */
const PACKED = /compressed|base64|binary|drawing/;
/** Blocks whose lines have their meaning by themselves. */
const proseLanguages = new Set(["text", "txt", "plaintext", "console", "output", "log", "md", "markdown", "quote", "verse", "center"]);

/**
 * Merges every block of both sides and puts the result into all versions, so that the merge of lines treats it as an unchanged line.
 */
export function mergeBlocks(versions: Versions, lost: Lost): void {
	const { base, older, later } = versions;
	const [inOlder, inLater] = [counterparts(base, older, true), counterparts(base, later, true)];
	const paired = new Set<number>();
	for (const [i, unit] of base.entries()) {
		if (unit.block === null) continue;
		const [o, l] = [inOlder.get(i), inLater.get(i)];
		if (o !== undefined) paired.add(o);
		if (o === undefined || l === undefined) continue;
		const merged = mergeBlock(unit.block, older[o]!.block!, later[l]!.block!, lost);
		base[i] = older[o] = later[l] = merged;
	}
	const inBase = new Set(base.map(({ block }) => block?.language));
	const candidates = new Map<string, Added[]>();
	for (const one of added(later, inLater)) {
		const below = candidates.get(one.before);
		if (below === undefined) candidates.set(one.before, [one]);
		else below.push(one);
	}
	for (const mine of added(older, inOlder)) {
		const below = candidates.get(mine.before) ?? [];
		const found = below.findIndex(({ at }) =>
			isOneBlock(older[mine.at]!.block!, later[at]!.block!, inBase.has(later[at]!.block!.language)),
		);
		if (found === -1) continue;
		const [{ at }] = below.splice(found, 1) as [Added];
		older[mine.at] = later[at] = mergeBlock(null, older[mine.at]!.block!, later[at]!.block!, lost);
	}
}

/** Are two blocks, added by both sides at one place, the same block? Yes if they are mostly the same lines, or data where the note had none of it (the settings of a board). */
function isOneBlock(one: FencedBlock, other: FencedBlock, isKnown: boolean): boolean {
	if (isAlike(one, other)) return true;
	return !isKnown && one.language === other.language && isData(one.language, fromLatin1(one.inner), fromLatin1(other.inner));
}

/** The same where both sides added the note. */
export function mergeAddedBlocks({ older, later }: Pick<Versions, "older" | "later">, lost: Lost): void {
	for (const [o, l] of counterparts(older, later, false)) older[o] = later[l] = mergeBlock(null, older[o]!.block!, later[l]!.block!, lost);
}

/**
 * For each block of a version its counterpart in another: the equal one, else the one in its place with the same kind of content.
 *
 * @param mayMove it may be at another place among the lines. Without a base that would be one block in two places.
 */
function counterparts(from: readonly Unit[], to: readonly Unit[], mayMove: boolean): Map<number, number> {
	const found = new Map<number, number>();
	if (!from.some(({ block }) => block !== null) || !to.some(({ block }) => block !== null)) return found;
	const interner = new Interner();
	const [ids, otherIds] = [interner.ids(from.map(({ text }) => text)), interner.ids(to.map(({ text }) => text))];
	const match = align(ids, otherIds);
	const taken = new Set<number>();
	const pair = (i: number, j: number) => {
		found.set(i, j);
		taken.add(j);
	};
	for (const [i, j] of match.entries()) if (j !== UNMATCHED && from[i]!.block !== null) pair(i, j);
	const left = (units: readonly Unit[], start: number, end: number, isTaken: (i: number) => boolean) => {
		const groups = new Map<string, number[]>();
		for (let i = start; i < end; i++) {
			const language = units[i]!.block?.language;
			if (language !== undefined && !isTaken(i)) {
				const group = groups.get(language);
				if (group === undefined) groups.set(language, [i]);
				else group.push(i);
			}
		}
		return groups;
	};
	const pairInOrder = (start: number, end: number, otherStart: number, otherEnd: number) => {
		const others = left(to, otherStart, otherEnd, (j) => taken.has(j));
		for (const [language, group] of left(from, start, end, (i) => found.has(i))) {
			const candidates = others.get(language) ?? [];
			if (candidates.length === group.length) for (const [k, i] of group.entries()) pair(i, candidates[k]!);
		}
	};
	for (const { start, end, from: otherStart, to: otherEnd } of hunks(match, to.length)) {
		pairInOrder(start, end, otherStart, otherEnd);
		// A side named the language of a block, or another one.
		for (let i = start, j = otherStart; i < end; i++) {
			if (from[i]!.block === null || found.has(i)) continue;
			const other = firstAlike(from[i]!.block!, to, j, otherEnd, (at) => taken.has(at));
			if (other === null) continue;
			pair(i, other);
			j = other + 1;
		}
	}
	if (mayMove) pairInOrder(0, from.length, 0, to.length);
	return found;
}

/** The first block from `start` on that holds mostly the same lines. */
function firstAlike(one: FencedBlock, units: readonly Unit[], start: number, end: number, isTaken: (at: number) => boolean): number | null {
	for (let at = start; at < end; at++) {
		const { block } = units[at]!;
		spend(1);
		if (block !== null && !isTaken(at) && isAlike(one, block)) return at;
	}
	return null;
}

/** Do two blocks hold mostly the same lines? */
function isAlike(one: FencedBlock, other: FencedBlock): boolean {
	spend(stepsPerPair + one.inner.length + other.inner.length);
	const [mine, theirs] = [one, other].map(({ inner }) => inner.split("\n").filter((line) => trimBlanks(line) !== "")) as [
		string[],
		string[],
	];
	const known = new Set(mine);
	return one.inner === other.inner || 2 * theirs.filter((line) => known.has(line)).length >= Math.max(mine.length, theirs.length, 1);
}

interface Added {
	readonly at: number;
	/** The line before it. */
	readonly before: string;
}

/** The blocks that a side added behind a line that is unique. */
function added(units: readonly Unit[], ofBase: ReadonlyMap<number, number>): Added[] {
	const known = new Set(ofBase.values());
	const times = new Map<string, number>();
	const found: Added[] = [];
	let before = "";
	for (const [at, { text, block }] of units.entries()) {
		if (block !== null) {
			if (!known.has(at)) found.push({ at, before });
		} else if (trimBlanks(text) !== "") {
			before = text;
			times.set(text, (times.get(text) ?? 0) + 1);
		}
	}
	return found.filter((one) => (times.get(one.before) ?? 1) === 1);
}

function mergeBlock(base: FencedBlock | null, older: FencedBlock, later: FencedBlock, lost: Lost): Unit {
	const language = choose(base?.language, older.language, later.language);
	const inner = (of: FencedBlock) => fromLatin1(of.inner);
	const merged = mergeInner(language, { base: base && inner(base), older: inner(older), later: inner(later) });
	if (merged.olderLost) lost.olderLost = true;
	if (merged.laterLost) lost.laterLost = true;
	const text = toLatin1(merged.content);
	const open = choose(base?.open, older.open, later.open);
	if (older.open !== open && older.open !== base?.open) lost.olderLost = true;
	const block: FencedBlock = {
		language,
		open,
		inner: text === "" || text.endsWith("\n") ? text : `${text}\n`,
		close: choose(base?.close, older.close, later.close),
	};
	// If one side has no end of the block, the other's stays.
	const close = block.close === "" ? (older.close === "" ? later.close : older.close) : block.close;
	const all = block.open + block.inner + close;
	return { text: close === "" ? all.slice(0, -1) : all, block: { ...block, close } };
}

function mergeInner(language: string, sides: Sides): Merged {
	const { base, older, later } = sides;
	const [b, o, l] = [base === null ? null : toLatin1(base), toLatin1(older), toLatin1(later)];
	if (o === l || o === b) return { content: later, olderLost: false, laterLost: false };
	if (l === b) return { content: older, olderLost: false, laterLost: false };
	const isValid = checkOf(language, sides);
	const merged = mergeByLanguage(language, sides);
	if (merged !== null && (isValid === null || isValid(merged.content))) return merged;
	if (isValid === null) return { content: later, olderLost: true, laterLost: false };
	const olderOnly = isValid(older) && !isValid(later);
	if (merged !== null && !isValid(older) && !isValid(later)) return { content: later, olderLost: true, laterLost: false };
	return { content: olderOnly ? older : later, olderLost: !olderOnly, laterLost: olderOnly };
}

/** Null: one side whole. */
function mergeByLanguage(language: string, sides: Sides): Merged | null {
	const contents = sides.base === null ? [sides.older, sides.later] : [sides.base, sides.older, sides.later];
	if (jsonLanguages.has(language) || (language === "" && contents.every(isJsonContainer)))
		return mergeJson(sides, `block.${language === "jsonc" || language === "json5" ? language : "json"}`);
	const format = KEYED[language];
	if (format !== undefined) return mergeKeyedText(sides, format);
	const records = recordLanguages[language];
	if (records !== undefined) return mergeRecords(sides, records);
	if (language === "drawer") return mergeDrawer(sides);
	// Packed or encoded content is one value.
	if (PACKED.test(language)) return null;
	return proseLanguages.has(language) ? mergeProse(sides) : mergeCode(sides);
}

/** Is a block of this language one document? Two of them at one place would not be valid. */
function isData(language: string, ...contents: readonly Uint8Array[]): boolean {
	const isJson = jsonLanguages.has(language) || (language === "" && contents.every(isJsonContainer));
	return (
		isJson || KEYED[language] !== undefined || recordLanguages[language] !== undefined || language === "drawer" || PACKED.test(language)
	);
}

function isJsonContainer(content: Uint8Array): boolean {
	return /^[ \t\n]*[{[]/.test(toLatin1(content)) && isLenientJson(content);
}

/** The format of a block's content, if its sides are valid. */
function checkOf(language: string, { older, later }: Pick<Sides, "older" | "later">): ((content: Uint8Array) => boolean) | null {
	if (jsonLanguages.has(language) || (language === "" && (isJsonContainer(older) || isJsonContainer(later)))) {
		return isStrictJson(older) && isStrictJson(later) ? isStrictJson : isLenientJson;
	}
	if (KEYED[language] === "yaml") return (content) => isYamlText(toLatin1(content));
	if (language === "toml") return (content) => isTomlText(toLatin1(content));
	if (language === "jsonl" || language === "ndjson") return isJsonLines;
	return null;
}

/** The properties of an Org entry, by name. */
function mergeDrawer(sides: Sides): Merged {
	const scan = (content: Uint8Array): Block => {
		const items = toLatin1(content)
			.split("\n")
			.slice(0, -1)
			.map((line): Item => {
				const found = /^[ \t]*:([^\s:]+):[ \t]*/.exec(line);
				const head = found === null ? "" : found[0];
				const key = found === null ? line : found[1]!.toLowerCase();
				return item({ key, lead: "", indent: "", head, value: leaf(`${line.slice(head.length)}\n`), tail: "" });
			});
		return block(false, items, "");
	};
	const merged = mergeTrees(sides.base && scan(sides.base), scan(sides.older), scan(sides.later));
	return { ...merged, content: fromLatin1(merged.text) };
}
