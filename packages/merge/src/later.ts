import type { Merged, Sides } from "./sides.ts";

/** The later file whole. The older side changed it too (otherwise no merge is needed), so it has lost. */
export function mergeLater({ later }: Sides): Merged {
	return { content: later, olderLost: true, laterLost: false };
}
