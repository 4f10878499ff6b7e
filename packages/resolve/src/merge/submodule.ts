import { existsSync } from "node:fs";
import path from "node:path";
import { displayPath, type GitPath, type Oid, type Repository, runGit } from "@robust-sync/git";

/**
 * The commit of a submodule that contains the other one; null: neither does, or the submodule is not here.
 * @param repository the repository with the submodule
 */
export async function submoduleDescendant(
	repository: Repository,
	submodule: GitPath,
	first: Oid,
	second: Oid,
): Promise<"first" | "second" | null> {
	const name = displayPath(submodule);
	const directory = [path.join(repository.root, name), path.join(repository.commonDirectory, "modules", name)].find(
		(candidate) => existsSync(path.join(candidate, ".git")) || existsSync(path.join(candidate, "HEAD")),
	);
	if (!directory) return null;
	const contains = async (ancestor: Oid, descendant: Oid) => {
		const { exitCode } = await runGit(directory, ["merge-base", "--is-ancestor", ancestor, descendant], repository.env, {
			accept: [0, 1, 128],
		});
		return exitCode === 0;
	};
	if (await contains(first, second)) return "second";
	return (await contains(second, first)) ? "first" : null;
}
