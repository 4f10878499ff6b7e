import path from "node:path";
import { gitEnvironment, operationInProgress, runGit } from "@robust-sync/git";
import { fileStamp } from "@robust-sync/system/file-stamp";
import { gitDirectoryOf } from "@robust-sync/workspace";
import type { RepositoryView } from "./facts.ts";

const listingTimeoutMs = 20_000;

/** Reads the state of the repository of a working tree. null: `root` is not the top of one. Throws GitError when its index cannot be read. */
export type RepositoryReader = () => Promise<RepositoryView | null>;

/**
 * A reader for one working tree. The open operation is detected by its files; git is started for the unmerged paths only when the
 * index has changed since the last reading.
 */
export function repositoryReader(root: string): RepositoryReader {
	let known: { signature: string; unmerged: number } | null = null;
	return async () => {
		const directory = gitDirectoryOf(root);
		if (directory === null) return null;
		const open = operationInProgress(directory);
		const signature = fileStamp(path.join(directory, "index")) ?? "none";
		if (known?.signature !== signature) known = { signature, unmerged: signature !== "none" ? await countUnmerged(root) : 0 };
		return { unmerged: known.unmerged, operation: open?.name ?? null, operationSince: open?.stoppedAt ?? null };
	};
}

/** `git ls-files -u -z`: one line for each stage of each unmerged path, `mode oid stage TAB path NUL`. */
async function countUnmerged(root: string): Promise<number> {
	const { stdout } = await runGit(root, ["ls-files", "--unmerged", "-z"], gitEnvironment(), { timeoutMs: listingTimeoutMs });
	const paths = new Set<string>();
	for (const entry of stdout.toString("latin1").split("\0")) if (entry !== "") paths.add(entry.slice(entry.indexOf("\t") + 1));
	return paths.size;
}
