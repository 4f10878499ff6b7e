import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { withSettings } from "../objects/merge-store.ts";
import { directoriesAbove, fileSystemPath, type GitPath, gitPath, gitPathList } from "../paths/git-path.ts";
import { runGit } from "../process/exec.ts";
import type { Repository } from "../process/repository.ts";

/**
 * The values of some attributes for some paths, as given `.gitattributes` files alone define them (gitattributes(5)): not the
 * person's own ones, not those of the working tree. One process; the files lie in a temporary directory meanwhile.
 * `git check-attr --source` would do it for a tree, from git 2.40.
 * @param store from openMergeStore
 * @param files the `.gitattributes` files by path, none below another's file
 * @returns by path, by attribute: its value, "set", "unset"; nothing where it is unspecified
 */
export async function checkAttributes(
	store: Repository,
	files: ReadonlyMap<GitPath, Uint8Array>,
	attributes: readonly string[],
	paths: readonly GitPath[],
): Promise<Map<GitPath, Map<string, string>>> {
	const result = new Map<GitPath, Map<string, string>>();
	if (files.size === 0 || paths.length === 0) return result;
	const directory = mkdtempSync(path.join(store.root, "attributes-"));
	try {
		for (const [name, content] of files) {
			// fs.mkdir's recursive mode decodes names; this keeps their bytes.
			for (const above of directoriesAbove(name)) {
				try {
					mkdirSync(fileSystemPath(directory, above));
				} catch (error) {
					if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
				}
			}
			writeFileSync(fileSystemPath(directory, name), content);
		}
		const { stdout } = await runGit(
			directory,
			["check-attr", "-z", "--stdin", ...attributes],
			{ ...withSettings(store.env, [["core.attributesFile", "/dev/null"]]), GIT_WORK_TREE: directory },
			{ input: gitPathList(paths) },
		);
		const tokens = stdout.toString("latin1").split("\0");
		for (let at = 0; at + 2 < tokens.length; at += 3) {
			const [name = "", attribute = "", value = ""] = tokens.slice(at, at + 3);
			if (value === "unspecified") continue;
			const key = gitPath(Buffer.from(name, "latin1"));
			const values = result.get(key) ?? new Map<string, string>();
			result.set(key, values.set(attribute, value));
		}
		return result;
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
}

/** Whether attributes are set outside of the working tree: for the repository, the user or the machine. */
export function hasOuterAttributes(repository: Repository): boolean {
	const { HOME = "/", XDG_CONFIG_HOME = path.join(HOME, ".config") } = repository.env;
	const files = [
		path.join(repository.commonDirectory, "info/attributes"),
		path.join(XDG_CONFIG_HOME, "git/attributes"),
		"/etc/gitattributes",
	];
	return repository.config.has("core.attributesfile") || files.some((file) => existsSync(file));
}

/** Whether the index has a file of attributes, which could make files on disk differ from their blobs (gitattributes(5)). One process. @throws GitError */
export async function tracksAttributes(repository: Repository): Promise<boolean> {
	const { stdout } = await repository.run(["ls-files", "-z", "--", ".gitattributes", ":(glob)**/.gitattributes"]);
	return stdout.length > 0;
}
