import type { Stages, TreeEntry } from "../objects/merge-tree.ts";
import { type GitPath, gitPathIfAllowed } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";

/** Every path that the index holds in stages: base, ours and theirs of what a git command could not merge (git-ls-files(1), `-u`). */
export async function readUnmerged(repository: Repository): Promise<Map<GitPath, Stages>> {
	const { stdout } = await repository.run(["ls-files", "-u", "-z"]);
	const unmerged = new Map<GitPath, { base: TreeEntry | null; first: TreeEntry | null; second: TreeEntry | null }>();
	for (let at = 0; at < stdout.length; ) {
		const end = stdout.indexOf(0, at);
		const tab = stdout.indexOf(9, at);
		const [mode = "", oid = "", stage = ""] = stdout.toString("latin1", at, tab).split(" ");
		const name = gitPathIfAllowed(stdout.toString("latin1", tab + 1, end));
		at = end + 1;
		if (name === null) continue;
		const stages = unmerged.get(name) ?? { base: null, first: null, second: null };
		stages[stage === "1" ? "base" : stage === "2" ? "first" : "second"] = { mode, oid };
		unmerged.set(name, stages);
	}
	return unmerged;
}
