import path from "node:path";
import { displayPath, type GitPath, gitPathFromText, isGitPath, topOf, workspaceRoot } from "@robust-sync/git";
import { isOwnName } from "@robust-sync/workspace";

/** A path that cannot be asked about. Exit code 2. */
export class PathError extends Error {
	readonly exitCode = 2;
	override readonly name = "PathError";
}

/**
 * What a person names, as a path of the workspace: relative to where they are, if that is inside it, else to the workspace; `.` is all of it,
 * and an empty name nothing: a script's variable that is not set must not mean everything.
 * @throws PathError
 */
export function selectedPath(root: string, cwd: string, text: string): GitPath {
	if (text === "") throw new PathError('a PATH is empty: name a file or a directory, or "." for all of the workspace');
	const isInside = (full: string) => full === root || full.startsWith(`${root}${path.sep}`);
	const full = path.resolve(isInside(cwd) ? cwd : root, text);
	if (!isInside(full)) throw new PathError(`${JSON.stringify(text)} is not in the workspace ${root}`);
	const relative = path.relative(root, full).split(path.sep).join("/");
	if (relative === "") return workspaceRoot;
	if (!isGitPath(Buffer.from(relative).toString("latin1")) || isOwnName(topOf(gitPathFromText(relative))))
		throw new PathError(`${JSON.stringify(text)} is never synced: it has no history`);
	return gitPathFromText(relative);
}

/** Whether a path is one of those that were named, or below one. A name that is not UTF-8 is meant by how it is shown. */
export function isSelected(name: GitPath, selected: readonly GitPath[]): boolean {
	return selected.some((one) => {
		if (one === workspaceRoot || name === one || name.startsWith(`${one}/`)) return true;
		const [shown, wanted] = [displayPath(name), displayPath(one)];
		return shown === wanted || shown.startsWith(`${wanted}/`);
	});
}
