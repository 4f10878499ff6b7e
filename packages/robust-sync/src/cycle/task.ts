import { type FileChange, type Oid, openMergeStore, updateRef, writeCommit } from "@robust-sync/git";
import { approveTrailer, isPossibleLoss } from "@robust-sync/guard";
import { carryOutPlan, type Integration, withNodeTrailer } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import { type CycleContext, integrateContext } from "../context/cycle-context.ts";
import { guardLimits } from "../context/guard-limits.ts";
import { ownIdentity } from "../context/own-identity.ts";
import { syncedBranch } from "../remote/upstream.ts";

/** The result of a task: the new HEAD, and the checkout; null: only the branch moved. */
export interface TaskDone {
	readonly head: Oid;
	readonly integration: Integration | null;
}

/** A person's task, carried out by a cycle on top of its snapshot. Null: nothing to do. */
export type Task = (context: CycleContext, head: Oid) => Promise<TaskDone | null>;

/**
 * Makes a commit on top of HEAD and checks it out, in one journalled step that destroys no byte. It is on disk when this returns, and
 * published by this cycle or a later one.
 * @param head the present HEAD, with all writes so far
 * @throws GitError, the file system's errors, LockLostError; the next cycle finishes a checkout that was begun
 */
export async function commitChanges(context: CycleContext, head: Oid, message: string, changes: readonly FileChange[]): Promise<TaskDone> {
	const { repository, lock, now } = context;
	const { commit } = await writeCommit(openMergeStore(repository), {
		parents: [head],
		...ownIdentity(context),
		date: Math.floor(now() / 1000),
		message: Buffer.from(`${withNodeTrailer(message, context.config.nodeName)}\n`),
		tree: null,
		changes,
	});
	faultPoint("task-written");
	lock.assertHeld();
	const ref = `refs/heads/${syncedBranch(context)}`;
	if (changes.length === 0) {
		await updateRef(repository, ref, commit, head, "robust-sync: task");
		return { head: commit, integration: null };
	}
	const plan = { kind: "fast-forward", from: head, to: commit, theirs: null, resolution: null, publish: true, refused: [] } as const;
	// The person's request is the approval.
	const unguarded = { ...integrateContext(context), guard: null };
	const integration = await carryOutPlan(unguarded, ref, plan);
	return { head: commit, integration };
}

/** The trailer that marks a large loss as approved for other nodes; empty if the changes can be no loss. */
export function approvalFor({ config }: CycleContext, head: Oid, changes: readonly FileChange[]): string {
	const deleted = changes.filter((change) => "delete" in change).length;
	return isPossibleLoss(guardLimits(config) ?? { files: 0, percent: 0 }, changes.length, deleted, null)
		? `${approveTrailer}: ${head}\n`
		: "";
}
