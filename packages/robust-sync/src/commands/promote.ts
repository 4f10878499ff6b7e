import fs from "node:fs";
import { readHead } from "@robust-sync/git";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { writeAtomicSync } from "@robust-sync/system/atomic-write";
import { isHolderAlive, isHolderInTable, readLockHolder } from "@robust-sync/system/lock";
import { type Config, parseEnvText, type WorkspacePaths } from "@robust-sync/workspace";
import { openWorkspaceRepository } from "../context/cycle-context.ts";
import { toSyncError } from "../context/sync-error.ts";
import { checkMirror } from "../remote/mirrors.ts";

/** The result of promoting a mirror. */
export interface Promotion {
	readonly hub: string;
	readonly mirrors: readonly string[];
	/** Makes the running instance read its configuration again. */
	readonly reloaded: boolean;
}

/**
 * A `.sync_env` with other values for some variables: their lines are removed and new ones appended, everything else stays.
 * @param values null: the variable is removed
 */
export function withVariables(text: string, values: Readonly<Record<string, string | null>>): string {
	const names = Object.keys(values).join("|");
	const kept = text.split("\n").filter((line) => !new RegExp(`^\\s*(?:export\\s+)?(?:${names})\\s*=`).test(line));
	while (kept.at(-1) === "") kept.pop();
	for (const [name, value] of Object.entries(values)) if (value !== null) kept.push(`export ${name}=${value}`);
	return `${kept.join("\n")}\n`;
}

/**
 * Makes a mirror the hub, and the hub a mirror: in `.sync_env`, and at once in a running instance. Pushes and fetches nothing; the
 * next cycle does that.
 * @throws CommandError if the name is no mirror, the mirror does not answer, or the environment sets these variables
 */
export async function promoteMirror(paths: WorkspacePaths, config: Config, name: string, env = process.env): Promise<Promotion> {
	if (name === config.syncRemote) return { hub: name, mirrors: config.syncMirrors, reloaded: false };
	if (!config.syncMirrors.includes(name))
		throw new CommandError(
			`'${name}' is no mirror: ${config.syncMirrors.length === 0 ? "SYNC_MIRRORS names none" : `SYNC_MIRRORS names ${config.syncMirrors.join(", ")}`}`,
			ExitCode.usage,
		);
	for (const variable of ["SYNC_REMOTE", "SYNC_MIRRORS"])
		if (env[variable])
			throw new CommandError(`${variable} is set in the environment, which wins over .sync_env: change it there`, ExitCode.usage);
	try {
		const repository = await openWorkspaceRepository(paths, config);
		const branch = config.syncBranch ?? (await readHead(repository)).branch;
		if (branch === null) throw new CommandError("no branch is checked out: check out the one that is synced", ExitCode.failed);
		await checkMirror(repository, name, branch);
	} catch (error) {
		if (error instanceof CommandError) throw error;
		const { code, message } = toSyncError(error);
		throw new CommandError(`${code}: ${message}; nothing was changed`, ExitCode.failed, { cause: error });
	}
	const mirrors = [config.syncRemote, ...config.syncMirrors.filter((mirror) => mirror !== name)];
	const before = fs.existsSync(paths.envFile) ? fs.readFileSync(paths.envFile, "utf8") : "";
	const after = withVariables(before, { SYNC_REMOTE: name, SYNC_MIRRORS: mirrors.join(",") });
	// A value over several lines would hide ours.
	if (parseEnvText(after).SYNC_REMOTE !== name)
		throw new CommandError(`set SYNC_REMOTE=${name} and SYNC_MIRRORS=${mirrors.join(",")} in .sync_env by hand`, ExitCode.failed);
	writeAtomicSync(paths.envFile, after);
	return { hub: name, mirrors, reloaded: await reload(paths) };
}

async function reload(paths: WorkspacePaths): Promise<boolean> {
	const file = paths.instanceLock("sync");
	const holder = readLockHolder(file);
	if (holder === null || !(await isHolderAlive(file, holder)) || !isHolderInTable(holder)) return false;
	process.kill(holder.pid, "SIGHUP");
	return true;
}
