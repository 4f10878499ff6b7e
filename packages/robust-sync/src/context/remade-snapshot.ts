import type { Oid } from "@robust-sync/git";
import type { Snapshot } from "../snapshot/snapshot.ts";

/**
 * A snapshot after its commits were rewritten without some files.
 * @param replaced each rewritten commit, with its replacement
 * @param head the new HEAD
 * @param committed number of files left in the snapshot, if it is not undone altogether
 */
export function remadeSnapshot(snapshot: Snapshot, replaced: ReadonlyMap<Oid, Oid>, head: Oid, committed = snapshot.committed): Snapshot {
	const { status } = snapshot;
	const before = status.head === null ? null : (replaced.get(status.head) ?? status.head);
	const isUndone = head === before;
	return {
		...snapshot,
		head,
		status: { ...status, head: before },
		committed: isUndone ? 0 : committed,
		deleted: isUndone ? 0 : snapshot.deleted,
		changed: isUndone ? [] : snapshot.changed,
	};
}
