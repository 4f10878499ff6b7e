import { fromLatin1, isValidUtf8 } from "./bytes.ts";
import { Interner } from "./interner.ts";
import { type Elements, identities } from "./json/identity.ts";
import { TreeMerge } from "./json/merge.ts";
import { parseJson } from "./json/parse.ts";
import { children, NONE, OBJECT } from "./json/tree.ts";
import type { Lines } from "./lines.ts";

/** Members that name a record, the most specific first. */
const recordKeys = ["id", "_id", "uuid", "key"];

/** The sides with one line for each record that both changed or added, the same in both. */
export interface Unified {
	/** The base in the form of the sides, if that is another one. */
	readonly base?: Lines;
	readonly older: Lines;
	readonly later: Lines;
	readonly olderLost: boolean;
	readonly laterLost: boolean;
}

/**
 * Merges the records of JSON Lines that both sides changed, if every line of all versions is an object and one of {@link recordKeys} names it:
 * an existing record is merged by member, one that both added is one side's whole.
 *
 * @returns null: records have no names, or no record was changed by both.
 */
export function unifyObjects(base: Lines, older: Lines, later: Lines): Unified | null {
	const keys = new Interner();
	const [inBase, inOlder, inLater] = [base, older, later].map((lines) => objects(lines, keys)) as (Objects | null)[];
	if (!inBase || !inOlder || !inLater) return null;
	const ids = identities([inBase, inOlder, inLater], keys, new Interner(), recordKeys);
	if (ids === null) return null;
	const merge = new TreeMerge(inBase.nodes.length > 0 ? inBase.tree : null, inOlder.tree, inLater.tree, keys);
	const place = (of: Int32Array) => new Map(Array.from(of, (id, i) => [id, i] as const));
	const [baseAt, olderAt] = [place(ids[0]!), place(ids[1]!)];
	const [olderKeys, laterKeys] = [[...older.keys], [...later.keys]];
	let [changes, olderLost, laterLost] = [0, false, false];
	for (const [l, id] of ids[2]!.entries()) {
		const [b, o] = [baseAt.get(id), olderAt.get(id)];
		if (o === undefined) continue;
		const [before, mine, theirs] = [
			b === undefined ? undefined : base.keys[inBase.lines[b]!]!,
			older.keys[inOlder.lines[o]!]!,
			later.keys[inLater.lines[l]!]!,
		];
		if (mine === theirs || mine === before || theirs === before) continue;
		const merged = merge.merge(b === undefined ? NONE : inBase.nodes[b]!, inOlder.nodes[o]!, inLater.nodes[l]!);
		if (merged.text.includes("\n")) return null;
		olderKeys[inOlder.lines[o]!] = laterKeys[inLater.lines[l]!] = merged.text;
		changes++;
		olderLost ||= merged.olderLost;
		laterLost ||= merged.laterLost;
	}
	return changes === 0 ? null : { older: { ...older, keys: olderKeys }, later: { ...later, keys: laterKeys }, olderLost, laterLost };
}

/** The records of a file, parsed as one array, and the line of each. */
interface Objects extends Elements {
	readonly lines: readonly number[];
}

/** Null: not every line is an object. */
function objects({ keys: all }: Lines, keys: Interner): Objects | null {
	const lines = Array.from(all.keys()).filter((i) => all[i]!.trim() !== "");
	const text = `[${lines.map((i) => all[i]).join(",\n")}]`;
	if (!isValidUtf8(fromLatin1(text))) return null;
	const tree = parseJson(text, keys);
	if (typeof tree === "string" || !tree.isStrict || tree.hasKeyTwice) return null;
	const nodes = children(tree, 0);
	if (nodes.length !== lines.length) return null;
	let start = 1;
	for (const [i, node] of nodes.entries()) {
		const end = start + all[lines[i]!]!.length;
		if (tree.type[node] !== OBJECT || tree.start[node]! < start || tree.end[node]! > end) return null;
		start = end + 2;
	}
	return { tree, nodes, lines };
}
