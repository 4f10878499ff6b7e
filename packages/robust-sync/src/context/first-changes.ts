import type { GitPath } from "@robust-sync/git";
import type { CycleMemory } from "./cycle-context.ts";

/** While cycles fail, this many paths are remembered with the time of their first change; of others the last one counts. */
const maxFirstChanges = 10_000;

/** A change of a path was seen: the first one since it was last committed is remembered. */
export function noteFirstChange({ firstChanges, clock }: CycleMemory, name: GitPath): void {
	if (!firstChanges.has(name) && firstChanges.size < maxFirstChanges) firstChanges.set(name, clock.now());
}

/**
 * Milliseconds since a change of the path was first seen; 0: none was. Infinity while nobody can know: the daemon before this one was
 * killed, and nothing was looked at since.
 */
export function sinceFirstChange({ firstChanges, clock, resumed, looked }: CycleMemory, name: GitPath): number {
	if (resumed && !looked) return Number.POSITIVE_INFINITY;
	const seenAt = firstChanges.get(name);
	return seenAt === undefined ? 0 : clock.now() - seenAt;
}

/** What changed before the look is dealt with, but for what waits; what changed since then was not looked at. */
export function forgetFirstChanges({ firstChanges }: CycleMemory, lookedAt: number, waiting: readonly GitPath[]): void {
	const kept = new Set(waiting);
	for (const [name, at] of firstChanges) if (at <= lookedAt && !kept.has(name)) firstChanges.delete(name);
}
