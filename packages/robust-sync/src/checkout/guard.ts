import { displayPath, type GitPath, type Oid, type TreeEntry } from "@robust-sync/git";
import {
	approvalsBetween,
	approvedPaths,
	findLoss,
	findSlowLoss,
	indexEntries,
	isPossibleLoss,
	joinLosses,
	type Loss,
	type LostFile,
	recentlyTouched,
} from "@robust-sync/guard";
import { isOwnPath } from "@robust-sync/resolve";
import { printable } from "@robust-sync/service/printable";
import { timestamp } from "@robust-sync/system/timestamps";
import {
	type HeldLoss,
	type HeldPath,
	heldLossCommands,
	heldLossText,
	readGuardNotes,
	readHeld,
	writeGuardNotes,
	writeHeld,
} from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { guardLimits } from "../context/guard-limits.ts";
import { knownTip } from "../remote/upstream.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { mountsNow } from "./held.ts";

// A snapshot that removes too much is committed and not published; an incoming commit that removes too much is merged into history, and its
// files stay (packages/resolve). Both wait for a person's decision. The commits themselves show the state: nothing is lost with a state file.

/** The state file names this many paths. */
const namedPaths = 10;

/** The loss that this node would publish with `to`, if the remote is at `tip`; null: none, or a person has approved it. @throws GitError */
export async function outgoingLoss(context: CycleContext, tip: Oid, to: Oid): Promise<Loss | null> {
	const { repository, config, memory, paths } = context;
	const limits = guardLimits(config);
	if (limits === null) return null;
	const key = `${tip} ${to} ${limits.files} ${limits.percent}`;
	if (memory.guarded?.key === key) return memory.guarded.loss;
	const { outgoing } = readGuardNotes(paths);
	const mounts = new Set([...mountsNow(context), ...readHeld(paths).mounts, ...(outgoing?.mounts ?? [])]);
	const fast = await findLoss(repository, { from: tip, to, limits, mounts, isOwn: isOwnPath });
	const slow = await findSlowLoss(repository, { tip, to, node: config.nodeName, limits, isOwn: isOwnPath });
	// The part that was lost in earlier small steps is restored with the rest.
	const loss = fast !== null && slow !== null ? joinLosses(fast, slow) : (fast ?? slow);
	memory.guarded = { key, loss };
	return loss;
}

/**
 * Whether a commit could be a loss, by itself or with this node's recent commits. A small one costs nothing.
 * @param to the part that is in history
 * @param changed its changed files (they are in memory.changes already), and the number of deleted ones
 * @throws GitError
 */
export async function mayBeLoss(context: CycleContext, to: Oid, changed: number, deleted: number): Promise<boolean> {
	const { repository, config, memory, now } = context;
	const limits = guardLimits(config);
	if (limits === null) return false;
	const tracked = indexEntries(repository);
	if (isPossibleLoss(limits, changed, deleted, tracked) || (deleted > 0 && mountsNow(context).size > 0)) return true;
	await memory.changes.seed(() => recentlyTouched(repository, { to, node: config.nodeName, now: now() }));
	const recent = memory.changes.count;
	return recent > limits.files && (tracked === null || recent > (limits.percent / 100) * tracked);
}

/**
 * Whether a commit may be published.
 * @param fresh this snapshot is all that `to` has beyond `tip`: a small one costs nothing
 * @throws GitError
 */
export async function mayPublish(context: CycleContext, tip: Oid | null, to: Oid, fresh: Snapshot | null = null): Promise<boolean> {
	const { paths, now } = context;
	if (tip === null || tip === to) return true;
	if (fresh !== null && !(await mayBeLoss(context, to, fresh.committed, fresh.deleted))) return true;
	const loss = await outgoingLoss(context, tip, to);
	const notes = readGuardNotes(paths);
	if (loss === null) {
		writeGuardNotes(paths, { ...notes, outgoing: null });
		return true;
	}
	const since = notes.outgoing?.since ?? timestamp(now());
	writeGuardNotes(paths, { ...notes, outgoing: { commit: notes.outgoing?.commit ?? to, since, mounts: [...loss.mounts] } });
	return false;
}

/** Incoming commits that wait for a person's decision. */
export function guardedPaths({ paths }: Pick<CycleContext, "paths">): HeldPath[] {
	return [...readHeld(paths).paths.values()].filter(({ reason, approved }) => reason === "guard" && approved !== true);
}

type Entry = TreeEntry | null;

/** The change that a held path waits for. */
function howLost({ base, target }: { readonly base: Entry; readonly target: Entry }, emptyBlob: Oid): LostFile["how"] {
	if (target === null) return "deleted";
	return target.oid === emptyBlob && base !== null ? "emptied" : "replaced";
}

function countsOf(how: readonly LostFile["how"][]): Pick<HeldLoss, "files" | "deleted" | "emptied" | "replaced"> {
	const count = (one: LostFile["how"]) => how.filter((other) => other === one).length;
	return { files: how.length, deleted: count("deleted"), emptied: count("emptied"), replaced: count("replaced") };
}

const named = (names: readonly GitPath[]) => names.slice(0, namedPaths).map(displayPath);

/** All that waits for a person's decision, for the state file. @param outgoing of this cycle @param forgets obsolete notes */
export function heldLosses(context: CycleContext, outgoing: Loss | null, forgets = true): HeldLoss[] {
	const { paths, now } = context;
	const incoming = guardedPaths(context);
	const notes = readGuardNotes(paths);
	const at = timestamp(now());
	const held: HeldLoss[] = [];
	if (outgoing !== null)
		held.push({
			direction: "outgoing",
			commit: notes.outgoing?.commit ?? "",
			since: notes.outgoing?.since ?? at,
			...countsOf(outgoing.files.map(({ how }) => how)),
			tracked: outgoing.tracked,
			paths: named(outgoing.files.map((file) => file.path)),
		});
	if (incoming.length > 0) {
		const empty = context.repository.objectFormat === "sha1" ? emptyBlobs.sha1 : emptyBlobs.sha256;
		held.push({
			direction: "incoming",
			commit: notes.incoming?.commit ?? "",
			since: notes.incoming?.since ?? at,
			...countsOf(incoming.map((entry) => howLost(entry, empty))),
			tracked: notes.incoming?.tracked ?? incoming.length,
			paths: named(incoming.map((entry) => entry.path)),
		});
	} else if (forgets && notes.incoming !== null) writeGuardNotes(paths, { ...notes, incoming: null });
	return held;
}

/** The ids of a blob without content (git-hash-object(1) of nothing). */
const emptyBlobs = {
	sha1: "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
	sha256: "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
};

/** Logs each held loss once. */
export function sayHeld({ memory, log }: CycleContext, held: readonly HeldLoss[]): void {
	const report = held.map(({ direction, commit, files }) => `${direction} ${commit} ${files}`).join();
	if (report === memory.heldReported) return;
	memory.heldReported = report;
	for (const loss of held) log.warn(`held: ${printable(heldLossText(loss))}; ${heldLossCommands}`);
}

/**
 * Releases what a person on another node has approved.
 * @param from the present commit @param to the next one
 * @throws GitError
 */
export async function releaseApproved({ repository, paths, memory }: CycleContext, from: Oid | null, to: Oid): Promise<void> {
	const waiting = guardedPaths({ paths });
	if (waiting.length === 0 || from === null || from === to) return;
	const approvals = await approvalsBetween(repository, from, to);
	if (approvals.length === 0) return;
	const approved = await approvedPaths(repository, approvals, new Map(waiting.map(({ path: name, target }) => [name, target])), isOwnPath);
	approve({ paths, memory }, approved);
}

/** The next try, which follows, carries out the approved changes. */
export function approve({ paths, memory }: Pick<CycleContext, "paths" | "memory">, names: ReadonlySet<GitPath>): void {
	if (names.size === 0) return;
	const held = readHeld(paths);
	const next = [...held.paths.values()].map((entry) => (names.has(entry.path) ? { ...entry, approved: true } : entry));
	writeHeld(paths, { ...held, paths: new Map(next.map((entry) => [entry.path, entry])) });
	memory.retriedAt = Number.NEGATIVE_INFINITY;
}

/** The loss of this node's commits that the remote lacks, as far as it is known here. @throws GitError */
export async function unpublishedLoss(context: CycleContext, head: Oid): Promise<Loss | null> {
	const tip = await knownTip(context);
	return tip === null || tip === head ? null : await outgoingLoss(context, tip, head);
}
