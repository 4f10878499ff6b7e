import { existsSync, lstatSync, readFileSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import { commonGitDirectory, isLinkedWorkTree } from "./exclude.ts";
import { checkOwnPlaces } from "./own-places.ts";

/** No workspace was found, or the named one is not a directory. Exit code 2. */
export class WorkspaceNotFoundError extends Error {
	readonly exitCode = 2;
	override readonly name = "WorkspaceNotFoundError";
}

/** A git repository that no person has made a workspace. Exit code 2, in two lines. */
export class NoConsentError extends Error {
	readonly exitCode = 2;
	override readonly name = "NoConsentError";
	/** The message as it is printed. */
	readonly lines: readonly string[];

	constructor(root: string) {
		const lines = [
			`${root} is a git repository, but not a workspace: robust-sync would commit every file there that git does not ignore, and push it`,
			"to make it one, run `robust-sync --init` there (it first shows what would be published), or name it with --workspace or SYNC_WORKSPACE",
		];
		super(lines.join("; "));
		this.lines = lines;
	}
}

/** The configuration entry that makes a repository without `.sync_env` a workspace, in the syntax of `git config`. */
export const workspaceMarker = { key: "robust-sync.workspace", value: "true" } as const;

/** Whether the repository's own configuration has {@link workspaceMarker}, in the form in which `git config` writes it. */
function isMarked(root: string): boolean {
	const gitDirectory = commonGitDirectory(root);
	// The mark is the main working tree's: making that one a workspace does not include the others, or the reverse.
	if (gitDirectory === null || isLinkedWorkTree(root)) return false;
	let section = "";
	let hasMark = false;
	try {
		for (const line of readFileSync(path.join(gitDirectory, "config"), "utf8").split("\n")) {
			section = /^\s*\[([^\]]*)\]/.exec(line)?.[1]?.toLowerCase() ?? section;
			// As for git, the last value counts.
			const value = section === "robust-sync" ? /^\s*workspace\s*=\s*"?(\w*)"?\s*$/i.exec(line)?.[1] : undefined;
			if (value !== undefined) hasMark = value.toLowerCase() === "true";
		}
	} catch {
		// A configuration that cannot be read has no mark.
	}
	return hasMark;
}

/**
 * Whether a person made a directory a workspace: named by flag or environment, configured, marked, or used by robust-sync before.
 * @param flag `--workspace`, if given
 */
export function isWorkspace(root: string, { flag, env = process.env }: Pick<LocateOptions, "flag" | "env"> = {}): boolean {
	if (flag !== undefined || (env.SYNC_WORKSPACE && existingDirectory(env.SYNC_WORKSPACE, "SYNC_WORKSPACE") === path.resolve(root)))
		return true;
	return existsSync(path.join(root, ".sync_env")) || existsSync(path.join(root, "sync/sync_state.json")) || isMarked(root);
}

export interface LocateOptions {
	/** `--workspace DIR` */
	flag?: string | undefined;
	env?: NodeJS.ProcessEnv;
	cwd?: string;
	/** For commands that write or send: a repository around the current directory is not enough. */
	needsConsent?: boolean;
}

function ancestors(directory: string): string[] {
	const list: string[] = [];
	for (let at = path.resolve(directory); ; at = path.dirname(at)) {
		list.push(at);
		if (path.dirname(at) === at) return list;
	}
}

/** Whether a directory is below the top of a working tree: a `.sync_env` there may be a commit of a peer, and is not a configuration. */
function isInsideWorkTree(directory: string): boolean {
	const [own, ...above] = ancestors(directory).map((at) => existsSync(path.join(at, ".git")));
	return own === false && above.includes(true);
}

function existingDirectory(directory: string, from: string): string {
	const resolved = path.resolve(directory);
	const stats = statSync(resolved, { throwIfNoEntry: false });
	if (!stats?.isDirectory())
		throw new WorkspaceNotFoundError(`${from} '${directory}' is not a directory: name the working directory that is to be synced`);
	// Nothing of ours is written through a link.
	return lstatSync(resolved).isSymbolicLink() ? realpathSync(resolved) : resolved;
}

/**
 * The absolute path of the workspace: `--workspace`, `$SYNC_WORKSPACE`, the nearest ancestor of the current directory
 * that holds `.sync_env` and is not below the top of a working tree, the top level of the current git working tree; in that order. Never a link.
 * @throws WorkspaceNotFoundError, NoConsentError; OwnPlaceError if something else is in the place of our own files (checkOwnPlaces)
 */
export function locateWorkspace(options: LocateOptions = {}): string {
	const root = findWorkspace(options);
	checkOwnPlaces(root);
	return root;
}

/** The same without checkOwnPlaces: for commands that report its result. @throws WorkspaceNotFoundError, NoConsentError */
export function findWorkspace({ flag, env = process.env, cwd = process.cwd(), needsConsent = false }: LocateOptions): string {
	if (flag !== undefined) return existingDirectory(flag, "--workspace");
	if (env.SYNC_WORKSPACE) return existingDirectory(env.SYNC_WORKSPACE, "SYNC_WORKSPACE");
	const isConfigured = (directory: string) => existsSync(path.join(directory, ".sync_env")) && !isInsideWorkTree(directory);
	const configured = ancestors(cwd).find(isConfigured);
	if (configured) return configured;
	const workTree = ancestors(cwd).find((directory) => existsSync(path.join(directory, ".git")));
	if (workTree && needsConsent && !isMarked(workTree)) throw new NoConsentError(workTree);
	if (workTree) return workTree;
	throw new WorkspaceNotFoundError(
		"no workspace here: name it with --workspace DIR or SYNC_WORKSPACE, or run inside a directory that holds .sync_env or a git working tree",
	);
}
