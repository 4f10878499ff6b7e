import { type GitPath, gitPathIfAllowed } from "../paths/git-path.ts";
import type { Oid, Repository } from "../process/repository.ts";

/** One path that differs between two trees. */
export interface TreeChange {
	readonly path: GitPath;
	/** null: the path is not in that tree. Modes as git writes them: 100644 100755 120000 160000. */
	readonly before: { readonly mode: string; readonly oid: Oid } | null;
	readonly after: { readonly mode: string; readonly oid: Oid } | null;
}

/** Parses `--raw -z --no-abbrev` output without renames: ":<mode> <mode> <oid> <oid> <status>" NUL path NUL. */
export function parseRawDiff(output: Buffer): TreeChange[] {
	const changes: TreeChange[] = [];
	let at = 0;
	while (at < output.length) {
		const headerEnd = output.indexOf(0, at);
		const pathEnd = output.indexOf(0, headerEnd + 1);
		if (headerEnd < 0 || pathEnd < 0) break;
		const [beforeMode = "", afterMode = "", beforeOid = "", afterOid = ""] = output.toString("latin1", at + 1, headerEnd).split(" ");
		const name = gitPathIfAllowed(output.toString("latin1", headerEnd + 1, pathEnd));
		at = pathEnd + 1;
		// In a clean tree there is none: what another one has is nothing that was ever put anywhere.
		if (name === null) continue;
		changes.push({
			path: name,
			before: beforeMode === "000000" ? null : { mode: beforeMode, oid: beforeOid },
			after: afterMode === "000000" ? null : { mode: afterMode, oid: afterOid },
		});
	}
	return changes;
}

/** Flags of a diff as {@link parseRawDiff} reads it; only objects follow. */
const rawDiff = ["-z", "--raw", "--no-abbrev", "--no-renames", "--ignore-submodules=none", "--end-of-options"];

/** What changed from tree (or commit) `before` to `after`, path by path. */
export async function diffTrees(repository: Repository, before: Oid, after: Oid): Promise<TreeChange[]> {
	const { stdout } = await repository.run(["diff-tree", "-r", ...rawDiff, before, after]);
	return parseRawDiff(stdout);
}

/**
 * What the index has otherwise than tree `before`, path by path. Of a path that is unmerged, `after` says nothing.
 * @throws GitError
 */
export async function diffIndex(repository: Repository, before: Oid): Promise<TreeChange[]> {
	const { stdout } = await repository.run(["diff-index", "--cached", ...rawDiff, before, "--"]);
	return parseRawDiff(stdout);
}
