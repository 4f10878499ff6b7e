import { setTimeout as sleep } from "node:timers/promises";
import { countCommits, type GitError, isAncestor, type Oid, pushCommit, readHead } from "@robust-sync/git";
import { type Plan, planFastForward, planIntegration } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import { mayPublish, releaseApproved } from "../checkout/guard.ts";
import { refusedPath } from "../checkout/skipped-files.ts";
import { raceWaitMs } from "../context/back-off.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { remadeSnapshot } from "../context/remade-snapshot.ts";
import { SyncError, toSyncError } from "../context/sync-error.ts";
import { fetchWithoutForgotten } from "../forget/forgotten-upstream.ts";
import { mayFitInSteps, pushInSteps, type StepsAhead } from "../remote/push-steps.ts";
import { forgetPublished, isDeclined, isNotStored, newSearch, publishWithoutRefused, type RefusalSearch } from "../remote/refused-files.ts";
import { knownTip, syncedBranch, type Upstream } from "../remote/upstream.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";

import { checkOut } from "./check-out.ts";
import { snapshotAgain } from "./commit.ts";
import type { Progress } from "./progress.ts";

// The steps fetch, merge and publish of a cycle, again and again until no other node was faster; then check out.

/** Lost races until the cycle gives up with PUSH_RACE. */
const maxRaces = 10;
/** Fetch, merge, publish and check out, until this node and the remote agree. @returns the commit that both are at */
export async function syncWithRemote(
	context: CycleContext,
	snapshot: Snapshot,
	progress: Progress,
	asked: Promise<Oid | null> | null,
): Promise<Oid | null> {
	const { repository, memory } = context;
	const { pace } = memory;
	let latest = snapshot;
	let waitingSince = performance.now();
	/** Looks again right before a checkout. @returns the plan for what HEAD is by then */
	const again = async (plan: Plan | null, tip: Oid | null): Promise<Plan | null> => {
		if (plan === null || plan.kind === "nothing" || tip === null) return plan;
		const before = latest.head;
		latest = await snapshotAgain(context, latest, plan, progress, performance.now() - waitingSince);
		waitingSince = performance.now();
		return latest.head === before ? plan : await planIntegration(repository, latest.head, tip);
	};
	const { head } = snapshot;
	let moved = memory.announced.size > 0;
	const isQuiet = !moved && (asked === null || pace.limitedMs() > 0);
	const known = await knownTip(context);
	if (pace.limitedMs() > 0 || (isQuiet && head !== known && pace.waitToPushMs() > 0)) {
		if (memory.search !== null && pace.limitedMs() === 0) throw memory.search.cause;
		progress.postponedMs = pace.waitToPushMs();
		return head;
	}
	// The peers announce what they push, and this node has nothing to push.
	if (isQuiet && head !== null && head === known && !pace.mayAsk()) return head;
	let hasSearched = false;
	/** A push that was refused for what it carries goes on in parts, now or in later cycles. @throws `error` where that is no remedy */
	const goOnInParts = (error: unknown): void => {
		if (isDeclined(error) && !hasSearched) memory.search = newSearch(error);
		else if (mayFitInSteps(error)) memory.steps = { cause: error, size: null };
		else throw error;
	};
	// A push without a fetch first: where the remote is as we left it, its success proves that there was nothing to fetch.
	const isFresh = head !== null && !moved && !progress.isTaskDone && (await isFreshOnTop(context, snapshot)) && !(await hasRefused(asked));
	const isWhole = memory.steps === null && memory.search === null;
	if (isFresh && isWhole && pace.waitToPushMs() === 0 && (await mayPublish(context, snapshot.status.head, head, snapshot))) {
		const outcome = await publish(context, head, snapshot.status.head).catch((error: unknown) => {
			goOnInParts(error);
			return "race" as const;
		});
		if (outcome === "pushed") {
			progress.pushed++;
			forgetPublished(context);
			return head;
		}
		moved = true;
	}
	let refusal: unknown = null;
	let tip: Oid | null = null;
	let isForeign = false;
	/** A part of what may be published may be what must not: the whole is looked at, and so is each part. */
	const publishPart = async (error: GitError, commit: Oid, expected: Oid | null) => {
		if (await mayPublish(context, expected, commit)) return await publish(context, commit, expected);
		throw toSyncError(error);
	};
	/** Publishes what the hub takes. @returns "race": HEAD or the remote is another commit now. @throws why it ended */
	const leaveOutRefused = async (search: RefusalSearch, from: Oid): Promise<"race"> => {
		// It begins when HEAD contains what the remote has.
		if (tip !== null && !(await isAncestor(repository, tip, from))) throw search.cause;
		const found = await publishWithoutRefused(context, search, from, tip, (commit, expected) =>
			publishPart(search.cause, commit, expected),
		);
		if (found.tip !== null && found.tip !== tip) progress.pushed += await countCommits(repository, tip, found.tip);
		tip = found.tip;
		if (found.head !== null) latest = { ...latest, head: found.head };
		if (!found.isWaiting) {
			// With another failure than a refusal it goes on when that is over.
			if (found.error === null || found.error === search.cause) memory.search = null;
			hasSearched = true;
		}
		if (found.error !== null) throw found.error;
		if (found.isWaiting && found.head === null) throw search.cause;
		return "race";
	};
	/** @returns "race": the next round looks where the remote is now */
	const pushSteps = async (steps: StepsAhead, from: Oid, to: Oid): Promise<"race" | "stepped"> => {
		const made = await pushInSteps(context, from, tip, steps, (commit, expected) => publishPart(steps.cause, commit, expected));
		progress.pushed += made.pushed;
		memory.steps = made.ahead;
		tip = made.tip;
		if (isNotStored(made.error) && !hasSearched) memory.search = newSearch(made.error);
		else if (made.error !== null) throw made.error;
		// What a step left on the remote is fetched, merged and checked out by the next round.
		return tip === to ? "stepped" : "race";
	};
	/** Brings a plan's commit to the remote: whole, in steps, or without what the hub refuses. @throws why it cannot */
	const bringToRemote = async (to: Oid): Promise<"pushed" | "race" | "stepped"> => {
		if (memory.steps === null && memory.search === null) {
			try {
				return await publish(context, to, tip);
			} catch (error) {
				goOnInParts(error);
			}
		}
		const { head: from } = latest;
		if (from === null) throw memory.search?.cause ?? memory.steps?.cause;
		if (memory.search !== null) return await leaveOutRefused(memory.search, from);
		return memory.steps === null ? "race" : await pushSteps(memory.steps, from, to);
	};
	/** @returns what was merged; "race": another node pushed first, nothing is published */
	const mergeAndPublish = async (): Promise<Plan | null | "race"> => {
		const upstream = await fetchWithoutForgotten(context, moved, asked);
		const { replaced } = upstream;
		if (replaced !== null) latest = remadeSnapshot(latest, replaced, (await readHead(repository)).oid ?? "");
		pace.asked();
		faultPoint("cycle-fetched");
		progress.rewritten ||= upstream.rewritten;
		tip = upstream.tip;
		isForeign = tip !== memory.synced;
		const plan = await again(await planFor(context, latest.head, upstream), tip);
		progress.heldAt = null;
		refusal = upstream.problem;
		if (plan === null || !plan.publish || upstream.problem !== null) return plan;
		if (!(await mayPublish(context, tip, plan.to))) {
			// What came in is checked out; what is held here stays here.
			progress.heldAt = tip;
			return await again(plan, tip);
		}
		// Others push as well: what comes in does not wait for the push.
		if (pace.waitToPushMs() > 0) {
			progress.postponedMs = pace.waitToPushMs();
			if (memory.search !== null) refusal = memory.search.cause;
			return await again(plan, tip);
		}
		// What came in is checked out all the same: a node that may not push still receives.
		const outcome = await bringToRemote(plan.to).catch((error: unknown) => {
			refusal = error;
			return "refused" as const;
		});
		if (outcome === "stepped") tip = plan.to;
		if (outcome === "pushed") {
			progress.pushed += await countCommits(repository, tip, plan.to);
			tip = plan.to;
			forgetPublished(context);
		}
		if (outcome !== "race") return await again(plan, tip);
		moved = true;
		context.log.debug("another node pushed first", { merged: upstream.tip?.slice(0, 12), kind: plan.kind });
		return "race";
	};
	let plan: Plan | null = null;
	for (let attempt = 1; ; attempt++) {
		const attemptStarted = performance.now();
		const outcome = await mergeAndPublish();
		if (outcome !== "race") {
			plan = outcome;
			break;
		}
		if (attempt === maxRaces) throw new SyncError("PUSH_RACE", "other nodes pushed first, again and again: trying later");
		await sleep(raceWaitMs(attempt, performance.now() - attemptStarted, Math.random()));
	}
	if (plan !== null) {
		noteRefused(context, plan, isForeign);
		await releaseApproved(context, plan.from, plan.to);
		await checkOut(context, plan, progress);
	}
	const { search } = memory;
	if (search !== null && refusal === search.cause && plan !== null && plan.kind !== "nothing" && pace.waitToPushMs() === 0) {
		// HEAD contains what the remote has by now: the search can begin.
		refusal = null;
		await leaveOutRefused(search, plan.to);
		progress.late++;
		return (await readHead(repository)).oid;
	}
	if (refusal) throw refusal;
	// What was written while the merge was pushed goes with the next cycle, which follows at once: another push now could wait as long.
	if (plan?.publish && plan.to !== tip && progress.heldAt === null && progress.postponedMs === null) progress.late++;
	return plan?.to ?? null;
}

/**
 * Paths that a peer pushed and no working tree may have: reported as long as the remote's branch has them, and after a commit of this node
 * took them out of it until another node moves the branch; logged when they come.
 */
function noteRefused({ log, memory }: CycleContext, { kind, to, refused }: Plan, isForeign: boolean): void {
	if (isForeign || refused.length > 0) memory.refused = refused;
	if (kind === "nothing" || refused.length === 0) return;
	const names = refused.slice(0, 5).map((name) => JSON.stringify(refusedPath(name).path));
	log.warn(
		`left out paths that no working tree may have: ${names.join(", ")}${refused.length > names.length ? ", …" : ""} (${to.slice(0, 12)}): take them out of the branch on the remote`,
	);
}

async function planFor({ repository }: CycleContext, head: Oid | null, { tip, before, rewritten }: Upstream): Promise<Plan | null> {
	if (tip === null)
		return head === null ? null : { kind: "nothing", from: head, to: head, theirs: null, resolution: null, publish: true, refused: [] };
	// Git only moves a tracking ref forward unless it is forced: nothing need be asked about a node that was at it.
	if (head !== null && head === before && !rewritten && tip !== head) return await planFastForward(repository, head, tip);
	return await planIntegration(repository, head, tip);
}

/** Whether all that HEAD has beyond the remote's last known tip are snapshots of ours on top of it. */
async function isFreshOnTop(context: CycleContext, snapshot: Snapshot): Promise<boolean> {
	if (snapshot.committed === 0) return false;
	const known = await knownTip(context);
	return known !== null && snapshot.status.head === known;
}

/** How long a push waits for an answer that was asked for. */
const answerWaitMs = 500;

/** Whether the remote, where it was asked already, has refused to answer: it is not sent a push as well. A slow one is not waited for. */
async function hasRefused(asked: Promise<Oid | null> | null): Promise<boolean> {
	if (asked === null) return false;
	const late = new AbortController();
	const answer = asked.then(
		() => false,
		() => true,
	);
	const isLate = sleep(answerWaitMs, false, { signal: late.signal }).catch(() => false);
	return await Promise.race([answer, isLate]).finally(() => late.abort());
}

/** @param expected where the remote's branch is, as far as this node knows; null: it has none */
async function publish(context: CycleContext, head: Oid, expected: Oid | null): Promise<"pushed" | "race"> {
	const { repository, config } = context;
	context.lock.assertHeld();
	faultPoint("cycle-before-push");
	const takeBack = context.memory.pace.pushes();
	const outcome = await pushCommit(repository, config.syncRemote, syncedBranch(context), head, {
		hooks: config.syncHooks,
		expected,
		onUnsent: takeBack,
	});
	faultPoint("cycle-after-push");
	return outcome;
}
