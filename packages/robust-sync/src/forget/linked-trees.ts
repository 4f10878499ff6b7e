import fs from "node:fs";
import path from "node:path";
import { displayPath, fileSystemPath, type Oid, Repository } from "@robust-sync/git";
import type { CycleContext } from "../context/cycle-context.ts";
import { type Scrub, scrubFile } from "./scrub-files.ts";
import { rewriteIndex, workingFiles } from "./working-copies.ts";

/** Other working trees of a repository (git-worktree(1)): they have an index and files of their own, and share its objects. */
export function linkedTrees(repository: Repository): Repository[] {
	const { commonDirectory, root } = repository;
	const real = (file: string) => fs.realpathSync(file);
	const trees: { root: string; gitDirectory: string }[] = [];
	if (path.basename(commonDirectory) === ".git") trees.push({ root: path.dirname(commonDirectory), gitDirectory: commonDirectory });
	const worktrees = path.join(commonDirectory, "worktrees");
	for (const name of fs.existsSync(worktrees) ? fs.readdirSync(worktrees) : []) {
		const gitDirectory = path.join(worktrees, name);
		try {
			const link = fs.readFileSync(path.join(gitDirectory, "gitdir"), "utf8").replace(/\r?\n$/, "");
			trees.push({ root: path.dirname(path.resolve(gitDirectory, link)), gitDirectory });
		} catch {
			// It is no working tree, or is being removed: git worktree prune removes the rest.
		}
	}
	const own = real(root);
	return trees.flatMap((tree) => {
		try {
			return real(tree.root) === own || !fs.existsSync(path.join(tree.root, ".git")) ? [] : [new Repository({ ...repository, ...tree })];
		} catch {
			return [];
		}
	});
}

/**
 * Removes forgotten files from the index of every other working tree, and values from its files. Files at forgotten paths stay there.
 * @returns the blobs that those indexes have now @throws GitError, the file system's error
 */
export async function cleanLinkedTrees(
	repository: Repository,
	replaced: (oid: Oid) => Oid | undefined,
	gone: readonly string[],
	scrub: Scrub,
	log: CycleContext["log"],
): Promise<Set<Oid>> {
	const left = new Set<Oid>();
	for (const tree of linkedTrees(repository)) {
		const files = await workingFiles(tree);
		for (const oid of await rewriteIndex(tree, replaced, gone)) left.add(oid);
		for (const name of files) {
			const isGone = gone.some((one) => name === one || name.startsWith(`${one}/`));
			const file = fileSystemPath(tree.root, name);
			if (isGone && fs.existsSync(file))
				log.warn(`${JSON.stringify(path.join(tree.root, displayPath(name)))} is in another working tree: remove it there`);
			else if (!isGone) scrubFile(file, scrub);
		}
	}
	return left;
}
