import { isBinary, isValidUtf8, sameBytes, toLatin1 } from "./bytes.ts";
import { Interner } from "./interner.ts";
import { identities } from "./json/identity.ts";
import { parseJson } from "./json/parse.ts";
import { ARRAY, children, type JsonTree, OBJECT } from "./json/tree.ts";
import { scalarValue, writtenScalar } from "./json/value.ts";
import { contentKind, namedKind } from "./kind.ts";
import { splitLines } from "./lines.ts";

/** How often each piece (leaf, record or line) is in a content. */
type Pieces = Map<string, number>;

/**
 * Was a file written by someone who had not seen a change of it? True when nothing of the change from `before` to `after` is in
 * `written`: no leaf (JSON), record or line that the change added or changed; if it only removed, none of its removals.
 *
 * @returns false when there was no change to see (`before` equals `after`, or differs in spacing only), and when `written` is what the change
 * gave.
 */
export function containsNothingOf(before: Uint8Array, after: Uint8Array, written: Uint8Array, path: Uint8Array | string): boolean {
	if (sameBytes(before, after) || sameBytes(written, after)) return false;
	if ([before, after, written].some(isBinary)) return true;
	const [inBefore, inAfter, inWritten] = pieces([before, after, written], path) as [Pieces, Pieces, Pieces];
	const more = (in1: Pieces, in2: Pieces) => [...in1.keys()].filter((piece) => in1.get(piece)! > (in2.get(piece) ?? 0));
	const added = more(inAfter, inBefore);
	if (added.length > 0) return added.every((piece) => (inWritten.get(piece) ?? 0) <= (inBefore.get(piece) ?? 0));
	const removed = more(inBefore, inAfter);
	return removed.length > 0 && removed.every((piece) => (inWritten.get(piece) ?? 0) >= inBefore.get(piece)!);
}

/**
 * From which of several versions was `written` made, each of which has given way to `after`? From none that `after` has something over that
 * is in `written`; of the others, from the one that it differs least from.
 *
 * @param versions the likeliest first, where nothing tells them apart
 * @returns null: from none of them
 */
export function originAmong<T extends Uint8Array>(
	versions: readonly T[],
	after: Uint8Array,
	written: Uint8Array,
	path: Uint8Array | string,
): T | null {
	return likeliest(
		versions.filter((version) => containsNothingOf(version, after, written, path)),
		written,
		path,
	);
}

function likeliest<T extends Uint8Array>(versions: readonly T[], written: Uint8Array, path: Uint8Array | string): T | null {
	return versions.reduce<T | null>((best, version) => (best === null || isLikelier(version, best, written, path) ? version : best), null);
}

/** Is it the one that the writer took less away from; of two such ones, had to add less to? */
function isLikelier(version: Uint8Array, than: Uint8Array, written: Uint8Array, path: Uint8Array | string): boolean {
	const taken = missing(version, written, path) - missing(than, written, path);
	return taken < 0 || (taken === 0 && missing(written, version, path) < missing(written, than, path));
}

/**
 * Which of several versions that lay there is `written` to be merged with as base, when `incoming` is the other side? The one that it has all
 * of; of several such ones that which has all of the others; else the one that it was made from, as far as that can be told.
 *
 * @param versions the likeliest first, at least one
 */
export function baseAmong<T extends Uint8Array>(
	versions: readonly [T, ...T[]],
	incoming: Uint8Array,
	written: Uint8Array,
	path: Uint8Array | string,
): T {
	const [first, ...rest] = versions;
	if (rest.length === 0) return first;
	let base: T | null = null;
	for (const version of versions) {
		if (!containsAllOf(version, written, path)) continue;
		if (base === null || (containsAllOf(base, version, path) && !containsAllOf(version, base, path))) base = version;
	}
	// Where it was merged in before, `incoming` has something of it over every version.
	return base ?? originAmong(versions, incoming, written, path) ?? likeliest(versions, written, path) ?? first;
}

/** How many pieces of a version are not in `written`. */
function missing(version: Uint8Array, written: Uint8Array, path: Uint8Array | string): number {
	if ([version, written].some(isBinary)) return sameBytes(version, written) ? 0 : 1;
	const [inVersion, inWritten] = pieces([version, written], path) as [Pieces, Pieces];
	return [...inVersion].reduce((sum, [piece, count]) => sum + Math.max(0, count - (inWritten.get(piece) ?? 0)), 0);
}

const containsAllOf = (version: Uint8Array, written: Uint8Array, path: Uint8Array | string) => missing(version, written, path) === 0;

/**
 * Can `written` have been made from `before`? Text without a line of it was written by a program that read nothing, or that keeps one
 * value in the file; a JSON document or a file of records grows from any version, also from an empty one.
 */
export function mayStemFrom(before: Uint8Array, written: Uint8Array, path: Uint8Array | string): boolean {
	const named = namedKind(path, [before, written]);
	const kind = named === "unknown" ? contentKind([before, written]) : named;
	if (kind !== "prose" && kind !== "code") return true;
	const lines = new Set(linesOf(before));
	return lines.size === 0 || linesOf(written).some((line) => lines.has(line));
}

function linesOf(content: Uint8Array): string[] {
	return splitLines(toLatin1(content)).keys.filter((line) => line.trim() !== "");
}

function pieces(contents: readonly Uint8Array[], path: Uint8Array | string): Pieces[] {
	const named = namedKind(path, contents);
	if (named === "json" || (named === "unknown" && contentKind(contents) === "json")) {
		const keys = new Interner();
		const trees = contents.map((content) => (isValidUtf8(content) ? parseJson(toLatin1(content), keys) : "not-json"));
		if (trees.every((tree) => typeof tree !== "string")) return trees.map((tree) => leaves(tree as JsonTree, keys));
	}
	return contents.map((content) => count(linesOf(content)));
}

function count(all: Iterable<string>): Pieces {
	const counts: Pieces = new Map();
	for (const piece of all) counts.set(piece, (counts.get(piece) ?? 0) + 1);
	return counts;
}

/** The leaves of a document with the path that leads to each. Elements are named by their identity; in a sequence by nothing: they may move. */
function leaves(tree: JsonTree, keys: Interner): Pieces {
	const found: string[] = [];
	const values = new Interner();
	const walk = (node: number, path: string): void => {
		const kids = children(tree, node);
		if (kids.length === 0) found.push(`${path} = ${writtenScalar(tree, node)}`);
		else if (tree.type[node] === OBJECT) for (const kid of kids) walk(kid, `${path}.${tree.key[kid]}`);
		else {
			const ids = identities([{ tree, nodes: kids }], keys, values)?.[0] ?? null;
			kids.forEach((kid, i) => {
				if (tree.type[kid]! < ARRAY) found.push(`${path}[] = ${scalarValue(tree, kid)}`);
				else walk(kid, ids === null ? `${path}[]` : `${path}[${ids[i]}]`);
			});
		}
	};
	walk(0, "");
	return count(found);
}
