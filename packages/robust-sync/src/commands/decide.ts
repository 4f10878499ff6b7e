import {
	conflictCopyPath,
	directoriesAbove,
	type FileChange,
	type GitPath,
	type Oid,
	readTreeWhole,
	type TreeEntry,
} from "@robust-sync/git";
import { approveTrailer, rejectTrailer } from "@robust-sync/guard";
import { counted } from "@robust-sync/system/counted";
import { faultPoint } from "@robust-sync/system/fault-points";
import { approve, guardedPaths, unpublishedLoss } from "../checkout/guard.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { commitChanges, type TaskDone } from "../cycle/task.ts";

/** A person's decision on held losses. */
export type Decision = "approve" | "reject";

/** The result of a decision. */
export interface Decided {
	readonly decision: Decision;
	/** The files that the decision concerned. */
	readonly files: number;
}

/** Restores files in a tree. An entry at the path of one is renamed. */
function restoringChanges(tree: ReadonlyMap<GitPath, TreeEntry>, files: ReadonlyMap<GitPath, TreeEntry>): FileChange[] {
	const directories = new Set([...tree.keys()].flatMap(directoriesAbove));
	const changes = new Map<GitPath, FileChange>();
	for (const [name, entry] of files) {
		for (const above of directoriesAbove(name)) {
			const inTheWay = tree.get(above);
			if (!inTheWay || changes.has(above)) continue;
			changes.set(above, { path: above, delete: true });
			const beside = conflictCopyPath(above, inTheWay.oid);
			changes.set(beside, { path: beside, ...inTheWay });
		}
		const at = directories.has(name) ? conflictCopyPath(name, entry.oid) : name;
		changes.set(at, { path: at, ...entry });
	}
	// Deletions first: a file cannot become a directory before it is gone.
	return [...changes.values()].sort((a, b) => Number("delete" in b) - Number("delete" in a));
}

/**
 * Carries out a decision on all held losses: a commit on top of HEAD that records it and, after a rejection, restores the
 * files. Both are on disk when this returns, and published by this cycle or a later one.
 * @returns the new HEAD, and the result; null: nothing is held
 * @throws GitError, the file system's errors, LockLostError
 */
export async function decide(
	context: CycleContext,
	head: Oid,
	decision: Decision,
): Promise<(TaskDone & { readonly decided: Decided }) | null> {
	const { repository, config } = context;
	const outgoing = await unpublishedLoss(context, head);
	const incoming = guardedPaths(context);
	const files = new Map<GitPath, TreeEntry | null>();
	for (const { path: name, base } of incoming) files.set(name, base);
	for (const { path: name, before } of outgoing?.files ?? []) files.set(name, before);
	if (files.size === 0) return null;
	const decided = { decision, files: files.size };
	const about = `of ${counted(files.size, "file")}`;
	if (decision === "approve") {
		const message = `${config.nodeName}: approve the loss ${about}\n\n${approveTrailer}: ${head}\n`;
		const done = await commitChanges(context, head, message, []);
		faultPoint("guard-approved");
		approve(context, new Set(incoming.map((entry) => entry.path)));
		return { ...done, decided };
	}
	const back = new Map([...files].flatMap(([name, entry]) => (entry === null ? [] : [[name, entry] as const])));
	const changes = restoringChanges(await readTreeWhole(repository, head), back);
	const message = `${config.nodeName}: undo the loss ${about}\n\n${rejectTrailer}: ${head}\n`;
	const done = await commitChanges(context, head, message, changes);
	faultPoint("guard-rejected");
	return { ...done, decided };
}
