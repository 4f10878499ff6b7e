import {
	fetchEverything,
	forceRef,
	formerTips,
	hasCommit,
	isComplete,
	type Oid,
	readHead,
	readRef,
	rebuildIndex,
	removeCommitGraph,
	repairReflogs,
	setAsideDamagedObjects,
	trackingRef,
} from "@robust-sync/git";
import { compactTimestamp } from "@robust-sync/system/timestamps";
import type { CycleContext } from "../context/cycle-context.ts";
import { SyncError } from "../context/sync-error.ts";
import { requireRemote } from "../remote/upstream.ts";

/** This many former tips of the branch are tried before a person must repair it. */
const tipsToTry = 20;

/**
 * Repairs a repository with missing or damaged objects (after a pruning gc, a disk fault, a power cut): fetches the remote's
 * objects again; moves a branch whose last commits cannot be read back to the newest readable one; rebuilds the index. No file
 * is touched, so that the next snapshot commits the content of those commits again.
 * @returns the repairs, in words
 * @throws SyncError CORRUPT_REPOSITORY if that is not enough; GitError if the remote cannot be reached
 */
export async function repairRepository(context: CycleContext): Promise<string> {
	const { repository, config, memory, now } = context;
	requireRemote(context);
	const { branch, oid: head } = await readHead(repository);
	const synced = branch ?? memory.branch ?? memory.lastBranch ?? "main";
	const ref = branch === null ? "HEAD" : `refs/heads/${branch}`;
	const damaged = setAsideDamagedObjects(repository);
	removeCommitGraph(repository);
	const done = damaged > 0 ? [`set ${damaged} damaged objects aside`] : [];
	// git fetches nothing while a branch points to a missing commit.
	const known = await readRef(repository, trackingRef(config.syncRemote, synced));
	if (known !== null && !(await hasCommit(repository, known))) await forceRef(repository, trackingRef(config.syncRemote, synced), null, "");
	const former = formerTips(repository, ref).slice(0, tipsToTry);
	const isBroken = head !== null && !(await hasCommit(repository, head));
	if (isBroken)
		await forceRef(repository, ref, await newest(former, (tip) => hasCommit(repository, tip)), `robust-sync: ${head} cannot be read`);
	const tip = await fetchEverything(repository, config.syncRemote, synced);
	done.push("fetched everything from the remote again");
	if (head !== null) {
		const found = await newest([head, ...former, tip], (candidate) => isComplete(repository, candidate));
		if (found === null) {
			throw new SyncError(
				"CORRUPT_REPOSITORY",
				"objects are missing here and on the remote: run git fsck --full, and make a new clone beside if they cannot be found",
			);
		}
		if (isBroken || found !== head) await forceRef(repository, ref, found, "robust-sync: repaired");
		if (found !== head) done.push(`went back from ${head.slice(0, 12)}, which cannot be read, to ${found.slice(0, 12)}`);
	}
	await repairReflogs(repository);
	await rebuildIndex(repository, compactTimestamp(now()));
	done.push("rebuilt the index");
	return `objects were missing or damaged: ${done.join(", ")}; no file was touched`;
}

async function newest(tips: readonly Oid[], isGood: (tip: Oid) => Promise<boolean>): Promise<Oid | null> {
	for (const tip of tips) if (await isGood(tip)) return tip;
	return null;
}
