import { appendFileSync, mkdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import path from "node:path";
import { assertOurs } from "@robust-sync/system/own-directory";
import { neverCommitted } from "./paths.ts";

/** The git directory of a working tree, or the one that the `.git` file of a linked one names. Null: `root` is not the top of one. */
export function gitDirectoryOf(root: string): string | null {
	const dotGit = path.join(root, ".git");
	const stats = statSync(dotGit, { throwIfNoEntry: false });
	if (!stats) return null;
	if (stats.isDirectory()) return dotGit;
	const target = /^gitdir: (.*?)\n*$/.exec(readFileSync(dotGit, "utf8"))?.[1];
	return target === undefined ? null : path.resolve(root, target);
}

/** The repository's common directory (gitrepository-layout(5)), or null when `root` is not the top of a working tree. */
export function commonGitDirectory(root: string): string | null {
	let gitDirectory: string | null = null;
	try {
		gitDirectory = gitDirectoryOf(root);
		if (gitDirectory === null) return null;
		return path.resolve(gitDirectory, readFileSync(path.join(gitDirectory, "commondir"), "utf8").trim());
	} catch {
		return gitDirectory;
	}
}

/** Whether `root` is a linked working tree (git-worktree(1)): its repository's configuration is shared with others. */
export function isLinkedWorkTree(root: string): boolean {
	const common = commonGitDirectory(root);
	return common !== null && gitDirectoryOf(root) !== common;
}

/**
 * Makes sure that `.sync_env`, `logs/` and `sync/` are never committed: adds missing lines to `.git/info/exclude`.
 * The user's own `.gitignore` is not touched. Does nothing without a repository.
 * @returns a function that removes the added lines, unless the file was changed since
 * @throws the file system's error when the file cannot be written.
 */
export function ensureExcluded(root: string): () => void {
	const gitDirectory = commonGitDirectory(root);
	const nothing = () => undefined;
	if (!gitDirectory) return nothing;
	const file = path.join(gitDirectory, "info/exclude");
	let text = "";
	try {
		text = readFileSync(file, "utf8");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		assertOurs(gitDirectory);
		mkdirSync(path.dirname(file), { recursive: true });
	}
	const lines = new Set(text.split("\n"));
	// Without a slash at the end, so that a link or a file of that name is excluded, too.
	const patterns = neverCommitted.map((name) => `/${name}`);
	const missing = patterns.filter((pattern) => !lines.has(pattern));
	if (missing.length === 0) return nothing;
	assertOurs(gitDirectory);
	const glue = text === "" || text.endsWith("\n") ? "" : "\n";
	const added = `${glue}# robust-sync: local to this node\n${missing.join("\n")}\n`;
	appendFileSync(file, added);
	return () => {
		if (readFileSync(file, "utf8") === `${text}${added}`) truncateSync(file, Buffer.byteLength(text));
	};
}
