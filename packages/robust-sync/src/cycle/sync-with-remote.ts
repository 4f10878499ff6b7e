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
import { isDeclined, isNotStored, newSearch, publishWithoutRefused, type RefusalSearch } from "../remote/refused-files.ts";
import { forgetPublished } from "../remote/refused-list.ts";
import { knownTip, type Prefetched, readPausesAgain, readPausesBeside, syncedBranch, type Upstream } from "../remote/upstream.ts";
import { followHead } from "../snapshot/follow-head.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";

import { checkOut } from "./check-out.ts";
import { snapshotAgain } from "./commit.ts";
import type { Progress } from "./progress.ts";

// The steps fetch, merge and publish of a cycle, repeated until no other node pushes in between; then check out.

/** Lost races until the cycle gives up with PUSH_RACE. */
const maxRaces = 10;
/** The same in a cycle of a command that forgets: it has other work, and the next cycle publishes. */
const maxForgetRaces = 2;
/** Fetches, merges, publishes and checks out, until this node and the remote agree. @returns the commit of both */
export async function syncWithRemote(
	context: CycleContext,
	snapshot: Snapshot,
	progress: Progress,
	asked: Promise<Prefetched | null> | null,
): Promise<Oid | null> {
	const { repository, memory } = context;
	const { pace } = memory;
	let latest = snapshot;
	let waitingSince = performance.now();
	/** Scans again right before a checkout. @returns the plan for the HEAD after that */
	const again = async (plan: Plan | null, tip: Oid | null): Promise<Plan | null> => {
		if (plan === null || plan.kind === "nothing" || tip === null) return plan;
		const before = latest.head;
		latest = await snapshotAgain(context, latest, plan, progress, performance.now() - waitingSince);
		waitingSince = performance.now();
		return latest.head === before ? plan : await planIntegration(repository, latest.head, tip);
	};
	const { head } = snapshot;
	let moved = memory.announced.size > 0;
	/** The answer, until it is used. */
	let pending = asked;
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
	/** Continues a push that was refused for its content in parts, now or in later cycles. @throws `error` if that is no remedy */
	const goOnInParts = (error: unknown): void => {
		if (isDeclined(error) && !hasSearched) memory.search = newSearch(error);
		else if (mayFitInSteps(error)) memory.steps = { cause: error, size: null };
		else throw error;
	};
	// A push without a fetch first: if the remote has not moved, its success proves that there was nothing to fetch.
	const isFresh = head !== null && !moved && !progress.isTaskDone && (await isFreshOnTop(context, snapshot)) && !(await hasRefused(asked));
	const isWhole = memory.steps === null && memory.search === null;
	if (
		isFresh &&
		isWhole &&
		!pace.mustReadPauses() &&
		pace.waitToPushMs() === 0 &&
		(await mayPublish(context, snapshot.status.head, head, snapshot))
	) {
		const outcome = await publish(context, head, snapshot.status.head).catch((error: unknown) => {
			goOnInParts(error);
			return "race" as const;
		});
		if (outcome === "pushed") {
			progress.pushed++;
			memory.hasMoved = false;
			forgetPublished(context);
			return head;
		}
		moved = true;
	}
	let refusal: unknown = null;
	let tip: Oid | null = null;
	let isForeign = false;
	/** A part of the outgoing commits may be unpublishable by itself: the whole is checked, and each part. */
	const publishPart = async (error: GitError, commit: Oid, expected: Oid | null) => {
		if (await mayPublish(context, expected, commit)) return await publish(context, commit, expected);
		throw toSyncError(error);
	};
	/** Publishes everything that the hub accepts. @returns "race": HEAD or the remote's tip has changed. @throws why it ended */
	const leaveOutRefused = async (search: RefusalSearch, from: Oid): Promise<"race"> => {
		// The search begins when HEAD contains the remote's tip.
		if (tip !== null && !(await isAncestor(repository, tip, from))) throw search.cause;
		const found = await publishWithoutRefused(context, search, from, tip, (commit, expected) =>
			publishPart(search.cause, commit, expected),
		);
		const hasMoved = found.tip !== tip;
		if (found.tip !== null && hasMoved) progress.pushed += await countCommits(repository, tip, found.tip);
		tip = found.tip;
		if (found.head !== null) latest = { ...latest, head: found.head };
		if (!found.isWaiting) {
			// After another failure than a refusal the search continues later.
			if (found.error === null || found.error === search.cause) memory.search = null;
			hasSearched = true;
		}
		if (found.error !== null) throw found.error;
		if (found.isWaiting && found.head === null && !hasMoved) throw search.cause;
		return "race";
	};
	/** @returns "race": the next round reads the remote's tip again */
	const pushSteps = async (steps: StepsAhead, from: Oid, to: Oid): Promise<"race" | "stepped"> => {
		const made = await pushInSteps(context, from, tip, steps, (commit, expected) => publishPart(steps.cause, commit, expected));
		progress.pushed += made.pushed;
		memory.steps = made.ahead;
		tip = made.tip;
		if (isNotStored(made.error) && !hasSearched) memory.search = newSearch(made.error);
		else if (made.error !== null) throw made.error;
		// The next round fetches, merges and checks out the commits that a step pushed.
		return tip === to ? "stepped" : "race";
	};
	/** Publishes a plan's commit: whole, in steps, or without the files that the hub refuses. @throws the failure */
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
	/** @returns the merge; "race": another node pushed first, nothing is published */
	const mergeAndPublish = async (): Promise<Plan | null | "race"> => {
		const upstream = await fetchWithoutForgotten(context, moved, pending);
		pending = null;
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
			// The incoming commits are checked out; held commits stay here.
			progress.heldAt = tip;
			return await again(plan, tip);
		}
		await readPausesAgain(context);
		// Other nodes push as well, or one forgets: the checkout does not wait for the push.
		if (pace.waitToPushMs() > 0) {
			progress.postponedMs = pace.waitToPushMs();
			if (memory.search !== null) refusal = memory.search.cause;
			return await again(plan, tip);
		}
		// The incoming commits are checked out even so: a node without permission to push still receives.
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
		if (attempt >= (memory.forget.isCommand ? maxForgetRaces : maxRaces))
			throw new SyncError("PUSH_RACE", "other nodes kept pushing first: trying later");
		await sleep(raceWaitMs(attempt, performance.now() - attemptStarted, Math.random()));
	}
	if (plan !== null) {
		noteRefused(context, plan, isForeign);
		await releaseApproved(context, plan.from, plan.to);
		await checkOut(context, plan, progress);
	}
	const { search } = memory;
	if (search !== null && refusal === search.cause && plan !== null && plan.kind !== "nothing" && pace.waitToPushMs() === 0) {
		// HEAD contains the remote's tip now: the search can begin.
		refusal = null;
		await leaveOutRefused(search, plan.to);
		progress.late++;
		return (await readHead(repository)).oid;
	}
	if (refusal) throw refusal;
	// Writes since the merge are pushed by the next cycle, which follows at once: another push now could wait as long.
	if (plan?.publish && plan.to !== tip && progress.heldAt === null && progress.postponedMs === null) progress.late++;
	return plan?.to ?? null;
}

/**
 * Remembers the paths of a peer's commits that no working tree may have. They are reported as long as the remote's branch has them, and after a commit of this node
 * removed them until another node moves the branch; logged when they arrive.
 */
function noteRefused({ log, memory }: CycleContext, { kind, to, refused }: Plan, isForeign: boolean): void {
	if (isForeign || refused.length > 0) memory.refused = refused;
	if (kind === "nothing" || refused.length === 0) return;
	const names = refused.slice(0, 5).map((name) => JSON.stringify(refusedPath(name).path));
	log.warn(
		`left out paths that no working tree may have: ${names.join(", ")}${refused.length > names.length ? ", …" : ""} (${to.slice(0, 12)}): remove them from the branch on the remote`,
	);
}

async function planFor({ repository }: CycleContext, head: Oid | null, { tip, before, rewritten }: Upstream): Promise<Plan | null> {
	if (tip === null)
		return head === null ? null : { kind: "nothing", from: head, to: head, theirs: null, resolution: null, publish: true, refused: [] };
	// git only moves a tracking ref forward unless forced: a node that was at its old tip can fast-forward without a further check.
	if (head !== null && head === before && !rewritten && tip !== head) return await planFastForward(repository, head, tip);
	return await planIntegration(repository, head, tip);
}

/** Whether HEAD has only snapshots of this node on top of the remote's last known tip. */
async function isFreshOnTop(context: CycleContext, snapshot: Snapshot): Promise<boolean> {
	if (snapshot.committed === 0) return false;
	const known = await knownTip(context);
	return known !== null && snapshot.status.head === known;
}

/** Longest wait of a push for a pending answer, milliseconds. */
const answerWaitMs = 500;

/** Whether the remote has refused a pending question: then it gets no push either. A slow answer is not waited for. */
async function hasRefused(asked: Promise<Prefetched | null> | null): Promise<boolean> {
	if (asked === null) return false;
	const late = new AbortController();
	const answer = asked.then(
		() => false,
		() => true,
	);
	const isLate = sleep(answerWaitMs, false, { signal: late.signal }).catch(() => false);
	return await Promise.race([answer, isLate]).finally(() => late.abort());
}

/** @param expected last known tip of the remote's branch; null: it has none */
async function publish(context: CycleContext, head: Oid, expected: Oid | null): Promise<"pushed" | "race"> {
	const { repository, config } = context;
	context.lock.assertHeld();
	faultPoint("cycle-before-push");
	const takeBack = context.memory.pace.pushes();
	const pushing = pushCommit(repository, config.syncRemote, syncedBranch(context), head, {
		hooks: config.syncHooks,
		expected,
		onUnsent: takeBack,
	});
	// A hub may take minutes to answer: the index does not wait for it.
	const [pushed, followed] = await Promise.allSettled([pushing, followHead(context), readPausesBeside(context)]);
	if (pushed.status === "rejected") throw pushed.reason;
	if (followed.status === "rejected") throw followed.reason;
	faultPoint("cycle-after-push");
	return pushed.value;
}
