import type { Oid } from "@robust-sync/git";
import type { Snapshot } from "../snapshot/snapshot.ts";

/**
 * A snapshot after its commits were made again without something.
 * @param replaced each commit that was made again, with the one in its place
 * @param head where HEAD is now
 * @param committed how many files of the snapshot are left in it, where it is not undone altogether
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
