import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { countCommits, diffTrees, type GitError, type GitPath, isAncestor, type Oid, pushCommit, readHead } from "@robust-sync/git";
import {
	carryOutPlan,
	continueEarlierMerges,
	type Integration,
	type Plan,
	planFastForward,
	planIntegration,
	retryHeld,
	saveDecidedForUpstream,
} from "@robust-sync/resolve";
import { faultPoint, type HeldLoss, type PublishedSecret, type SkippedFile } from "@robust-sync/workspace";
import { heldLosses, mayPublish, outgoingLoss, releaseApproved } from "../checkout/guard.ts";
import { heldSkipped } from "../checkout/held.ts";
import { refusedBefore } from "../checkout/refused-paths.ts";
import { bringUpToDate, rescueLateWrites } from "../checkout/rescue.ts";
import { refusedPath } from "../checkout/skipped-files.ts";
import { raceWaitMs } from "../context/back-off.ts";
import { type CycleContext, integrateContext } from "../context/cycle-context.ts";
import { remadeSnapshot } from "../context/remade-snapshot.ts";
import { SyncError, toSyncError } from "../context/sync-error.ts";
import { forgetSkipped } from "../forget/forget-state.ts";
import { fetchWithoutForgotten } from "../forget/forgotten-upstream.ts";
import { collectOutbox, confirmDelivered, markCommitted } from "../outbox/outbox.ts";
import { mayFitInSteps, pushInSteps, type StepsAhead } from "../remote/push-steps.ts";
import {
	forgetPublished,
	isDeclined,
	isNotStored,
	newSearch,
	publishWithoutRefused,
	type RefusalSearch,
	refusedFiles,
	refusedSkipped,
} from "../remote/refused-files.ts";
import { askAhead, knownTip, nameUnbornBranch, requireRemote, syncedBranch, type Upstream } from "../remote/upstream.ts";
import { withoutSecrets } from "../secrets/commits.ts";
import { publishedSecrets, secretSkipped } from "../secrets/notes.ts";
import { listUnpublished } from "../secrets/unpublished.ts";
import { bringIndexUpToDate, leave } from "../snapshot/direct-snapshot.ts";
import { excludeFromNowOn, excludeFromTheStart, keepExcluded } from "../snapshot/excluded.ts";
import { waitUntilQuiet } from "../snapshot/hot-files.ts";
import { ownTrackedFiles, setAsideTrackedState, untrackOwnFiles, withoutOwnFiles } from "../snapshot/own-tracked.ts";
import { type Snapshot, takeSnapshot } from "../snapshot/snapshot.ts";
import { recover, refuseOpenOperation } from "./recover.ts";

/** What one cycle did. */
export interface CycleResult {
	readonly head: Oid | null;
	readonly branch: string;
	/** Files committed and how many of them are deletions, commits pulled and pushed, files resolved, late writes merged in. */
	readonly committed: number;
	readonly deleted: number;
	/** How many files a checkout of ours took away, because they were deleted elsewhere. */
	readonly removed: number;
	readonly commits: number;
	readonly pulled: number;
	readonly pushed: number;
	readonly resolved: number;
	readonly rescued: number;
	readonly delivered: number;
	readonly skipped: readonly SkippedFile[];
	/** How many tracked files this node neither sends nor checks out. */
	readonly excluded: number;
	/** What was published although it holds a secret. */
	readonly secrets: readonly PublishedSecret[];
	/** Files that were being written, or late writes that were merged in: another cycle should follow soon. */
	readonly busy: number;
	/** How many of them are names that vanished a moment ago, or came with those. */
	readonly unconfirmed: number;
	/** Messages that wait for the next cycle, because there are too many for one. */
	readonly waiting: number;
	/** Paths that our own checkout changed. */
	readonly checkedOut: readonly GitPath[];
	/** The remote's history was rewritten by someone; both histories are merged. */
	readonly rewritten: boolean;
	/** Directories below sync/conflicts/ that were written. */
	readonly saved: readonly string[];
	/** What waits for a person's word, and how many commits are not published because of it. */
	readonly held: readonly HeldLoss[];
	readonly ahead: number;
	/** How long the remote is to be left alone with what is committed here, milliseconds (hub-pace.ts); null: nothing waits for that. */
	readonly postponedMs: number | null;
}

/** Lost races until the cycle gives up with PUSH_RACE. */
const maxRaces = 10;
/** A network that took longer than this is no moment any more: everything is looked at again, whatever the watcher saw. */
const momentMs = 1_000;
/** Files that are being written, and that a checkout would replace, are waited for this long. */
const busyWaitMs = 200;

interface Progress {
	committed: number;
	deleted: number;
	removed: number;
	commits: number;
	pulled: number;
	pushed: number;
	resolved: number;
	rescued: number;
	rewritten: boolean;
	saved: string[];
	checkedOut: GitPath[];
	/** Late writes that were merged into the working tree and wait to be committed, and commits that wait to be pushed. */
	late: number;
	/** The newest snapshot. */
	snapshot: Snapshot | null;
	/** The remote's tip, where what is beyond it is not published. */
	heldAt: Oid | null;
	postponedMs: number | null;
	/** What a person asked for was carried out: HEAD has more than the snapshot. */
	isTaskDone: boolean;
}

/**
 * One cycle: recover → rescue late writes → collect the outbox → snapshot → fetch → snapshot → merge → publish → snapshot → check out →
 * confirm. A merge is published before the working tree moves to it, so that other nodes have the least time to push in between. What
 * was written while the cycle waited for the network is committed on HEAD before anything is checked out, and merged like any other
 * commit. Safe to be killed at any instant; the next one goes on.
 * @throws SyncError, GitError, file system errors (see toSyncError); LockLostError
 */
export async function runCycle(context: CycleContext): Promise<CycleResult> {
	const progress: Progress = {
		committed: 0,
		deleted: 0,
		removed: 0,
		commits: 0,
		pulled: 0,
		pushed: 0,
		resolved: 0,
		rescued: 0,
		rewritten: false,
		saved: [],
		checkedOut: [],
		late: 0,
		snapshot: null,
		heldAt: null,
		postponedMs: null,
		isTaskDone: false,
	};
	await setAsideTrackedState(context);
	await excludeFromTheStart(context);
	progress.rescued += (await recover(context)).rescued;
	requireRemote(context);
	await nameUnbornBranch(context);
	progress.checkedOut.push(...(await keepExcluded(context)));

	const asked = askAhead(context);
	const work = async () => {
		progress.rescued += await rescueLateWrites(context);
		await untrackOwnFiles(context);
		const outbox = await collectOutbox(context);
		const snapshot = await taskInto(context, progress, await snapshotInto(context, progress, outbox.targets));
		const committed = markCommitted(context, outbox);
		const agree = async () => {
			const agreed = await exchange(context, snapshot, progress, asked);
			if (await integrateMirrors(context, snapshot, progress)) return (await readHead(context.repository)).oid;
			await retryHeldPaths(context, progress);
			return agreed;
		};
		const head = await agree().finally(async () => {
			await bringIndexUpToDate(context);
			await leave(context);
		});
		return { outbox, committed, head };
	};
	// Nothing of a cycle goes on in the background when it is over, or has failed.
	const { outbox, committed, head } = await work().finally(() => asked?.catch(() => undefined));

	const isAllPublished = progress.heldAt === null && progress.postponedMs === null && progress.late === 0;
	progress.checkedOut.push(...(await excludeFromNowOn(context, isAllPublished && progress.snapshot?.busy.length === 0)));
	// A checkout of this cycle has done its share already.
	if (progress.pulled === 0) progress.saved.push(...(await continueEarlierMerges(integrateContext(context))));
	// A process that stood still meanwhile may not be the one that works here any more.
	context.lock.assertHeld();
	const { heldAt } = progress;
	const isHeld = heldAt !== null && head !== null;
	const isPostponed = progress.postponedMs !== null;
	// A message that the hub refuses is on no other node.
	const delivered = isHeld || isPostponed ? 0 : confirmDelivered(context, committed, refusedFiles(context));
	const held = heldLosses(context, isHeld ? await outgoingLoss(context, heldAt, head) : null);
	const waitsAt = isHeld ? heldAt : isPostponed ? await knownTip(context) : head;
	const ahead = head === null ? 0 : await countCommits(context.repository, waitsAt, head);
	const { memory } = context;
	// The first look of a process: what an earlier one has seen come.
	if (memory.synced === null && memory.refused.length === 0 && head !== null) memory.refused = await refusedBefore(context, head);
	if (!isPostponed) memory.synced = waitsAt;
	// A remote that is left alone was not asked for what peers announced.
	if (memory.pace.limitedMs() === 0) memory.announced.clear();
	const { snapshot, late, heldAt: _heldAt, isTaskDone: _isTaskDone, ...done } = progress;
	const refused = memory.refused.map(refusedPath);
	const skipped = [
		...(snapshot?.skipped ?? []),
		...outbox.skipped,
		...refused,
		...heldSkipped(context),
		...refusedSkipped(context),
		...secretSkipped(context),
		...forgetSkipped(memory.forget),
	];
	const reported = new Set(skipped.map(({ path }) => path));
	skipped.push(...ownTrackedFiles(context).filter(({ path }) => !reported.has(path)));
	const busy = (snapshot?.busy.length ?? 0) + late;
	return {
		head,
		branch: syncedBranch(context),
		...done,
		held,
		ahead,
		delivered,
		skipped,
		excluded: memory.excluded.files,
		secrets: publishedSecrets(context),
		busy,
		unconfirmed: snapshot?.unconfirmed ?? 0,
		waiting: outbox.waiting,
	};
}

/** Fetch, merge, publish and check out, until this node and the remote agree. @returns the commit that both are at */
async function exchange(
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
 * Merges what mirrors have and the hub lacks (mirrors.ts): another node pushed it there, or a hub that came back holds it.
 * @returns whether HEAD moved; the next cycle, which follows at once, publishes that
 */
async function integrateMirrors(context: CycleContext, snapshot: Snapshot, progress: Progress): Promise<boolean> {
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

async function checkOut(context: CycleContext, plan: Plan, progress: Progress): Promise<void> {
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
async function retryHeldPaths(context: CycleContext, progress: Progress): Promise<void> {
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

function noteIntegration(integration: Integration, progress: Progress): void {
	progress.saved.push(...integration.saved);
	for (const name of integration.changed) progress.checkedOut.push(name);
	progress.rescued += integration.rescued.length;
	progress.late += integration.rescued.length;
}

async function snapshotInto(
	context: CycleContext,
	progress: Progress,
	targets: Parameters<typeof takeSnapshot>[1] = [],
): Promise<Snapshot> {
	faultPoint("cycle-before-snapshot");
	const taken = await takeSnapshot(context, targets);
	const unpublished = await listUnpublished(context, taken);
	const touched = unpublished.isAll ? unpublished.commits.flatMap(({ changes }) => changes.map((change) => change.path)) : null;
	const snapshot = await withoutSecrets(context, await withoutOwnFiles(context, taken, touched), unpublished);
	progress.snapshot = snapshot;
	// So that what a person commits or stages from here on is seen by the next snapshot of this cycle.
	await leave(context);
	faultPoint("cycle-after-snapshot");
	progress.committed += snapshot.committed;
	progress.deleted += snapshot.deleted;
	context.memory.changes.add(snapshot.changed);
	progress.rescued += snapshot.rescued;
	if (snapshot.committed > 0) progress.commits++;
	await saveDecisions(context, progress, snapshot);
	return snapshot;
}

/**
 * What was written since the latest snapshot is committed on HEAD, which has not moved: the cycle may have waited for the network for
 * seconds or minutes since then.
 * @param plan what would be checked out next
 * @throws SyncError OPERATION_OPEN, WRONG_BRANCH, DETACHED_HEAD when a person has begun something of their own meanwhile
 */
async function snapshotAgain(context: CycleContext, latest: Snapshot, plan: Plan, progress: Progress, waitedMs: number): Promise<Snapshot> {
	const { repository, memory, now } = context;
	await refuseOpenOperation(context);
	// The kernel's events of this moment are read in the next turns of the loop.
	for (let turn = 0; turn < 2; turn++) await setImmediate();
	const isQuiet = memory.known.isWatching && memory.firstChanges.size === 0 && waitedMs < momentMs;
	if (isQuiet && (await readHead(repository)).oid === latest.head) return latest;
	const snapshot = await snapshotInto(context, progress);
	if (snapshot.busy.length === 0) return snapshot;
	const replaced = new Set((await diffTrees(repository, snapshot.head ?? repository.emptyTree, plan.to)).map((change) => change.path));
	const inTheWay = snapshot.busy.filter((name) => replaced.has(name));
	if (inTheWay.length === 0) return snapshot;
	await waitUntilQuiet(repository.root, inTheWay, memory.hot, now, busyWaitMs);
	return await snapshotInto(context, progress);
}

/** Carries out what a person asked for, on top of a snapshot. */
async function taskInto(context: CycleContext, progress: Progress, snapshot: Snapshot): Promise<Snapshot> {
	const { task } = context;
	if (task === undefined || snapshot.head === null) return snapshot;
	await bringIndexUpToDate(context);
	const done = await task(context, snapshot.head);
	if (done === null) return snapshot;
	progress.isTaskDone = true;
	progress.commits++;
	if (done.integration !== null) noteIntegration(done.integration, progress);
	await leave(context);
	// What a person asked for may bring a secret back.
	return await withoutSecrets(context, { ...snapshot, head: done.head, isDirect: false });
}

/** A person may have staged the other side's file in the place of their own; who never uses git stages nothing. */
async function saveDecisions(context: CycleContext, progress: Progress, { status, head, committed }: Snapshot): Promise<void> {
	const { repository, paths, now } = context;
	const staged = status.entries.some(({ kind, index }) => kind === "changed" && index === "M");
	const tip = committed > 0 && staged && head !== null ? await knownTip(context) : null;
	if (tip === null || head === null) return;
	const { saved } = await saveDecidedForUpstream(repository, paths, { head: status.head, commit: head, tip }, now());
	if (saved !== null) progress.saved.push(saved);
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
