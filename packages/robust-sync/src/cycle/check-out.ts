import { countCommits, readHead } from "@robust-sync/git";
import { carryOutPlan, type Plan, planIntegration, retryHeld } from "@robust-sync/resolve";
import { releaseApproved } from "../checkout/guard.ts";
import { bringUpToDate } from "../checkout/rescue.ts";
import { type CycleContext, integrateContext } from "../context/cycle-context.ts";
import { syncedBranch } from "../remote/upstream.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";

import { momentMs, snapshotAgain } from "./commit.ts";
import { noteIntegration, type Progress } from "./progress.ts";

// The step check out of a cycle: a plan becomes the working tree, and what is held is tried again.

/** Brings the working tree to the commit of a plan. @throws GitError, file system errors; the next start goes on */
export async function checkOut(context: CycleContext, plan: Plan, progress: Progress): Promise<void> {
	if (plan.kind === "nothing") return;
	const ref = `refs/heads/${syncedBranch(context)}`;
	// A fast-forward counts as it goes.
	const counting =
		plan.kind === "fast-forward" && plan.from !== null ? null : countCommits(context.repository, plan.from, plan.theirs ?? plan.to);
	// Looked at when the move is over: nothing of a cycle goes on in the background when it has failed.
	counting?.catch(() => undefined);
	const integration = await carryOutPlan(
		{ ...integrateContext(context), bringUpToDate: (late) => bringUpToDate(context, late) },
		ref,
		plan,
	);
	const { secrets, publishable } = context.memory;
	// What came in is published, and what it is merged with was searched.
	if (secrets.checked === plan.from && publishable === plan.from) secrets.checked = plan.to;
	context.memory.publishable = plan.to;
	progress.pulled += (await counting) ?? integration.commits ?? 0;
	if (plan.resolution) {
		progress.commits++;
		progress.resolved += plan.resolution.files.length;
	}
	progress.removed += integration.deleted;
	noteIntegration(integration, progress);
}

/** Between two tries to place what is held, where nothing else has changed. */
const retryPauseMs = 10_000;

/** Held paths are tried again after a look at everything, at a bounded rate. */
export async function retryHeldPaths(context: CycleContext, progress: Progress): Promise<void> {
	const { memory, now, repository } = context;
	const sinceMs = now() - memory.retriedAt;
	if (sinceMs >= 0 && sinceMs < retryPauseMs) return;
	const { oid: head } = await readHead(repository);
	if (head === null) return;
	memory.retriedAt = now();
	const ref = `refs/heads/${syncedBranch(context)}`;
	const integration = await retryHeld({ ...integrateContext(context), bringUpToDate: (late) => bringUpToDate(context, late) }, ref, head);
	if (integration !== null) noteIntegration(integration, progress);
}

/**
 * Merges what mirrors have and the hub lacks (mirrors.ts): another node pushed it there, or a hub that came back holds it.
 * @returns whether HEAD moved; the next cycle, which follows at once, publishes that
 */
export async function integrateMirrors(context: CycleContext, snapshot: Snapshot, progress: Progress): Promise<boolean> {
	const { repository, memory, log } = context;
	let latest = snapshot;
	let moved = false;
	for (const [name, tip] of memory.mirrors?.tips ?? []) {
		memory.mirrors?.tips.delete(name);
		let plan = await planIntegration(repository, (await readHead(repository)).oid, tip);
		if (plan.kind === "nothing") continue;
		latest = await snapshotAgain(context, latest, plan, progress, momentMs);
		if (latest.head !== plan.from) plan = await planIntegration(repository, latest.head, tip);
		await releaseApproved(context, plan.from, plan.to);
		await checkOut(context, plan, progress);
		log.info(`mirror ${name} had commits that the hub lacks: merged`, { tip: tip.slice(0, 12) });
		moved = true;
	}
	if (moved) progress.late++;
	return moved;
}
