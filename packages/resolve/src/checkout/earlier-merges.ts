import { type Oid, openMergeStore, readCommit } from "@robust-sync/git";
import { LockLostError } from "@robust-sync/system/lock";
import { listSavedVersions, readUnsavedMerges, type UnsavedMerge, writeUnsavedMerges } from "@robust-sync/workspace";
import { startsLikeResolved } from "../merge/merge-message.ts";
import type { Resolution } from "../merge/resolution.ts";
import { resolveMerge } from "../merge/resolve-merge.ts";
import { walkBetween } from "../saved/resolutions-between.ts";
import { saveVersions } from "../saved/save-versions.ts";
import type { IntegrateContext } from "./integrate.ts";

/** Time limit of a checkout for computing merges of other nodes again; later cycles continue. */
const budgetMs = 3_000;
/** A merge whose versions could not be saved in this many cycles is abandoned. Both its parents stay in history. */
const maxFailures = 5;
/** The list is bounded, so that a peer cannot make it grow for ever: the oldest entries are dropped. */
const maxUnsaved = 10_000;

/** Names in `sync/conflicts/` are searched this far back for merges that are saved already. */
const savedLookback = 1_000;

type EarlierContext = Pick<IntegrateContext, "repository" | "paths" | "now" | "lock" | "warn">;

const short = (commit: Oid) => commit.slice(0, 12);

/**
 * Whether a listed merge was rewritten by a map of what to forget, which also replaced its ids on the list: it got on the list because its message
 * names its parents, and messages stay.
 */
async function isRewritten({ repository }: EarlierContext, { commit, ours, theirs }: UnsavedMerge): Promise<boolean> {
	const text = await readCommit(openMergeStore(repository), commit);
	const message = text.slice(text.indexOf("\n\n") + 2);
	return text !== "" && !startsLikeResolved(message, ours, theirs) && !startsLikeResolved(message, theirs, ours);
}

/**
 * Computes one merge again and saves its losing versions. If the result is another commit, we did not make the merge: nothing is saved. One that
 * was rewritten has another id in any case: a merge of its parents, which were rewritten too, has the versions without what is forgotten.
 */
async function saveOne(context: EarlierContext, merge: UnsavedMerge, made: readonly Resolution[]): Promise<string | null> {
	const { repository, paths, now, warn } = context;
	const { commit, ours, theirs } = merge;
	const known = made.find((merge) => merge.commit === commit && merge.ours === ours && merge.theirs === theirs);
	const resolution = known ?? (await resolveMerge(repository, ours, theirs));
	if (resolution.commit === commit || (await isRewritten(context, merge)))
		return await saveVersions(repository, paths, { ...resolution, commit }, now());
	warn?.("a commit claims to be a merge of robust-sync, but a merge of its parents gives another commit: no versions are saved for it", {
		commit: short(commit),
		merged: short(resolution.commit),
	});
	return null;
}

/** Saves as many merges as the time allows, and leaves the others on the list. A failure is logged, and tried again in a later cycle. */
async function saveSome(context: EarlierContext, unsaved: readonly UnsavedMerge[], made: readonly Resolution[] = []): Promise<string[]> {
	const { paths, warn } = context;
	const deadline = performance.now() + budgetMs;
	const known = new Set(listSavedVersions(paths, savedLookback).map(({ manifest }) => manifest?.merge_commit));
	const saved: string[] = [];
	const left: UnsavedMerge[] = [];
	for (const merge of unsaved) {
		if (known.has(merge.commit)) continue;
		if (performance.now() > deadline) {
			left.push(merge);
			continue;
		}
		context.lock.assertHeld();
		try {
			const name = await saveOne(context, merge, made);
			if (name !== null) saved.push(name);
		} catch (error) {
			if (error instanceof LockLostError) throw error;
			const failures = merge.failures + 1;
			const gaveUp = failures >= maxFailures;
			if (!gaveUp) left.push({ ...merge, failures });
			warn?.(
				gaveUp
					? "the losing versions of another node's merge cannot be saved here, given up: both sides are in git's history"
					: "the losing versions of another node's merge could not be saved here yet: trying again in the next cycle",
				{ commit: short(merge.commit), error: error instanceof Error ? error.message : String(error) },
			);
		}
	}
	if (left.length > maxUnsaved)
		warn?.("too many merges of other nodes wait for their losing versions to be saved: the oldest are given up", {
			count: left.length - maxUnsaved,
		});
	writeUnsavedMerges(paths, left.slice(-maxUnsaved));
	return saved;
}

/**
 * Saves the losing versions of merges that only other nodes made, for the commits that `to` has and `from` lacks. Never fails because of those
 * commits' content: a merge that cannot be computed or saved now stays on a list for later cycles.
 * @param made merges between the two that this process has just computed
 * @returns names below sync/conflicts/, and the number of commits between; null: not counted
 * @throws GitError if history cannot be walked; the file system's error if the list cannot be written; LockLostError
 */
export async function saveEarlierMerges(
	context: EarlierContext,
	from: Oid | null,
	to: Oid,
	made: readonly Resolution[] = [],
): Promise<{ readonly saved: string[]; readonly commits: number | null }> {
	if (from === null) return { saved: [], commits: null };
	const walked = await walkBetween(context.repository, from, to);
	if (walked.resolutions.length === 0) return { saved: [], commits: walked.commits };
	const waiting = readUnsavedMerges(context.paths);
	const listed = new Set(waiting.map(({ commit }) => commit));
	const added = walked.resolutions.filter(({ commit }) => !listed.has(commit)).map((merge) => ({ ...merge, failures: 0 }));
	return { saved: await saveSome(context, [...added, ...waiting], made), commits: walked.commits };
}

/** Continues with the merges that an earlier checkout had no time for. Costs one read of a file if there are none. @throws as saveEarlierMerges */
export async function continueEarlierMerges(context: EarlierContext): Promise<string[]> {
	const waiting = readUnsavedMerges(context.paths);
	return waiting.length === 0 ? [] : await saveSome(context, waiting);
}
