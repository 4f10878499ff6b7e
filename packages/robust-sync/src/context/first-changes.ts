import type { GitPath } from "@robust-sync/git";
import type { CycleMemory } from "./cycle-context.ts";

/** While cycles fail, this many paths are remembered with the time of their first change; of further ones the last change counts. */
const maxFirstChanges = 10_000;

/** Records a change of a path; the first one since its last commit counts. */
export function noteFirstChange({ firstChanges, clock }: CycleMemory, name: GitPath): void {
	if (!firstChanges.has(name) && firstChanges.size < maxFirstChanges) firstChanges.set(name, clock.now());
}

/**
 * Milliseconds since a change of the path was first seen; 0: none was. Infinity if it is unknown: the previous daemon was
 * killed, and there was no scan since.
 */
export function sinceFirstChange({ firstChanges, clock, resumed, hasScanned }: CycleMemory, name: GitPath): number {
	if (resumed && !hasScanned) return Number.POSITIVE_INFINITY;
	const seenAt = firstChanges.get(name);
	return seenAt === undefined ? 0 : clock.now() - seenAt;
}

/** Forgets the changes before a scan, except those of waiting paths; later changes were not scanned. */
export function forgetFirstChanges({ firstChanges }: CycleMemory, lookedAt: number, waiting: readonly GitPath[]): void {
	const kept = new Set(waiting);
	for (const [name, at] of firstChanges) if (at <= lookedAt && !kept.has(name)) firstChanges.delete(name);
}
