import { setTimeout as sleep } from "node:timers/promises";
import {
	attachHead,
	fetchBranch,
	GitError,
	hasCommit,
	isAncestor,
	listRemote,
	type Oid,
	type Repository,
	readHead,
	readRef,
	readRemoteBranch,
	readRemoteRefs,
	trackingRef,
} from "@robust-sync/git";
import { shellWord } from "@robust-sync/service/printable";
import type { CycleContext } from "../context/cycle-context.ts";
import { SyncError, wrongBranch } from "../context/sync-error.ts";
import { pauseLeftMs, pausesBelow } from "./announced-pause.ts";
import { stillLimited } from "./pace-of-workspace.ts";

/** The remote's tip after a fetch. */
export interface Upstream {
	/** null: the remote does not have the branch yet; the first push creates it. */
	readonly tip: Oid | null;
	/** The remote's history no longer contains its last known tip. */
	readonly rewritten: boolean;
	/** The last known tip; the new one contains it, unless `rewritten`. */
	readonly before: Oid | null;
}

/** The branch's name, from HEAD or, after the first contact, from the remote. */
export function syncedBranch({ memory }: CycleContext): string {
	if (memory.branch === null) throw new SyncError("INTERNAL", "no branch was chosen yet");
	return memory.branch;
}

/** @throws SyncError NO_REMOTE */
export function requireRemote({ repository, config }: CycleContext): string {
	const url = repository.config.get(`remote.${config.syncRemote}.url`);
	if (!url)
		throw new SyncError(
			"NO_REMOTE",
			`the repository has no remote '${config.syncRemote}': run 'git remote add ${config.syncRemote} <url>'`,
		);
	return url;
}

/** The remote-tracking ref's commit, read from disk. */
export async function knownTip(context: CycleContext): Promise<Oid | null> {
	return await readRef(context.repository, trackingRef(context.config.syncRemote, syncedBranch(context)));
}

/**
 * The commits whose histories are published: the remote-tracking ref, and what it was at the start of the cycle. A fetch beside the scan may have
 * moved it to a history that was replaced; the commits of the old one are no unpublished commits even so.
 */
export async function publishedTips(context: CycleContext): Promise<Oid[]> {
	const { tipAtStart } = context.memory;
	return [...new Set([await knownTip(context), tipAtStart].filter((oid) => oid !== null))];
}

/**
 * An unborn branch gets the name of the remote's: two nodes whose `git init` chose different names must not sync past each
 * other. Only before the first commit.
 */
export async function nameUnbornBranch(context: CycleContext): Promise<void> {
	const { repository, config, memory } = context;
	const { branch, oid } = await readHead(repository);
	if (oid !== null || branch === null || config.syncBranch !== null) return;
	const limitedMs = memory.pace.limitedMs();
	if (limitedMs > 0) throw stillLimited(limitedMs, context.now());
	const { branches, defaultBranch } = await listRemote(repository, config.syncRemote);
	if (branches.size === 0) return;
	const only = branches.size === 1 ? [...branches.keys()][0] : null;
	const name = defaultBranch ?? only;
	if (!name)
		throw new SyncError(
			"NO_REMOTE",
			`the remote has no branch '${branch}' but ${[...branches.keys()].slice(0, 5).join(", ")}: set SYNC_BRANCH to the one to sync`,
		);
	await attachHead(repository, `refs/heads/${name}`);
	memory.branch = name;
}

/** The ref of the newest maps of what to forget (announced-maps.ts), on the hub and here. */
export const mapsRef = "refs/robust-sync/forget";

/** Asks the remote for its tip, and whether it has new maps, or a node that forgets asks the others not to push. */
async function askRemote(context: CycleContext): Promise<Oid | null> {
	const { repository, config, memory, now } = context;
	const branch = `refs/heads/${syncedBranch(context)}`;
	const refs = await readRemoteRefs(repository, config.syncRemote, [branch, mapsRef, `${pausesBelow}*`]);
	memory.forget.announced = refs.get(mapsRef) ?? null;
	memory.pace.pausesRead(pauseLeftMs(refs.keys(), config.heartbeatKeys, now(), memory.forget.pausesSeen));
	return refs.get(branch) ?? null;
}

/** Asks for announced pauses beside a push, if the node pushes often. The push reports failures. */
export async function readPausesBeside(context: CycleContext): Promise<void> {
	const { config, memory } = context;
	if (config.heartbeatKeys.length > 0 && memory.pace.shouldReadPauses()) await askRemote(context).catch(() => null);
}

/** Asks again before a push after an announced pause: it may go on. */
export async function readPausesAgain(context: CycleContext): Promise<void> {
	if (context.memory.pace.mustReadPauses()) await askRemote(context).catch(() => null);
}

/** What the remote answered before the cycle needed it. */
export interface Prefetched {
	readonly tip: Oid | null;
	/** The result of a fetch; null: the remote was only asked. */
	readonly upstream: Upstream | null;
	/** The number of heads that peers had announced by then. */
	readonly announced: number;
}

/** The answer of the remote to the cheapest question. */
export const askUpstream = async (context: CycleContext): Promise<Prefetched> => ({
	tip: await askRemote(context),
	upstream: null,
	announced: 0,
});

/**
 * Learns the remote's tip. Asks first (one cheap question) unless there is a sign that it moved; fetches if it did.
 * @param hint a peer announced a missing head, or a push was refused: fetch at once
 * @param asked the prefetched answer, if there is one that was not used yet
 * @param signal ends a fetch early; the result then counts for nothing
 */
export async function fetchUpstream(
	context: CycleContext,
	hint: boolean,
	asked: Promise<Prefetched | null> | null = null,
	signal?: AbortSignal,
): Promise<Upstream> {
	const { repository, config, memory } = context;
	const branch = syncedBranch(context);
	const { announced } = memory;
	// Two fetches at once would be in each other's way. After a lost race the answer may be out of date, also a failure.
	const prefetched = asked === null ? null : await (hint && announced.size === 0 ? asked.catch(() => null) : asked);
	const done = prefetched?.upstream ?? null;
	const isHint = hint && (prefetched === null || prefetched.announced === 0 || prefetched.announced < announced.size);
	if (done !== null && (!isHint || done.tip !== done.before)) return done;
	const known = await knownTip(context);
	if (!hint || known === null) {
		const { tip } = done === null && prefetched !== null ? prefetched : await askUpstream(context);
		if (tip === null) {
			await refuseMissingBranch(context, branch, known);
			return { tip: null, rewritten: false, before: known };
		}
		memory.hasMoved = tip !== known;
		if (tip === known) return { tip, rewritten: false, before: known };
	}
	const fetched = await fetchBranch(repository, config.syncRemote, branch, signal).catch(async (error: unknown) => {
		// git has no exit code for a missing branch.
		if (!(error instanceof GitError) || error.code !== "INTERNAL") throw error;
		const tip = await readRemoteBranch(repository, config.syncRemote, branch);
		if (tip !== null) throw (await remoteDamage(context, error, tip, known)) ?? error;
		await refuseMissingBranch(context, branch, known);
		return null;
	});
	if (fetched === null) return { tip: null, rewritten: false, before: known };
	const tip = await knownTip(context);
	memory.hasMoved = tip !== known;
	return { tip, rewritten: fetched.rewritten, before: known };
}

/** A scan that is over by then decides whether there is a question; a longer one gets it beside it. */
const defaultAskBesideAfterMs = 50;

/** A fetch that takes longer than this many milliseconds may be bringing a whole history that was made without something. */
const askMapsAfterMs = 1_000;

/**
 * Fetches at once. If that takes long, the remote is asked meanwhile whether it has a new map of what to forget: then the fetch ends, because this
 * node computes most of the new history from its own. A short fetch, which is nearly every one, costs nothing more.
 */
export async function fetchUnlessReplaced(context: CycleContext): Promise<Prefetched> {
	const { repository, config, memory } = context;
	const announced = memory.announced.size;
	const ender = new AbortController();
	let question: Promise<Prefetched | null> = Promise.resolve(null);
	const ask = async (): Promise<Prefetched | null> => {
		const mine = await readRef(repository, mapsRef);
		const answer = await askUpstream(context);
		const { announced: maps, read } = memory.forget;
		if (maps === null || maps === mine || maps === read) return null;
		ender.abort();
		return answer;
	};
	const isPossible = config.heartbeatKeys.length > 0 && (await knownTip(context)) !== null;
	const timer = setTimeout(() => {
		question = ask().catch(() => null);
	}, askMapsAfterMs);
	if (!isPossible) clearTimeout(timer);
	try {
		const upstream = await fetchUpstream(context, true, null, ender.signal);
		if (!ender.signal.aborted) return { tip: upstream.tip, upstream, announced };
	} catch (error) {
		if (!ender.signal.aborted) throw error;
	} finally {
		clearTimeout(timer);
	}
	const answer = await question;
	return { tip: answer?.tip ?? null, upstream: null, announced };
}

/**
 * Learns the remote's tip while the scan runs, if that is likely to be needed. A head that a peer announced is fetched at once; so is the branch
 * after a cycle that found it moved, as more may follow. Where there is something to push, the push answers.
 * @param isToPush the result of the scan: whether a push follows
 * @returns the pending answer, of null if the push replaces it; null: not asked. Must be awaited even if unused.
 */
export function prefetchUpstream(context: CycleContext, isToPush: Promise<boolean>): Promise<Prefetched | null> | null {
	const { memory } = context;
	const announced = memory.announced.size;
	if (announced > 0 ? memory.pace.limitedMs() > 0 : memory.firstChanges.size > 0 || !memory.pace.mayAsk()) return null;
	const fetched = () => fetchUnlessReplaced(context);
	const answered = async () => {
		const scanned = new AbortController();
		const isSlow = sleep(context.askBesideAfterMs ?? defaultAskBesideAfterMs, false, { signal: scanned.signal }).catch(() => false);
		const isPushed = await Promise.race([isToPush, isSlow]).finally(() => scanned.abort());
		return isPushed ? null : await askUpstream(context);
	};
	const answer = announced > 0 || memory.hasMoved ? fetched() : answered();
	// A failure concerns only callers that need the answer.
	answer.catch(() => undefined);
	return answer;
}

/**
 * A hub accepts any object, also a tree that its own git cannot read: it then breaks off every fetch of the branch. Distinguished from other failures
 * by the remote's answers: it reports the branch's tip, and that commit is missing here.
 * @returns null: another failure
 */
async function remoteDamage(context: CycleContext, error: GitError, tip: Oid, known: Oid | null): Promise<SyncError | null> {
	const { repository, config } = context;
	if (error.signal !== null || tip === known || (await hasCommit(repository, tip))) return null;
	const branch = syncedBranch(context);
	const ref = `refs/heads/${branch}`;
	const remedy =
		known === null
			? "run 'git fsck' there, and remove the broken commit from the branch"
			: `take it back with 'git push ${shellWord(`--force-with-lease=${ref}:${tip}`)} ${shellWord(config.syncRemote)} ${shellWord(`${known}:${ref}`)}' from any node`;
	return new SyncError(
		"REMOTE_DAMAGED",
		`the remote answers, but its git cannot send commit ${tip} of '${branch}': it, or an ancestor, is broken there: ${remedy}; changes are committed here meanwhile`,
		{ cause: error },
	);
}

/** An empty remote gets the branch; one that has other branches, or had ours, is a mistake that only a person can judge. */
async function refuseMissingBranch({ repository, config, memory }: CycleContext, branch: string, known: Oid | null): Promise<void> {
	const { branches, defaultBranch } = await listRemote(repository, config.syncRemote);
	if (branches.size === 0) return;
	const names = [...branches.keys()].map(shellWord);
	const others = `${names.slice(0, 5).join(", ")}${names.length > 5 ? ", …" : ""}`;
	const tip = known ?? memory.synced;
	const { lastBranch } = memory;
	if (tip === null && lastBranch !== null && lastBranch !== branch && branches.has(lastBranch)) throw wrongBranch(branch, lastBranch);
	if (tip === null)
		throw new SyncError(
			"NO_REMOTE",
			`the remote has no branch '${branch}' but ${others}: set SYNC_BRANCH, or rename with 'git branch -m ${names[0]}'`,
		);
	const renamed = await renamedTo(repository, branches, defaultBranch, tip);
	const name = shellWord(branch);
	const restore = `git push ${shellWord(config.syncRemote)} ${name}`;
	const follow = renamed === null ? null : `git branch -m ${name} ${shellWord(renamed)}`;
	const advice =
		follow === null
			? `restore it with '${restore}'`
			: `it was most likely renamed: follow with '${follow}'${config.syncBranch === null ? "" : " and set SYNC_BRANCH"} (to restore it instead: '${restore}')`;
	throw new SyncError("BRANCH_GONE", `the branch '${branch}' is gone from the remote, which has ${others}: ${advice}`);
}

/** The remote's branch with the last known tip of ours: ours under another name. null: none is known. */
async function renamedTo(
	repository: Repository,
	branches: ReadonlyMap<string, Oid>,
	defaultBranch: string | null,
	tip: Oid,
): Promise<string | null> {
	const same = [...branches].filter(([, oid]) => oid === tip).map(([name]) => name);
	if (same.length > 0) return same.find((name) => name === defaultBranch) ?? same[0] ?? null;
	const candidates = [...branches].sort(([a], [b]) => Number(b === defaultBranch) - Number(a === defaultBranch)).slice(0, 5);
	// A branch that moved meanwhile is only recognized if its commits are here.
	for (const [name, oid] of candidates) if (await isAncestor(repository, tip, oid).catch(() => false)) return name;
	return null;
}
