import { type GitPath, readHead } from "@robust-sync/git";
import { type ForeignWrite, mergeForeignWrites } from "../checkout/foreign-writes.ts";
import { findStaleWrites } from "../checkout/rescue.ts";
import type { CycleContext } from "../context/cycle-context.ts";

/** Merges writes into HEAD, like a cycle after its snapshot. */
export async function mergeForeign(context: CycleContext, writes: readonly ForeignWrite[]): Promise<void> {
	const { oid } = await readHead(context.repository);
	if (writes.length > 0 && oid !== null) await mergeForeignWrites(context, oid, writes);
}

/** Finds lost updates and merges them, as content or as commits on their bases. @returns their number */
export async function rescueAll(
	context: CycleContext,
	names: readonly GitPath[],
	byGit: ReadonlySet<GitPath> = new Set(),
): Promise<number> {
	const { foreign } = await findStaleWrites(context, names, byGit);
	await mergeForeign(context, foreign);
	return foreign.length;
}
