import type { Entry } from "./entry.ts";
import { NONE } from "./tree.ts";

/** Did a side change the child at these positions in the base and in the side? */
export type Changed = (inBase: number, inSide: number) => boolean;

/**
 * Merges children that have a key each (members of an object, elements with an identity, distinct scalars): in if both sides have it, or one side
 * added it, or one side changed what the other removed. The order is that of the side that reordered (the later, if both or none did);
 * children of the other side alone follow the neighbour that they follow there. At one place the older side's come first.
 */
export function mergeKeyed(base: Int32Array, older: Int32Array, later: Int32Array, olderChanged: Changed, laterChanged: Changed): Entry[] {
	const [inBase, inOlder, inLater] = [positions(base), positions(older), positions(later)];
	/** The entry of each child of a side, null if it does not stay. A child of both sides is one entry. */
	const ofLater: (Entry | null)[] = [];
	for (let i = 0; i < later.length; i++) {
		// Of repeated keys the last one counts, as for JSON.parse.
		if (inLater(later[i]!) !== i) {
			ofLater.push(null);
			continue;
		}
		const [b, o] = [inBase(later[i]!), inOlder(later[i]!)];
		ofLater.push(o !== NONE || b === NONE || laterChanged(b, i) ? { base: b, older: o, later: i } : null);
	}
	const ofOlder: (Entry | null)[] = [];
	for (let i = 0; i < older.length; i++) {
		if (inOlder(older[i]!) !== i) {
			ofOlder.push(null);
			continue;
		}
		const [b, l] = [inBase(older[i]!), inLater(older[i]!)];
		if (l !== NONE) ofOlder.push(ofLater[l]!);
		else ofOlder.push(b === NONE || olderChanged(b, i) ? { base: b, older: i, later: NONE } : null);
	}
	const olderReordered = !inBaseOrder(older, inBase, inLater);
	return olderReordered && inBaseOrder(later, inBase, inOlder)
		? weave(ofOlder, ofLater, "older", "later")
		: weave(ofLater, ofOlder, "later", "older");
}

/** The host's children in their order, with those of the guest alone after the neighbour that they follow there. */
function weave(ofHost: (Entry | null)[], ofGuest: (Entry | null)[], host: "older" | "later", guest: "older" | "later"): Entry[] {
	const followers = new Map<Entry | null, Entry[]>();
	let neighbour: Entry | null = null;
	for (const entry of ofGuest) {
		if (entry === null) continue;
		const group = followers.get(neighbour);
		if (entry[host] !== NONE) neighbour = entry;
		else if (group === undefined) followers.set(neighbour, [entry]);
		else group.push(entry);
	}
	const merged: Entry[] = [];
	/** The guest's children at this place, held back until the older host's own children here are written. */
	let waiting: readonly Entry[] = [];
	const flush = () => {
		for (const entry of waiting) merged.push(entry);
		waiting = [];
	};
	const follow = (entry: Entry | null) => {
		waiting = followers.get(entry) ?? [];
		if (guest === "older") flush();
	};
	follow(null);
	for (const entry of ofHost) {
		if (entry === null) continue;
		if (entry[guest] !== NONE) {
			flush();
			merged.push(entry);
			follow(entry);
		} else merged.push(entry);
	}
	flush();
	return merged;
}

/** The position of a key in one version; NONE: the version lacks it. */
type Positions = (key: number) => number;

/** A table as large as the greatest key is used if it has at most this many times the number of children. */
const tablePerChild = 8;

function positions(keys: Int32Array): Positions {
	const size = keys.reduce((greatest, key) => Math.max(greatest, key), 0) + 1;
	if (size <= tablePerChild * keys.length) {
		const table = new Int32Array(size).fill(NONE);
		for (let i = 0; i < keys.length; i++) table[keys[i]!] = i;
		return (key) => table[key] ?? NONE;
	}
	const map = new Map<number, number>();
	for (let i = 0; i < keys.length; i++) map.set(keys[i]!, i);
	return (key) => map.get(key) ?? NONE;
}

/** Do the common keys of all versions have the order of the base? */
function inBaseOrder(keys: Int32Array, inBase: Positions, inOther: Positions): boolean {
	let last = NONE;
	for (const key of keys) {
		const position = inBase(key);
		if (position === NONE || inOther(key) === NONE) continue;
		if (position < last) return false;
		last = position;
	}
	return true;
}
