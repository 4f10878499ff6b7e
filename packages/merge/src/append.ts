import { startsWithBytes } from "./bytes.ts";
import { mergeProse } from "./prose.ts";
import type { Merged, Sides } from "./sides.ts";

/** Did both sides only append? What both sides added as a new file is not an append. */
export function isAppend({ base, older, later }: Sides): boolean {
	return base !== null && startsWithBytes(older, base) && startsWithBytes(later, base);
}

/**
 * Both tails after the base, the older side's first, each starting a line of its own; if one tail has all lines of the other, that one.
 * An unfinished last line of the base that a side finished counts as part of that side's tail. This is what the prose merge does with such
 * sides: every base line is kept and both sides added at one place.
 */
export function mergeAppend(sides: Sides): Merged {
	return mergeProse(sides);
}
