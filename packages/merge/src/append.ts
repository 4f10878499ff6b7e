import { startsWithBytes, toLatin1 } from "./bytes.ts";
import { BOM } from "./lines.ts";
import { mergeProse } from "./prose.ts";
import type { Merged, Sides } from "./sides.ts";

/** Did both sides only append, apart from line ends and byte order mark? Files that both sides added are no append. */
export function isAppend({ base, older, later }: Sides): boolean {
	if (base === null) return false;
	if (startsWithBytes(older, base) && startsWithBytes(later, base)) return true;
	const texts = [base, older, later].map(toLatin1) as [string, string, string];
	if (!texts.some((text) => text.startsWith(BOM) || text.includes("\r\n"))) return false;
	const [inBase, inOlder, inLater] = texts.map(withoutLayout) as [string, string, string];
	return inOlder.startsWith(inBase) && inLater.startsWith(inBase);
}

function withoutLayout(text: string): string {
	return (text.startsWith(BOM) ? text.slice(BOM.length) : text).replaceAll("\r\n", "\n");
}

/**
 * Both tails after the base, the older side's first, each starting on a new line; if one tail contains all lines of the other, only that one.
 * An unfinished last line of the base that a side finished belongs to that side's tail. The prose merge gives the same for such
 * sides: every base line is kept, and both sides added at one place.
 */
export function mergeAppend(sides: Sides): Merged {
	return mergeProse(sides);
}
