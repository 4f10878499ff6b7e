import { existsSync, rmdirSync } from "node:fs";
import { displayPath, openRepository, type Repository } from "@robust-sync/git";
import { trackedOwnFiles } from "@robust-sync/resolve";
import { CommandError, createLogger, ExitCode, type Logger } from "@robust-sync/service";
import { printable, shellPath } from "@robust-sync/service/printable";
import { warnAtStart } from "@robust-sync/service/start-warning";
import type { Lock } from "@robust-sync/system/lock";
import { foreignOwner, makeOwnDirectory, trustOwner } from "@robust-sync/system/own-directory";
import {
	type Config,
	ensureExcluded,
	exposedSecrets,
	isWorkspace,
	loadConfig,
	locateWorkspace,
	WorkspacePaths,
} from "@robust-sync/workspace";
import { acquireCycleLock } from "@robust-sync/workspace/cycle-lock";

/** The common input of all modes. */
export interface ResolverContext {
	/** A person made this repository a workspace; otherwise this run is the only one, and leaves no empty directories of ours. */
	readonly isWorkspace: boolean;
	readonly paths: WorkspacePaths;
	readonly config: Config;
	readonly repository: Repository;
	readonly log: Logger;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
}

/** Opens the workspace that the flag, the environment or the current directory names. @throws WorkspaceNotFoundError, ConfigError, GitError */
export async function openWorkspace({ workspace, verbose = false }: { workspace?: string; verbose?: boolean }): Promise<ResolverContext> {
	const paths = new WorkspacePaths(locateWorkspace({ flag: workspace }));
	const config = loadConfig({ workspace: paths.root });
	const log = createLogger({
		name: "conflict-resolver",
		level: verbose ? "debug" : config.logLevel,
		format: config.logFormat,
		file: paths.logFile("conflict-resolver"),
		stderr: verbose,
		secrets: [...config.secrets],
	});
	warnAtStart(exposedSecrets(paths.envFile, shellPath(paths.envFile)), "conflict-resolver");
	// Root in another user's workspace: git decides, by safe.directory; sudo alone is no consent.
	const owner = foreignOwner(paths.root);
	const { SUDO_UID: _caller, ...others } = process.env;
	const env = owner === null ? process.env : others;
	const repository = await openRepository({ directory: paths.root, node: config.nodeName, hooks: config.syncHooks, env });
	if (owner !== null) trustOwner(owner);
	return { isWorkspace: isWorkspace(paths.root, { flag: workspace }), paths, config, repository, log, now: Date.now };
}

/** Takes the lock for changes of the repository; waits for a cycle in progress. @throws LockedError after a minute */
export async function withCycleLock<T>(context: ResolverContext, purpose: string, work: (lock: Lock) => Promise<T>): Promise<T> {
	const { paths, isWorkspace } = context;
	if (!isWorkspace) await refuseOwnNames(context);
	const isOurs = isWorkspace || existsSync(paths.sync);
	makeOwnDirectory(paths.sync);
	const takeBack = ensureExcluded(paths.root);
	const lock = await acquireCycleLock(paths, purpose);
	try {
		return await work(lock);
	} finally {
		await lock.release();
		if (!isOurs && removeEmpty(paths)) takeBack();
	}
}

/**
 * A repository that is not a workspace may have files of its own under our names: resolving would remove them from the commit.
 * @throws CommandError (exit code 2)
 */
async function refuseOwnNames({ repository, paths }: ResolverContext): Promise<void> {
	const [first] = await trackedOwnFiles(repository);
	if (first === undefined) return;
	const name = printable(displayPath(first));
	throw new CommandError(
		`${shellPath(paths.root)} is no workspace, and tracks files under names that robust-sync keeps for itself (${name}): nothing was changed; resolve it with git, or make it a workspace with 'robust-sync --init' after renaming them`,
		ExitCode.usage,
	);
}

/** Removes the empty directories below `sync/`, and itself if it is empty. @returns whether it is gone */
function removeEmpty(paths: WorkspacePaths): boolean {
	for (const directory of [paths.conflicts, paths.backups, paths.staging, paths.pending, paths.sync]) {
		try {
			rmdirSync(directory);
		} catch (error) {
			if (!["ENOENT", "ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
		}
	}
	return !existsSync(paths.sync);
}
