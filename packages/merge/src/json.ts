import { fromLatin1, isValidUtf8, toLatin1 } from "./bytes.ts";
import { Interner } from "./interner.ts";
import { mergeTrees } from "./json/merge.ts";
import { splitAlike } from "./json/notebook-cells.ts";
import { type ParseFailure, parseJson } from "./json/parse.ts";
import { withoutRepeatedKeys } from "./json/repeated-keys.ts";
import { strict } from "./json/strict.ts";
import { isNotebookText } from "./json/text-lines.ts";
import { ARRAY, type JsonTree } from "./json/tree.ts";
import { baseName, extensionOf, maxMergedBytes } from "./kind.ts";
import { mergeLater } from "./later.ts";
import type { Merged, Sides } from "./sides.ts";
import { isJsonInBytes } from "./valid.ts";

/**
 * Merges JSON structurally.
 *
 * If one side is not JSON (a torn write), the other side is the result. If the base is not, both sides count as added. If a version is too deep,
 * the later side stays whole. No object of the result has a repeated key. If one side only is strict JSON (no comments, no comma after the last
 * child), so is the result, unless programs that use files of this name accept comments.
 *
 * @returns null: no side is JSON, and the contents are to be merged as text.
 */
export function mergeJson(sides: Sides, path: Uint8Array | string): Merged | null {
	const { older, later } = sides;
	const keys = new Interner();
	const [olderTree, laterTree] = [parse(older, keys), parse(later, keys)];
	const [olderIsJson, laterIsJson] = [isJsonResult(olderTree), isJsonResult(laterTree)];
	if (!olderIsJson && !laterIsJson) return null;
	if (!olderIsJson || !laterIsJson) return olderIsJson ? olderWhole(sides) : mergeLater(sides);
	const baseTree = sides.base === null ? null : parse(sides.base, keys);
	if (typeof olderTree === "string" || typeof laterTree === "string" || baseTree === "too-deep") return mergeLater(sides);
	const base = typeof baseTree === "string" ? null : baseTree;
	const isStrict = olderTree.isStrict !== laterTree.isStrict && !takesComments(path);
	const read = (tree: JsonTree) =>
		isStrict && !tree.isStrict ? plain(once(tree, keys), keys) : { tree: once(tree, keys), hadComments: false };
	const [o, l] = [read(olderTree), read(laterTree)];
	const isNotebook = extensionOf(path) === ".ipynb";
	const versions = { base: base && read(base).tree, older: o.tree, later: l.tree };
	const { base: before, older: mine, later: theirs } = isNotebook ? withCellsSplit(versions, keys) : versions;
	const merged = mergeTrees(before, mine, theirs, keys, isNotebook ? isNotebookText : undefined);
	return checked(
		{
			content: fromLatin1(merged.text),
			olderLost: merged.olderLost || o.hadComments || olderTree.hasKeyTwice,
			laterLost: merged.laterLost || l.hadComments || laterTree.hasKeyTwice,
		},
		sides,
		olderTree,
		laterTree,
		isStrict,
	);
}

interface Trees {
	readonly base: JsonTree | null;
	readonly older: JsonTree;
	readonly later: JsonTree;
}

/** The versions, with each cell split that any of them split. */
function withCellsSplit({ base, older, later }: Trees, keys: Interner): Trees {
	const parsed = (text: string | undefined, tree: JsonTree) => {
		const found = text === undefined ? tree : parseJson(text, keys);
		return typeof found === "string" ? tree : found;
	};
	if (base === null) return { base, older, later };
	const byLater = splitAlike(base, later, older, keys);
	const [first, mine] = [parsed(byLater?.base, base), parsed(byLater?.other, older)];
	const byOlder = splitAlike(first, mine, later, keys);
	return { base: parsed(byOlder?.base, first), older: mine, later: parsed(byOlder?.other, later) };
}

/** Valid in, valid out: the merge if it is as valid as the sides are, else the better side whole. */
export function checked(merged: Merged, sides: Sides, older: JsonTree, later: JsonTree, isStrict: boolean): Merged {
	if (isStrict || (older.isStrict && later.isStrict)) {
		// Without objects no key can repeat, and the language's own parser checks the rest.
		const text = toLatin1(merged.content);
		if (!text.includes("{") && isJsonInBytes(merged.content)) return merged;
	}
	const result = parse(merged.content, new Interner());
	if (typeof result !== "string" && !result.hasKeyTwice && (result.isStrict || !isStrict)) return merged;
	const isBetter = (one: JsonTree, other: JsonTree) => (isStrict ? one.isStrict && !other.isStrict : !one.hasKeyTwice && other.hasKeyTwice);
	return isBetter(older, later) ? olderWhole(sides) : mergeLater(sides);
}

/** The document with every key once in its object. */
function once(tree: JsonTree, keys: Interner): JsonTree {
	if (!tree.hasKeyTwice) return tree;
	const parsed = parseJson(withoutRepeatedKeys(tree), keys);
	return typeof parsed === "string" ? tree : parsed;
}

function plain(tree: JsonTree, keys: Interner): { readonly tree: JsonTree; readonly hadComments: boolean } {
	const { text, hadComments } = strict(tree);
	const parsed = parseJson(text, keys);
	return { tree: typeof parsed === "string" ? tree : parsed, hadComments };
}

function olderWhole({ older }: Sides): Merged {
	return { content: older, olderLost: false, laterLost: true };
}

/** JSON is UTF-8 (RFC 8259, section 8.1); the work is done on one character per byte. */
function parse(content: Uint8Array, keys: Interner): JsonTree | ParseFailure {
	const parsed = parseJson(toLatin1(content), keys);
	return isValidUtf8(content) || parsed === "torn" ? parsed : "not-json";
}

function isJsonResult(parsed: JsonTree | ParseFailure): boolean {
	return typeof parsed !== "string" || parsed === "too-deep";
}

/** The content of a file: an object or array, the beginning of one (or nothing, as after a crash), or something else. */
type Content = "document" | "torn" | "other";

/**
 * Is a file of unknown type JSON? Yes if both sides are documents, or one is and the other is torn. Lines of JSON in a file without a
 * base may be a log: these are not.
 */
export function isJsonByContent({ base, older, later }: Sides): boolean {
	const [inOlder, inLater] = [contentOf(older), contentOf(later)];
	if (inOlder === "document" && inLater === "document")
		return (base !== null && base.length > 0) || !(isOneLine(older) && isOneLine(later));
	if (inOlder === "other" || inLater === "other" || inOlder === inLater) return false;
	return base === null || contentOf(base) !== "other";
}

/**
 * The whole side of two, if the other is a document that a crash cut off or filled with zeros.
 *
 * @returns null if both are whole, or both are not.
 */
export function wholeSide(sides: Sides): Merged | null {
	const [inOlder, inLater] = [contentOf(sides.older), contentOf(sides.later)];
	if (inOlder === "document" && inLater === "torn") return olderWhole(sides);
	return inOlder === "torn" && inLater === "document" ? mergeLater(sides) : null;
}

function contentOf(content: Uint8Array): Content {
	if (content.length > maxMergedBytes) return "other";
	const end = content.indexOf(0);
	const text = toLatin1(end === -1 ? content : content.subarray(0, end));
	if (!/^(?:\xef\xbb\xbf)?\s*(?:[{[]|$)/.test(text.slice(0, 1000))) return "other";
	const parsed = parseJson(text, new Interner());
	if (parsed === "torn" || (end !== -1 && isJsonResult(parsed))) return "torn";
	if (parsed === "not-json" || !isValidUtf8(content)) return "other";
	return typeof parsed === "string" || parsed.type[0]! >= ARRAY ? "document" : "other";
}

function isOneLine(content: Uint8Array): boolean {
	return content.indexOf(lineFeed) === content.length - 1;
}

const lineFeed = 0x0a;

/** Files whose programs accept comments, and in which people write them. */
function takesComments(path: Uint8Array | string): boolean {
	const text = typeof path === "string" ? path : toLatin1(path);
	return (
		/\.(?:jsonc|json5|code-workspace|code-snippets)$/.test(extensionOf(path)) ||
		/(?:^|\/)(?:\.vscode|\.devcontainer|\.zed|\.cursor)\/[^/]*$/i.test(text) ||
		/^(?:[jt]sconfig.*|settings|settings\.local|keybindings|launch|tasks|extensions|devcontainer|deno|biome|turbo|wrangler|tslint|api-extractor|typedoc|renovate|rush|\.(?:eslintrc|babelrc|swcrc|jshintrc|jscsrc|hintrc|luarc|mocharc|oxlintrc|markdownlint))(?:\.json)?$/.test(
			baseName(path),
		)
	);
}
