import { findLocalHub, GitError, moveHubBranch, type Oid, sendObjects, trackingRef, updateRef } from "@robust-sync/git";
import { faultPoint } from "@robust-sync/workspace";
import type { CycleContext } from "./cycle-context.ts";
import { syncedBranch } from "./upstream.ts";

/** One of so many goes by `git push` all the same: the hub's git looks after its loose objects then (receive.autogc). */
const pushEvery = 100;

/**
 * Brings a direct snapshot to a hub on this machine without `git push`, whose other end reads every tree of the workspace to check
 * what it gets (local-hub.ts).
 * @param upon the parent of `commit`, and what the remote was last known to be at
 * @returns whether it is there; false: push, which also tells what is wrong
 */
export async function publishDirectly(context: CycleContext, commit: Oid, upon: Oid): Promise<boolean> {
	const { repository, config, memory } = context;
	const branch = syncedBranch(context);
	const hub = ++memory.sinceGitPush >= pushEvery ? null : await findLocalHub(repository, config.syncRemote);
	if (hub === null) {
		memory.sinceGitPush = 0;
		return false;
	}
	try {
		await sendObjects(repository, hub, commit, upon);
		faultPoint("direct-sent");
		context.lock.assertHeld();
		await moveHubBranch(repository, hub, branch, commit, upon);
		faultPoint("direct-published");
		await updateRef(repository, trackingRef(config.syncRemote, branch), commit, upon, "robust-sync: published");
		return true;
	} catch (error) {
		if (!(error instanceof GitError)) throw error;
		context.log.debug(`pushing, because the hub did not take it directly: ${error.message}`);
		return false;
	}
}
