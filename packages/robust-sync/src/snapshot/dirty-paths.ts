import type { GitPath, Oid } from "@robust-sync/git";
import { withoutHeld } from "../checkout/held.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { refusedFiles } from "../remote/refused-list.ts";
import { changesOf, isPlain, lookUp } from "./commit-files.ts";
import { maxDirtyPaths } from "./dirty-set.ts";
import { withoutExcluded } from "./excluded.ts";
import { readBaseline } from "./follow-head.ts";

// The step scan of a cycle, if the watcher has seen all changes since the last full scan: only those paths are read.

/** Dirty paths, and the HEAD that they are compared with. */
export interface DirtyPaths {
	readonly head: Oid;
	readonly names: readonly GitPath[];
}

/** HEAD, and the paths with observed changes; null: a full scan is needed. */
async function whereToLook(context: CycleContext): Promise<DirtyPaths | null> {
	const baseline = await readBaseline(context);
	if (baseline === null || baseline.head === null || baseline.branch !== context.memory.branch || refusedFiles(context).size > 0)
		return null;
	const names = context.memory.dirty.paths(baseline);
	return names === null || !(await isPlain(context)) ? null : { head: baseline.head, names };
}

/** The part of some paths that an incremental scan can handle; null: a full scan is needed. */
async function admit(context: CycleContext, names: readonly GitPath[]): Promise<readonly GitPath[] | null> {
	const free = withoutHeld(context, names);
	return free === null || free.length > maxDirtyPaths ? null : await withoutExcluded(context, free);
}

/** Takes the dirty paths: later changes are dirty again. Call `dirty.invalidate` if they could not be committed. @returns null: a full scan is needed */
export async function takeDirtyPaths(context: CycleContext): Promise<DirtyPaths | null> {
	const where = await whereToLook(context);
	const names = where === null ? null : await admit(context, where.names);
	if (where === null || names === null) return null;
	context.memory.dirty.beginScan(where.names);
	return { head: where.head, names };
}

/** The part of some paths that differs from HEAD and that a snapshot would commit; null: only git knows. */
export async function changedSinceHead(context: CycleContext, names: readonly GitPath[]): Promise<GitPath[] | null> {
	const where = await whereToLook(context);
	const own = where === null ? null : await admit(context, names);
	if (where === null || own === null) return null;
	const found = await lookUp(context, where.head, own, new Set());
	if (found === null) return null;
	const wanted = own.filter((name) => !found.ignored.has(name));
	return changesOf(context, wanted, found.entries, new Map())?.map((change) => change.path) ?? null;
}
