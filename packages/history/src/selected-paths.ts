import { isUtf8 } from "node:buffer";
import { realpathSync } from "node:fs";
import path from "node:path";
import { displayPath, type GitPath, gitPathBytes, gitPathFromText, isGitPath, textBytes, topOf, workspaceRoot } from "@robust-sync/git";
import { isOwnName } from "@robust-sync/workspace";

/** A path that has no history. Exit code 2. */
export class PathError extends Error {
	readonly exitCode = 2;
	override readonly name = "PathError";
}

/** The real path of as much of `name` as exists, links resolved; the missing rest is appended unchanged. */
export function realPath(name: string): string {
	try {
		return realpathSync(name);
	} catch {
		const parent = path.dirname(name);
		return parent === name ? name : path.join(realPath(parent), path.basename(name));
	}
}

const isBelow = (root: string, full: string) => full === root || full.startsWith(root === path.sep ? root : `${root}${path.sep}`);

/** The path below the workspace, even if it or the workspace is reached through links. A link as the last component is not followed. Null: outside. */
export function belowWorkspace(root: string, full: string): string | null {
	if (isBelow(root, full)) return full;
	const realRoot = realPath(root);
	const real = realPath(full) === realRoot ? realRoot : path.join(realPath(path.dirname(full)), path.basename(full));
	return isBelow(realRoot, real) ? path.join(root, path.relative(realRoot, real)) : null;
}

/**
 * Resolves a name from the command line to a path of the workspace: relative to the current directory if that is inside, else to the workspace.
 * `.` is the whole workspace. An empty name is an error: an unset variable of a script must not select everything.
 * @throws PathError
 */
export function selectedPath(root: string, cwd: string, text: string): GitPath {
	if (text === "") throw new PathError('a PATH is empty: name a file or a directory, or "." for all of the workspace');
	const full = belowWorkspace(root, path.resolve(belowWorkspace(root, cwd) ?? root, text));
	if (full === null) throw new PathError(`${JSON.stringify(text)} is not in the workspace ${root}`);
	const relative = path.relative(root, full).split(path.sep).join("/");
	if (relative === "") return workspaceRoot;
	if (!isGitPath(textBytes(relative).toString("latin1")) || isOwnName(topOf(gitPathFromText(relative))))
		throw new PathError(`${JSON.stringify(text)} is never synced: it has no history`);
	return gitPathFromText(relative);
}

/**
 * Whether a path is one of the named paths or below one, byte for byte. A path that is not UTF-8 also matches the form in which it is
 * shown to people.
 */
export function isSelected(name: GitPath, selected: readonly GitPath[]): boolean {
	return selected.some((one) => {
		if (one === workspaceRoot || name === one || name.startsWith(`${one}/`)) return true;
		if (!one.includes("\xef\xbf\xbd") || !isUtf8(gitPathBytes(one))) return false;
		const [shown, wanted] = [displayPath(name), displayPath(one)];
		return shown === wanted || shown.startsWith(`${wanted}/`);
	});
}
