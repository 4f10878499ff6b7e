import { cleanCommits, type Oid, openMergeStore } from "@robust-sync/git";
import { nodesIn } from "@robust-sync/resolve";
import { isOwnName } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";

/** How many commits of this node are searched for the newest one of another node. */
const maxOwnCommits = 200;

/**
 * What the newest commit that is not this node's brought and no working tree may have, one character a byte. A node that took such paths out
 * of the branch by a commit of its own reports them until another one moves the branch: after a restart, too.
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
	// A clean version is nobody's commit: what it left out is in the one below.
	const original = found?.original ?? null;
	const refused = (original === null ? found?.refused : (await read(original))?.refused) ?? [];
	// Own files are reported by what takes them out of the index (own-tracked.ts).
	return refused.filter((name) => !isOwnName(name.split("/", 1)[0] ?? ""));
}
