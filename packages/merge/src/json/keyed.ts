import type { Entry } from "./entry.ts";
import { NONE } from "./tree.ts";

/** Did a side change the child at these positions in the base and in the side? */
export type Changed = (inBase: number, inSide: number) => boolean;

/**
 * Merges children that have a key each (members of an object, elements with an identity, distinct scalars): in if both sides have it, or one side
 * added it, or one side changed what the other removed. The order is that of the side that reordered (the later, if both or none did);
 * what only the other side has follows the neighbour that it follows there. At one place the older side's come first.
 */
export function mergeKeyed(base: Int32Array, older: Int32Array, later: Int32Array, olderChanged: Changed, laterChanged: Changed): Entry[] {
	const [inBase, inOlder, inLater] = [positions(base), positions(older), positions(later)];
	const entries = new Map<number, Entry>();
	for (const [key, position] of inLater) {
		const entry = { base: inBase.get(key) ?? NONE, older: inOlder.get(key) ?? NONE, later: position };
		if (entry.older !== NONE || entry.base === NONE || laterChanged(entry.base, position)) entries.set(key, entry);
	}
	for (const [key, position] of inOlder) {
		if (inLater.has(key)) continue;
		const entry = { base: inBase.get(key) ?? NONE, older: position, later: NONE };
		if (entry.base === NONE || olderChanged(entry.base, position)) entries.set(key, entry);
	}
	const hostIsLater = !onlyOlderReordered(inBase, inOlder, inLater, older, later);
	const [host, guest] = hostIsLater ? [later, older] : [older, later];
	const [inHost, inGuest] = hostIsLater ? [inLater, inOlder] : [inOlder, inLater];

	/** What only the guest has, by the common neighbour that it follows there. */
	const followers = new Map<number, Entry[]>();
	let neighbour = NONE;
	for (const key of guest) {
		const entry = entries.get(key);
		if (entry === undefined) continue;
		const group = followers.get(neighbour);
		if (inHost.has(key)) neighbour = key;
		else if (group === undefined) followers.set(neighbour, [entry]);
		else group.push(entry);
	}

	const guestIsOlder = hostIsLater;
	const merged: Entry[] = [];
	let waiting: readonly Entry[] = [];
	const flush = (group: readonly Entry[]) => {
		for (const entry of group) merged.push(entry);
	};
	const follow = (key: number) => {
		waiting = followers.get(key) ?? [];
		if (!guestIsOlder) return;
		flush(waiting);
		waiting = [];
	};
	follow(NONE);
	for (const key of host) {
		const entry = entries.get(key);
		if (entry === undefined) continue;
		if (!inGuest.has(key)) {
			merged.push(entry);
			continue;
		}
		flush(waiting);
		merged.push(entry);
		follow(key);
	}
	flush(waiting);
	return merged;
}

function positions(keys: Int32Array): Map<number, number> {
	const found = new Map<number, number>();
	for (let i = 0; i < keys.length; i++) found.set(keys[i]!, i);
	return found;
}

type Positions = ReadonlyMap<number, number>;

function onlyOlderReordered(inBase: Positions, inOlder: Positions, inLater: Positions, older: Int32Array, later: Int32Array): boolean {
	const common = (keys: Int32Array, positionsOf: Positions) => keys.filter((key) => inBase.has(key) && positionsOf.has(key));
	const [olderOrder, laterOrder] = [common(older, inLater), common(later, inOlder)];
	const inBaseOrder = (keys: Int32Array) => keys.every((key, i) => i === 0 || inBase.get(keys[i - 1]!)! < inBase.get(key)!);
	return !inBaseOrder(olderOrder) && inBaseOrder(laterOrder);
}
