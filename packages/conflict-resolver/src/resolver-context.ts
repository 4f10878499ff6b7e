import { openRepository, type Repository } from "@robust-sync/git";
import { createLogger, type Logger } from "@robust-sync/service";
import { shellPath } from "@robust-sync/service/printable";
import { warnAtStart } from "@robust-sync/service/start-warning";
import {
	acquireLock,
	type Config,
	ensureExcluded,
	exposedSecrets,
	foreignOwner,
	type Lock,
	loadConfig,
	locateWorkspace,
	makeOwnDirectory,
	trustOwner,
	WorkspacePaths,
} from "@robust-sync/workspace";

/** What every verb works with. */
export interface ResolverContext {
	readonly paths: WorkspacePaths;
	readonly config: Config;
	readonly repository: Repository;
	readonly log: Logger;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
}

/** A cycle in progress is waited for so long. */
const patienceMs = 60_000;

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
	// Root in another user's workspace: git decides, by safe.directory; that it was sudo is no consent.
	const owner = foreignOwner(paths.root);
	const { SUDO_UID: _caller, ...others } = process.env;
	const env = owner === null ? process.env : others;
	const repository = await openRepository({ directory: paths.root, node: config.nodeName, hooks: config.syncHooks, env });
	if (owner !== null) trustOwner(owner);
	return { paths, config, repository, log, now: Date.now };
}

/** Holds the lock that every change of the repository is made under; waits for a cycle in progress. @throws LockedError after a minute */
export async function withCycleLock<T>({ paths }: ResolverContext, purpose: string, work: (lock: Lock) => Promise<T>): Promise<T> {
	makeOwnDirectory(paths.sync);
	ensureExcluded(paths.root);
	const lock = await acquireLock(paths.cycleLock, { purpose, waitMs: patienceMs });
	try {
		return await work(lock);
	} finally {
		await lock.release();
	}
}
