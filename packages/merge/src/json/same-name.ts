import { spend } from "../budget.ts";
import { generatedNames } from "../identity-keys.ts";
import type { Interner } from "../interner.ts";
import type { Entry } from "./entry.ts";
import { type Elements, identity } from "./identity.ts";
import { NONE, OBJECT } from "./tree.ts";
import { member } from "./value.ts";

/** One in this many elements may have a repeated name by mistake; with more of them names do not identify elements. */
const namedPerRepeated = 20;

const stepsPerEntry = 40;

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
	for (const name of generatedNames) {
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

/** The name of each element, null for one without a name or with a repeated one; null: too many are repeated. */
function namesOf({ tree, nodes }: Elements, key: number): (string | null)[] | null {
	spend(stepsPerEntry * nodes.length);
	const names = nodes.map((node) => (tree.type[node] === OBJECT ? identity(tree, member(tree, node, key)) : null));
	const times = new Map<string, number>();
	for (const name of names) if (name !== null) times.set(name, (times.get(name) ?? 0) + 1);
	const isRepeated = (name: string | null) => name !== null && times.get(name)! > 1;
	const repeated = names.filter(isRepeated).length;
	if (repeated === 0) return names;
	return repeated * namedPerRepeated <= names.length ? names.map((name) => (isRepeated(name) ? null : name)) : null;
}
