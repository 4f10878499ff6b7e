import { type GitPath, type Oid, openMergeStore, type Repository } from "@robust-sync/git";
import { events, slowLossWindowMs, steps } from "./slow-loss.ts";

/** A file that a commit changed or deleted. */
export interface Touched {
	readonly path: GitPath;
	/** How long ago, milliseconds. */
	readonly ago: number;
}

/**
 * The files that a node's own commits changed or deleted within the last ten minutes, oldest first. Commits of other nodes are not read: they
 * may be of any size.
 * @param to the newest commit
 * @param node the node's name
 * @param now milliseconds since the epoch
 * @throws GitError
 */
export async function recentlyTouched(
	repository: Repository,
	{ to, node, now }: { readonly to: Oid; readonly node: string; readonly now: number },
): Promise<Touched[]> {
	const store = openMergeStore(repository);
	const since = Math.floor((now - slowLossWindowMs) / 1000);
	const own = (await steps(store, node, [to], since)).filter(({ isMine }) => isMine).reverse();
	const changed = await events(
		store,
		own.map(({ commit }) => commit),
		false,
	);
	return own.flatMap(({ commit, seconds }) => (changed.get(commit) ?? []).map(({ name }) => ({ path: name, ago: now - seconds * 1000 })));
}
