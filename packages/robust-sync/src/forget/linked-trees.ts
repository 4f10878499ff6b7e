import { isUtf8 } from "node:buffer";
import fs from "node:fs";
import path from "node:path";
import { displayPath, fileSystemPath, type Oid, openFilesBelow, Repository, textBytes } from "@robust-sync/git";
import { isWithin } from "@robust-sync/resolve";
import { textOfBytes } from "@robust-sync/service/exact-operands";
import { diskFiles } from "@robust-sync/system/disk-files";
import type { CycleContext } from "../context/cycle-context.ts";
import { contentOfFile, type Scrub, scrubbed, scrubFile } from "./scrub-files.ts";
import { isLive } from "./waiting-files.ts";
import { rewriteIndex, workingFiles } from "./working-copies.ts";

/** The directories of git for other working trees, with the `.git` file of each, as text for `textBytes`. */
function* worktreeLinks({ commonDirectory }: Repository): Generator<{ gitDirectory: string; link: string }> {
	const worktrees = path.join(commonDirectory, "worktrees");
	for (const name of fs.existsSync(worktrees) ? fs.readdirSync(worktrees) : []) {
		const gitDirectory = path.join(worktrees, name);
		try {
			const link = textOfBytes(fs.readFileSync(path.join(gitDirectory, "gitdir"))).replace(/\r?\n$/, "");
			yield { gitDirectory, link: path.resolve(gitDirectory, link) };
		} catch {
			// It is no working tree, or is being removed: git worktree prune removes the rest.
		}
	}
}

const isText = (file: string) => isUtf8(textBytes(file));

/** Other working trees in directories whose names are not UTF-8, as text for `textBytes`: no process can be started there. */
export function unreachableTrees(repository: Repository): string[] {
	const links = [...worktreeLinks(repository)].map(({ link }) => link);
	return links.filter((link) => !isText(link) && fs.existsSync(textBytes(link))).map((link) => path.dirname(link));
}

/** Other working trees of a repository (git-worktree(1)): they have an index and files of their own, and share its objects. */
export function linkedTrees(repository: Repository): Repository[] {
	const { commonDirectory, root } = repository;
	const real = (file: string) => fs.realpathSync(file);
	const trees: { root: string; gitDirectory: string }[] = [];
	if (path.basename(commonDirectory) === ".git") trees.push({ root: path.dirname(commonDirectory), gitDirectory: commonDirectory });
	for (const { gitDirectory, link } of worktreeLinks(repository)) if (isText(link)) trees.push({ root: path.dirname(link), gitDirectory });
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
	for (const tree of unreachableTrees(repository))
		log.warn(
			`${JSON.stringify(textBytes(tree).toString("utf8"))} is another working tree, with a name that is not UTF-8: it is not cleaned; rename it (git worktree move), or remove it`,
		);
	for (const tree of linkedTrees(repository)) {
		const files = await workingFiles(tree);
		const open = new Set(openFilesBelow(diskFiles, [tree.root]));
		for (const oid of await rewriteIndex(tree, replaced, gone)) left.add(oid);
		for (const name of files) {
			const file = fileSystemPath(tree.root, name);
			const shown = JSON.stringify(path.join(tree.root, displayPath(name)));
			if (gone.some((one) => isWithin(name, one))) {
				if (fs.existsSync(file)) log.warn(`${shown} is in another working tree: remove it there`);
				continue;
			}
			const content = contentOfFile(file);
			if (content !== null && scrubbed(content, scrub).equals(content)) continue;
			// This reads the open files of all processes.
			if (content !== null && isLive(tree.root, name))
				log.warn(
					`${shown} is in another working tree, and a program has the database open: it still has forgotten content; close the program, and take it out there`,
				);
			else scrubFile(file, scrub, open.has(name));
		}
	}
	return left;
}
