import { isAppend, mergeAppend } from "./append.ts";
import { bounded } from "./budget.ts";
import { sameBytes, toLatin1, withTextsKept } from "./bytes.ts";
import { mergeCode } from "./code.ts";
import { withDeclarationsOnce } from "./declarations.ts";
import { isJsonByContent, mergeJson, wholeSide } from "./json.ts";
import { type KeyedFormat, mergeKeyedText } from "./keyed-text.ts";
import {
	type AttributeKind,
	bracketing,
	contentKind,
	extensionOf,
	isJsonName,
	type Kind,
	keyedFormat,
	namedKind,
	noteSyntax,
} from "./kind.ts";
import { mergeLater } from "./later.ts";
import { blocksOf, hasFrontMatter, mergeNote, noteFaults } from "./notes.ts";
import { mergeProse } from "./prose.ts";
import { mergeRecords } from "./records.ts";
import type { Merged, Sides } from "./sides.ts";
import {
	type Check,
	hasBalancedBraces,
	isBalancedCalendar,
	isBalancedXml,
	isJsonInBytes,
	isJsonLines,
	isToml,
	isYaml,
	maxYamlBytes,
} from "./valid.ts";

/** One version of a path. */
export interface Side {
	readonly content: Uint8Array;
}

export interface MergeInput {
	/** Path in the repository: the name may decide the kind. */
	readonly path: Uint8Array | string;
	/** The common ancestor's content; null: both sides added the path. */
	readonly base: Uint8Array | null;
	/** The two sides, in any order. */
	readonly a: Uint8Array;
	readonly b: Uint8Array;
	/** The later side of this path. The caller decides, ties included. */
	readonly later: "a" | "b";
	/** From git attributes; wins over the name. */
	readonly attribute?: AttributeKind | undefined;
}

export interface MergeOutput {
	readonly content: Uint8Array;
	readonly strategy: Kind;
	/** `merged`: built from both; `a` or `b`: that side whole. */
	readonly winner: "merged" | "a" | "b";
	/** That side contains something (a leaf, record or line that it added or changed) that is not in the content: the caller saves it whole. */
	readonly lost: { readonly a: boolean; readonly b: boolean };
}

/**
 * Merges two versions of a file with their base, by its kind. Pure and deterministic; swapping the sides (and `later` with them) gives the same
 * content. The change of one side alone stays, byte for byte.
 */
export function mergeContents(input: MergeInput): MergeOutput {
	const { base, a, b } = input;
	if (sameBytes(a, b)) return { content: a, strategy: strategyOf(input), winner: "merged", lost: { a: false, b: false } };
	if (base !== null && sameBytes(base, a)) return { content: b, strategy: strategyOf(input), winner: "b", lost: { a: false, b: false } };
	if (base !== null && sameBytes(base, b)) return { content: a, strategy: strategyOf(input), winner: "a", lost: { a: false, b: false } };
	const laterIsA = input.later === "a";
	const sides: Sides = { base, older: laterIsA ? b : a, later: laterIsA ? a : b };
	const { strategy, merged } = mergeWithinBudget(input, sides);
	const winner = sameBytes(merged.content, a) ? "a" : sameBytes(merged.content, b) ? "b" : "merged";
	const lost = laterIsA ? { a: merged.laterLost, b: merged.olderLost } : { a: merged.olderLost, b: merged.laterLost };
	return { content: merged.content, strategy, winner, lost };
}

/**
 * The kind by which {@link mergeContents} merges a path: by its git attribute, else its name, else its content.
 *
 * @param base null: both sides added the path.
 */
export function kindOf(path: Uint8Array | string, base: Uint8Array | null, a: Uint8Array, b: Uint8Array, attribute?: AttributeKind): Kind {
	return mergeWithinBudget({ path, attribute }, { base, older: a, later: b }).strategy;
}

function strategyOf({ path, base, a, b, attribute }: MergeInput): Kind {
	const kind = namedKind(path, base === null ? [a, b] : [base, a, b], attribute);
	return kind === "unknown" ? "prose" : kind;
}

export interface ByKind {
	readonly strategy: Kind;
	readonly merged: Merged;
}

/**
 * The step budget of a merge (see {@link bounded}): about a second. Usual files need a tenth of it a megabyte; those
 * merged by key need most of it a megabyte, and all of it for a third of that if only a parser can check the result.
 */
const maxSteps = 120_000_000;

/** The merge by kind; the later file whole if the merge exceeds the budget, or fails. */
function mergeWithinBudget(input: Pick<MergeInput, "path" | "attribute">, sides: Sides): ByKind {
	try {
		return withTextsKept(() => bounded(maxSteps, () => mergeByKind(input, sides))) ?? { strategy: "later", merged: mergeLater(sides) };
	} catch {
		return { strategy: "later", merged: mergeLater(sides) };
	}
}

/** The merge by kind; throws if its steps are used up. */
export function mergeByKind({ path, attribute }: Pick<MergeInput, "path" | "attribute">, sides: Sides): ByKind {
	return validated(path, attribute, sides, mergeUnchecked(path, attribute, sides));
}

function mergeUnchecked(path: Uint8Array | string, attribute: AttributeKind | undefined, sides: Sides): ByKind {
	const contents = sides.base === null ? [sides.older, sides.later] : [sides.base, sides.older, sides.later];
	const named = namedKind(path, contents, attribute);
	const kind = named !== "unknown" ? named : isJsonByContent(sides) ? "json" : contentKind(contents);
	if (kind === "json") {
		const merged = mergeJson(sides, path);
		if (merged !== null) return { strategy: "json", merged };
	}
	if (kind === "later" && attribute === undefined) {
		const merged = wholeSide(sides);
		if (merged !== null) return { strategy: "later", merged };
	}
	const { older, later } = sides;
	switch (kind) {
		case "later":
			return { strategy: "later", merged: mergeLater(sides) };
		case "records": {
			// A table without its header is not valid.
			const kept = /^\.[ct]sv$/.test(extensionOf(path)) && (older.length === 0 || later.length === 0) ? emptied(sides) : null;
			if (kept !== null) return { strategy: "records", merged: kept };
			return { strategy: "records", merged: mergeRecords(sides, extensionOf(path)) };
		}
		case "keyed":
			return mergeKeyed(keyedFormat(path, contents) ?? "ini", sides);
		default:
			return mergeText(path, attribute, kind === "prose" ? "prose" : "code", sides);
	}
}

function mergeKeyed(format: KeyedFormat, sides: Sides): ByKind {
	const { base, older, later } = sides;
	// A result that cannot be checked within the budget is not built.
	if (format === "yaml" && Math.max(older.length, later.length) > maxYamlBytes) return { strategy: "later", merged: mergeLater(sides) };
	const kept = emptied(sides);
	if (kept !== null) return { strategy: "keyed", merged: kept };
	const merged = mergeKeyedText(sides, format) ?? (base === null ? null : mergeKeyedText({ ...sides, base: null }, format));
	return merged === null ? { strategy: "code", merged: mergeCode(sides) } : { strategy: "keyed", merged };
}

function mergeText(path: Uint8Array | string, attribute: AttributeKind | undefined, kind: "prose" | "code", sides: Sides): ByKind {
	// An attribute that asks for prose or code is followed exactly.
	if (attribute === "prose") return { strategy: "prose", merged: mergeProse(sides) };
	if (attribute === "code") return { strategy: "code", merged: mergeCode(sides) };
	const kept = emptied(sides);
	if (kept !== null) return { strategy: kind, merged: kept };
	const syntax = noteSyntax(path, kind);
	const note = syntax === null ? null : mergeNote(sides, syntax);
	if (note !== null) return { strategy: kind, merged: note };
	// A note that was empty and that both sides filled counts as added by both.
	const added = kind === "prose" && sides.base !== null && isBlank(sides.base) ? { ...sides, base: null } : sides;
	const once = kind === "code" && syntax === null ? withDeclarationsOnce(sides) : added;
	if (isAppend(sides)) return { strategy: "append", merged: mergeAppend(once) };
	return kind === "prose" ? { strategy: "prose", merged: mergeProse(added) } : { strategy: "code", merged: mergeCode(once) };
}

/** An empty file is nearly always the result of a crash: if one side is empty, the other side's version stays. */
function emptied({ base, older, later }: Sides): Merged | null {
	if (base === null || isBlank(base) || isBlank(older) === isBlank(later)) return null;
	return { content: isBlank(older) ? later : older, olderLost: false, laterLost: false };
}

function isBlank(content: Uint8Array): boolean {
	return content.length < 1024 && /^[ \t\r\n]*$/.test(toLatin1(content));
}

/**
 * Valid in, valid out: if both sides are valid for the kind, so is the result, or it is one side whole. The merge of JSON checks its
 * result itself: the required variant of JSON depends on the sides.
 */
export function validated(
	path: Uint8Array | string,
	attribute: AttributeKind | undefined,
	sides: Sides,
	{ strategy, merged }: ByKind,
): ByKind {
	const { older, later } = sides;
	const olderWhole: ByKind = { strategy, merged: { content: older, olderLost: false, laterLost: true } };
	const laterWhole: ByKind = { strategy, merged: { content: later, olderLost: true, laterLost: false } };
	const isNote = attribute === undefined && strategy !== "json" && strategy !== "records" && !isJsonName(path);
	const kind = strategy === "append" ? namedKind(path, [older, later], attribute) : strategy;
	const syntax = isNote ? noteSyntax(path, kind) : null;
	if (syntax !== null && strategy !== "later" && strategy !== "keyed") {
		// Rules of both sides can enclose text that is front matter in neither.
		if (hasFrontMatter(merged.content) && !hasFrontMatter(older) && !hasFrontMatter(later)) return laterWhole;
		// A block that is equal in a side is valid if it is valid there.
		const faults = noteFaults(merged.content, syntax.markup, () => blocksOf([older, later], syntax.markup));
		if (faults.size === 0) return { strategy, merged };
		const inOlder = noteFaults(older, syntax.markup);
		const added = [...faults].filter((fault) => !inOlder.has(fault));
		if (added.length === 0) return { strategy, merged };
		const inLater = noteFaults(later, syntax.markup);
		if (added.every((fault) => inLater.has(fault))) return { strategy, merged };
		return inLater.size > 0 && inOlder.size === 0 ? olderWhole : laterWhole;
	}
	// The strictest check first; the next one only if neither side passes it.
	for (const check of checksOf(path, attribute, strategy, sides)) {
		if (check(merged.content)) return { strategy, merged };
		const [isOlderValid, isLaterValid] = [check(older), check(later)];
		if (isLaterValid) return laterWhole;
		if (isOlderValid) return olderWhole;
	}
	return { strategy, merged };
}

function checksOf(
	path: Uint8Array | string,
	attribute: AttributeKind | undefined,
	strategy: Kind,
	{ older, later }: Sides,
): readonly Check[] {
	const extension = extensionOf(path);
	if (strategy === "later") return [];
	if (attribute !== undefined || strategy === "json") return [];
	// Not JSON, since it is not UTF-8; many parsers accept it even so.
	if (isJsonName(path)) return [isJsonInBytes];
	if (extension === ".jsonl" || extension === ".ndjson") return [isJsonLines];
	const format = keyedFormat(path, [older, later]);
	if (format === "yaml") return [isYaml];
	if (format === "toml") return [isToml];
	if (format !== null || strategy === "records" || strategy === "prose") return [];
	const pairs = bracketing(path, [older, later]);
	return pairs === "xml" ? [isBalancedXml] : pairs === "calendar" ? [isBalancedCalendar] : pairs === "braces" ? [hasBalancedBraces] : [];
}
