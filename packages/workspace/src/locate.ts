import { existsSync, statSync } from "node:fs";
import path from "node:path";

/** No workspace could be found, or the one that was named is not a directory. Exit code 2. */
export class WorkspaceNotFoundError extends Error {
	readonly exitCode = 2;
	override readonly name = "WorkspaceNotFoundError";
}

export interface LocateOptions {
	/** `--workspace DIR` */
	flag?: string | undefined;
	env?: NodeJS.ProcessEnv;
	cwd?: string;
}

function ancestors(directory: string): string[] {
	const list: string[] = [];
	for (let at = path.resolve(directory); ; at = path.dirname(at)) {
		list.push(at);
		if (path.dirname(at) === at) return list;
	}
}

function existingDirectory(directory: string, from: string): string {
	const resolved = path.resolve(directory);
	const stats = statSync(resolved, { throwIfNoEntry: false });
	if (!stats?.isDirectory())
		throw new WorkspaceNotFoundError(`${from} '${directory}' is not a directory: name the working directory that is to be synced`);
	return resolved;
}

/**
 * The absolute path of the workspace: `--workspace`, `$SYNC_WORKSPACE`, the nearest ancestor of the current directory
 * that holds `.sync_env`, the top level of the current git work tree; in that order.
 * @throws WorkspaceNotFoundError
 */
export function locateWorkspace({ flag, env = process.env, cwd = process.cwd() }: LocateOptions = {}): string {
	if (flag !== undefined) return existingDirectory(flag, "--workspace");
	if (env.SYNC_WORKSPACE) return existingDirectory(env.SYNC_WORKSPACE, "SYNC_WORKSPACE");
	const configured = ancestors(cwd).find((directory) => existsSync(path.join(directory, ".sync_env")));
	if (configured) return configured;
	const workTree = ancestors(cwd).find((directory) => existsSync(path.join(directory, ".git")));
	if (workTree) return workTree;
	throw new WorkspaceNotFoundError(
		"no workspace here: name it with --workspace DIR or SYNC_WORKSPACE, or run inside a directory that holds .sync_env or a git work tree",
	);
}
