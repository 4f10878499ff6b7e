import { cleanCommits, type Oid, openMergeStore } from "@robust-sync/git";
import { nodesIn } from "@robust-sync/resolve";
import { isOwnName } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";

/** The number of this node's commits that are searched for the newest one of another node. */
const maxOwnCommits = 200;

/**
 * The refused paths of the newest commit by another node, one character a byte. A node that removed such paths from
 * the branch by a commit of its own reports them until another one moves the branch, also after a restart.
 * @throws GitError
 */
export async function refusedBefore({ repository, config }: CycleContext, head: Oid): Promise<readonly string[]> {
	const store = openMergeStore(repository);
	const options = ["-z", "--no-merges", `--max-count=${maxOwnCommits}`, "--no-show-signature", "--encoding=UTF-8", "--format=%H%n%B"];
	const { stdout } = await store.run(["log", ...options, "--end-of-options", head, "--"]);
	const foreign = stdout
		.toString("utf8")
		.split("\0")
		.find((text) => text !== "" && nodesIn(text).join() !== config.nodeName);
	if (foreign === undefined) return [];
	const read = async (commit: Oid) => (await cleanCommits(store, [commit], isOwnName))[0];
	const found = await read(foreign.slice(0, foreign.indexOf("\n")));
	// A clean version is no node's own commit: the commit below it has the refused paths.
	const original = found?.original ?? null;
	const refused = (original === null ? found?.refused : (await read(original))?.refused) ?? [];
	// own-tracked.ts reports own files when it removes them from the index.
	return refused.filter((name) => !isOwnName(name.split("/", 1)[0] ?? ""));
}
