import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import type { TreeEntry } from "../objects/merge-tree.ts";
import { type GitPath, gitPathList } from "../paths/git-path.ts";
import { type Oid, Repository } from "../process/repository.ts";
import { writeIndexEntries } from "./index-file.ts";
import { stageFiles } from "./stage-files.ts";

/** What is to become of the index: entries set (null: removed), and paths taken as they are on disk (also when they are gone there). */
export interface IndexChanges {
	readonly entries: ReadonlyMap<GitPath, TreeEntry | null>;
	readonly fromDisk: readonly GitPath[];
}

/** Changes the index (or what GIT_INDEX_FILE names): a path that was unmerged is merged afterwards. @throws GitError */
export async function changeIndex(repository: Repository, { entries, fromDisk }: IndexChanges): Promise<void> {
	if (entries.size > 0) {
		await writeIndexEntries(
			repository,
			[...entries].map(([name, entry]) => ({ path: name, entry })),
		);
	}
	await stageFiles(repository, fromDisk);
}

/** Writes files of the index that are not on disk, with git's filters. One that has appeared meanwhile is left alone. @throws GitError */
export async function checkoutFromIndex(repository: Repository, paths: readonly GitPath[]): Promise<void> {
	if (paths.length === 0) return;
	await repository.run(["checkout-index", "-q", "-z", "--stdin"], { input: gitPathList(paths), accept: [0, 1] });
}

/**
 * Works on a copy of the index, so that a tree can be made of it before anything is changed.
 * @param directory one of our own on the workspace's file system
 * @param use is given the repository with the copy as its index
 */
export async function withScratchIndex<T>(repository: Repository, directory: string, use: (scratch: Repository) => Promise<T>): Promise<T> {
	mkdirSync(directory, { recursive: true });
	const file = path.join(directory, `index-${process.pid}`);
	const index = path.join(repository.gitDirectory, "index");
	rmSync(file, { force: true });
	if (existsSync(index)) copyFileSync(index, file);
	try {
		return await use(new Repository({ ...repository, env: { ...repository.env, GIT_INDEX_FILE: file } }));
	} finally {
		rmSync(file, { force: true });
		rmSync(`${file}.lock`, { force: true });
	}
}

/** The tree of the index. @throws GitError when paths are unmerged */
export async function writeTree(repository: Repository): Promise<Oid> {
	const { stdout } = await repository.run(["write-tree"]);
	return stdout.toString("latin1").trim();
}

/** A commit by the person that the repository is configured for (or its node), not on any ref yet. @throws GitError */
export async function commitTree(repository: Repository, tree: Oid, parents: readonly Oid[], message: string): Promise<Oid> {
	const { stdout } = await repository.run(["commit-tree", tree, ...parents.flatMap((parent) => ["-p", parent]), "-F", "-"], {
		input: message,
	});
	return stdout.toString("latin1").trim();
}
