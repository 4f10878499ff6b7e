import { isAppend, mergeAppend } from "./append.ts";
import { bounded } from "./budget.ts";
import { sameBytes, toLatin1 } from "./bytes.ts";
import { mergeCode } from "./code.ts";
import { isJson } from "./json/parse.ts";
import { isJsonByContent, mergeJson, wholeSide } from "./json.ts";
import { type AttributeKind, contentKind, extensionOf, isJsonName, isYamlName, type Kind, namedKind } from "./kind.ts";
import { mergeLater } from "./later.ts";
import { mergeProse } from "./prose.ts";
import { mergeRecords } from "./records.ts";
import type { Merged, Sides } from "./sides.ts";
import { isYaml, MAX_CHECKED_BYTES } from "./yaml.ts";

/** One version of a path. */
export interface Side {
	readonly content: Uint8Array;
}

export interface MergeInput {
	/** Path in the repository: the kind may follow from its name. */
	readonly path: Uint8Array | string;
	/** The common ancestor's content; null: both sides added the path. */
	readonly base: Uint8Array | null;
	/** The two sides, in any order. */
	readonly a: Uint8Array;
	readonly b: Uint8Array;
	/** Which side is the later one of this path. The caller decides, ties included. */
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
 * content. What only one side changed is that side's, byte for byte.
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
 * How {@link mergeContents} merges a path: by its git attribute, else its name, else its content.
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

interface ByKind {
	readonly strategy: Kind;
	readonly merged: Merged;
}

/**
 * Steps that a merge may take (see {@link bounded}): one to two seconds. Files that people and programs write take less than a hundredth of it a
 * megabyte.
 */
const MAX_STEPS = 200_000_000;

/** The merge by kind; the later file whole where that takes too many steps, or fails. */
function mergeWithinBudget(input: Pick<MergeInput, "path" | "attribute">, sides: Sides): ByKind {
	try {
		return bounded(MAX_STEPS, () => mergeByKind(input, sides)) ?? { strategy: "later", merged: mergeLater(sides) };
	} catch {
		return { strategy: "later", merged: mergeLater(sides) };
	}
}

/** The merge by kind as it is: it throws where its steps are used up. */
export function mergeByKind({ path, attribute }: Pick<MergeInput, "path" | "attribute">, sides: Sides): ByKind {
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
	switch (kind) {
		case "later":
			return { strategy: "later", merged: mergeLater(sides) };
		case "records":
			return { strategy: "records", merged: mergeRecords(sides, extensionOf(path)) };
		default:
			return mergeText(path, attribute, kind === "prose" ? "prose" : "code", sides);
	}
}

function mergeText(path: Uint8Array | string, attribute: AttributeKind | undefined, kind: "prose" | "code", sides: Sides): ByKind {
	// An attribute that asks for prose or code is obeyed to the letter.
	const asked = attribute === "prose" || attribute === "code";
	const strategy = !asked && isAppend(sides) ? "append" : kind;
	const merged = strategy === "append" ? mergeAppend(sides) : strategy === "prose" ? mergeProse(sides) : mergeCode(sides);
	if (isStillValid(path, attribute, sides, merged)) return { strategy, merged };
	const asCode = strategy === "code" ? merged : mergeCode(sides);
	if (strategy !== "code" && isStillValid(path, attribute, sides, asCode)) return { strategy: "code", merged: asCode };
	return { strategy: "code", merged: mergeLater(sides) };
}

/** Valid in, valid out: if both sides parse as what the file's name says, so must the result. */
function isStillValid(
	path: Uint8Array | string,
	attribute: AttributeKind | undefined,
	{ older, later }: Sides,
	{ content }: Merged,
): boolean {
	const check = isYamlName(path) ? isYaml : attribute === "json" || isJsonName(path) ? isJson : null;
	if (check === null) return true;
	if (check === isYaml && Math.max(older.length, later.length, content.length) > MAX_CHECKED_BYTES) return false;
	return check(toLatin1(content)) || !(check(toLatin1(older)) && check(toLatin1(later)));
}
