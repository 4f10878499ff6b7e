import { setTimeout as sleep } from "node:timers/promises";
import { displayPath, fileSystemPath, type GitPath, isAncestor, type Oid, readHead } from "@robust-sync/git";
import { hideLine, showLine } from "@robust-sync/service/terminal-line";
import { isHolderAlive, readLockHolder } from "@robust-sync/system/lock";
import { lstatIfThere } from "@robust-sync/system/lstat";
import {
	listPending,
	peerStateSchema,
	progressText,
	readPause,
	readProgress,
	readState,
	type SyncState,
	syncStateSchema,
	type WorkspacePaths,
	withRemoteMessage,
} from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { knownTip } from "../remote/upstream.ts";
import { startCycle } from "./cycle-process.ts";
import { lookForCandidates, lookingContext, type OnceOptions, wakeHolder } from "./once.ts";

const pollMs = 50;
const shownMs = 500;
/** After a cycle that was not enough (a deletion gets a second scan): wait for the next one before asking the instance again. */
const againMs = 1_000;

/** The result of {@link waitForSync}. */
export interface Waited {
	/** The commit with everything that existed at the beginning; null: some of it was not committed in time. */
	readonly head: string | null;
	/** Whether the commit is on the hub. */
	readonly isPublished: boolean;
	/** For each requested peer, whether it has that commit. */
	readonly peers: Readonly<Record<string, boolean>>;
	/** Files and messages of the beginning that are in no commit yet. */
	readonly missing: readonly string[];
	/** The number of files left out of commits (`robust-sync --status` names them). */
	readonly skipped: number;
	/** The reason for the delay, if it is known. */
	readonly problem: string | null;
}

export interface WaitOptions extends OnceOptions {
	/** Peers that must have the commit too. */
	readonly peers: readonly string[];
	readonly timeoutMs: number;
}

/** Whether the wait is over. */
export function isDone({ isPublished, peers }: Waited): boolean {
	return isPublished && Object.values(peers).every(Boolean);
}

/**
 * Waits until all that was written before the call is on the hub, and the named peers have it. Asks a running instance for a cycle;
 * without one, runs cycles here. Later writes are not waited for.
 * @throws GitError, SyncError, LockedError
 */
export async function waitForSync(options: WaitOptions): Promise<Waited> {
	const { paths, now = Date.now } = options;
	const begun = now();
	const deadline = performance.now() + options.timeoutMs;
	const shown = setInterval(() => showProgress(paths, now()), shownMs).unref();
	try {
		return await waitUntil(options, begun, deadline);
	} finally {
		clearInterval(shown);
		hideLine();
	}
}

function showProgress(paths: WorkspacePaths, now: number): void {
	const work = process.stderr.isTTY ? readProgress(paths, now) : null;
	if (work !== null) showLine(progressText(work));
	else hideLine();
}

async function waitUntil(options: WaitOptions, begun: number, deadline: number): Promise<Waited> {
	const { paths, now = Date.now } = options;
	const context = await lookingContext(options);
	const wanted = new Set((await lookForCandidates(context, (await readHead(context.repository)).oid)).changed);
	const pending = () => listPending(paths).map(({ name }) => name.toString("latin1"));
	const messages = new Set(pending());

	let missing: string[] = [];
	let head: Oid | null = null;
	let skipped = 0;
	let problem: string | null = null;
	const poll = async () => {
		const { oid } = await readHead(context.repository);
		const { changed, skipped: left } = await lookForCandidates(context, oid);
		skipped = left.length;
		const waiting = pending().filter((name) => messages.has(name));
		missing = [
			...changed.filter((name) => wanted.has(name) && !isNewerThan(context, name, begun)).map(displayPath),
			...waiting.map((name) => `the message ${Buffer.from(name, "latin1").toString("utf8")}`),
		];
		if (missing.length === 0) head = oid;
	};

	// After a change of the configuration the known tip may be that of another remote.
	let isAsked = !isConfiguredSince(context);
	let isPublished = false;
	for (let first = true; ; first = false) {
		if (!first || (wanted.size === 0 && messages.size === 0)) await poll();
		isPublished = isAsked && head !== null && (await isOnHub(context, head));
		if (isPublished || (!first && performance.now() >= deadline)) break;
		const pause = readPause(paths, now());
		if (pause !== null) {
			if (first) await poll();
			problem = "sync is paused: robust-sync --resume ends it";
			break;
		}
		const found = await oneCycle(options, deadline, first ? deadline : Math.min(deadline, performance.now() + againMs));
		// The reason for a failed cycle is more helpful than the fact that the next one still runs.
		problem = found === unfinished && problem !== null ? problem : found;
		isAsked ||= found === null;
	}
	const peers = Object.fromEntries(options.peers.map((peer) => [peer, false]));
	while (isPublished && head !== null) {
		for (const peer of options.peers) peers[peer] ||= await hasPeer(context, peer, head);
		if (Object.values(peers).every(Boolean) || performance.now() >= deadline) break;
		await sleep(pollMs);
	}
	return { head, isPublished, peers, missing, skipped, problem: isPublished ? null : problem };
}

/** Written again since: not part of the wait any more. A deleted file stays part of it until the deletion is committed. */
function isNewerThan({ repository }: CycleContext, name: GitPath, at: number): boolean {
	const stats = lstatIfThere(fileSystemPath(repository.root, name));
	return stats !== null && stats.ctimeMs > at;
}

async function isOnHub(context: CycleContext, head: Oid): Promise<boolean> {
	const tip = await knownTip(context);
	return tip !== null && (tip === head || (await isAncestor(context.repository, head, tip)));
}

/** Whether the repository was configured after the last cycle that succeeded: its remote may have another address. */
function isConfiguredSince({ repository, paths }: CycleContext): boolean {
	const read = readState(paths.syncState, syncStateSchema);
	const lastSync = read.kind === "ok" ? Date.parse(read.state.last_sync ?? "") : Number.NaN;
	const configuredAt = lstatIfThere(`${repository.commonDirectory}/config`)?.mtimeMs ?? 0;
	return !(configuredAt <= lastSync);
}

/** From the peer's heartbeat: the commit of its working tree. */
async function hasPeer({ repository, paths }: CycleContext, peer: string, head: Oid): Promise<boolean> {
	const read = readState(paths.peerState(peer), peerStateSchema);
	const theirs = read.kind === "ok" ? read.state.head : null;
	if (theirs === null || !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(theirs)) return false;
	if (theirs === head) return true;
	// A missing commit comes with the next cycle.
	const { exitCode } = await repository.run(["cat-file", "-e", `${theirs}^{commit}`], { accept: [0, 1, 128] });
	return exitCode === 0 && (await isAncestor(repository, head, theirs));
}

const unfinished = "the cycle still runs, and continues: robust-sync --status shows when it ends";

/** Runs a cycle in a child process. If it does not end before the deadline, it continues alone. @returns the reason for its failure; null: it succeeded */
async function ownCycle({ paths }: WaitOptions, deadline: number): Promise<string | null> {
	const cycle = startCycle(paths.root);
	const alarm = new AbortController();
	const left = sleep(Math.max(0, deadline - performance.now()), "late" as const, { signal: alarm.signal }).catch(() => null);
	const outcome = await Promise.race([cycle.ended.then((problem) => ({ problem })), left]);
	alarm.abort();
	if (outcome === "late" || outcome === null) {
		cycle.leave();
		return unfinished;
	}
	if (outcome.problem !== null) await sleep(Math.max(0, Math.min(againMs, deadline - performance.now())));
	return outcome.problem;
}

/** One cycle of the running instance, or of a child process. @param until when to ask the instance again @returns why it failed; null: it succeeded */
async function oneCycle(options: WaitOptions, deadline: number, until: number): Promise<string | null> {
	const { paths } = options;
	const file = paths.instanceLock("sync");
	const holder = readLockHolder(file);
	if (holder === null || !(await isHolderAlive(file, holder))) return await ownCycle(options, deadline);
	const state = (): SyncState | null => {
		const read = readState(paths.syncState, syncStateSchema);
		return read.kind === "ok" ? read.state : null;
	};
	// The cycle in progress may have scanned the files already.
	const before = state();
	const cycles = (before?.totals.cycles ?? 0) + (before?.status === "syncing" ? 1 : 0);
	await wakeHolder(file, holder);
	let after = state();
	let isOver = false;
	while (!isOver && performance.now() < until) {
		after = state();
		isOver = after !== null && after.totals.cycles > cycles && after.status !== "syncing";
		if (!isOver) await sleep(pollMs);
	}
	const error = after?.last_error ?? null;
	if (error === null) return isOver ? null : unfinished;
	return `${error.code}: ${withRemoteMessage(error.message, error.remote_message)}`;
}
