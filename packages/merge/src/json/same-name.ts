import { spend } from "../budget.ts";
import type { Interner } from "../interner.ts";
import type { Entry } from "./entry.ts";
import { type Elements, identity } from "./identity.ts";
import { NONE, OBJECT } from "./tree.ts";
import { member } from "./value.ts";

/** Names that programs generate, so that no two elements share one by chance. */
const GENERATED_NAMES = ["id", "_id", "uuid", "guid"];

const STEPS_PER_ENTRY = 40;

/**
 * In a sequence in which not every element has a name (cells of a notebook), joins an element of the older side alone and one of the later side
 * alone, if they have the same name. The joined entry keeps the later side's place.
 *
 * @returns the entries, and those that were joined.
 */
export function joinSameNames(
	entries: readonly Entry[],
	older: Elements,
	later: Elements,
	keys: Interner,
): { readonly entries: readonly Entry[]; readonly joined: ReadonlySet<Entry> } {
	const alone = (side: "older" | "later") => entries.filter((entry) => entry[side === "older" ? "later" : "older"] === NONE);
	const [inOlder, inLater] = [alone("older"), alone("later")];
	if (inOlder.length === 0 || inLater.length === 0) return { entries, joined: new Set() };
	for (const name of GENERATED_NAMES) {
		const key = keys.id(name);
		const byName = (of: readonly Entry[], version: Elements, side: "older" | "later") => {
			const names = namesOf(version, key);
			if (names === null) return null;
			const found = new Map<string, Entry>();
			for (const entry of of) {
				const value = names[entry[side]] ?? null;
				if (value !== null) found.set(value, entry);
			}
			return found;
		};
		const [mine, theirs] = [byName(inOlder, older, "older"), byName(inLater, later, "later")];
		// A name that may repeat does not identify an element.
		if (mine === null || theirs === null) continue;
		const gone = new Set<Entry>();
		const replaced = new Map<Entry, Entry>();
		for (const [value, l] of theirs) {
			const o = mine.get(value);
			if (o === undefined) continue;
			gone.add(o);
			replaced.set(l, { base: NONE, older: o.older, later: l.later });
		}
		if (gone.size === 0) continue;
		return {
			entries: entries.filter((entry) => !gone.has(entry)).map((entry) => replaced.get(entry) ?? entry),
			joined: new Set(replaced.values()),
		};
	}
	return { entries, joined: new Set() };
}

/** The name of each element, null for one without a name; null: two have the same name. */
function namesOf({ tree, nodes }: Elements, key: number): (string | null)[] | null {
	spend(STEPS_PER_ENTRY * nodes.length);
	const names = nodes.map((node) => (tree.type[node] === OBJECT ? identity(tree, member(tree, node, key)) : null));
	const known = names.filter((name) => name !== null);
	return new Set(known).size === known.length ? names : null;
}
