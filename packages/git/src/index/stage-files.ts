import type { Items } from "@robust-sync/system/items";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { readDiskFile } from "../files/disk-file.ts";
import { hasModes, mountsWithoutModes, storedMode } from "../files/file-modes.ts";
import { withSettings } from "../objects/merge-store.ts";
import type { TreeEntry } from "../objects/merge-tree.ts";
import { isArgument } from "../objects/tree-paths.ts";
import {
	directoriesAbove,
	displayPath,
	fileSystemPath,
	type GitPath,
	gitPathIfAllowed,
	gitPathList,
	splitRecords,
} from "../paths/git-path.ts";
import { GitError } from "../process/errors.ts";
import { watchFiles } from "../process/process-progress.ts";
import type { Repository } from "../process/repository.ts";
import { writeIndexEntries } from "./index-file.ts";

/** A file that was written this recently may be what git stumbled over. */
const restlessMs = 1_000;
const attempts = 5;

/** From this many files on, their blobs go into one pack: each by itself is a file that must be fsynced. */
const packFrom = 1_000;
/** For every blob git looks through all that it has put into the pack before: its time grows with the square of this. */
const filesAPack = 20_000;

/**
 * Stages files as they are on disk; a file that is gone there is removed from the index. git fails on a file that is written all the time
 * ("short read while indexing"): a copy of that one is staged, as it was at one moment.
 * @param options more options for update-index
 * @returns files that git cannot take, because they cannot be read or a filter or encoding fails: their index entries stay as they were
 * @throws GitError
 */
export async function stageFiles(
	repository: Repository,
	paths: Items<GitPath>,
	options: readonly string[] = [],
): Promise<readonly GitPath[]> {
	// Files above core.bigFileThreshold are written to a pack, unless a filter applies to them (git-config(1)).
	const env = paths.length >= packFrom ? withSettings(repository.env, [["core.bigFileThreshold", "0"]]) : {};
	const command = ["update-index", "-z", "--add", "--remove", "--replace", ...options, "--stdin"];
	const failed: GitPath[] = [];
	for (let start = 0; start < paths.length; start += filesAPack) {
		const names = paths.slice(start, start + filesAPack);
		const list = { what: "adding files", root: repository.root, names, before: start, total: paths.length };
		const onRunning = watchFiles(repository, list);
		const without = mountsWithoutModes(repository, names);
		const isWithout = (name: GitPath) => without.size > 0 && directoriesAbove(name).some((directory) => without.has(directory));
		const [usual, modeless] = [names.filter((name) => !isWithout(name)), names.filter(isWithout)];
		failed.push(...(await stage(usual, repository, (input) => repository.run(command, { input, env, onRunning }))));
		const ignoring = withSettings({ ...repository.env, ...env }, [["core.fileMode", "false"]]);
		failed.push(...(await stage(modeless, repository, (input) => repository.run(command, { input, env: ignoring, onRunning }))));
	}
	return failed;
}

async function stage(
	paths: readonly GitPath[],
	repository: Repository,
	update: (input: Buffer) => Promise<unknown>,
): Promise<readonly GitPath[]> {
	let rest = paths;
	for (let attempt = 1; rest.length > 0; attempt++) {
		try {
			await update(gitPathList(rest));
			return [];
		} catch (error) {
			if (!isOfFiles(error)) throw error;
			const restless = new Set(attempt < attempts ? rest.filter((name) => isRestless(repository.root, name)) : []);
			if (restless.size === 0) return await stageApart(rest, update);
			const copied = new Set<GitPath>();
			for (const name of restless) {
				try {
					await stageCopy(repository, name);
					copied.add(name);
				} catch {
					// It is no write in progress that git stumbles over.
				}
			}
			if (copied.size === 0) return await stageApart(rest, update);
			rest = rest.filter((name) => !copied.has(name));
		}
	}
	return [];
}

/** A failure that may be due to single files: "unable to index file", a filter, an encoding, a permission. */
const isOfFiles = (error: unknown) => error instanceof GitError && (error.code === "INTERNAL" || error.code === "PERMISSION_DENIED");

/** git stops at the first file that it cannot take: the others are taken without it. @returns those that it cannot */
async function stageApart(paths: readonly GitPath[], update: (input: Buffer) => Promise<unknown>): Promise<readonly GitPath[]> {
	if (paths.length === 0) return [];
	if (paths.length > 1) {
		const middle = paths.length >> 1;
		return [...(await tryToStage(paths.slice(0, middle), update)), ...(await tryToStage(paths.slice(middle), update))];
	}
	return await tryToStage(paths, update);
}

async function tryToStage(paths: readonly GitPath[], update: (input: Buffer) => Promise<unknown>): Promise<readonly GitPath[]> {
	try {
		await update(gitPathList(paths));
		return [];
	} catch (error) {
		if (!isOfFiles(error)) throw error;
		return paths.length === 1 ? paths : await stageApart(paths, update);
	}
}

function isRestless(root: string, name: GitPath): boolean {
	const stats = lstatIfThere(fileSystemPath(root, name));
	return stats !== null && (stats.isFile() || stats.isSymbolicLink()) && Math.abs(Date.now() - stats.mtimeMs) < restlessMs;
}

async function stageCopy(repository: Repository, name: GitPath): Promise<void> {
	const entry = await storeCopy(repository, name);
	await writeIndexEntries(repository, [{ path: name, entry }]);
}

/** Stores the file as a blob, through its filters; null: it is gone. A name that is not UTF-8 cannot be an argument of git: no filters then. */
export async function storeCopy(repository: Repository, name: GitPath): Promise<TreeEntry | null> {
	const file = readDiskFile(repository, name);
	if (file === null) return null;
	const filters = file.mode === "120000" || !isArgument(name) ? ["--no-filters"] : [`--path=${displayPath(name)}`];
	const { stdout } = await repository.run(["hash-object", "-w", "--stdin", ...filters], { input: file.content });
	const recorded = (await indexModes(repository, [name])).get(name);
	return { mode: storedMode(repository, name, file.mode, recorded), oid: stdout.toString("latin1").trim() };
}

/** The modes in the index of those paths whose file system has none. @throws GitError */
export async function indexModes(repository: Repository, names: readonly GitPath[]): Promise<Map<GitPath, string>> {
	const modeless = names.filter((name) => isArgument(name) && !hasModes(repository, name)).map(displayPath);
	if (modeless.length === 0) return new Map();
	const { stdout } = await repository.run(["ls-files", "-s", "-z", "--", ...modeless], { env: { GIT_LITERAL_PATHSPECS: "1" } });
	// "<mode> <oid> <stage>\t<path>"
	return new Map(
		splitRecords(stdout).flatMap((record) => {
			const name = gitPathIfAllowed(record.slice(record.indexOf("\t") + 1));
			return name === null ? [] : [[name, record.slice(0, 6)] as const];
		}),
	);
}
