import { type GitPath, parseGitPathList, type Repository } from "@robust-sync/git";
import { isOwnName, neverCommitted } from "@robust-sync/workspace";

/** Whether a path is ours, or in a directory of ours. @param name one character for each byte */
export function isOwnPath(name: string): boolean {
	return isOwnName(name.split("/", 1)[0] ?? "");
}

/** Pathspecs (gitglossary(7)) of our own names, in any case. */
export const ownPathspecs: readonly string[] = neverCommitted.map((name) => `:(top,icase)${name}`);

/** Paths of ours that the index has. One process. @throws GitError */
export async function trackedOwnFiles(repository: Repository): Promise<GitPath[]> {
	const { stdout } = await repository.run(["ls-files", "-z", "--", ...ownPathspecs]);
	return [...new Set(parseGitPathList(stdout))].filter(isOwnPath);
}
