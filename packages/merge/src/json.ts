import { fromLatin1, isValidUtf8, toLatin1 } from "./bytes.ts";
import { Interner } from "./interner.ts";
import { mergeTrees } from "./json/merge.ts";
import { type ParseFailure, parseJson } from "./json/parse.ts";
import type { JsonTree } from "./json/tree.ts";
import type { Merged, Sides } from "./sides.ts";

/**
 * Merges JSON structurally.
 *
 * If one side is not JSON (a torn write), the other side is the result. If the base is not, both sides count as added.
 *
 * @returns null if the contents are to be merged as text: no side is JSON, or one has a key twice in an object or is too deep.
 */
export function mergeJson({ base, older, later }: Sides): Merged | null {
	const keys = new Interner();
	const [olderTree, laterTree] = [parse(older, keys), parse(later, keys)];
	if (olderTree === "not-json" || laterTree === "not-json") {
		if (olderTree === laterTree) return null;
		const olderIsJson = laterTree === "not-json";
		return { content: olderIsJson ? older : later, olderLost: !olderIsJson, laterLost: olderIsJson };
	}
	const baseTree = base === null ? null : parse(base, keys);
	if (typeof olderTree === "string" || typeof laterTree === "string") return null;
	if (baseTree === "duplicate-key" || baseTree === "too-deep") return null;
	const merged = mergeTrees(baseTree === "not-json" ? null : baseTree, olderTree, laterTree, keys);
	return { content: fromLatin1(merged.text), olderLost: merged.olderLost, laterLost: merged.laterLost };
}

/** JSON is UTF-8 (RFC 8259, section 8.1); the work is done on one character per byte. */
function parse(content: Uint8Array, keys: Interner): JsonTree | ParseFailure {
	return isValidUtf8(content) ? parseJson(toLatin1(content), keys) : "not-json";
}
