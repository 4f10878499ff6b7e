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

// A snapshot that takes away too much is committed and not published; what comes in and takes away too much is taken into history, and its
// files stay (packages/resolve). Both wait for a person's word. Which it is follows from the commits: nothing is lost with a state file.

/** This many paths are named in the state file. */
const namedPaths = 10;

/** The loss that this node would publish with `to`, where the remote is at `tip`; null: none, or a person has approved it. @throws GitError */
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
	// What went before in small steps comes back with the rest.
	const loss = fast !== null && slow !== null ? joinLosses(fast, slow) : (fast ?? slow);
	memory.guarded = { key, loss };
	return loss;
}

/**
 * Whether a commit could be a loss, by itself or with what this node committed a short while ago. One that is small costs nothing.
 * @param to what is in history of it
 * @param changed files that it changes (they are in memory.changes already), and how many of them it deletes
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
 * @param fresh all that `to` has beyond `tip` is this snapshot: one that is small costs nothing
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

/** What came in and waits for a person's word. */
export function guardedPaths({ paths }: Pick<CycleContext, "paths">): HeldPath[] {
	return [...readHeld(paths).paths.values()].filter(({ reason, approved }) => reason === "guard" && approved !== true);
}

type Entry = TreeEntry | null;

/** How a held path would change. */
export function howLost({ base, target }: { readonly base: Entry; readonly target: Entry }, emptyBlob: Oid): LostFile["how"] {
	if (target === null) return "deleted";
	return target.oid === emptyBlob && base !== null ? "emptied" : "replaced";
}

function countsOf(how: readonly LostFile["how"][]): Pick<HeldLoss, "files" | "deleted" | "emptied" | "replaced"> {
	const count = (one: LostFile["how"]) => how.filter((other) => other === one).length;
	return { files: how.length, deleted: count("deleted"), emptied: count("emptied"), replaced: count("replaced") };
}

const named = (names: readonly GitPath[]) => names.slice(0, namedPaths).map(displayPath);

/** All that waits for a person's word, as the state file has it. @param outgoing of this cycle @param forgets notes that are not needed any more */
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

/** Says once what is held. */
export function sayHeld({ memory, log }: CycleContext, held: readonly HeldLoss[]): void {
	const said = held.map(({ direction, commit, files }) => `${direction} ${commit} ${files}`).join();
	if (said === memory.heldSaid) return;
	memory.heldSaid = said;
	for (const loss of held) log.warn(`held: ${printable(heldLossText(loss))}; ${heldLossCommands}`);
}

/**
 * Lets go what another node's person has approved.
 * @param from where this node is @param to what it goes to
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

/** What was held is carried out with the next try, which follows. */
export function approve({ paths, memory }: Pick<CycleContext, "paths" | "memory">, names: ReadonlySet<GitPath>): void {
	if (names.size === 0) return;
	const held = readHeld(paths);
	const next = [...held.paths.values()].map((entry) => (names.has(entry.path) ? { ...entry, approved: true } : entry));
	writeHeld(paths, { ...held, paths: new Map(next.map((entry) => [entry.path, entry])) });
	memory.retriedAt = Number.NEGATIVE_INFINITY;
}

/** The loss of what this node has and the remote lacks, as it is known here. @throws GitError */
export async function unpublishedLoss(context: CycleContext, head: Oid): Promise<Loss | null> {
	const tip = await knownTip(context);
	return tip === null || tip === head ? null : await outgoingLoss(context, tip, head);
}
