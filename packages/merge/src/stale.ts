import { isBinary, isValidUtf8, sameBytes, toLatin1 } from "./bytes.ts";
import { Interner } from "./interner.ts";
import { identities } from "./json/identity.ts";
import { parseJson } from "./json/parse.ts";
import { ARRAY, children, type JsonTree, OBJECT } from "./json/tree.ts";
import { scalarValue, writtenScalar } from "./json/value.ts";
import { contentKind, namedKind } from "./kind.ts";
import { splitLines } from "./lines.ts";

/** The frequency of each piece (leaf, record or line) in a content. */
type Pieces = Map<string, number>;

/**
 * Whether the writer of a file had not read a change of it: nothing of the change from `before` to `after` is in
 * `written`: no leaf (JSON), record or line that the change added or changed; if it only removed, none of its removals.
 *
 * @returns false if there was no change to read (`before` equals `after`, or differs in spacing only), and if `written` is the result of the
 * change.
 */
export function isLostUpdate(before: Uint8Array, after: Uint8Array, written: Uint8Array, path: Uint8Array | string): boolean {
	if (sameBytes(before, after) || sameBytes(written, after)) return false;
	if ([before, after, written].some(isBinary)) return true;
	const [inBefore, inAfter, inWritten] = pieces([before, after, written], path) as [Pieces, Pieces, Pieces];
	const more = (in1: Pieces, in2: Pieces) => [...in1.keys()].filter((piece) => in1.get(piece)! > (in2.get(piece) ?? 0));
	const added = more(inAfter, inBefore);
	if (added.length > 0) return added.every((piece) => (inWritten.get(piece) ?? 0) <= (inBefore.get(piece) ?? 0));
	const removed = more(inBefore, inAfter);
	return removed.length > 0 && removed.every((piece) => (inWritten.get(piece) ?? 0) >= inBefore.get(piece)!);
}

/** Whether `written` contains something that the change from `before` to `after` added: its writer had read `after`. Never for binary files. */
export function containsAddition(before: Uint8Array, after: Uint8Array, written: Uint8Array, path: Uint8Array | string): boolean {
	if (sameBytes(before, after) || [before, after, written].some(isBinary)) return false;
	const [inBefore, inAfter, inWritten] = pieces([before, after, written], path) as [Pieces, Pieces, Pieces];
	return [...inAfter].some(([piece, count]) => {
		const had = inBefore.get(piece) ?? 0;
		return count > had && (inWritten.get(piece) ?? 0) > had;
	});
}

/**
 * The version that `written` was made from, of several that `after` replaced. Skips versions whose successor added something that
 * `written` contains; of the rest, picks the closest.
 *
 * @param versions the likeliest first, for ties
 * @returns null: none of them
 */
export function inferBase<T extends Uint8Array>(
	versions: readonly T[],
	after: Uint8Array,
	written: Uint8Array,
	path: Uint8Array | string,
): T | null {
	return likeliest(
		versions.filter((version) => isLostUpdate(version, after, written, path)),
		written,
		path,
	);
}

function likeliest<T extends Uint8Array>(versions: readonly T[], written: Uint8Array, path: Uint8Array | string): T | null {
	return versions.reduce<T | null>((best, version) => (best === null || isLikelier(version, best, written, path) ? version : best), null);
}

/** Prefers the version with fewer deletions, then with fewer additions. */
function isLikelier(version: Uint8Array, than: Uint8Array, written: Uint8Array, path: Uint8Array | string): boolean {
	const taken = missing(version, written, path) - missing(than, written, path);
	return taken < 0 || (taken === 0 && missing(written, version, path) < missing(written, than, path));
}

/** The number of pieces of a version that are not in `written`. */
function missing(version: Uint8Array, written: Uint8Array, path: Uint8Array | string): number {
	if ([version, written].some(isBinary)) return sameBytes(version, written) ? 0 : 1;
	const [inVersion, inWritten] = pieces([version, written], path) as [Pieces, Pieces];
	return [...inVersion].reduce((sum, [piece, count]) => sum + Math.max(0, count - (inWritten.get(piece) ?? 0)), 0);
}

/**
 * Can `written` have been made from `before`? The writer of a text without a line of it read nothing, or keeps one
 * value in the file; a JSON document or a file of records can grow from any version, also from an empty one.
 */
export function mayDeriveFrom(before: Uint8Array, written: Uint8Array, path: Uint8Array | string): boolean {
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

/** The leaves of a document with the path that leads to each. Elements have their identity as name; elements of a sequence have none: they may move. */
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
