import { pairingLimit } from "../identity-keys.ts";
import type { Entry } from "./entry.ts";
import { NONE } from "./tree.ts";

type Side = "older" | "later";

/** Does the element of `side` at position `to` differ from that of `version` at `at` only in its name? */
export type IsRenamed = (version: keyof Entry, at: number, side: Side, to: number) => boolean;

/**
 * Joins the entries of an element that a side renamed while the other side changed or renamed it: a merge by name sees a removed element and an
 * added one.
 *
 * @param inBase how many elements the base has.
 */
export function joinRenamed(entries: readonly Entry[], inBase: number, isRenamed: IsRenamed): readonly Entry[] {
	const added = entries.filter(({ base }) => base === NONE);
	if (added.length === 0) return entries;
	const there = new Set(entries.map(({ base }) => base));
	const gone: Entry[] = [];
	for (let base = 0; base < inBase; base++) if (!there.has(base)) gone.push({ base, older: NONE, later: NONE });
	const incomplete = [...gone, ...entries.filter(({ base, older, later }) => base !== NONE && (older === NONE || later === NONE))];
	if (incomplete.length === 0 || incomplete.length * added.length > pairingLimit) return entries;
	const found = new Map<Entry, Entry[]>();
	const claims = new Map<Entry, number>();
	for (const entry of incomplete) {
		const candidates = added.filter((one) => mayBe(entry, one, isRenamed));
		found.set(entry, candidates);
		for (const one of candidates) claims.set(one, (claims.get(one) ?? 0) + 1);
	}
	const joined = new Map<Entry, Entry | null>();
	for (const [entry, all] of found) {
		const candidates = all.filter((one) => claims.get(one) === 1);
		const [first, second] = candidates;
		// With several candidates, none is chosen.
		if (first === undefined || candidates.length !== all.length || candidates.length > 2) continue;
		const other = second ?? first;
		const [older, later] = [first.older === NONE ? other.older : first.older, first.later === NONE ? other.later : first.later];
		if (second !== undefined && (older === NONE || later === NONE || first.older === second.older || isOfBoth(first) || isOfBoth(second)))
			continue;
		const whole = {
			base: entry.base,
			older: entry.older === NONE ? older : entry.older,
			later: entry.later === NONE ? later : entry.later,
		};
		if (whole.older === NONE || whole.later === NONE) continue;
		const place = there.has(entry.base) ? entry : first.later === NONE ? other : first;
		joined.set(first, null);
		joined.set(other, null);
		joined.set(place, whole);
	}
	if (joined.size === 0) return entries;
	return entries.flatMap((entry) => {
		const whole = joined.get(entry);
		return whole === undefined ? [entry] : whole === null ? [] : [whole];
	});
}

function isOfBoth({ older, later }: Entry): boolean {
	return older !== NONE && later !== NONE;
}

/** May an added entry be the element of an incomplete one? Its sides are those that the incomplete entry lacks. */
function mayBe(entry: Entry, one: Entry, isRenamed: IsRenamed): boolean {
	if ((entry.older !== NONE && one.older !== NONE) || (entry.later !== NONE && one.later !== NONE)) return false;
	const isIn = (side: Side, other: Side) =>
		one[side] !== NONE &&
		(isRenamed("base", entry.base, side, one[side]) || (entry[other] !== NONE && isRenamed(other, entry[other], side, one[side])));
	return isIn("older", "later") || isIn("later", "older");
}
