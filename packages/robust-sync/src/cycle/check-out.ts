import { countCommits, readHead } from "@robust-sync/git";
import { carryOutPlan, type Plan, planIntegration, retryHeld } from "@robust-sync/resolve";
import { releaseApproved } from "../checkout/guard.ts";
import { type CycleContext, integrateContext } from "../context/cycle-context.ts";
import { syncedBranch } from "../remote/upstream.ts";
import { refreshIndex } from "../snapshot/follow-head.ts";
import { followOwnHead } from "../snapshot/own-tracked.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";

import { momentMs, snapshotAgain } from "./commit.ts";
import { noteIntegration, type Progress } from "./progress.ts";

// The step check out of a cycle: brings the working tree to the plan's commit, and tries held paths again.

/** Brings the working tree to the commit of a plan. @throws GitError, file system errors; the next start continues */
export async function checkOut(context: CycleContext, plan: Plan, progress: Progress): Promise<void> {
	if (plan.kind === "nothing") return;
	await refreshIndex(context);
	const ref = `refs/heads/${syncedBranch(context)}`;
	// A fast-forward counts when it is done.
	const counting =
		plan.kind === "fast-forward" && plan.from !== null ? null : countCommits(context.repository, plan.from, plan.theirs ?? plan.to);
	// Awaited after the checkout: no work of a cycle may continue after its failure.
	counting?.catch(() => undefined);
	const integration = await carryOutPlan(integrateContext(context), ref, plan);
	followOwnHead(context, plan.from, plan.to);
	const { secrets, publishable } = context.memory;
	// The incoming commits are published, and the other side of the merge was searched.
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

/** Interval of retries for held paths without another change. */
const retryPauseMs = 10_000;

/** Tries held paths again after a full scan, at a bounded rate. */
export async function retryHeldPaths(context: CycleContext, progress: Progress): Promise<void> {
	const { memory, now, repository } = context;
	const sinceMs = now() - memory.retriedAt;
	if (sinceMs >= 0 && sinceMs < retryPauseMs) return;
	const { oid: head } = await readHead(repository);
	if (head === null) return;
	memory.retriedAt = now();
	const ref = `refs/heads/${syncedBranch(context)}`;
	const integration = await retryHeld(integrateContext(context), ref, head);
	if (integration !== null) noteIntegration(integration, progress);
}

/**
 * Merges commits that mirrors have and the hub lacks (mirrors.ts): another node pushed them there, or the hub was restored to an older state.
 * @returns whether HEAD moved; the next cycle, which follows at once, publishes it
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
